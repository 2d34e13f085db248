"""RadiomicsPersonaWidgets: the panel in sections, each a class that is given the widgets of the .ui file and the module's
Logic.

section: what all have in common. inputs: scan and boxes. settings: model and decision. run: Apply, Cancel, progress. packages
and pytorch_extension: what is installed when it is first needed. live_twin: the twin while a box is dragged. views: what lies
over the scan, and where they are. results: verdicts, table, report. results_menu: what is wanted of results now and then.
fade_in: the ramp with which a result appears. segment: what a model finds, and from there to a verdict. mesh: the surface of
a segment. sensitivity: how small a lesion would have been found. follow_up: the boxes at other visits. regression: what a
table of visits says. job: what a button starts and ends. report_file: a report that is opened. wrapped_text: sentences of
several lines.
"""
