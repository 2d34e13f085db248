"""Stand-ins for `qt`, `ctk` and Slicer's MRML widgets, made of a real Qt (PySide6).

PythonQt, Slicer's binding, shows Qt's properties as Python attributes (`button.enabled = True`); so do these modules.
What they cannot show: the layout manager, dragging ROI handles, that the module loads in Slicer's application at all.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
import types

INSTALL = "install Qt for the tests with `pip install PySide6_Essentials` and the system libraries libegl1 and libxkbcommon0"
PROBE = "from PySide6 import QtUiTools, QtWidgets; QtWidgets.QApplication([])"
VIRTUAL = ("sizeHint", "minimumSizeHint", "heightForWidth", "QProgressBar.text")
"""Getters that Qt itself calls as functions; of one class where another's getter of that name is not called."""

NAMED_BY_CONNECTORS = (
    *("ctkCheckBox", "ctkCheckablePushButton", "ctkColorPickerButton", "ctkComboBox", "ctkDirectoryButton"),
    *("ctkDoubleRangeSlider", "ctkDoubleSlider", "ctkDoubleSpinBox", "ctkPathLineEdit", "ctkRangeWidget", "ctkSliderWidget"),
    *("qMRMLRangeWidget", "qMRMLSliderWidget", "qMRMLSpinBox"),
)
"""Widgets that Slicer's parameterNodeWrapper only names, to tell what it was given."""

_application = None
_KEPT, _STRICT = [], []


def install() -> str | None:
    """Put `qt`, `ctk` and the qMRML widgets in place; returns None, or why Qt cannot be loaded."""
    global _application
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    # asked in a process of its own, since Qt ends the process when a system library of its platform plugin is missing
    probe = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)
    if probe.returncode:
        # modules import it whether they will show a panel or not
        sys.modules["qt"] = types.ModuleType("qt")
        reason = (probe.stderr.strip().splitlines() or [f"exit code {probe.returncode}"])[-1]
        return f"Qt cannot be loaded ({reason}); {INSTALL}."
    _outlive_shortage_of_references()
    from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

    _application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    _show_properties_as_attributes(QtCore.QObject, QtWidgets, QtGui)

    import slicer

    from . import slicer_widgets

    _be_strict(*_refusing(QtCore.QObject, slicer_widgets.WIDGETS, QtWidgets, QtGui))

    qt = types.ModuleType("qt")
    for source in (QtCore, QtGui, QtWidgets):
        # PySide makes its classes when they are asked for
        qt.__dict__.update({name: getattr(source, name) for name in dir(source) if name.startswith("Q")})
    qt.QTimer = _timer_class(QtCore)
    qt.QUiLoader = _loader_class(QtUiTools, QtCore, slicer_widgets.WIDGETS)
    ctk = types.ModuleType("ctk")
    named = {name: type(name, (QtWidgets.QWidget,), {}) for name in NAMED_BY_CONNECTORS}
    for name, widget in (named | slicer_widgets.WIDGETS).items():
        setattr(ctk if name.startswith("ctk") else slicer, name, widget)
    sys.modules["qt"], sys.modules["ctk"] = qt, ctk
    return None


def clipboard():
    """Qt's own."""
    return _application.clipboard()


def _outlive_shortage_of_references() -> None:
    """Hold None, True and False often enough for the interpreter to end well.

    PySide 6.12 gives these away without counting, one at a time; before Python 3.12, where they cannot die, the interpreter
    aborts at its end once more were given away than there were.
    """
    if sys.version_info < (3, 12):
        held = [None, True, False] * 1_000_000
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))  # never freed


def process_events() -> None:
    """Let Qt work off what is waiting."""
    if _application:
        _application.processEvents()


def _show_properties_as_attributes(base: type, *modules) -> None:
    classes = [base, *_classes(base, *modules)]
    getter, setter = base.property, base.setProperty
    for cls in classes:
        meta = cls.staticMetaObject
        for index in range(meta.propertyOffset(), meta.propertyCount()):
            name = meta.property(index).name()
            if not {name, f"{cls.__name__}.{name}"} & set(VIRTUAL):
                read, write = (lambda self, n=name: getter(self, n)), (lambda self, value, n=name: setter(self, n, value))
                setattr(cls, name, property(read, write))
    base.name = property(lambda self: getter(self, "objectName"))
    # PySide's metaObject() would take the class's meta-object along when its widget dies
    base.className = lambda self: type(self).staticMetaObject.className()


