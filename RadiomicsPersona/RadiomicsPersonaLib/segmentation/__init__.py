"""Segmentation: what a segmenting model finds in a scan, and where.

Floor 6; imports brain, geometry, networks, imaging, system.
"""
