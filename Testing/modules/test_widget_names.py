"""Every property that our sources set on a widget, and every signal that they connect, is one that Qt, CTK or Slicer has."""

from __future__ import annotations

import pytest
from bench.widget_names import FOREIGN, properties_of, signals_of, uses, widgets_of_ui

FOLDERS = ("RadiomicsPersona/RadiomicsPersonaWidgets", "RadiomicsPersonaTraining/RadiomicsPersonaTrainingPages")
FILES = ("RadiomicsPersona/RadiomicsPersona.py", "RadiomicsPersonaTraining/RadiomicsPersonaTraining.py")


@pytest.fixture(scope="module")
def used(checkout) -> tuple[list, list]:
    pytest.importorskip("PySide6", reason="Qt is not installed: pip install PySide6_Essentials")
    ui = widgets_of_ui(checkout / "RadiomicsPersona/Resources/UI")
    files = [*(file for folder in FOLDERS for file in sorted((checkout / folder).glob("*.py"))), *(checkout / f for f in FILES)]
    found = [uses(file, ui) for file in files]
    return [use for properties, _ in found for use in properties], [use for _, signals in found for use in signals]


def test_every_property_is_one_of_the_widget(used):
    properties, _signals = used
    assert len(properties) > 110
    assert not [use for use in properties if use.name not in properties_of(use.widget)]


def test_every_signal_is_one_of_the_widget(used):
    _properties, signals = used
    assert len(signals) > 40
    assert not [use for use in signals if use.name not in signals_of(use.widget)]


def test_a_wrong_name_is_found_and_a_setter_is_no_property(tmp_path):
    """As the property that Slicer refused: the spin box has `showGroupSeparator`, and a setter of another name."""
    pytest.importorskip("PySide6", reason="Qt is not installed: pip install PySide6_Essentials")
    source = tmp_path / "page.py"
    source.write_text("control = qt.QSpinBox()\ncontrol.groupSeparatorShown = True\nui.table.celClicked.connect(print)\n")
    properties, signals = uses(source, {"table": "QTableWidget"})
    assert [(use.widget, use.name) for use in properties] == [("QSpinBox", "groupSeparatorShown")]
    assert "groupSeparatorShown" not in properties_of("QSpinBox") and "showGroupSeparator" in properties_of("QSpinBox")
    assert signals[0].name not in signals_of("QTableWidget") and "cellClicked" in signals_of("QTableWidget")


def test_the_bench_refuses_what_the_application_refuses(panel):
    """Also on the stand-ins of CTK's and Slicer's widgets."""
    import qt

    for widget in (qt.QSpinBox(), panel.ui.meshCollapsibleButton, panel.ui.inputVolumeSelector, panel.ui.newBoxButton):
        with pytest.raises(AttributeError, match="Property 'groupSeparatorShown' does not exist on"):
            widget.groupSeparatorShown = True
    box = qt.QSpinBox()
    box.maximum = 2000
    assert box.maximum == 2000 and box.showGroupSeparator is False


def test_the_stand_ins_have_no_property_that_the_originals_lack(panel):
    """What a stand-in offers beyond its header would let a name pass that the application refuses."""
    import slicer

    for name in FOREIGN:
        stand_in = getattr(slicer, name, None) or getattr(__import__("ctk"), name, None)
        if stand_in is None:
            continue
        meta, base = stand_in.staticMetaObject, FOREIGN[name][0]
        own = {meta.property(number).name() for number in range(meta.propertyOffset(), meta.propertyCount())}
        allowed = properties_of(name)
        assert not {prop for prop in own if not prop.startswith("_")} - allowed, (name, base)