def _refusing(base: type, ours: dict[str, type], *modules) -> tuple[list, object]:
    """As PythonQt: what Qt's meta-object does not list cannot be set on a widget; only classes of Python take anything.

    The stand-ins of Slicer's widgets are taken for what they stand for; they keep what they need below an underscore.

    Returns:
        the classes of Qt, each with how it sets attributes otherwise; and the function that refuses.
    """

    def strict(self, name: str, value) -> None:
        cls = type(self)
        stands_in = cls.__name__ in ours and cls is ours[cls.__name__]
        native = cls.__module__.startswith("PySide6") or stands_in
        known = type(getattr(cls, name, None)).__name__ in ("property", "Property") or (stands_in and name.startswith("_"))
        by_itself = type(value).__name__ == "SignalInstance"  # PySide keeps signals so
        if native and not (known or by_itself):
            raise AttributeError(f"Property '{name}' does not exist on {cls.__name__}")
        holder = getattr(cls, name, None)
        if type(holder).__name__ == "Property":  # PySide's own kind, of a class of Python
            base.setProperty(self, name, value)
        elif hasattr(holder, "__set__"):
            holder.__set__(self, value)
        else:
            self.__dict__[name] = value

    classes = [base, *(c for c in _classes(base, *modules) if "__setattr__" in vars(c))]
    return [(cls, vars(cls)["__setattr__"]) for cls in classes], strict


def _be_strict(classes: list, strict) -> None:
    """Have classes refuse from now on; `_STRICT` keeps how, since the loader of .ui files has to go without for a while."""
    _STRICT[:] = [classes, strict]
    for cls, _usual in classes:
        cls.__setattr__ = strict


def _classes(base: type, *modules) -> list[type]:
    """The classes of Qt that derive from a base."""
    found = [getattr(module, name) for module in modules for name in dir(module)]
    return [cls for cls in found if isinstance(cls, type) and issubclass(cls, base)]


def _timer_class(QtCore) -> type:
    class Timer(QtCore.QTimer):
        """Connected as PythonQt does it, by the signal's signature."""

        def connect(self, signal: str, slot) -> None:
            assert signal == "timeout()", signal
            self.timeout.connect(slot)

    return Timer


def _loader_class(QtUiTools, QtCore, custom: dict[str, type]) -> type:
    class Loader(QtUiTools.QUiLoader):
        """Loads a .ui file with Slicer's widgets in it.

        PySide knows no vtkMRMLScene*, so the file's connections are taken out of the text and made here; a connection
        that names an object the file does not have is an error.
        """

        def load(self, file):
            text = bytes(file.readAll()).decode()
            connections = re.findall(
                r"<connection>\s*<sender>(.*?)</sender>\s*<signal>(.*?)\(.*?</signal>\s*"
                r"<receiver>(.*?)</receiver>\s*<slot>(.*?)\(.*?</slot>",
                text,
                re.S,
            )
            buffer = QtCore.QBuffer()
            buffer.setData(re.sub(r"<connections>.*</connections>", "", text, flags=re.S).encode())
            self.made = {}
            # the loader itself gives widgets attributes of their children's names
            for cls, usual in _STRICT[0]:
                cls.__setattr__ = usual
            root = super().load(buffer)
            _be_strict(*_STRICT)
            # Python objects of custom widgets live as long as the widget that holds them
            _KEPT.append((root, self.made))
            root.destroyed.connect(lambda *_, made=self.made: made.clear())
            for sender, signal, receiver, slot in connections:
                getattr(self.made[sender], signal).connect(getattr(self.made[receiver], slot))
            return root

        def createWidget(self, class_name, parent=None, name=""):
            if class_name in custom:
                widget = custom[class_name](parent)
                widget.setObjectName(name)
            else:
                widget = super().createWidget(class_name, parent, name)
            self.made[name] = widget
            return widget

    return Loader
