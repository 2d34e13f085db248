"""System: processes, devices, progress, and files that are written whole or not at all.

Floor 2; imports nothing of ours.
"""
