"""Geometry: boxes, holes, patches, grids and surfaces, in RAS millimetres.

Floor 4; imports imaging, system.
"""
