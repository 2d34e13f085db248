"""Pictures of the panel, to look at: light and dark, at 100 and 200 %, three widths, before a scan is loaded, and before and
after the analysis of the scan of Slicer's Sample Data module.

python Testing/demos/sample_scan.py demo-output/sample && python Testing/demos/panel_pictures.py FOLDER demo-output/sample
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTING), str(TESTING.parent / "RadiomicsPersona")]
DARK = {
    "Window": "#323232", "WindowText": "#ffffff", "Base": "#1e1e1e", "AlternateBase": "#323232", "ToolTipBase": "#ffffff",
    "ToolTipText": "#323232", "Text": "#ffffff", "Button": "#323232", "ButtonText": "#ffffff", "BrightText": "#ff4444",
    "Light": "#828284", "Midlight": "#5a5a5b", "Dark": "#232323", "Mid": "#2b2b2b", "Shadow": "#141414", "Highlight": "#3ca4ff",
    "HighlightedText": "#ffffff", "Link": "#3ca4ff",
}  # fmt: skip
"""The colours of Slicer's dark style."""
WIDTHS = (360, 430, 600)
PAGES = ("judge", "segment", "over-time", "settings")
DISABLED = {"WindowText": "#6d6d6d", "Base": "#1e1e1e", "Text": "#6d6d6d", "ButtonText": "#b4b4b4", "Highlight": "#505050"}


def main(arguments: list[str]) -> int:
    """Every picture in a process of its own, since Qt takes its scale when it starts."""
    folder, results = (Path(argument) for argument in arguments[:2])
    folder.mkdir(parents=True, exist_ok=True)
    if len(arguments) > 2:
        _take(folder, results, arguments[2], arguments[3] == "dark")
        return 0
    for scale in ("1", "2"):
        for style in ("light", "dark"):
            environment = os.environ | {"QT_SCALE_FACTOR": scale, "QT_QPA_PLATFORM": "offscreen"}
            subprocess.run([sys.executable, __file__, str(folder), str(results), scale, style], env=environment, check=True)
    return 0


def _take(folder: Path, results: Path, scale: str, dark: bool) -> None:
    from bench import application

    reason = application.start()
    if reason:
        raise SystemExit(reason)
    import numpy as np
    import qt
    from bench.slicer_widgets import ModuleParent

    from RadiomicsPersonaLib.geometry.box import Box
    from RadiomicsPersonaLib.lesions.sample_head import BOX_SIZE, LESION_CENTER
    from RadiomicsPersonaNodes import sample_data
    from RadiomicsPersonaNodes.roi import add_roi

    qt.QApplication.setStyle("Fusion")
    dress(dark)
    scene = application.new_scene()
    scene.open_views()
    module = application.load_module()
    application.slicer.app.user_settings = qt.QSettings(str(folder / "pictures.ini"), qt.QSettings.IniFormat)
    application.slicer.app.user_settings.setValue("RadiomicsPersona/prepareScan", False)  # whose seconds differ
    parent = ModuleParent()
    parent.setLayout(qt.QVBoxLayout())
    widget = module.RadiomicsPersonaWidget(parent)
    widget.setup()
    name = f"{'dark' if dark else 'light'}-{scale}"
    parent.show()
    _save_widths(parent, folder, f"no-scan-{name}")
    widget.ui.inputVolumeSelector.setCurrentNode(sample_data.load())
    _save_widths(parent, folder, f"empty-{name}")
    for number, center in enumerate((LESION_CENTER, (-LESION_CENTER[0], *LESION_CENTER[1:])), start=1):
        widget._parameterNode.inputROIs = [
            *widget._parameterNode.inputROIs,
            add_roi(Box(np.array(center), np.array(BOX_SIZE), name=f"box {number}")),
        ]
    # the same scan and boxes, analyzed already
    widget.logic.runner = lambda given, proceed: hand_over(results, Path(given[given.index("--output") + 1]))
    widget.ui.applyButton.click()
    _save_widths(parent, folder, f"results-{name}")
    widget.ui.moreButton.menu().adjustSize()
    _save(widget.ui.moreButton.menu(), folder / f"menu-{name}.png")
    widget.menu.numbers.trigger()
    _save(widget.results.numbers, folder / f"numbers-{name}.png")
    widget.results.numbers.close()
    widget.menu.sensitivity.trigger()
    _save_widths(parent, folder, f"sensitivity-{name}")
    widget.menu.sensitivity.trigger()
    widget.ui.segmentScanButton.click()
    widget.ui.meshButton.click()
    widget.ui.meshCollapsibleButton.collapsed = widget.ui.regressionCollapsibleButton.collapsed = False
    for page, word in enumerate(PAGES[1:], start=1):
        widget.ui.tabWidget.currentIndex = page
        _save_widths(parent, folder, f"{word}-{name}")
    widget.settings.on_card()
    _save(widget.settings.card, folder / f"card-{name}.png")
    widget.settings.card.close()
    parent.hide()
    widget.cleanup()
    parent.layout().itemAt(0).widget().setMRMLScene(None)
    scene.close()


def dress(dark: bool) -> None:
    """Give all windows the colours of Slicer's light or dark style."""
    import qt

    palette = qt.QPalette()
    if dark:
        for role, color in DARK.items():
            palette.setColor(getattr(qt.QPalette, role), qt.QColor(color))
        for role, color in DISABLED.items():
            palette.setColor(qt.QPalette.Disabled, getattr(qt.QPalette, role), qt.QColor(color))
    qt.QApplication.setPalette(palette)


def hand_over(results: Path, folder: Path) -> None:
    """Results of the command line as the worker would give them to the panel."""
    import nibabel
    import numpy as np

    from RadiomicsPersonaLib.report.exchange import ARRAYS, RESULTS

    folder.mkdir()
    shutil.copy(results / RESULTS, folder)
    names = ("reconstruction", "difference", "deviation_p", "unusual", "expected_error")
    images = {name: nibabel.load(results / f"{name}.nii.gz") for name in names}
    arrays = {name: np.asanyarray(image.dataobj) for name, image in images.items()}
    blind = results / "blind.nii.gz"
    arrays["blind"] = np.asanyarray(nibabel.load(blind).dataobj) if blind.is_file() else arrays["reconstruction"]
    np.savez(folder / ARRAYS, affine=images["reconstruction"].affine, **arrays)


def _save_widths(parent, folder: Path, name: str) -> None:
    """As high as the panel wants to be at each width, as in Slicer, where it scrolls."""
    for width in WIDTHS:
        for _ in range(2):  # wrapped text tells its height when it has its width
            parent.resize(width, parent.minimumSizeHint().height())
            _settle()
        _save(parent, folder / f"{name}-{width}.png")


def _settle() -> None:
    import slicer

    for _ in range(3):
        slicer.app.processEvents()


def _save(widget, path: Path) -> None:
    _settle()
    widget.grab().save(str(path))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
