"""Segmentation: scans on their way to a segmenting model, and what it finds as a segmentation node with its volumes."""

from __future__ import annotations

import json
import os

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.contrast_name import named_contrast
from RadiomicsPersonaLib.networks.card import LESION_KIND, SEGMENTATION_KIND, model_cards, read_card
from RadiomicsPersonaLib.report.exchange import read_segmentation
from RadiomicsPersonaLib.system.work_folder import work_folder

from . import origin, output, roi, table
from . import scan as scans

TERMINOLOGY = "Segmentation category and type - DICOM master list~{code}~^^~Anatomic codes - DICOM master list~^^~^^"
"""How a vtkSegment is told what it is; Slicer shows it in the Segment Editor and writes it into DICOM."""
MODEL, PROBABILITY = "RadiomicsPersona.segmentedBy", "RadiomicsPersona.probabilityOf"
"""Attributes: of a segmentation, the name of the model; of a volume, model and segment whose probability it shows."""
AROUND_SEGMENT = "RadiomicsPersona.aroundSegment"
"""Attribute of the ROI that was drawn around what a model found."""


def cards() -> dict:
    """The cards of the models that segment, by name; the one that finds lesions is the first.

    Raises:
        InputError: a card is damaged.
    """
    return {name: read_card(path) for kind in (LESION_KIND, SEGMENTATION_KIND) for name, path in model_cards(kind).items()}


def contrasts(card: dict) -> list:
    """Names of the contrasts that a model takes; a single one where it takes any."""
    return [channel["name"] for channel in card["segmentation"]["channels"]] if "segmentation" in card else ["scan"]


def segment_names(card: dict) -> list:
    """What a model tells apart."""
    return [label["name"] for label in card["segmentation"]["labels"]] if "segmentation" in card else []


def chosen(scan, wanted: list, volumes: dict) -> dict:
    """The volume of each contrast; the scan itself where the model takes only one.

    Args:
        wanted: names of the model's contrasts.
        volumes: what the user chose, by contrast; None where nothing.
    Raises:
        InputError: none is chosen.
    """
    found = {wanted[0]: scan} if len(wanted) == 1 else {name: volumes[name] for name in wanted if volumes.get(name)}
    if not found:
        raise InputError(_("No contrast is chosen: choose a volume for each of {names}.").format(names=", ".join(wanted)))
    for volume in found.values():
        scans.check(volume)
    return found


def guessed(wanted: list, scan) -> dict:
    """The volumes that show a model's contrasts as the words in their names tell, by contrast; the scan before others.

    Args:
        wanted: names of the model's contrasts.
        scan: the volume in question, or None.
    """
    nodes = [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        if node.GetClassName() == "vtkMRMLScalarVolumeNode"
    ]
    found = {}
    for node in sorted(nodes, key=lambda node: node is not scan):
        contrast = named_contrast(node.GetName() or "")
        if contrast in wanted and not node.GetNodeReference(origin.INPUT_VOLUME_ROLE):  # our own results bear the scan's name
            found.setdefault(contrast, node)
    return found


def write_contrasts(first, volumes: dict, folder) -> dict:
    """Write the volumes of a head into the folder, all in the coordinates of the first; returns their paths by contrast.

    Args:
        first: the volume on whose grid the result shall be.
    """
    paths = {}
    for name, volume in volumes.items():
        place = os.path.join(folder, name)
        os.makedirs(place, exist_ok=True)
        paths[name] = scans.write(volume, place, relative_to=first)
    return paths


def segment(parameter_node, model: str, volumes: dict, probabilities: bool, run) -> dict:
    """Segment the head that the volumes show, into a segmentation node, a table of volumes and perhaps probability volumes.

    Args:
        model: its name.
        volumes: what the user chose, by contrast.
        run: called with the arguments of the command `segment`, see `worker`.
    Returns:
        what is told of the segmentation, see `segmenter.segment_files`.
    Raises:
        InputError: something cannot be used; the message says what to do.
    """
    scan = parameter_node.inputVolume
    wanted = contrasts(_card(model))
    volumes = chosen(scan, wanted, volumes)
    first = scan if scan in volumes.values() else next(iter(volumes.values()))
    with work_folder() as folder:
        paths = write_contrasts(first, volumes, folder)
        names = sorted(paths, key=lambda name: volumes[name] is not first)
        files = [paths[name] if len(wanted) == 1 else f"{name}={paths[name]}" for name in names]
        result = os.path.join(folder, "output")
        run(
            [
                "segment",
                *files,
                "--model",
                model,
                "--device",
                parameter_node.device,
                "--output",
                result,
                *(["--probabilities", "kept"] if probabilities else []),
            ]
        )
        told, arrays = read_segmentation(result)
    fill(parameter_node, first, told, arrays)
    return told


def analysis_arguments(scan, model: str, segment_name: str | None, volumes: dict, path: str, folder) -> list:
    """What `analyze` is told so that its box lies around what a model finds.

    Args:
        segment_name: one of the model's, or None for all.
        volumes: what the user chose, by contrast.
        path: where the scan was written.
        folder: for the other volumes.
    Raises:
        InputError: the scan is none of the contrasts.
    """
    wanted = contrasts(_card(model))
    volumes = chosen(scan, wanted, volumes)
    arguments = ["--segment-with", model, *(["--segment", segment_name] if segment_name else [])]
    if len(wanted) == 1:
        return arguments
    if scan not in volumes.values():
        raise InputError(
            _("The volume '{name}' is to be judged, and the model is not shown it: choose it as one of {names}.").format(
                name=scan.GetName(), names=", ".join(wanted)
            )
        )
    others = {name: volume for name, volume in volumes.items() if volume is not scan}
    paths = {name: path for name, volume in volumes.items() if volume is scan} | write_contrasts(scan, others, folder)
    return arguments + [f"--contrast={name}={file}" for name, file in paths.items()]


