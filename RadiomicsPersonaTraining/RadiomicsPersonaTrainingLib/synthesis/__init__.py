"""Synthesis: images from label maps.

Floor 1; imports nothing of ours beside the core.
"""
