"""Synthesize page: lesions painted into healthy scans, looked at, and handed on as training cases."""

from __future__ import annotations

import re
from pathlib import Path

import qt
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaTrainingLib.amounts import in_time
from RadiomicsPersonaTrainingLib.runs import heartbeat
from RadiomicsPersonaTrainingLib.runs import state as run_state

from . import dialogs, scene
from .form import PICTURE_WIDTH, Note, chosen_keys, fill, folded, labelled, named, push, side_by_side, table
from .page import Page

IMAGE, MASK = "_image.nii.gz", "_mask.nii.gz"
"""How the files of a pair end."""
SHEET = "sheet.png"
"""Picture of the first lesions of a set."""
READY = Path(__file__).resolve().parent.parent / "Resources" / "segmentation" / "synthetic.toml"
"""Settings of a segmentation that is trained on pairs."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


class SynthesizePage(Page):
    """The widget of the page.

    Attributes:
        to_train: called with a settings table, its hidden sections and the collection's name when the pairs are to be trained
            on.
    """

    def __init__(self, place):
        super().__init__(place)
        self.to_train = lambda answer, name: None
        self._scans: list[str] = []
        self._busy, self._listed = False, None
        layout = self.layout
        box, form = folded(_("Healthy scans"), _("Lesions are painted into these; they stay as they are."), collapsed=False)
        self.folderButton = push(_("&Folder..."), _("Add a folder of healthy .nii.gz scans."), self.onFolder)
        self.fileButton = push(_("Sc&an..."), _("Add one healthy scan."), self.onFile)
        self.volumesButton = push(_("From S&licer"), _("Add volumes that are loaded in Slicer."), lambda: None)
        self.volumesMenu = qt.QMenu(self.widget)
        self.volumesMenu.aboutToShow.connect(self.fillVolumesMenu)
        self.volumesButton.setMenu(self.volumesMenu)
        self.clearButton = push(_("Start o&ver"), _("Forget these scans; nothing is deleted."), self.onClear)
        form.addRow(side_by_side(self.folderButton, self.fileButton))
        form.addRow(side_by_side(self.volumesButton, self.clearButton))
        self.scansNote = Note(_("Healthy scans to paint into"))
        form.addRow(self.scansNote.label)
        layout.addWidget(box)

        box, form = folded(_("Lesions"), _("What is painted, and how much of it."), collapsed=False)
        self.kindComboBox = labelled(form, _("&Kind:"), qt.QComboBox(), _("What the lesions look like."))
        for key, text in (
            ("fcd", _("focal cortical dysplasia")),
            ("ms", _("multiple sclerosis")),
            ("stroke", _("stroke")),
            ("tumour", _("tumour")),
        ):
            self.kindComboBox.addItem(text, key)
        self.masksComboBox = labelled(form, _("&Masks:"), qt.QComboBox(), _("What draws the lesions' outlines."))
        for key, text in (
            ("unet", _("network that sees the scan")),
            ("unet-tissue", _("network that sees scan and tissues")),
            ("gan", _("adversarial network")),
            ("shapes", _("real lesions' outlines, from a folder")),
            ("sphere", _("spheres")),
        ):
            self.masksComboBox.addItem(text, key)
        self.masksComboBox.setSizeAdjustPolicy(qt.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self.masksComboBox.setMinimumContentsLength(12)
        self.masksComboBox.currentIndexChanged.connect(lambda index: self._show_shapes())
        self.shapesEdit = named(
            qt.QLineEdit(), _("Folder with binary masks of real lesions; only for real outlines."), _("Lesion masks")
        )
        self.shapesButton = push(_("Lesion masks..."), _("Choose the folder with binary masks of real lesions."), self.onShapes)
        form.addRow(side_by_side(self.shapesEdit, self.shapesButton))
        self.contrastComboBox = labelled(
            form, _("&Contrast:"), qt.QComboBox(), _("Contrast of the scans; automatic looks at each.")
        )
        for key, text in (("", _("automatic")), ("T1", "T1"), ("T2", "T2"), ("FLAIR", "FLAIR"), ("T1 post", _("T1 post"))):
            self.contrastComboBox.addItem(text, key)
        self.sizeSpinBox = labelled(
            form, _("Si&ze (ml):"), qt.QDoubleSpinBox(), _("Volume of a lesion; 0 draws the usual sizes of its kind.")
        )
        self.sizeSpinBox.setRange(0.0, 200.0)
        self.sizeSpinBox.setSpecialValueText(_("usual"))
        self.strengthSpinBox = labelled(
            form, _("S&trength:"), qt.QDoubleSpinBox(), _("How plainly lesions show: 1 is usual, below 0.3 many are missed.")
        )
        self.strengthSpinBox.setRange(0.05, 2.0)
        self.strengthSpinBox.singleStep = 0.1
        self.strengthSpinBox.value = 1.0
        self.countSpinBox = labelled(form, _("Lesions &per scan:"), qt.QSpinBox(), _("Each in an image of its own."))
        self.countSpinBox.setRange(1, 1000)
        self.seedSpinBox = labelled(
            form, _("Se&ed:"), qt.QSpinBox(), _("Another seed paints other lesions; the same one the same again.")
        )
        self.seedSpinBox.setRange(0, 99999)
        self.nameEdit = labelled(
            form, _("&Name:"), qt.QLineEdit("set"), _("Of the folder in the project that takes images and masks.")
        )
        self.startButton = push(_("&Start"), _("Paint, in a process of its own."), self.onStart)
        self.cancelButton = push(_("&Cancel"), _("End it; what was painted before under this name stays."), self.onCancel)
        form.addRow(side_by_side(self.startButton, self.cancelButton))
        self.progressBar = named(qt.QProgressBar(), _("How far the painting is."), _("Progress"))
        self.progressBar.visible = False
        form.addRow(self.progressBar)
        self.note = Note(_("Note on the painting"))
        form.addRow(self.note.label)
        layout.addWidget(box)

        box, form = folded(_("Images and masks"), _("What was painted under this name."), collapsed=False)
        self.table = table(
            _("Click on one: the painted scan with the lesion's mask in the slice views."), _("Pairs"), [_("Image"), _("Mask")]
        )
        self.table.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        self.table.cellClicked.connect(lambda line, column: self.openPair())
        form.addRow(self.table)
        self.picture = named(qt.QLabel(), _("The first lesions: scan, painted scan and outline."), _("Picture of the lesions"))
        self.picture.alignment = qt.Qt.AlignHCenter
        form.addRow(self.picture)
        self.trainButton = push(
            _("Train a se&gmentation on them"),
            _(
                "Part them by scan, and open settings of a segmentation that finds such lesions; then look at the Settings "
                "and Run pages."
            ),
            self.onTrain,
        )
        form.addRow(self.trainButton)
        self.pairsNote = Note(_("Note on the pairs"))
        form.addRow(self.pairsNote.label)
        layout.addWidget(box)
        layout.addStretch(1)
        self._show_shapes()

    @property
    def folder(self) -> Path | None:
        """Where the pairs lie."""
        return self.place.project.synthetic / (self.nameEdit.text.strip() or "set") if self.place.project else None

    @property
    def arguments(self) -> list[str]:
        """Of the command."""
        chosen = [*self._scans, "--masks", _key(self.masksComboBox), "--kind", _key(self.kindComboBox)]
        chosen += [
            "--count",
            str(self.countSpinBox.value),
            "--strength",
            f"{self.strengthSpinBox.value:g}",
            "--seed",
            str(self.seedSpinBox.value),
        ]
        chosen += ["--size", f"{self.sizeSpinBox.value:g}"] if self.sizeSpinBox.value else []
        chosen += ["--contrast", _key(self.contrastComboBox)] if _key(self.contrastComboBox) else []
        chosen += ["--shapes", self.shapesEdit.text.strip()] if _key(self.masksComboBox) == "shapes" else []
        return ["synthesize", *chosen, "--output", str(self.folder)]

    def open_project(self) -> None:
        """Show the set that is being painted, or the newest."""
        self._listed, root = None, self.place.project.synthetic
        sets = (
            sorted((path for path in root.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
            if root.is_dir()
            else []
        )
        at_work = [path for path in sets if heartbeat.is_running(path / heartbeat.NAME)]
        if sets:
            self.nameEdit.text = (at_work or sets)[-1].name
        self.refresh()

    def onFolder(self) -> None:
        """Add a folder."""
        self._add(dialogs.folder(_("Folder with healthy scans")))

    def onFile(self) -> None:
        """Add a scan."""
        self._add(dialogs.file(_("Healthy scan"), "", _("Scan (*.nii.gz *.nii)")))

    def fillVolumesMenu(self) -> None:
        """Offer what is loaded."""
        scene.fill_menu(self.volumesMenu, self.addVolumes)

    def addVolumes(self, volumes) -> None:
        """Write volumes into the project and add them."""
        try:
            for file in scene.write_scans(volumes, self.place.opened().scans):
                self._add(str(file))
        except InputError as error:
            self.scansNote.say(str(error))

    def onClear(self) -> None:
        """Forget the scans."""
        self._scans = []
        self._add("")

    def onShapes(self) -> None:
        """Choose the folder of real outlines."""
        folder = dialogs.folder(_("Folder with lesion masks"), self.shapesEdit.text)
        if folder:
            self.shapesEdit.text = folder

    def onStart(self) -> None:
        """Paint."""
        self.note.say("")
        try:
            project = self.place.opened()
            if not self._scans:
                raise InputError(_("Add healthy scans to paint into."))
            if not _NAME.fullmatch(self.folder.name) or self.folder.parent != project.synthetic:
                sentence = _("A set cannot be called '{name}': use up to 60 letters, digits, '-', '_' and '.'.")
                raise InputError(sentence.format(name=self.nameEdit.text.strip()))
            if _key(self.masksComboBox) == "shapes" and not self.shapesEdit.text.strip():
                raise InputError(_("Real outlines need a folder of lesion masks: choose one."))
            self.folder.mkdir(parents=True, exist_ok=True)
            self.place.jobs.start(self.arguments, self._log)
        except (InputError, OSError) as error:
            self.note.say(str(error))
            return
        self._busy = True
        self.refresh()

    def onCancel(self) -> None:
        """End it; one that is only starting is ended at once."""
        if not heartbeat.is_running(self._base):
            self.place.jobs.end(self._log)
            self._busy = False  # it had not begun, and says nothing itself
            self.refresh()
            self.note.say(_("Cancelled."), warning=False)
            return
        try:
            heartbeat.ask_to_stop(self._base)
        except InputError as error:
            self.note.say(str(error))

    def openPair(self) -> None:
        """Show the chosen pair in the slice views."""
        for key in chosen_keys(self.table):
            image = self.folder / f"{key}{IMAGE}"
            try:
                scene.show_painted(str(image), str(self.folder / f"{key}{MASK}"), key)
            except (OSError, ValueError) as error:
                self.pairsNote.say(_("'{file}' cannot be read ({error}): paint it again.").format(file=image.name, error=error))

    def onTrain(self) -> None:
        """Part the pairs and open the settings of a segmentation."""
        folder, split = self.folder, self.place.project.split
        parting = {"kind": "command", "arguments": ["split", str(folder), "--settings", str(READY), "--output", str(split)]}
        reading = {"kind": "read", "file": str(READY)}

        def opened(answer):
            self.to_train(answer, folder.name)
            self.pairsNote.say(
                _("Kept in {file} of the project; the settings are open on the Settings page.").format(file=split.name),
                warning=False,
            )

        self.place.questions.ask(
            parting,
            lambda answer: self.place.questions.ask(reading, opened, self.pairsNote.say, "settings"),
            self.pairsNote.say,
            "split",
        )

    def refresh(self) -> None:
        """Show what the folder holds now."""
        if self.place.project is None:
            self.cancelButton.enabled = self.trainButton.enabled = False
            return
        running = heartbeat.is_running(self._base)
        busy = running or self.place.jobs.is_starting(self._log)
        self.startButton.enabled, self.cancelButton.enabled, self.progressBar.visible = not busy, busy, busy
        told = heartbeat.told_by(self._base)
        if busy:
            self.progressBar.maximum = told.get("total", 0) if running else 0
            self.progressBar.value = told.get("done", 0) if running else 0
            left = _("; about {time} left").format(time=in_time(told["left"])) if running and told.get("left") else ""
            self.note.say(
                _("Painting {what}{left}").format(what=told.get("what", "") if running else "", left=left), warning=False
            )
        elif self._busy:
            cancelled = told.get("ended") == heartbeat.CANCELLED
            sentence = _("Cancelled.") if cancelled else self.place.jobs.refusal(self._log) or told.get("sentence", "")
            self.note.say(sentence, not cancelled)
        ended, self._busy = self._busy and not busy, busy
        self._list_pairs()
        if ended and self.table.rowCount and not self.note.text:
            self.table.selectRow(0)
            self.openPair()

    def _list_pairs(self) -> None:
        images = sorted(self.folder.glob(f"*{IMAGE}")) if self.folder.is_dir() else []
        names = [image.name.removesuffix(IMAGE) for image in images]
        pairs = [name for name in names if (self.folder / f"{name}{MASK}").is_file()]
        if (self.folder, pairs) != self._listed:
            self._listed = self.folder, pairs
            fill(self.table, [(f"{name}{IMAGE}", f"{name}{MASK}") for name in pairs], pairs)
            sheet = qt.QPixmap(str(self.folder / SHEET)) if pairs else qt.QPixmap()
            self.picture.setPixmap(
                sheet if sheet.isNull() else sheet.scaledToWidth(min(PICTURE_WIDTH, sheet.width()), qt.Qt.SmoothTransformation)
            )
        self.trainButton.enabled = bool(pairs) and not self._busy

    def _show_shapes(self) -> None:
        for widget in (self.shapesEdit, self.shapesButton):
            widget.enabled = _key(self.masksComboBox) == "shapes"

    def _add(self, place: str) -> None:
        if place and place not in self._scans:
            self._scans.append(place)
        self.scansNote.say("\n".join(self._scans), warning=False)

    @property
    def _base(self) -> Path:
        return self.folder / heartbeat.NAME

    @property
    def _log(self) -> Path:
        return self.folder / run_state.OUTPUT


def _key(combo) -> str:
    """What the chosen entry of a list stands for on the command line."""
    return combo.itemData(combo.currentIndex)
