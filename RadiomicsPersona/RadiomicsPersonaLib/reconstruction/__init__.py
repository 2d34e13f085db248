"""Reconstruction: hole to healthy persona, by classical fills and by networks.

Floor 6; imports brain, geometry, networks, imaging, system.
"""
