"""RadiomicsPersonaNodes: MRML nodes to the library's objects and back; slicer, vtk and numpy, no Qt and no computation on images.

roi: boxes. volume: results as volumes. table: results as tables and plots. view: what the views show.
live_twin: a box's healthy persona while it is dragged. origin: what made the results.
"""
