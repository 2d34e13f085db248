"""View: what the views show of the results. Whatever is changed here is put back when it is no longer wanted."""

from __future__ import annotations

import slicer

SIDE_BY_SIDE = 20171
"""Number of our layout; Slicer's own are below 1000."""
SCAN_VIEW, TWIN_VIEW = "RadiomicsPersonaScan", "RadiomicsPersonaTwin"
_GROUP = 7
"""View group of our two views: linked with each other, and with no view of the user's."""
_ITEM = """<item><view class="vtkMRMLSliceNode" singletontag="{tag}">
<property name="orientation" action="default">Axial</property>
<property name="viewlabel" action="default">{label}</property>
<property name="viewcolor" action="default">{color}</property>
<property name="viewgroup" action="default">{group}</property>
</view></item>"""


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


def side_by_side(arrangement: Arrangement, scan, volume, opacity: float, center) -> None:
    """Two linked slice views of our own, the scan on the left and the same with the volume over it on the right.

    Args:
        center: world coordinates that both views show, or None for where they are.
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
    for name in (SCAN_VIEW, TWIN_VIEW):
        logic = slicer.app.applicationLogic().GetSliceLogicByLayoutName(name)
        if logic:
            logic.FitSliceToBackground()
            if center is not None:
                logic.GetSliceNode().JumpSliceByCentering(*(float(value) for value in center))


def show_chart(arrangement: Arrangement, chart) -> None:
    """A plot, in a layout that has room for one beside the slices."""
    arrangement.take(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotView)
    slicer.modules.plots.logic().ShowChartInLayout(chart)


def _composites() -> list:
    return slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
