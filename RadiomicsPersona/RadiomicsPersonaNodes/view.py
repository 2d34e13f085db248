"""View: what the views show of the results. Whatever is changed here is put back when it is no longer wanted."""

from __future__ import annotations

import json

import numpy as np
import slicer
import vtk

from . import table

SIDE_BY_SIDE = 20171
"""Number of our layout; Slicer's own are below 1000."""
SCAN_VIEW, TWIN_VIEW = "RadiomicsPersonaScan", "RadiomicsPersonaTwin"
SHOWN_AROUND = 3.0
"""Of a box's width so much is shown of the slice when a view is zoomed to it."""
LEAST_SHOWN_MM = 90.0
_GROUP = 7
"""View group of our two views: linked with each other, and with no view of the user's."""
_ITEM = """<item><view class="vtkMRMLSliceNode" singletontag="{tag}">
<property name="orientation" action="default">Axial</property>
<property name="viewlabel" action="default">{label}</property>
<property name="viewcolor" action="default">{color}</property>
<property name="viewgroup" action="default">{group}</property>
</view></item>"""


_named = set()
"""Identifiers of the plot views whose axes we have given names, which are taken away from the next chart there."""


class Overlay:
    """A volume laid over the scan in the user's slice views, which remember what they showed before.

    Attributes:
        scan, volume: the volume lies over the scan; None and None where nothing does.
        opacity: 0 clear to 1 opaque.
    """

    def __init__(self):
        self.scan = self.volume = None
        self._before, self.opacity = {}, 1.0

    def show(self, scan, volume, opacity: float) -> None:
        """Lay a volume over the scan, 0 clear to 1 opaque."""
        self.scan, self.volume, self.opacity = scan, volume, opacity
        for composite in _composites():
            own = composite.GetLayoutName() == SCAN_VIEW
            if composite.GetID() not in self._before and composite.GetLayoutName() not in (SCAN_VIEW, TWIN_VIEW):
                self._before[composite.GetID()] = (
                    composite.GetBackgroundVolumeID(),
                    composite.GetForegroundVolumeID(),
                    composite.GetForegroundOpacity(),
                )
            with slicer.util.NodeModify(composite):
                composite.SetBackgroundVolumeID(scan.GetID())
                composite.SetForegroundVolumeID(None if own else volume.GetID())
                composite.SetForegroundOpacity(opacity)
        tell_scales()

    def adopt(self, scan, volume, opacity: float) -> None:
        """Take what the views of an opened scene show as it is; nothing is known of what they showed before."""
        if volume is not self.volume:
            self.forget()
            self.scan, self.volume, self.opacity = scan, volume, opacity

    def fade(self, opacity: float) -> None:
        """Change the opacity."""
        self.opacity = opacity
        self.dim(1.0)

    def dim(self, share: float) -> None:
        """Show a share of the opacity for the moment, 0 to 1."""
        for composite in self._ours():
            composite.SetForegroundOpacity(self.opacity * share)

    def flicker(self) -> bool:
        """Take the volume away for the moment, or lay it back; returns whether it is shown now."""
        hidden = all(composite.GetForegroundOpacity() == 0 for composite in self._ours())
        for composite in self._ours():
            composite.SetForegroundOpacity((self.opacity or 1.0) if hidden else 0.0)
        return hidden

    def hide(self) -> None:
        """Give every view that still shows the volume what it showed before."""
        for composite in self._ours():
            background, foreground, opacity = self._before.get(
                composite.GetID(), (self.scan.GetID(), None, composite.GetForegroundOpacity())
            )
            known = [node if node and slicer.mrmlScene.GetNodeByID(node) else None for node in (background, foreground)]
            with slicer.util.NodeModify(composite):
                composite.SetBackgroundVolumeID(known[0] or self.scan.GetID())
                composite.SetForegroundVolumeID(known[1])
                composite.SetForegroundOpacity(opacity)
        self.forget()
        tell_scales()

    def forget(self) -> None:
        """Let go of the scene's nodes without touching them."""
        self.scan, self.volume, self._before = None, None, {}

    def _ours(self) -> list:
        """The views that the user has not meanwhile made show something else."""
        if not self.volume or not slicer.mrmlScene.IsNodePresent(self.volume):
            return []
        return [composite for composite in _composites() if composite.GetForegroundVolumeID() == self.volume.GetID()]


class Arrangement:
    """A layout of the views that is taken for a while.

    Attributes:
        number: the layout taken, or None while the user's own is shown.
    """

    def __init__(self):
        self.number, self._before = None, None

    def take(self, number: int) -> None:
        """Change to a layout, and keep in mind which one there was."""
        node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        if not node:
            return
        if self.number is None or node.GetViewArrangement() != self.number:
            self._before = node.GetViewArrangement()
            if self._before == SIDE_BY_SIDE:  # a scene was saved in it: it is nobody's own
                self._before = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
        node.SetViewArrangement(number)
        self.number = number

    def give_back(self) -> None:
        """Change back, unless the user has chosen a third layout meanwhile."""
        node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        if node and self.number is not None and node.GetViewArrangement() == self.number:
            node.SetViewArrangement(self._before)
        self.forget()

    def forget(self) -> None:
        """Nothing is to be given back any more."""
        self.number = self._before = None


