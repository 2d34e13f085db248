"""Parameter node: what the user has chosen and what came of it, saved with the scene."""

from __future__ import annotations

from typing import Annotated

from slicer import (
    vtkMRMLMarkupsROINode,
    vtkMRMLModelNode,
    vtkMRMLPlotChartNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLTableNode,
)
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

from RadiomicsPersonaLib.analysis.classifier import DEFAULT
from RadiomicsPersonaLib.defaults import LESION_MODEL, USUAL_CONTROLS, USUAL_THRESHOLDS
from RadiomicsPersonaLib.metrics.metric import METRICS

DECISIONS = [*USUAL_THRESHOLDS, *METRICS]
DEVICES = ["auto", "cpu", "cuda", "mps"]
SHOWN = ["nothing", "reconstruction", "difference", "deviation", "error"]
"""What lies over the scan. The first of each list is the default."""


@parameterNodeWrapper
class RadiomicsPersonaParameterNode:
    """
    The parameters of the module. Fields keep their names for ever, since scenes are saved with them.

    inputVolume - The MRI with the region in question.
    inputROIs - The boxes around the regions, one verdict each.
    model - The name of the model that rebuilds healthy tissue, or "auto".
    controls - The number of control regions of the same scan that a box is held against.
    decision - What the label rests on: "p", "classifier", or the key of a metric.
    threshold - Where the label changes; in the decision's own unit, for example the p-value at or below which a box is
        called pathological.
    device - Where the model computes; "auto" takes a GPU if there is one.
    classifier - The name of the classifier that weighs the scores.
    oneLook - Whether the persona is shown that is blind to all of a box, also where only a part of it deviates.
    seed - The seed of everything random; the same inputs and seed give the same numbers.
    reconstructionVolume - The input volume with every box replaced by its healthy persona.
    blindVolume - The same, rebuilt without a look into any part of the boxes; the numbers rest on it.
    differenceVolume - The input volume minus the reconstruction, in its expected errors, or in tissue SD where those are
        not known.
    deviationVolume - How unusual every voxel's difference is among the control regions, as a p-value.
    expectedErrorVolume - How far the reconstruction is expected to be off, in tissue SD; 0 where nothing was rebuilt.
    unusualSegmentation - The part of the boxes that drives the verdicts; none where no box is called.
    scoreTable, scoreChart - The scores behind the verdicts as a bar plot.
    standingTable, standingChart - Every box's combined score among those of its control regions as a scatter plot.
    resultTable - One row per box: verdict, p-value, and the comparison's measures.
    shown - What lies over the scan in the slice views: "nothing", or one of the four result volumes.
    fade - Its opacity in percent.
    showControls - Whether the control regions are in the scene as ROIs.
    nameScan - Whether a report names the scan and the patient.
    segmentationModel - The name of the model that segments.
    segmentation, segmentTable - The latest segmentation, and the volumes of its segments.
    mesh - The latest surface of a segment.
    visitTable - What the latest follow-up measured, one row for every box at every visit.
    estimateTable - The estimates of the latest regression.
    sensitivityTable - What became of every painted lesion of the latest curve of sensitivity.
    sensitivityCurve, sensitivityChart - The same as a scatter plot of contrast over size.
    """

    inputVolume: vtkMRMLScalarVolumeNode | None
    inputROIs: list[vtkMRMLMarkupsROINode]
    model: str = "auto"
    controls: Annotated[int, WithinRange(0, 500)] = USUAL_CONTROLS
    decision: Annotated[str, Choice(DECISIONS)] = DECISIONS[0]
    threshold: Annotated[float, WithinRange(-100000.0, 100000.0)] = USUAL_THRESHOLDS["p"]
    device: Annotated[str, Choice(DEVICES)] = DEVICES[0]
    classifier: str = DEFAULT
    oneLook: bool = False
    seed: Annotated[int, WithinRange(0, 99999)] = 0
    reconstructionVolume: vtkMRMLScalarVolumeNode | None
    blindVolume: vtkMRMLScalarVolumeNode | None
    differenceVolume: vtkMRMLScalarVolumeNode | None
    deviationVolume: vtkMRMLScalarVolumeNode | None
    expectedErrorVolume: vtkMRMLScalarVolumeNode | None
    unusualSegmentation: vtkMRMLSegmentationNode | None
    scoreTable: vtkMRMLTableNode | None
    scoreChart: vtkMRMLPlotChartNode | None
    standingTable: vtkMRMLTableNode | None
    standingChart: vtkMRMLPlotChartNode | None
    resultTable: vtkMRMLTableNode | None
    shown: Annotated[str, Choice(SHOWN)] = SHOWN[0]
    fade: Annotated[int, WithinRange(0, 100)] = 100
    showControls: bool = False
    nameScan: bool = False
    segmentationModel: str = LESION_MODEL
    segmentation: vtkMRMLSegmentationNode | None
    segmentTable: vtkMRMLTableNode | None
    mesh: vtkMRMLModelNode | None
    visitTable: vtkMRMLTableNode | None
    estimateTable: vtkMRMLTableNode | None
    sensitivityTable: vtkMRMLTableNode | None
    sensitivityCurve: vtkMRMLTableNode | None
    sensitivityChart: vtkMRMLPlotChartNode | None


def analysis_options(parameters) -> list:
    """What the settings are as options of `analyze`."""
    return [
        "--controls",
        str(parameters.controls),
        "--model",
        parameters.model,
        "--device",
        parameters.device,
        "--decision",
        parameters.decision,
        "--threshold",
        repr(parameters.threshold),
        *(["--classifier", parameters.classifier] if parameters.classifier != DEFAULT else []),
        *(["--one-look"] if parameters.oneLook else []),
        "--seed",
        str(parameters.seed),
    ]


def forget_foreign_choices(node) -> list:
    """Give fields whose value only another version knows their default, before anything reads them; returns their names.

    Args:
        node: the vtkMRMLScriptedModuleNode behind a parameter node.
    """
    foreign = []
    for field, choices in (("decision", DECISIONS), ("device", DEVICES), ("shown", SHOWN)):
        value = node.GetParameter(field)
        if value and value not in choices:
            node.SetParameter(field, choices[0])
            foreign.append(field)
    return foreign
