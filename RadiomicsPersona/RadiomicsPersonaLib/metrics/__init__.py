"""Metrics: how the voxels of a box differ from their persona, one kind of measure per file.

Floor 7; imports reconstruction, brain, geometry, imaging, system.
"""
