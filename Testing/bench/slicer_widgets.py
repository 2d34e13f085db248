"""Slicer's widgets that the panels use, on PySide6, with the methods, properties and signals of the originals."""

from __future__ import annotations

import slicer
from PySide6.QtCore import Property, QEvent, QObject, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QSizePolicy,
    QStyle,
    QStyleOption,
    QStylePainter,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)


class qMRMLWidget(QWidget):
    """A widget that hands its scene on to the widgets connected to it."""

    mrmlSceneChanged = Signal(object)

    def setMRMLScene(self, scene) -> None:
        self.mrmlSceneChanged.emit(scene)


class ModuleParent(QWidget):
    """What Slicer hands a module's widget: the page that the panel is put on.

    Attributes:
        isEntered: whether the module is shown.
    """

    isEntered = True


class ctkCollapsibleButton(QAbstractButton):
    """A heading above the widgets that it folds away when it is clicked."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._collapsed = self._forcing = False
        self.setFocusPolicy(Qt.TabFocus)
        self.setSizePolicy(QSizePolicy.Preferred, QSizePolicy.Preferred)
        self.clicked.connect(lambda: self._set_collapsed(not self._collapsed))

    def _heading(self) -> int:
        return self.fontMetrics().height() + 10

    def _get_collapsed(self) -> bool:
        return self._collapsed

    def _set_collapsed(self, collapsed: bool) -> None:
        self._collapsed = collapsed
        for child in self.children():
            if isinstance(child, QWidget):
                self._hide_or_show(child)
        self.setMaximumHeight(self._heading() if collapsed else 16777215)
        self.updateGeometry()

    collapsed = Property(bool, _get_collapsed, _set_collapsed)

    def _hide_or_show(self, child) -> None:
        """What the owner has hidden, before or meanwhile, stays hidden when the rest is unfolded."""
        explicit = child.testAttribute(Qt.WA_WState_ExplicitShowHide)
        self._forcing = True
        child.setVisible(not self._collapsed and not child.property("hiddenByOwner"))
        child.setAttribute(Qt.WA_WState_ExplicitShowHide, explicit)
        self._forcing = False

    def childEvent(self, event) -> None:
        """A child that arrives while the heading is folded is hidden, and heard when its owner hides or shows it, as in CTK."""
        if event.type() == QEvent.ChildAdded and isinstance(event.child(), QWidget):
            event.child().installEventFilter(self)
            if self._collapsed:
                self._hide_or_show(event.child())
        super().childEvent(event)

    def eventFilter(self, child, event) -> bool:
        """What an owner does to a child counts when the heading is unfolded."""
        if not self._forcing and event.type() in (QEvent.HideToParent, QEvent.ShowToParent):
            child.setProperty("hiddenByOwner", event.type() == QEvent.HideToParent)
            if event.type() == QEvent.ShowToParent and self._collapsed:
                self._hide_or_show(child)
        return False

    def showEvent(self, event) -> None:
        """The contents begin below the heading."""
        if self.layout():
            self.layout().setContentsMargins(9, self._heading() + 4, 9, 6)

    def sizeHint(self):
        hint = self.layout().sizeHint() if self.layout() and not self._collapsed else super().sizeHint()
        return hint.expandedTo(QSize(80, self._heading()))

    def minimumSizeHint(self):
        hint = self.layout().minimumSize() if self.layout() and not self._collapsed else QSize(0, 0)
        return hint.expandedTo(QSize(80, self._heading()))

    def paintEvent(self, event) -> None:
        """The heading: a triangle that points to what is unfolded, and the text."""
        painter = QStylePainter(self)
        option = QStyleOption()
        option.initFrom(self)
        painter.fillRect(0, 0, self.width, self._heading(), self.palette.color(QPalette.Midlight))
        option.rect = QRect(6, 0, 14, self._heading())
        painter.drawPrimitive(QStyle.PE_IndicatorArrowRight if self._collapsed else QStyle.PE_IndicatorArrowDown, option)
        painter.drawText(26, 0, self.width - 30, self._heading(), Qt.AlignVCenter, self.text)


class _Filter(QObject):
    """What a list of nodes leaves out."""

    def __init__(self, owner):
        super().__init__(owner)
        self._owner, self._hidden = owner, []

    def _get_hidden(self):
        return tuple(self._hidden)

    def _set_hidden(self, identifiers) -> None:
        if list(identifiers) != self._hidden:
            self._hidden = list(identifiers)
            self._owner._refresh()

    hiddenNodeIDs = Property("QStringList", _get_hidden, _set_hidden)


class _NodeList(QComboBox):
    """Lists the nodes of some classes in the scene, in the scene's order."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._tags, self._types, self._nodes, self._kept = None, [], [], [], {}
        self._filter = _Filter(self)

    def sortFilterProxyModel(self) -> _Filter:
        return self._filter

    def _get_types(self):
        return tuple(self._types)

    def _set_types(self, types) -> None:
        self._types = list(types)
        self._refresh()

    nodeTypes = Property("QStringList", _get_types, _set_types)
    noneEnabled, addEnabled, removeEnabled, renameEnabled, editEnabled, showChildNodeTypes = (
        Property(bool, lambda self, n=name: self._kept.get(n, False), lambda self, value, n=name: self._kept.update({n: value}))
        for name in ("none", "add", "remove", "rename", "edit", "children")
    )
    noneDisplay, baseName = (
        Property(str, lambda self, n=name: self._kept.get(n, ""), lambda self, value, n=name: self._kept.update({n: value}))
        for name in ("display", "base")
    )

    def setMRMLScene(self, scene) -> None:
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene, self._tags = scene, []
        if scene is None:
            return
        events = (slicer.vtkMRMLScene.NodeAddedEvent, slicer.vtkMRMLScene.NodeRemovedEvent, slicer.vtkMRMLScene.EndCloseEvent)
        self._tags = tags = [scene.AddObserver(event, lambda caller, event: self._refresh()) for event in events]
        # a widget of a window that is gone hears nothing more, as Slicer's own
        self.destroyed.connect(lambda *_: [scene.RemoveObserver(tag) for tag in tags])
        self._refresh()

    def _listed(self) -> list:
        nodes = slicer.util.getNodesByClass("vtkMRMLNode", self._scene) if self._scene else []
        return [node for node in nodes if node.GetClassName() in self._types and node.GetID() not in self._filter.hiddenNodeIDs]

    def _refresh(self) -> None:
        raise NotImplementedError


