"""Page: what every page of the panel can be asked; pages do what concerns them."""

from __future__ import annotations

import qt

from .workplace import Workplace


class Page:
    """One page.

    Attributes:
        place: what it shares with the others.
        widget, layout: its widget and the column in it.
    """

    def __init__(self, place: Workplace):
        self.place = place
        self.widget = qt.QWidget()
        self.layout = qt.QVBoxLayout(self.widget)

    def setMRMLScene(self, mrmlScene) -> None:
        """Hand the scene to the widgets that list its nodes."""

    def open_project(self) -> None:
        """Show what another project's folder holds."""

    def refresh(self) -> None:
        """Show what the folders hold now; called every second while the page is shown."""

    def forget_scene(self) -> None:
        """The scene is about to be closed."""
