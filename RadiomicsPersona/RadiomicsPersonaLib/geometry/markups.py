"""Markups: boxes read from and written to Slicer's markups files, and boxes around the labels of a label map."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..system.json_text import parsed, written
from ..system.names import shown
from .box import Box

SCHEMA = "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/markups-schema-v1.0.3.json#"
LPS_FLIP = np.array([-1.0, -1.0, 1.0])
DEFAULT_COLOR = (1.0, 0.76, 0.03)


def read_boxes(path: str | Path) -> list[Box]:
    """The boxes of a Slicer markups file (.mrk.json), in the file's order, in RAS millimetres.

    Files in LPS and in RAS are read, as Slicer does: "0" and "1" stand for RAS and LPS, nothing stands for LPS. A
    bounding-box ROI is the box that it shows. Markups other than ROIs in the same file are passed over. A transform
    that an ROI had in the scene is not part of the file: harden it before saving.

    Raises:
        InputError: not a markups file, without an ROI, or with an ROI that cannot be used as a box.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no markups file '{path}': check the path.")
    try:
        content = parsed(path.read_text(encoding="utf-8-sig"))
        markups = content["markups"]
        rois = [markup for markup in markups if markup["type"] == "ROI"]
    except OSError as error:
        raise InputError(f"'{path.name}' cannot be opened ({error.strerror}): see to its permissions, or copy it.") from error
    except (ValueError, KeyError, TypeError):
        raise InputError(f"'{path.name}' is not a Slicer markups file: save the ROI in Slicer as .mrk.json.") from None
    if not rois:
        kinds = ", ".join(sorted({str(markup["type"]) for markup in markups})) or "nothing"
        raise InputError(f"'{path.name}' holds no ROI, only {kinds}: draw the box with Slicer's Markups module as an ROI.")
    boxes = []
    for number, roi in enumerate(rois, start=1):
        wanted = shown(_name_of(roi)) or (_stem(path) if len(rois) == 1 else f"box {number}")
        boxes.append(_box_from_roi(roi, _unique(wanted, [box.name for box in boxes]), path.name))
    return boxes


def write_boxes(
    path: str | Path, boxes: list[Box], colors: list[tuple[float, float, float]] | None = None, locked: bool = True
) -> None:
    """Write boxes as the ROIs of one Slicer markups file (.mrk.json).

    Slicer makes one node per ROI when the file is dropped onto it, added with Add Data, or given to
    ``slicer.util.loadMarkups`` (which returns the first node only). ``storageNode.ReadData`` reads the first ROI only.

    Args:
        boxes: at least one.
        colors: one red, green, blue (0 to 1) per box; all amber if None.
        locked: the ROIs cannot be dragged by accident and show no handles.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_boxes(f"{folder}/boxes.mrk.json", [Box((10, -20, 30), (8, 8, 12), name="left hippocampus")])
    ...     [box] = read_boxes(f"{folder}/boxes.mrk.json")
    >>> box.name, box.center.tolist()
    ('left hippocampus', [10.0, -20.0, 30.0])
    """
    colors = [DEFAULT_COLOR] * len(boxes) if colors is None else colors
    markups = [roi_of_box(box, color, locked) for box, color in zip(boxes, colors, strict=True)]
    Path(path).write_text(markups_text(markups), encoding="utf-8")


def markups_text(markups: list[dict]) -> str:
    """The text of a markups file with the given markups."""
    return written({"@schema": SCHEMA, "markups": markups}, indent=1)


def roi_of_box(box: Box, color: tuple[float, float, float], locked: bool = True, visible: bool = True) -> dict:
    """One ROI of a markups file, in LPS as Slicer itself writes it."""
    center = [float(value) for value in box.center * LPS_FLIP]
    return {
        "type": "ROI",
        "name": box.name,
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "locked": bool(locked),
        "fixedNumberOfControlPoints": False,
        "labelFormat": "%N-%d",
        "lastUsedControlPointNumber": 1,
        "roiType": "Box",
        "center": center,
        "orientation": [float(value) for value in (box.axes * LPS_FLIP[:, None]).ravel()],
        "size": [float(value) for value in box.size],
        "insideOut": False,
        "controlPoints": [
            {
                "id": "1",
                "label": f"{box.name}-1",
                "description": "",
                "associatedNodeID": "",
                "position": center,
                "orientation": [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0],
                "selected": True,
                "locked": bool(locked),
                "visibility": True,
                "positionStatus": "defined",
            }
        ],
        "measurements": [],
        "display": {
            "visibility": bool(visible),
            "opacity": 1.0,
            "color": [float(value) for value in color],
            "selectedColor": [float(value) for value in color],
            "activeColor": [float(value) for value in color],
            "propertiesLabelVisibility": True,
            "pointLabelsVisibility": False,
            "handlesInteractive": not locked,
        },
    }


