"""Pictures of the training module, to look at, light and dark, in two widths: before a project is chosen, and after a real,
tiny training on variations of the demo's template; the README shows three in a row.

python Testing/demos/training_pictures.py FOLDER          some minutes; every page, and pages.png
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / "Testing"), str(CHECKOUT / "RadiomicsPersona"), str(CHECKOUT / "RadiomicsPersonaTraining")]
SUBJECTS, EPOCHS = 10, 12
WIDTHS, HEIGHT = (360, 430), 900


def main(arguments: list[str]) -> int:
    """Train, and take the pictures on the way."""
    folder = Path(arguments[0]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    os.environ["RADIOMICS_PERSONA_MODELS"] = str(folder / "models")
    os.environ["RADIOMICS_PERSONA_CLASSIFIERS"] = str(folder / "classifiers")
    from bench import application
    from bench.training_site import tiny
    from panel_pictures import dress

    reason = application.start()
    if reason:
        raise SystemExit(reason)
    import qt
    import slicer

    qt.QApplication.setStyle("Fusion")
    slicer.app.user_settings = qt.QSettings(str(folder / "pictures.ini"), qt.QSettings.IniFormat)
    scene = application.new_scene()
    scene.open_views()
    application.load_module()
    module = application.load_module("RadiomicsPersonaTraining")
    from RadiomicsPersonaTrainingLib.runs import state as run_state
    from RadiomicsPersonaTrainingPages import dialogs

    if not (folder / "site").is_dir():
        make_site(folder / "site")
    parent = qt.QWidget()
    parent.setLayout(qt.QVBoxLayout())
    panel = module.RadiomicsPersonaTrainingWidget(parent)
    panel.setup()
    parent.show()

    def wait(happened, seconds: float = 900) -> None:
        deadline = time.monotonic() + seconds
        while not happened():
            if time.monotonic() > deadline:
                raise SystemExit("It took too long.")
            slicer.app.processEvents()
            panel.refresh()
            time.sleep(0.2)

    def take(page, name: str) -> None:
        panel.tabs.currentIndex = panel.pages.index(page)
        # long paths are no part of the picture
        panel.projectEdit.text, text = "training at our site", panel.projectEdit.text
        for style in ("dark", "light"):
            dress(style == "dark")
            for width in WIDTHS:
                parent.resize(width, HEIGHT)
                for _ in range(3):
                    slicer.app.processEvents()
                parent.grab().save(str(folder / f"{name}-{style}-{width}.png"))
        panel.projectEdit.text = text

    for page, title in zip(panel.pages, ("data", "settings", "run", "results", "calibrate", "synthesize", "models")):
        take(page, f"empty-{title}")
    panel.openProject(str(folder / "project"))
    dialogs.folder = lambda *asked: str(folder / "site")
    panel.data.folderButton.click()
    wait(lambda: panel.data.rows)
    panel.data.split.keepButton.click()
    wait(lambda: panel.settings.table is not None)
    settings = folder / "tiny.toml"
    settings.write_text(
        tiny(steps=8 * EPOCHS).replace("validate_every = 2", "validate_every = 8").replace('name = "heads"', 'name = "site"')
    )
    dialogs.file = lambda *asked: str(settings)
    panel.settings.openButton.click()
    wait(lambda: panel.settings.table["fit"]["validate_every"] == 8)
    panel.data.split.estimateButton.click()
    wait(lambda: panel.place.estimate)
    panel.data.placesNote.say("/data/site", warning=False)
    take(panel.data, "data")
    take(panel.settings, "settings")
    panel.tabs.currentIndex = panel.pages.index(panel.run)
    panel.run.nameEdit.text = "first"
    panel.run.startButton.click()
    run = folder / "project" / "runs" / "first"
    wait(lambda: len(run_state.curves_of(run)) > EPOCHS / 2)
    wait(lambda: panel.run.progressNote.text.startswith("epoch"))
    take(panel.run, "run")
    wait(lambda: run_state.state_of(run).state == run_state.FINISHED)
    panel.tabs.currentIndex = panel.pages.index(panel.results)
    panel.refresh()
    panel.results.evaluation.boxesSpinBox.value = 1
    panel.results.evaluation.evaluateButton.click()
    wait(lambda: panel.results.evaluation.worstTable.rowCount > 0)
    take(panel.results, "results")
    panel.results.useButton.click()
    wait(lambda: "among the models" in panel.results.useNote.text)
    take(panel.models, "models")
    take(panel.calibrate, "calibrate")
    take(panel.synthesize, "synthesize")
    parent.hide()
    panel.cleanup()
    scene.close()
    join([folder / f"{name}-light-{WIDTHS[-1]}.png" for name in ("data", "run", "results")], folder / "pages.png")
    return 0


def make_site(folder: Path) -> None:
    """Variations of the ICBM152 template in voxels of 3 mm: bent, brighter or darker, noisy."""
    import numpy as np
    from nilearn.datasets import load_mni152_template
    from scipy import ndimage

    from RadiomicsPersonaLib.imaging.files import write_nifti

    template = load_mni152_template(resolution=2)
    array, affine = np.asarray(template.dataobj, np.float32), np.array(template.affine)
    folder.mkdir()
    for number in range(SUBJECTS):
        rng = np.random.default_rng(number)
        grid = np.indices(array.shape).astype(np.float32)
        bent = [
            g + 4 * s / s.std() * 0.4
            for g, s in zip(grid, (ndimage.gaussian_filter(rng.normal(size=array.shape), 12) for _ in range(3)))
        ]
        image = ndimage.map_coordinates(array, bent, order=1) ** rng.uniform(0.85, 1.2)
        image = image / image.max() * 900 + rng.normal(0, 6, array.shape) * (image > 0.02)
        write_nifti(folder / f"sub-{number:02d}_T1w.nii.gz", np.clip(image, 0, None).astype(np.int16), affine)


def join(files: list[Path], target: Path) -> None:
    """Pictures in a row, in few colours."""
    from PIL import Image

    pictures = [Image.open(file).convert("RGB") for file in files]
    image = Image.new(
        "RGB", (sum(p.width for p in pictures) + 12 * (len(pictures) - 1), max(p.height for p in pictures)), "white"
    )
    left = 0
    for picture in pictures:
        image.paste(picture, (left, 0))
        left += picture.width + 12
    image.quantize(96).save(target, optimize=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
