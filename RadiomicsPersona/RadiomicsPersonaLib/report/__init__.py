"""Report: results as files: JSON, CSV, arrays, pictures, HTML, PDF, a scene for Slicer.

Floor 9; imports analysis, metrics, reconstruction, brain, geometry, networks, imaging, system.
"""
