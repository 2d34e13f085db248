"""Volume: how the result volumes are coloured, and the scales that say what the colours mean."""

from __future__ import annotations

import numpy as np
import slicer
from slicer.i18n import tr as _

from RadiomicsPersonaLib.report.colors import DIFFERENCE_RANGE, FOG, diverging, of_expected_error

DIFFERENCE_COLORS, DEVIATION_COLORS = "RadiomicsPersona difference", "RadiomicsPersona p"
FOG_COLORS = "RadiomicsPersona expected error"
COLOR_STEPS = 255
"""An odd number: one of the colours is that of no difference at all."""
DEVIATION_P_SHOWN = 0.1
"""Voxels whose p is at least this are left clear."""


def difference_colors():
    """The colours of a difference, blue to white to red, clear where there is none; one table per scene."""
    shares = np.linspace(-1, 1, COLOR_STEPS)
    colors = np.column_stack([diverging(shares) / 255, shares != 0])
    return _color_table(DIFFERENCE_COLORS, colors, [f"{share * DIFFERENCE_RANGE:+.2f}" for share in shares])


def deviation_colors():
    """The colours of p, from yellow where it is smallest to dark red and clear at `DEVIATION_P_SHOWN`; one table per scene."""
    shares = np.linspace(0, 1, COLOR_STEPS)[:, None]
    colors = np.array([1.0, 0.93, 0.3]) * (1 - shares) + np.array([0.45, 0.0, 0.1]) * shares
    return _color_table(
        DEVIATION_COLORS, np.column_stack([colors, shares < 1]), [f"p = {p * DEVIATION_P_SHOWN:.3f}" for p in shares[:, 0]]
    )


def fog_colors():
    """The shades of how far a persona may be off, clear where nothing was rebuilt; one table per scene."""
    shares = np.linspace(0, 1, COLOR_STEPS)
    colors = np.column_stack([of_expected_error(shares) / 255, shares > 0])
    return _color_table(FOG_COLORS, colors, [f"{share * FOG[1]:.2f} SD" for share in shares])


def show_like(volume, scan) -> None:
    """Give a volume the window and the colours of the scan, so that they differ only where their voxels do."""
    source, display = scan.GetDisplayNode(), volume.GetDisplayNode()
    if not source or not display:
        return
    with slicer.util.NodeModify(display):
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(source.GetWindow(), source.GetLevel())
        display.SetAndObserveColorNodeID(source.GetColorNodeID())
        display.SetInterpolate(source.GetInterpolate())


def show_difference(volume, unit: str) -> None:
    """Colour a difference from -3 to 3 of its unit, in words, with its scale."""
    display = volume.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(-DIFFERENCE_RANGE, DIFFERENCE_RANGE)
    display.SetAndObserveColorNodeID(difference_colors().GetID())
    # where voxels of the box meet clear ones there is nothing in between
    display.SetInterpolate(False)
    between = "\n" if len(unit) > 3 else " "
    _add_scale(volume, _("scan darker (-) or\nbrighter (+),") + between + unit, "%+.0f", 7)


def show_deviation(volume) -> None:
    """Colour a volume of p-values from 0 to `DEVIATION_P_SHOWN`, with its scale."""
    display = volume.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0, DEVIATION_P_SHOWN)
    display.SetAndObserveColorNodeID(deviation_colors().GetID())
    display.SetInterpolate(False)
    _add_scale(volume, _("p of the\ndifference"), "%.2f", 6)


def show_expected_error(volume) -> None:
    """Show a volume of expected errors in tissue SD, with its scale."""
    display = volume.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0, FOG[1])
    display.SetAndObserveColorNodeID(fog_colors().GetID())
    display.SetInterpolate(False)
    _add_scale(volume, _("expected error,\ntissue SD"), "%.1f", 5)


def _add_scale(volume, title: str, labels: str, count: int) -> None:
    """Slicer's own colour legend, which the views show wherever they show the volume."""
    scale = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(volume)
    with slicer.util.NodeModify(scale):
        scale.SetTitleText(title)
        scale.SetLabelFormat(labels)
        scale.SetNumberOfLabels(count)
        scale.SetSize(0.12, 0.4)
        scale.SetPosition(0.97, 0.5)
        scale.SetVisibility(True)


def _color_table(name: str, colors: np.ndarray, names: list):
    node = slicer.mrmlScene.GetFirstNode(name, "vtkMRMLColorTableNode")
    if node:
        return node
    node = slicer.vtkMRMLColorTableNode()
    node.SetName(name)
    node.SetTypeToUser()
    node.SetNumberOfColors(len(colors))
    for index, (color, label) in enumerate(zip(colors, names)):
        node.SetColor(index, label, *(float(part) for part in color))
    return slicer.mrmlScene.AddNode(node)
