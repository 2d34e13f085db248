"""Stand-in for slicer.parameterNodeWrapper: the types, validators and widgets that our modules use.

Values live in the vtkMRMLScriptedModuleNode itself, so they are saved with the scene and seen by observers.
"""

from __future__ import annotations

import types
import typing

import slicer
import vtk

__all__ = ["Choice", "WithinRange", "parameterNodeWrapper"]


class WithinRange:
    """Numbers from minimum to maximum."""

    def __init__(self, minimum, maximum):
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is not within {self.minimum} and {self.maximum}")


class Choice:
    """One of some values."""

    def __init__(self, choices):
        self.choices = choices

    def validate(self, value) -> None:
        if value not in self.choices:
            raise ValueError(f"{value} is not one of {self.choices}")


class _Parameter:
    """One field: how it is kept in the node."""

    def __init__(self, name: str, hint, default):
        self.name = name
        self.validators = typing.get_args(hint)[1:] if typing.get_origin(hint) is typing.Annotated else ()
        self.type = typing.get_args(hint)[0] if self.validators else hint
        self.is_list = typing.get_origin(self.type) is list
        self.is_node = typing.get_origin(self.type) in (types.UnionType, typing.Union)
        self.default = [] if self.is_list else default

    def read(self, node):
        if self.is_list:
            return [node.GetNthNodeReference(self.name, i) for i in range(node.GetNumberOfNodeReferences(self.name))]
        if self.is_node:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        return self.default if text == "" else text == "True" if self.type is bool else self.type(text)

    def write(self, node, value) -> None:
        for validator in self.validators:
            validator.validate(value)
        with slicer.util.NodeModify(node):
            if self.is_list or self.is_node:
                if self.is_node and value is not None and not isinstance(value, typing.get_args(self.type)):
                    raise TypeError(f"{self.name} cannot hold a {type(value).__name__}")
                wanted = value if self.is_list else [value] if value is not None else []
                if wanted != [n for n in (self.read(node) if self.is_list else [self.read(node)]) if n]:
                    node.RemoveNodeReferenceIDs(self.name)
                    for item in wanted:
                        node.AddNodeReferenceID(self.name, item.GetID())
                    node.Modified()
            else:
                node.SetParameter(self.name, str(self.type(value)))


def parameterNodeWrapper(cls):
    """Turn the annotated fields of a class into properties over a parameter node."""
    hints = typing.get_type_hints(cls, include_extras=True)
    parameters = {name: _Parameter(name, hint, getattr(cls, name, None)) for name, hint in hints.items()}

    def initialize(self, parameterNode):
        self.parameterNode = parameterNode
        self._guis = {}

    def connect(self, ui) -> int:
        widgets = [widget for widget in vars(ui).values() if widget.property("SlicerParameterName")]
        connections = [_Connection(self, parameters[w.property("SlicerParameterName")], w) for w in widgets]
        tag = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: [c.show() for c in connections])
        self._guis[tag] = connections
        return tag

    def disconnect(self, tag: int) -> None:
        self.RemoveObserver(tag)
        for connection in self._guis.pop(tag):
            connection.end()

    for name, parameter in parameters.items():
        setattr(
            cls,
            name,
            property(
                lambda self, p=parameter: p.read(self.parameterNode),
                lambda self, value, p=parameter: p.write(self.parameterNode, value),
            ),
        )
    cls.__init__ = initialize
    cls.connectGui = connect
    cls.disconnectGui = disconnect
    cls.AddObserver = lambda self, event, callback, priority=0.0: self.parameterNode.AddObserver(event, callback, priority)
    cls.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)
    return cls


class _Connection:
    """Keeps one widget and one field equal, both ways."""

    def __init__(self, wrapper, parameter: _Parameter, widget):
        self.wrapper, self.parameter, self.widget = wrapper, parameter, widget
        for validator in parameter.validators:
            if isinstance(validator, WithinRange):
                widget.setRange(validator.minimum, validator.maximum)
            else:
                widget.clear()
                for choice in validator.choices:
                    widget.addItem(str(choice))
        kind = type(widget).__name__
        self.signal = {
            "QLineEdit": "textChanged",
            "QCheckBox": "toggled",
            "QComboBox": "currentIndexChanged",
            "qMRMLNodeComboBox": "currentNodeChanged",
        }.get(kind, "valueChanged")
        self.show()
        getattr(widget, self.signal).connect(self.take)

    def show(self) -> None:
        value = self.parameter.read(self.wrapper.parameterNode)
        if self.signal == "currentNodeChanged":
            self.widget.setCurrentNode(value)
        elif self.signal == "currentIndexChanged":
            self.widget.currentIndex = self.parameter.validators[0].choices.index(value)
        elif self.signal == "textChanged":
            self.widget.text = value
        elif self.signal == "toggled":
            self.widget.checked = value
        else:
            self.widget.value = value

    def take(self, *_) -> None:
        if self.signal == "currentNodeChanged":
            value = self.widget.currentNode()
        elif self.signal == "currentIndexChanged":
            value = self.parameter.validators[0].choices[self.widget.currentIndex]
        elif self.signal == "toggled":
            value = self.widget.checked
        else:
            value = self.widget.text if self.signal == "textChanged" else self.widget.value
        self.parameter.write(self.wrapper.parameterNode, value)

    def end(self) -> None:
        getattr(self.widget, self.signal).disconnect(self.take)