def boxes_from_label_map(
    array: np.ndarray, affine: np.ndarray, margin_mm: float = 0.0, min_voxels: int = 10, largest_first: bool = False
) -> list[Box]:
    """One box around every connected part of every label, along the label map's own axes.

    Voxels that touch at a face, an edge or a corner belong together. The box encloses whole voxels.

    Args:
        array: whole numbers, axes I, J, K; 0 is background.
        affine: 4x4, IJK to RAS millimetres; with sheared axes the nearest perpendicular ones are taken.
        margin_mm: millimetres added on every side.
        min_voxels: parts with fewer voxels are passed over as specks.
        largest_first: whether all labels' parts stand in one row, the largest first.
    Returns:
        boxes named "label 3, part 1", by label and then from the largest part to the smallest.
    Raises:
        InputError: not a 3-D map of whole numbers, or no part is large enough.
    """
    from scipy import ndimage  # Slicer's own process, which reads this room, must not load it

    array = np.asarray(array)
    if array.ndim != 3:
        raise InputError(f"The label map has {array.ndim} dimensions, not 3: choose a 3-D segmentation.")
    if not np.isfinite(array).all() or not np.array_equal(array, np.rint(array)):
        raise InputError("The label map holds values that are not whole numbers: choose a segmentation, not an image.")
    axes = _perpendicular(np.asarray(affine, float)[:3, :3])
    boxes, voxels = [], []
    for label in np.unique(array[array != 0]):
        parts, _ = ndimage.label(array == label, np.ones((3, 3, 3)))
        sizes = np.bincount(parts.ravel())[1:]
        regions = ndimage.find_objects(parts)
        large = [part for part in np.argsort(-sizes, kind="stable") if sizes[part] >= min_voxels]
        for number, part in enumerate(large, start=1):
            boxes.append(_enclosing(regions[part], affine, axes, margin_mm, f"label {int(label)}, part {number}"))
            voxels.append(sizes[part])
    if not boxes:
        raise InputError(f"The label map has no connected part of at least {min_voxels} voxels: mark the region first.")
    return [boxes[place] for place in np.argsort(-np.array(voxels), kind="stable")] if largest_first else boxes


def _box_from_roi(roi: dict, name: str, file_name: str) -> Box:
    def refuse(problem: str) -> InputError:
        return InputError(f"ROI '{name}' in '{file_name}' {problem}.")

    units = roi.get("coordinateUnits", "mm")
    if units != "mm" and not (isinstance(units, list) and units[:1] == ["mm"]):
        raise refuse(f"is measured in {units!r}, not in mm: save it from a Slicer scene in millimetres")
    system = roi.get("coordinateSystem", "LPS")
    if system not in ("LPS", "RAS", "0", "1"):
        raise refuse(f"has the unknown coordinate system {system!r}: it must be LPS or RAS")
    if roi.get("roiType", "Box") not in ("Box", "BoundingBox"):
        raise refuse(f"is of the type {roi['roiType']!r}: draw a box")
    if roi.get("insideOut"):
        raise refuse("is inside out, it means everything but the box: switch 'Inside out' off in Slicer's Markups module")
    to_ras = LPS_FLIP if system in ("LPS", "1") else np.ones(3)
    try:
        center = np.array(roi["center"], dtype=np.float64).reshape(3) * to_ras
        size = np.array(roi["size"], dtype=np.float64).reshape(3)
        axes = np.array(roi.get("orientation", np.diag(to_ras)), dtype=np.float64).reshape(3, 3) * to_ras[:, None]
    except (KeyError, TypeError, ValueError, OverflowError):
        raise refuse("has no usable centre, size and orientation: save it again from Slicer") from None
    try:
        return Box(center, size, axes, name)
    except InputError as error:
        raise InputError(f"'{file_name}': {error}") from error


def _name_of(roi: dict) -> str:
    """The markup's name; Slicer does not write it, but its default label of the first point starts with it."""
    if str(roi.get("name") or "").strip():
        return str(roi["name"]).strip()
    points = roi.get("controlPoints")
    first = points[0] if isinstance(points, list) and points else None
    label = str(first.get("label") or "").strip() if isinstance(first, dict) else ""
    return re.sub(r"[-_ ]\d+$", "", label) if "%N" in str(roi.get("labelFormat", "%N-%d")) else label


def _stem(path: Path) -> str:
    return shown(re.sub(r"(\.mrk)?\.json$", "", path.name, flags=re.IGNORECASE))


def _unique(name: str, taken: list[str]) -> str:
    number, unique = 1, name
    while unique in taken:
        number += 1
        unique = f"{name} ({number})"
    return unique


def _perpendicular(matrix: np.ndarray) -> np.ndarray:
    """The right-handed orthonormal axes nearest to a matrix' columns (polar decomposition)."""
    left, _, right = np.linalg.svd(matrix / np.linalg.norm(matrix, axis=0))
    axes = left @ right
    return axes * [-1.0, 1.0, 1.0] if np.linalg.det(axes) < 0 else axes


def _enclosing(region: tuple[slice, ...], affine: np.ndarray, axes: np.ndarray, margin: float, name: str) -> Box:
    """The box along the axes around whole voxels."""
    ends = np.array(np.meshgrid(*[(part.start - 0.5, part.stop - 0.5) for part in region])).reshape(3, -1).T
    local = (ends @ affine[:3, :3].T + affine[:3, 3]) @ axes
    low, high = local.min(axis=0), local.max(axis=0)
    return Box(axes @ ((low + high) / 2), high - low + 2 * margin, axes, name)
