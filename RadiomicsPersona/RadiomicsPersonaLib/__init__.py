"""RadiomicsPersona: what a region of a brain MRI would look like if it were healthy, and how far it is from that.

Arrays and their geometry in, arrays and numbers out; no Slicer, no Qt. `analysis.analysis.analyze` is the whole line.
A folder imports only folders below it; its docstring says which.

box         an oriented cuboid in RAS millimetres that a user asks about
hole        the voxels that are taken out and rebuilt, usually those of a box
patch       the cube on a model's grid in which a hole is rebuilt
persona     the scan with a hole rebuilt as healthy tissue; "reconstruction" where it is computed, "twin" while a box is dragged
deviation   how unusual a voxel's difference from the persona is among the same places of the controls
metric      one number of how a box differs from its persona
control     a healthy box of the same scan, as large as the user's, rebuilt and measured like it
score       a metric held against those of the controls, larger for less like healthy tissue
suspect     the user's boxes and masks: nothing is learnt from them, whichever hole is rebuilt, and no control lies there
verdict     0 healthy, 1 pathological, or none with the reason; by p, by the classifier, or by a metric
classifier  the probability of pathology from all scores, fitted on boxes whose truth is known
card        what a model says of itself, as JSON beside its weights: kind, grid, training data, licence, checksum
"""

from __future__ import annotations

__version__ = "0.1.0"
