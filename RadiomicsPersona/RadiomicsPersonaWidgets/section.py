"""Section: a part of the panel whose controls belong together."""

from __future__ import annotations

from slicer.util import VTKObservationMixin


class Section(VTKObservationMixin):
    """Connects its controls when it is made, and lets go of everything in `close`.

    Attributes:
        ui: the widgets of the .ui file, by their names.
        logic: the module's Logic.
        parameters: the parameter node that the panel shows, or None while it shows none.
    """

    def __init__(self, ui, logic):
        VTKObservationMixin.__init__(self)
        self.ui, self.logic, self.parameters = ui, logic, None

    def follow(self, parameters) -> None:
        """From now on show this parameter node, or none."""
        self.parameters = parameters

    def update(self) -> None:
        """Called after every change of the parameter node: show what the connections of the .ui file do not."""

    def scene_closes(self) -> None:
        """Called just before the nodes go."""

    def close(self) -> None:
        """Leave no observer and nothing that is still to happen."""
        self.removeObservers()

    def say(self, text: str) -> None:
        """Tell the user in the line below Apply."""
        self.ui.statusLabel.text = text


def show_table(view, node) -> None:
    """Show a table node in a table of Slicer's, or no empty one where there is none."""
    view.setMRMLTableNode(node)
    view.visible = bool(node)
