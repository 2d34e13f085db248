"""Names of properties and signals: what our sources set and connect on widgets, and what Qt, CTK and Slicer have.

The classes of Qt are asked themselves. Those of CTK and Slicer are not here: what their headers list stands below.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

NODE_LIST = ("QWidget", "nodeTypes showHidden showChildNodeTypes hideChildNodeTypes baseName noneEnabled addEnabled "
    "removeEnabled editEnabled renameEnabled noneDisplay currentNodeID sizeAdjustPolicy selectNodeUponCreation",
    "currentNodeChanged currentNodeIDChanged nodeActivated nodeAdded nodeAddedByUser currentNodeRenamed")  # fmt: skip
FOREIGN = {
    "ctkCollapsibleButton": ("QAbstractButton", "collapsed collapsedHeight flat contentsFrameShape contentsFrameShadow "
        "contentsLineWidth contentsMidLineWidth buttonTextAlignment indicatorAlignment", "contentsCollapsed"),
    "qMRMLWidget": ("QWidget", "", "mrmlSceneChanged"),
    "qMRMLNodeComboBox": NODE_LIST,
    "qMRMLCheckableNodeComboBox": ("qMRMLNodeComboBox", "", "checkedNodesChanged"),
    "qMRMLTableView": ("QTableView", "transposed firstRowLocked firstColumnLocked", "mrmlSceneChanged selectionChanged"),
    "qMRMLSortFilterProxyModel": ("QSortFilterProxyModel", "nodeTypes showHidden hiddenNodeIDs visibleNodeIDs", ""),
}  # fmt: skip
"""By class: the one that it derives from, and its own properties and signals."""
MAKERS = {"push": "QPushButton", "table": "QTableWidget"}
"""Functions of `form` that make one kind of widget; `named` and `labelled` return what they are given."""


@dataclass(frozen=True)
class Use:
    """A name that a source uses of a widget.

    Attributes:
        place: file and line.
        widget: its class.
        name: of the property or signal.
    """

    place: str
    widget: str
    name: str


def properties_of(widget: str) -> set[str]:
    """All properties of a class, inherited ones included."""
    if widget in FOREIGN:
        base, own, _signals = FOREIGN[widget]
        return properties_of(base) | set(own.split())
    meta = _qt(widget).staticMetaObject
    return {meta.property(number).name() for number in range(meta.propertyCount())}


def signals_of(widget: str) -> set[str]:
    """All signals of a class, inherited ones included."""
    if widget in FOREIGN:
        base, _properties, own = FOREIGN[widget]
        return signals_of(base) | set(own.split())
    meta = _qt(widget).staticMetaObject
    methods = [meta.method(number) for number in range(meta.methodCount())]
    return {bytes(m.name()).decode() for m in methods if m.methodType().name == "Signal"}


def widgets_of_ui(folder: Path) -> dict[str, str]:
    """The class of every widget in the .ui files of a folder, by its name."""
    files = folder.glob("*.ui")
    return {w.get("name"): w.get("class") for file in files for w in ElementTree.parse(file).iter("widget")}


def uses(file: Path, ui: dict[str, str]) -> tuple[list[Use], list[Use]]:
    """The properties that a source sets, and the signals that it connects, of widgets whose class it tells."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    known = _known(tree)
    properties, signals = [], []

    def add(found: list, target: ast.Attribute) -> None:
        kind = _kind(target.value, known, ui)
        if kind:
            found.append(Use(f"{file.name}:{target.lineno}", kind, target.attr))

    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else ()
        for target in targets:
            for part in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(part, ast.Attribute):
                    add(properties, part)
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr == "connect" and isinstance(called.value, ast.Attribute):
            add(signals, called.value)
    return properties, signals


def _known(tree) -> dict[str, str]:
    """The class of what is made here, by how it is called: "name" or "self.name"; None where it is several."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            kind = _made(node.value)
            for target in node.targets:
                for part in target.elts if isinstance(target, ast.Tuple) else [target]:
                    name = ast.unparse(part)
                    known[name] = kind if known.get(name, kind) == kind else None
    return known


def _made(value) -> str | None:
    """The class of the widget that an expression makes."""
    if not isinstance(value, ast.Call):
        return None
    called = ast.unparse(value.func)
    module, _dot, name = called.rpartition(".")
    if module in ("qt", "ctk") or (module == "slicer" and name.startswith("qMRML")):
        return name if name[0] in "Qcq" and name not in ("QTimer",) else None
    if called in MAKERS:
        return MAKERS[called]
    if called in ("named", "labelled", "form.named"):
        return next((made for argument in value.args if (made := _made(argument))), None)
    return None


def _kind(value, known: dict[str, str], ui: dict[str, str]) -> str | None:
    text = ast.unparse(value)
    if known.get(text):
        return known[text]
    parts = text.split(".")
    return ui.get(parts[-1]) if parts[:-1] in (["ui"], ["self", "ui"]) else None


def _qt(name: str) -> type:
    from PySide6 import QtCore, QtGui, QtWidgets

    return next(getattr(module, name) for module in (QtWidgets, QtGui, QtCore) if hasattr(module, name))
