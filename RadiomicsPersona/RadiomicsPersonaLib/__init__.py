"""RadiomicsPersona: what a region of a brain MRI would look like if it were healthy, and how far it is from that.

    import RadiomicsPersonaLib as rp

    scan = rp.read_scan("scan.nii.gz")
    analysis = rp.analyze(scan, rp.Box(center=(30, -26, 26), size=(30, 34, 28)))
    print(analysis.boxes[0].label, analysis.boxes[0].reason)
    rp.save(analysis, "output")

`api` holds these functions. A name is loaded when it is first used, so that a room of this library never loads another's needs.

Arrays and their geometry in, arrays and numbers out; no Slicer, no Qt. `analysis.analysis.analyze` is the whole line.
A folder imports only folders below it; its docstring says which.

box         an oriented cuboid in RAS millimetres that a user asks about
hole        the voxels that are taken out and rebuilt, usually those of a box
patch       the cube on a model's grid in which a hole is rebuilt
persona     the scan with a hole rebuilt as healthy tissue; "reconstruction" where it is computed, "twin" while a box is dragged
deviation   how unusual a voxel's difference from the persona is among the same places of the controls
metric      one number of how a box differs from its persona
control     a control region: a box in healthy tissue of the same scan, rebuilt and measured like the user's
score       a metric held against those of the controls, larger for less like healthy tissue
suspect     the user's boxes and masks: nothing is learnt from them, whichever hole is rebuilt, and no control lies there
verdict     0 healthy, 1 pathological, or none with the reason; by p, by the classifier, or by a metric
classifier  the probability of pathology from all scores, fitted on boxes whose truth is known
card        what a model says of itself, as JSON beside its weights: kind, grid, training data, licence, checksum
"""

from __future__ import annotations

__version__ = "0.2.0"

_OFFERED = {
    "read_scan": "imaging.files",
    "Scan": "imaging.scan",
    "Box": "geometry.box",
    "analyze": "api",
    "rebuild": "api",
    "segment": "api",
    "save": "api",
    "InputError": "errors",
}
"""The public names, and the rooms that they live in."""
__all__ = ["__version__", *_OFFERED]


def __getattr__(name: str):
    """A public name, loaded when it is first asked for (PEP 562)."""
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # Slicer's process reads this file and needs none of it

    value = globals()[name] = getattr(import_module(f"{__name__}.{_OFFERED[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
