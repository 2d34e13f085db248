"""Results menu: what is wanted of results now and then, behind one button."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _


class ResultsMenu:
    """The menu of a button; the sections connect its entries.

    Attributes:
        flicker, side_by_side, scores, standing, controls: of the views; those that stay pressed are checkable.
        tighten, sensitivity, numbers, copy, export, report, name_scan: of the results.

    Args:
        button: opens the menu.
    """

    def __init__(self, button):
        self._menu = menu = qt.QMenu(button)
        menu.toolTipsVisible = True
        button.setMenu(menu)
        self.flicker = self._add(_("Fl&icker (Q)"), _("Take what lies over the scan away, or lay it back, in place."))
        self.side_by_side = self._add(
            _("Side &by side"), _("Scan and persona in two linked views; again for your own layout."), True
        )
        self.scores = self._add(_("S&core profile"), _("Plot every score of the boxes beside their control regions."), True)
        self.standing = self._add(
            _("Control &distribution"), _("Plot where the boxes stand among their control regions."), True
        )
        self.controls = self._add(
            _("Contro&l regions in the scene"), _("Show where the control regions lie that a box was held against."), True
        )
        menu.addSeparator()
        self.tighten = self._add(_("&Tighten"), _("Draw the boxes around what is unusual in them, then apply again."))
        self.sensitivity = self._add(
            _("&Sensitivity and painted lesions"), _("How small a lesion would have been found here."), True
        )
        menu.addSeparator()
        self.numbers = self._add(_("&All numbers..."), _("The whole table of results."))
        self.copy = self._add(_("Cop&y table"), _("Copy the whole table, for a spreadsheet."))
        self.export = self._add(_("E&xport CSV..."), _("Write the whole table as a file."))
        self.report = self._add(_("Save re&port..."), _("Write the results as a web page and as PDF."))
        self.name_scan = self._add(
            _("&Name scan and patient in the report"), _("Otherwise the report is anonymous, up to the boxes' names."), True
        )

    def _add(self, text: str, tip: str, checkable: bool = False):
        action = self._menu.addAction(text)
        action.toolTip, action.checkable = tip, checkable
        return action