class qMRMLNodeComboBox(_NodeList):
    """One node or none. It selects nothing by itself until its node is removed or hidden: then the one beside it, as Qt's
    lists do, unless it may show none.
    """

    currentNodeChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._current = None
        self._place = 0
        self.activated.connect(lambda index: self.setCurrentNode(self._nodes[index]))

    def currentNode(self):
        return self._current

    def setCurrentNode(self, node) -> None:
        node = node if node in self._nodes else None
        if node is not self._current:
            self._current = node
            self._place = self._nodes.index(node) if node else 0
            self.setCurrentIndex(self._nodes.index(node) if node else -1)
            self.currentNodeChanged.emit(node)

    def _refresh(self) -> None:
        self._nodes = self._listed()
        self.clear()
        self.addItems([node.GetName() or "" for node in self._nodes])
        self.setCurrentIndex(self._nodes.index(self._current) if self._current in self._nodes else -1)
        if self._current not in self._nodes:
            beside = self._nodes[min(self._place, len(self._nodes) - 1)] if self._nodes and self._current else None
            self.setCurrentNode(None if self.noneEnabled else beside)


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
        # the names of the columns are its first row, below A, B, C, unless the node says that they are the heads
        heads = bool(node) and node.GetUseColumnTitleAsColumnHeader()
        first = 0 if heads else 1
        self.setRowCount(table.GetNumberOfRows() + first if table else 0)
        self.setColumnCount(table.GetNumberOfColumns() if table else 0)
        for column in range(self.columnCount):
            name = table.GetColumnName(column)
            self.setHorizontalHeaderItem(column, QTableWidgetItem(name if heads else chr(ord("A") + column % 26)))
            if not heads:
                self.setItem(0, column, QTableWidgetItem(name))
            for row in range(table.GetNumberOfRows()):
                self.setItem(row + first, column, QTableWidgetItem(table.GetValue(row, column).ToString()))


_CLASSES = (qMRMLWidget, ctkCollapsibleButton, qMRMLNodeComboBox, qMRMLCheckableNodeComboBox, qMRMLTableView)
WIDGETS = {cls.__name__: cls for cls in _CLASSES}