def show_box(record: dict, scan):
    """The ROI of the box that an analysis drew around what a model found, given as in results.json;
    that of the scan's earlier one is moved.
    """
    box = roi.box_of_record(record)
    for node in slicer.util.getNodesByClass("vtkMRMLMarkupsROINode"):
        if node.GetAttribute(AROUND_SEGMENT) == scan.GetID():
            roi.hide_verdict(node)
            roi.set_roi(node, box, scan)
            return node
    node = roi.add_roi(box, scan)
    node.SetAttribute(AROUND_SEGMENT, scan.GetID())
    return node


def fill(parameter_node, scan, told: dict, arrays: dict) -> None:
    """Show what a model found: the nodes of its latest result on the same scan are filled anew.

    Args:
        scan: on whose grid it is.
        told, arrays: as `exchange.read_segmentation` gives them.
    Raises:
        InputError: the scan was removed or put on another grid meanwhile; no node was touched.
    """
    output.refuse_changed(scan, arrays["affine"], arrays["labels"].shape)
    model = told["model"]["name"]
    segmentation = _segmentation_of(scan, model)
    fill_segmentation(segmentation, scan, told["classes"], arrays["labels"])
    segmentation.SetAttribute(MODEL, model)
    if not parameter_node.segmentTable:
        parameter_node.segmentTable = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    volumes = parameter_node.segmentTable
    volumes.SetName(_("{name} segment volumes").format(name=scan.GetName()))
    columns = vtk.vtkTable()
    columns.AddColumn(table.texts("segment", [entry["name"] for entry in told["classes"]]))
    columns.AddColumn(table.numbers("ml", [entry["ml"] for entry in told["classes"]]))
    table.put(volumes, columns)
    made = [segmentation, volumes]
    for entry, values in zip(told["classes"], arrays.get("probabilities", ())):
        made.append(_probability_volume(scan, model, entry["name"], values))
    for node in made:
        node.SetAttribute(origin.ATTRIBUTE_PREFIX + "provenance", json.dumps(told))
        node.SetNodeReferenceID(origin.INPUT_VOLUME_ROLE, scan.GetID())
        output.place_beside(node, scan)
    parameter_node.segmentation = segmentation


def _card(model: str) -> dict:
    known = cards()
    if model not in known:
        raise InputError(_("There is no segmentation model '{name}' here: choose another one.").format(name=model))
    return known[model]


def _segmentation_of(scan, model: str):
    """The node of this model's latest result on the scan, or a new one."""
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        if node.GetAttribute(MODEL) == model and node.GetNodeReference(origin.INPUT_VOLUME_ROLE) is scan:
            return node
    return slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLSegmentationNode", _("{name} {model} segmentation").format(name=scan.GetName(), model=model)
    )


def fill_segmentation(node, scan, classes: list, labels: np.ndarray) -> None:
    """One segment per class, all in one label map on the scan's grid (axes I, J, K), under the scan's transform."""
    image = _oriented_image(scan, labels.astype(np.uint8 if labels.max() < 256 else np.uint16))
    with slicer.util.NodeModify(node):
        segmentation = node.GetSegmentation()
        segmentation.RemoveAllSegments()
        segmentation.SetSourceRepresentationName("Binary labelmap")
        for entry in classes:
            segment_ = slicer.vtkSegment()
            segment_.SetName(entry["name"])
            segment_.SetColor(*(part / 255 for part in entry["color"]))
            if entry["code"]:
                segment_.SetTag(segment_.GetTerminologyEntryTagName(), TERMINOLOGY.format(code=entry["code"]))
            segment_.SetLabelValue(entry["number"])
            segment_.AddRepresentation("Binary labelmap", image)
            segmentation.AddSegment(segment_)
        node.SetReferenceImageGeometryParameterFromVolumeNode(scan)
        node.SetAndObserveTransformNodeID(scan.GetTransformNodeID())
    if not node.GetDisplayNode():
        node.CreateDefaultDisplayNodes()


def _oriented_image(scan, labels: np.ndarray):
    """A label array (axes I, J, K) as Slicer's image with a place."""
    image, ijk_to_ras = slicer.vtkOrientedImageData(), vtk.vtkMatrix4x4()
    scan.GetIJKToRASMatrix(ijk_to_ras)
    image.SetDimensions(*labels.shape)
    image.GetPointData().SetScalars(numpy_to_vtk(labels.ravel(order="F"), deep=True))
    image.SetGeometryFromImageToWorldMatrix(ijk_to_ras)
    return image


def _probability_volume(scan, model: str, name: str, values: np.ndarray):
    what = f"{model}: {name}"
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if node.GetAttribute(PROBABILITY) == what and node.GetNodeReference(origin.INPUT_VOLUME_ROLE) is scan:
            break
    else:
        node = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLScalarVolumeNode", _("{scan} probability of {name}").format(scan=scan.GetName(), name=name)
        )
        node.SetAttribute(PROBABILITY, what)
    output.fill_volume(node, scan, values)
    return node
