"""How much the panel shows, and that it fits: few controls, narrow columns, long sentences, results that come unseen."""

from __future__ import annotations

import re

import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.prepared_run import PreparedRun

MOST_CONTROLS = 12
NARROW = 360
LONG = "A sentence about a scan that is nothing special but goes on and on, so that it takes more than one line. " * 6


def visible_controls(panel) -> list[str]:
    """The names of what takes the keyboard's focus and is seen; what belongs to a control of Qt's own is that control."""
    import qt

    panel.parent.show()
    slicer.app.processEvents()
    widgets = [w for w in panel.parent.findChildren(qt.QWidget) if w.isVisible() and w.focusPolicy != qt.Qt.NoFocus]
    controls = [w for w in widgets if not isinstance(w, (qt.QLabel, qt.QTabWidget))]  # sentences can be selected
    inside = ("qt_spinbox", "qt_scrollarea")
    return [w.objectName for w in controls if re.match(r"[a-z]", w.objectName) and not w.objectName.startswith(inside)]


def test_before_apply_there_are_volume_boxes_apply_and_live_twin(panel, inputs):
    expected = {"inputVolumeSelector", "inputROIsSelector", "newBoxButton", "applyButton", "liveTwinCheckBox"}
    assert set(visible_controls(panel)) == expected | {"qt_tabwidget_tabbar"}


def test_after_apply_there_are_at_most_twelve_controls(panel, inputs):
    before = set(visible_controls(panel))
    panel.ui.applyButton.click()
    seen = visible_controls(panel)
    assert set(seen) - before == {"boxTable", "shownComboBox", "fadeSlider", "moreButton", "sensitivityHereButton"}
    assert len(seen) <= MOST_CONTROLS


def test_sensitivity_is_offered_beside_a_healthy_verdict_only(panel, inputs):
    panel.ui.inputROIsSelector.uncheck(inputs[1][1])
    panel.ui.applyButton.click()
    assert panel.ui.sensitivityHereButton.isHidden()  # the one box is pathological
    panel.ui.inputROIsSelector.check(inputs[1][1])
    panel.ui.applyButton.click()
    assert not panel.ui.sensitivityHereButton.isHidden() and panel.ui.sensitivityWidget.isHidden()
    panel.ui.sensitivityHereButton.click()
    assert not panel.ui.sensitivityWidget.isHidden() and panel.menu.sensitivity.checked
    panel.menu.sensitivity.trigger()
    assert panel.ui.sensitivityWidget.isHidden() and not panel.ui.sensitivityHereButton.checked


def wrapped_labels(panel) -> list:
    import qt

    return [w for w in panel.parent.findChildren(qt.QLabel) if w.wordWrap]


def test_long_sentences_widen_no_page(panel, inputs):
    panel.ui.applyButton.click()
    labels = wrapped_labels(panel)
    assert len(labels) > 8
    for label in labels:
        label.text = LONG
    panel.parent.show()
    for page in range(panel.ui.tabWidget.count):
        panel.ui.tabWidget.currentIndex = page
        slicer.app.processEvents()
        assert panel.parent.minimumSizeHint().width() <= NARROW, panel.ui.tabWidget.tabText(page)


def test_long_names_widen_no_page(panel, inputs):
    for node in (*inputs[1], slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode"), inputs[0]):
        node.SetName(LONG)
    for selector in (panel.ui.meshSegmentationSelector, panel.ui.lesionPlaceSelector, panel.ui.visitsSelector):
        selector.setMRMLScene(slicer.mrmlScene)  # the stand-in reads names when nodes come
    panel.ui.meshCollapsibleButton.collapsed = False
    panel.parent.show()
    slicer.app.processEvents()
    assert panel.parent.minimumSizeHint().width() <= NARROW


def test_results_that_come_while_the_panel_is_hidden_press_nothing_together(panel, inputs):
    """Also when the panel is then narrower than it was."""

    class Wordy(PreparedRun):
        def _record(self, number, box, hole):
            return super()._record(number, box, hole) | {"reason": f"Healthy: {LONG}", "where": LONG}

    panel.logic.runner = Wordy()
    panel.parent.resize(600, 500)
    panel.ui.applyButton.click()
    panel.parent.show()
    for width in (NARROW, 430, 600):
        panel.parent.resize(width, panel.parent.minimumSizeHint().height())
        for _ in range(3):
            slicer.app.processEvents()
        assert panel.parent.width == width
        for label in (panel.ui.verdictLabel, panel.ui.notesLabel):
            assert label.height >= label.heightForWidth(label.width)
        for button in (panel.ui.applyButton, panel.ui.moreButton, panel.ui.newBoxButton, panel.ui.shownComboBox):
            assert button.height >= button.minimumSizeHint().height() > 15, (width, button.objectName)


def test_tables_without_rows_take_no_room_and_have_names_as_heads(panel, inputs):
    from RadiomicsPersonaNodes import table as tables

    views = [panel.ui.segmentTableView, panel.ui.followUpTableView, panel.ui.regressionTableView, panel.ui.sensitivityTableView]
    assert all(view.isHidden() for view in views)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    tables.fill_from_rows(node, [["visit", "ml"], ["first", "2.5"]])
    panel.logic.getParameterNode().visitTable = node
    view = panel.ui.followUpTableView
    assert not view.isHidden() and view.rowCount == 1
    assert [view.horizontalHeaderItem(n).text() for n in range(2)] == ["visit", "ml"]


def test_all_numbers_leave_empty_what_is_not_known(panel, inputs):
    import numpy as np
    from bench.nodes import add_roi

    panel.ui.inputROIsSelector.check(add_roi("C", (8, 8, 8), np.eye(3), (30, 20, 20)))
    panel.ui.applyButton.click()
    panel.menu.numbers.trigger()
    import qt

    shown = panel.results.numbers.findChild(qt.QTableWidget)
    rows = {shown.item(line, 0).text(): [shown.item(line, n).text() for n in (1, 2, 3)] for line in range(shown.rowCount)}
    assert rows["p"] == ["0.04", "0.6", "\u2013"] and rows["verdict"][2] == "undetermined"
    assert not [row for row in rows.values() if "nan" in row]
    panel.results.numbers.close()


def test_no_browser_is_said_with_the_path(panel, tmp_path, monkeypatch):
    import qt

    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: False)
    report = panel.sensitivity.report
    folder = report.fresh_folder()
    report.keep("sensitivity.html")
    panel.ui.sensitivityReportButton.click()
    assert panel.ui.sensitivityStatusLabel.text == (
        f"No browser could be opened: open this file by hand, {folder}/sensitivity.html"
    )


def test_an_application_that_quits_ends_the_run(panel, inputs):
    """Slicer's `exit` ends the event loops, of which a run that calls for events knows nothing."""
    import qt

    panel.logic.runner = PreparedRun(("one", "two", "three"))
    process, seen = slicer.app.processEvents, []

    def look():
        process()
        seen.append(panel.ui.statusLabel.text)
        if len(seen) == 1:
            qt.QCoreApplication.exit(0)

    slicer.app.processEvents = look
    try:
        panel.ui.applyButton.click()
    finally:
        del slicer.app.processEvents
        qt.QTimer.singleShot(0, lambda: qt.QCoreApplication.exit(0))  # `quit` closes windows, and the last one quits once more
        qt.QCoreApplication.exec()  # a loop that begins anew
    assert len(seen) == 1 and panel.ui.statusLabel.text == "Cancelled; nothing was changed."
