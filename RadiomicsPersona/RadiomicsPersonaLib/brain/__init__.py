"""Brain: what is estimated once per scan: tissue, anatomy, midplane and its mirror.

Floor 5; imports geometry, networks, imaging, system.
"""
