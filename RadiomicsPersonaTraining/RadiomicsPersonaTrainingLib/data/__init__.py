"""Data: splits, the survey of scans, prepared scans, and scans that are held out.

Floor 2; imports settings, synthesis.
"""
