"""Analysis: box to controls, scores and verdict; `analysis.analyze` is the whole line.

Floor 8; imports metrics, reconstruction, brain, geometry, networks, imaging, system.
"""