def register_layout() -> None:
    """Make our layout known, also to a scene that was saved in it."""
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if node and not node.IsLayoutDescription(SIDE_BY_SIDE):
        items = [
            _ITEM.format(tag=tag, label=label, color=color, group=_GROUP)
            for tag, label, color in ((SCAN_VIEW, "S", "#8C8C8C"), (TWIN_VIEW, "H", "#009E73"))
        ]
        node.AddLayoutDescription(SIDE_BY_SIDE, f'<layout type="horizontal" split="true">{"".join(items)}</layout>')


def side_by_side(arrangement: Arrangement, scan, volume, opacity: float) -> None:
    """Two linked slice views of our own, the scan on the left and the same with the volume over it on the right.

    New views get their size one event later: fit them then, by `fit_side_by_side`.
    """
    register_layout()
    arrangement.take(SIDE_BY_SIDE)
    for composite in _composites():
        if composite.GetLayoutName() in (SCAN_VIEW, TWIN_VIEW):
            with slicer.util.NodeModify(composite):
                composite.SetLinkedControl(True)
                composite.SetHotLinkedControl(True)
                composite.SetBackgroundVolumeID(scan.GetID())
                composite.SetForegroundVolumeID(volume.GetID() if composite.GetLayoutName() == TWIN_VIEW else None)
                composite.SetForegroundOpacity(opacity)


def fit_side_by_side(center) -> None:
    """Show the whole head in both views of ours, in the slice through a point.

    Args:
        center: world coordinates, or None for where the views are.
    """
    for name in (SCAN_VIEW, TWIN_VIEW):
        logic = slicer.app.applicationLogic().GetSliceLogicByLayoutName(name)
        if logic:
            logic.FitSliceToBackground()
            if center is not None:
                logic.GetSliceNode().JumpSliceByOffsetting(*(float(value) for value in center))


def is_side_by_side() -> bool:
    """Whether the layout is that of our two views, as in a scene that was saved so."""
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    return bool(node) and node.GetViewArrangement() == SIDE_BY_SIDE


def go_to(bounds, zoom: bool) -> None:
    """Move the user's slice views to a box, and perhaps zoom them to it; `r` in a view shows the whole head again.

    Args:
        bounds: low and high R, A, S of the box in the world.
    """
    low, high = np.array(bounds[::2]), np.array(bounds[1::2])
    for node in _slice_nodes():
        node.JumpSliceByOffsetting(*((low + high) / 2))
        if not zoom:
            continue
        # how far the box reaches along the view's axes
        axes = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())[:3, :2]
        reach = np.abs(axes).T @ (high - low)
        width, height, depth = node.GetDimensions()
        if not width or not height:
            continue
        pixel = max(reach[0] / width, reach[1] / height) * SHOWN_AROUND
        pixel = max(pixel, LEAST_SHOWN_MM / min(width, height))
        node.JumpSliceByCentering(*((low + high) / 2))
        node.SetXYZOrigin(0, 0, 0)
        node.SetFieldOfView(pixel * width, pixel * height, node.GetFieldOfView()[2])


def zooms() -> tuple:
    """What decides how many pixels a millimetre takes in the user's slice views; changes when one of them is zoomed."""
    return tuple((*node.GetFieldOfView()[:2], *node.GetDimensions()[:2]) for node in _slice_nodes())


def half_height(bounds) -> float:
    """The most pixels that half a box takes from top to bottom in any of the user's slice views."""
    size = np.array(bounds[1::2]) - np.array(bounds[::2])
    tallest = 0.0
    for node in _slice_nodes():
        up = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())[:3, 1]
        field, pixels = node.GetFieldOfView()[1], node.GetDimensions()[1]
        tallest = max(tallest, float(np.abs(up) @ size / 2 / field * pixels) if field else 0.0)
    return tallest


def tell_scales() -> None:
    """Have the colour scales look anew at what the views show: they follow only what a user does by hand."""
    for scale in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode"):
        scale.Modified()


def show_chart(arrangement: Arrangement, chart) -> None:
    """A plot, in a layout that has room for one beside the slices."""
    arrangement.take(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotView)
    slicer.modules.plots.logic().ShowChartInLayout(chart)
    name_ticks()


def name_ticks() -> None:
    """Write the names of a chart's bars and lines at its axes, in every plot view: charts of MRML hold only numbers there."""
    manager = slicer.app.layoutManager()
    for number in range(manager.plotViewCount if manager else 0):
        plot = manager.plotWidget(number)
        shown = plot.mrmlPlotViewNode().GetPlotChartNode()
        text = shown.GetAttribute(table.TICKS) if shown else None
        if not text and plot.mrmlPlotViewNode().GetID() not in _named:  # somebody else's
            continue
        _named.add(plot.mrmlPlotViewNode().GetID())
        named = json.loads(text) if text else {"axis": None}
        for name, index in (("left", vtk.vtkAxis.LEFT), ("bottom", vtk.vtkAxis.BOTTOM)):
            axis = plot.plotView().chart().GetAxis(index)
            if name != named["axis"]:
                axis.SetCustomTickPositions(None)
                axis.GetLabelProperties().SetOrientation(0)
                continue
            places = table.numbers("", [named["first"] + n for n in range(len(named["names"]))])
            axis.SetCustomTickPositions(places, table.texts("", named["names"]))
            axis.GetLabelProperties().SetOrientation(90 if name == "bottom" else 0)
        plot.plotView().scene().SetDirty(True)


def _slice_nodes() -> list:
    """The user's slice views, ours left out."""
    return [n for n in slicer.util.getNodesByClass("vtkMRMLSliceNode") if n.GetLayoutName() not in (SCAN_VIEW, TWIN_VIEW)]


def _composites() -> list:
    return slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
