"""Imaging: scans with their geometry, their files, and what is done to voxels without knowing a brain.

Floor 3; imports system.
"""
