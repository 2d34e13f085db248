"""Lesions: pathology painted into a scan, and how small or faint it may be and still be found.

Floor 10; imports report, analysis, metrics, reconstruction, brain, geometry, networks, imaging, system.
"""
