"""Slicer's widgets that the panels use, on PySide6, with the methods, properties and signals of the originals."""

from __future__ import annotations

import slicer
from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtWidgets import QAbstractButton, QComboBox, QTableWidget, QTableWidgetItem, QWidget


class qMRMLWidget(QWidget):
    """A widget that hands its scene on to the widgets connected to it."""

    mrmlSceneChanged = Signal(object)

    def setMRMLScene(self, scene) -> None:
        self.mrmlSceneChanged.emit(scene)


class ctkCollapsibleButton(QAbstractButton):
    """A button above the widgets it folds away; here always open."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._collapsed = False

    def _get_collapsed(self) -> bool:
        return self._collapsed

    def _set_collapsed(self, collapsed: bool) -> None:
        self._collapsed = collapsed

    collapsed = Property(bool, _get_collapsed, _set_collapsed)

    def paintEvent(self, event) -> None:
        """Only the children are drawn."""


class _NodeList(QComboBox):
    """Lists the nodes of some classes in the scene, in the scene's order."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._tags, self._types, self._nodes = None, [], [], []

    def _get_types(self):
        return tuple(self._types)

    def _set_types(self, types) -> None:
        self._types = list(types)
        self._refresh()

    nodeTypes = Property("QStringList", _get_types, _set_types)

    def setMRMLScene(self, scene) -> None:
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene, self._tags = scene, []
        if scene is None:
            return
        events = (slicer.vtkMRMLScene.NodeAddedEvent, slicer.vtkMRMLScene.NodeRemovedEvent, slicer.vtkMRMLScene.EndCloseEvent)
        self._tags = [scene.AddObserver(event, lambda caller, event: self._refresh()) for event in events]
        self._refresh()

    def _listed(self) -> list:
        nodes = slicer.util.getNodesByClass("vtkMRMLNode", self._scene) if self._scene else []
        return [node for node in nodes if node.GetClassName() in self._types]

    def _refresh(self) -> None:
        raise NotImplementedError


class qMRMLNodeComboBox(_NodeList):
    """One node or none; never selects by itself."""

    currentNodeChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._current = None
        self.activated.connect(lambda index: self.setCurrentNode(self._nodes[index]))

    def currentNode(self):
        return self._current

    def setCurrentNode(self, node) -> None:
        node = node if node in self._nodes else None
        if node is not self._current:
            self._current = node
            self.setCurrentIndex(self._nodes.index(node) if node else -1)
            self.currentNodeChanged.emit(node)

    def _refresh(self) -> None:
        self._nodes = self._listed()
        self.clear()
        self.addItems([node.GetName() or "" for node in self._nodes])
        self.setCurrentIndex(self._nodes.index(self._current) if self._current in self._nodes else -1)
        if self._current not in self._nodes:
            self.setCurrentNode(None)


class qMRMLCheckableNodeComboBox(_NodeList):
    """Any number of nodes, each with a check mark."""

    checkedNodesChanged = Signal()

    def checkedNodes(self) -> tuple:
        return tuple(n for i, n in enumerate(self._nodes) if self.itemData(i, Qt.CheckStateRole) == Qt.Checked)

    def check(self, node) -> None:
        self._set(node, Qt.Checked)

    def uncheck(self, node) -> None:
        self._set(node, Qt.Unchecked)

    def _set(self, node, state) -> None:
        if node in self._nodes and self.itemData(self._nodes.index(node), Qt.CheckStateRole) != state:
            self.setItemData(self._nodes.index(node), state, Qt.CheckStateRole)
            self.checkedNodesChanged.emit()

    def _refresh(self) -> None:
        before = self.checkedNodes()
        self._nodes = self._listed()
        self.clear()
        self.addItems([node.GetName() or "" for node in self._nodes])
        for index, node in enumerate(self._nodes):
            self.setItemData(index, Qt.Checked if node in before else Qt.Unchecked, Qt.CheckStateRole)
        if self.checkedNodes() != before:
            self.checkedNodesChanged.emit()


class qMRMLTableView(QTableWidget):
    """Shows a table node."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._node = None

    def setMRMLScene(self, scene) -> None:
        """The scene is that of the node."""

    def mrmlTableNode(self):
        return self._node

    def setMRMLTableNode(self, node) -> None:
        self._node = node
        table = node.GetTable() if node else None
        self.setRowCount(table.GetNumberOfRows() if table else 0)
        self.setColumnCount(table.GetNumberOfColumns() if table else 0)
        for column in range(self.columnCount):
            self.setHorizontalHeaderItem(column, QTableWidgetItem(table.GetColumnName(column)))
            for row in range(self.rowCount):
                self.setItem(row, column, QTableWidgetItem(table.GetValue(row, column).ToString()))


_CLASSES = (qMRMLWidget, ctkCollapsibleButton, qMRMLNodeComboBox, qMRMLCheckableNodeComboBox, qMRMLTableView)
WIDGETS = {cls.__name__: cls for cls in _CLASSES}
