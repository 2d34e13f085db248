"""RadiomicsPersonaNodes: MRML nodes to the library's objects and back; slicer, vtk and numpy,
no Qt and no computation on images.

parameter_node: what the user chose. scan: the volume in question. roi: boxes. analysis: both on their way to the worker.
output: the nodes of results. analyzed: the boxes that results are about, with their verdicts in sentences. volume: how result
volumes look. table: results as tables and plots. origin: what made the results. report: results to be sent. view: what the
views show. live_twin: a box's healthy persona while it is dragged. model_choice: models and classifiers with their cards.
segmentation: what a model finds. mesh: the surface of a segment. lesions: painted ones. follow_up: visits. regression: what a
table of visits says.
"""
