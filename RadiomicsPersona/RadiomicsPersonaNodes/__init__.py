"""RadiomicsPersonaNodes: MRML nodes to the library's objects and back; slicer, vtk and numpy,
no Qt and no computation on images.

parameter_node: what the user chose. scan: the volume in question. roi: boxes. analyzed: the boxes that results are about.
output: the nodes of results. volume: how result volumes look. table: results as tables and plots. verdict: results in
sentences. origin: what made the results. report: results to be sent. view: what the views show. live_twin: a box's healthy
persona while it is dragged. model_choice: the models and their cards. segmentation: what a model finds. mesh, model: the
surface of a segment. follow_up: visits. regression: what a table of visits says.
"""
