"""Form: rows, buttons, tables and the lines below them that say what is wrong;
every control has a tooltip and a spoken name.
"""

from __future__ import annotations

import ctk
import qt

from RadiomicsPersonaWidgets.wrapped_text import fit, keep_whole

PICTURE_WIDTH = 280
"""Pixels of a picture on a page at most, so that it widens no panel."""


class Note:
    """A line for what a user should know or do about the control above it; no empty line where there is nothing."""

    def __init__(self, name: str):
        self.label = qt.QLabel()
        self.label.wordWrap = True
        self.label.textFormat = qt.Qt.PlainText
        self.label.textInteractionFlags = qt.Qt.TextSelectableByMouse | qt.Qt.TextSelectableByKeyboard
        self.label.accessibleName = name
        self.label.toolTip = name
        self.label.visible = False
        self.label.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Preferred)  # a long text widens no panel
        keep_whole(self.label)

    def say(self, text: str, warning: bool = True) -> None:
        """Show a text, or nothing."""
        self.label.text = f"\u26a0 {text}" if text and warning else text
        self.label.visible = bool(text)
        fit(self.label)

    @property
    def text(self) -> str:
        """What is shown, without the sign."""
        return self.label.text.removeprefix("\u26a0 ")


def named(widget, tip: str, name: str):
    """Give a control its tooltip and its name."""
    widget.toolTip, widget.accessibleName = tip, name
    return widget


def push(text: str, tip: str, slot):
    """A button."""
    button = named(qt.QPushButton(text), tip, text.replace("&", "").rstrip(".\u2026"))
    button.clicked.connect(lambda checked=False: slot())
    return button


def labelled(layout, text: str, control, tip: str):
    """A row of a form: a label that belongs to the control, and the control."""
    label = qt.QLabel(text)
    label.setBuddy(control)
    label.toolTip = tip
    named(control, tip, text.replace("&", "").rstrip(":"))
    if hasattr(control, "sizeAdjustPolicy"):  # a long name widens no panel
        control.sizeAdjustPolicy = qt.QComboBox.AdjustToMinimumContentsLengthWithIcon
    layout.addRow(label, control)
    return control


def side_by_side(*widgets):
    """A row of widgets."""
    holder = qt.QWidget()
    layout = qt.QHBoxLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return holder


def folded(text: str, tip: str, collapsed: bool = True):
    """A heading that folds the form below it away, and that form's layout."""
    heading = named(ctk.ctkCollapsibleButton(), tip, text)
    heading.text = text
    form = qt.QFormLayout(heading)
    heading.collapsed = collapsed
    return heading, form


def table(tip: str, name: str, heads: list):
    """A table that is read, whose rows are chosen as wholes."""
    widget = named(qt.QTableWidget(), tip, name)
    widget.setColumnCount(len(heads))
    widget.setHorizontalHeaderLabels(heads)
    widget.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
    widget.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
    widget.verticalHeader().hide()
    widget.setWordWrap(True)
    fill(widget, [])
    return widget


def fill(widget, rows: list, keys: list | None = None) -> None:
    """Put texts into a table, with a key of every row in its first cell; the chosen rows stay chosen."""
    chosen = set(chosen_keys(widget))
    widget.blockSignals(True)
    widget.clearSelection()
    widget.setRowCount(len(rows))
    for line, row in enumerate(rows):
        for place, text in enumerate(row):
            item = qt.QTableWidgetItem(str(text))
            item.setToolTip(str(text))
            item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
            if place == 0 and keys:
                item.setData(qt.Qt.UserRole, keys[line])
            widget.setItem(line, place, item)
    widget.horizontalHeader().setStretchLastSection(False)
    widget.resizeColumnsToContents()
    widget.horizontalHeader().setStretchLastSection(True)
    for line in range(len(rows)):
        if keys and keys[line] in chosen:
            choose(widget, line, add=True)
    widget.blockSignals(False)
    lines = min(max(len(rows), 2), 8)
    widget.setFixedHeight(widget.horizontalHeader().height + lines * widget.verticalHeader().defaultSectionSize + 6)


def choose(widget, line: int, add: bool = False) -> None:
    """Choose a row of a table, in addition to others or alone."""
    how = qt.QItemSelectionModel.Select if add else qt.QItemSelectionModel.ClearAndSelect
    widget.selectionModel().select(widget.model().index(line, 0), how | qt.QItemSelectionModel.Rows)


def chosen_keys(widget) -> list:
    """The keys of the chosen rows, in the table's order."""
    lines = sorted(index.row() for index in widget.selectionModel().selectedRows())
    return [widget.item(line, 0).data(qt.Qt.UserRole) for line in lines if widget.item(line, 0)]
