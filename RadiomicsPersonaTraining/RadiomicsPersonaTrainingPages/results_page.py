"""Results page: what the runs are worth, beside each other, and what becomes of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from RadiomicsPersonaLib import __version__
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import LESION_KIND, RECONSTRUCTION_KIND, SEGMENTATION_KIND, TISSUE_KIND
from RadiomicsPersonaNodes import view
from RadiomicsPersonaTrainingLib.amounts import in_bytes
from RadiomicsPersonaTrainingLib.export.model_archive import refuse_no_file_name, taken_by_itself
from RadiomicsPersonaTrainingLib.runs import state as run_state

from . import curves, dialogs, scene
from .evaluation_box import EvaluationBox, ratios_in
from .form import Note, chosen_keys, fill, folded, labelled, push, side_by_side, table
from .page import Page

ALL = "all cuboids"
"""What an evaluation calls its cuboids of all sizes."""
PREDICTED = {
    RECONSTRUCTION_KIND: _("{scan} rebuilt by {run}"),
    SEGMENTATION_KIND: _("{scan} segmented by {run}"),
    TISSUE_KIND: _("{scan} tissues by {run}"),
    LESION_KIND: _("{scan} lesion probability by {run}"),
}
"""What the result of trying a run is called in the scene, by what its model does."""


class ResultsPage(Page):
    """The widget of the page.

    Attributes:
        installed: called with a model's name when it was put beside the shipped ones.
        deleted: called with a run's folder when it was deleted.
    """

    def __init__(self, place):
        super().__init__(place)
        self.installed, self.deleted = lambda name: None, lambda run: None
        self._arrangement, self._sizes = view.Arrangement(), {}
        layout = self.layout
        self.runsTable = table(
            _(
                "Choose several runs to compare them. Best: validation error. Ratio: squared error as a share of the best "
                "simple fill's."
            ),
            _("Runs"),
            [_("Run"), _("Task"), _("State"), _("Step"), _("Best"), _("Ratio"), _("Size")],
        )
        self.runsTable.itemSelectionChanged.connect(self.onChosen)
        layout.addWidget(self.runsTable)
        self.curvesButton = push(_("Compare c&urves"), _("Loss and validation of the chosen runs in one plot."), lambda: None)
        self.ratiosButton = push(
            _("Compare &errors"),
            _("What the chosen runs leave of the best simple fill's error, by kind of hole."),
            lambda: None,
        )
        for button, slot in ((self.curvesButton, self.onCurves), (self.ratiosButton, self.onRatios)):
            button.checkable = True
            button.toggled.connect(slot)
        layout.addWidget(side_by_side(self.curvesButton, self.ratiosButton))
        self.note = Note(_("Note on the runs"))
        layout.addWidget(self.note.label)

        self.evaluation = EvaluationBox(place)
        layout.addWidget(self.evaluation.widget)

        box, form = folded(_("Use and delete"), _("What becomes of the chosen run."), collapsed=False)
        self.nameEdit = labelled(form, _("&Model's name:"), qt.QLineEdit(), _("What the model is called in RadiomicsPersona."))
        self.useButton = push(
            _("Use this &model in RadiomicsPersona"),
            _("Export the best checkpoint with its card beside the shipped models."),
            self.onUse,
        )
        self.exportButton = push(_("E&xport..."), _("Write weights and card into a folder of your choice."), self.onExport)
        form.addRow(self.useButton)
        form.addRow(self.exportButton)
        self.scanComboBox = labelled(
            form, _("Sca&n:"), slicer.qMRMLNodeComboBox(), _("A loaded scan to try the run on before it is exported.")
        )
        self.scanComboBox.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        self.boxComboBox = labelled(
            form, _("&Box:"), slicer.qMRMLNodeComboBox(), _("An ROI whose inside is rebuilt; only for models that rebuild.")
        )
        self.boxComboBox.nodeTypes = ["vtkMRMLMarkupsROINode"]
        for combo in (self.scanComboBox, self.boxComboBox):
            combo.addEnabled = combo.removeEnabled = False
            combo.noneEnabled = True
        self.furtherComboBox = labelled(
            form,
            _("Further &contrasts:"),
            slicer.qMRMLCheckableNodeComboBox(),
            _("Of a segmentation that takes several contrasts: the other scans of the same head, told by their names."),
        )
        self.furtherComboBox.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        self.predictButton = push(
            _("Pre&dict"),
            _("Have the run's best checkpoint rebuild the box, segment the scan, or map it, before it is exported."),
            self.onPredict,
        )
        self.deleteButton = push(_("De&lete..."), _("Remove the chosen runs with all their checkpoints."), self.onDelete)
        form.addRow(side_by_side(self.predictButton, self.deleteButton))
        self.useNote = Note(_("Note on the model"))
        form.addRow(self.useNote.label)
        layout.addWidget(box)
        layout.addStretch(1)

    def setMRMLScene(self, mrmlScene) -> None:
        """Hand the scene on."""
        for combo in (self.scanComboBox, self.boxComboBox, self.furtherComboBox):
            combo.setMRMLScene(mrmlScene)

    @property
    def chosen(self) -> list:
        """Folders of the chosen runs."""
        return [self.place.project.runs / name for name in chosen_keys(self.runsTable)] if self.place.project else []

    @property
    def run(self):
        """The one run that is chosen, or None."""
        return self.chosen[0] if len(self.chosen) == 1 else None

    def open_project(self) -> None:
        """Show the runs of the project."""
        self.evaluation.look_again()
        self.refresh()

    def refresh(self) -> None:
        """Show what the folders hold now."""
        if self.place.project is None:
            self._show_run()
            return
        states = self.place.project.states()
        rows = []
        for state in states:
            ratios = ratios_in(state.folder / run_state.EVALUATION)
            overall = [value for kind, value in ratios.items() if kind.endswith(ALL)] or list(ratios.values())
            mean = sum(overall) / len(overall) if overall else None
            rows.append(
                (
                    state.folder.name,
                    state.kind,
                    state.state,
                    state.steps or "",
                    "" if state.best is None else f"{state.best:.4f}",
                    "" if mean is None else f"{mean:.2f}",
                    in_bytes(self._size(state)),
                )
            )
        fill(self.runsTable, rows, [state.folder.name for state in states])
        if states and not self.chosen and self.runsTable.rowCount:
            self.runsTable.selectRow(len(states) - 1)
        self._show_run()

    def onChosen(self) -> None:
        """Other runs were chosen."""
        for note in (self.note, self.useNote):
            note.say("")
        version = run_state.state_of(self.run).version if self.run else ""
        if version and version != __version__:
            self.note.say(
                _("This run was begun with version {old} of the program, and {new} is installed.").format(
                    old=version, new=__version__
                )
            )
        self._show_run()
        if self.curvesButton.checked:
            self.onCurves(True)
        if self.ratiosButton.checked:
            self.onRatios(True)

    def onCurves(self, checked) -> None:
        """Compare the curves of the chosen runs."""
        if checked:
            self._release(self.ratiosButton)
            view.show_chart(self._arrangement, curves.show_curves({run.name: run_state.curves_of(run) for run in self.chosen}))
        else:
            self._arrangement.give_back()

    def onRatios(self, checked) -> None:
        """Compare the evaluations of the chosen runs."""
        if not checked:
            self._arrangement.give_back()
            return
        found = {run.name: ratios for run in self.chosen if (ratios := ratios_in(run / run_state.EVALUATION))}
        if not found:
            self._release(self.ratiosButton)
            self.note.say(_("None of the chosen runs has been evaluated yet: evaluate one below."))
            return
        self._release(self.curvesButton)
        view.show_chart(self._arrangement, curves.show_ratios(found))

    def onUse(self) -> None:
        """Put the model beside the shipped ones and choose it in the other module."""
        name = self.nameEdit.text.strip()
        request = {"kind": "use", "run": str(self.run), "name": name}
        self.place.questions.ask(request, lambda answer: self._used(name), self.useNote.say)

    def onExport(self) -> None:
        """Write the model somewhere."""
        name = self.nameEdit.text.strip() or self.run.name
        try:
            refuse_no_file_name(name)
        except InputError as error:
            self.useNote.say(str(error))
            return
        folder = dialogs.folder(_("Folder for the model"))
        if folder and self.run:
            target = Path(folder) / name
            there = [
                file for file in (target.with_name(f"{name}.json"), target.with_name(f"{name}.safetensors")) if file.exists()
            ]
            if there and not dialogs.confirmed(
                _("Export the model"), _("'{file}' is there already: replace it?").format(file=there[0])
            ):
                return
            request = {"kind": "command", "arguments": ["export", str(self.run), "--output", str(target)]}
            said = _("Written: {file}").format(file=target.with_name(f"{target.name}.json"))
            self.place.questions.ask(request, lambda answer: self.useNote.say(said, warning=False), self.useNote.say)

    def onPredict(self) -> None:
        """Try a run that is not exported on a loaded scan."""
        volume, roi = self.scanComboBox.currentNode(), self.boxComboBox.currentNode()
        kind = run_state.state_of(self.run).kind or RECONSTRUCTION_KIND
        rebuilds = kind == RECONSTRUCTION_KIND
        if not volume or (rebuilds and not roi):
            self.useNote.say(_("Choose a scan and a box to rebuild.") if rebuilds else _("Choose a scan."))
            return
        volumes = [volume]
        if kind == SEGMENTATION_KIND:
            volumes += [node for node in self.furtherComboBox.checkedNodes() if node is not volume]
        folder = self.run / "predicted"
        output = folder / "predicted.nii.gz"
        try:
            folder.mkdir(exist_ok=True)
            boxes = [scene.chosen_box(roi, volume)] if rebuilds else []
            files = scene.write_named(volumes, folder)
        except (InputError, OSError) as error:
            self.useNote.say(str(error))
            return
        name = PREDICTED.get(kind, PREDICTED[RECONSTRUCTION_KIND]).format(scan=volume.GetName(), run=self.run.name)
        request = {"kind": "predict", "run": str(self.run), "scans": files, "boxes": boxes, "output": str(output)}

        def refused(sentence):
            if sentence:
                shutil.rmtree(folder, ignore_errors=True)
            self.useNote.say(sentence)

        def done(answer):
            if answer["labels"]:
                scene.segmentation_like(str(output), volume, name, answer["labels"])
                slicer.util.setSliceViewerLayers(background=volume)
            else:
                made = scene.volume_like(str(output), volume, name)
                slicer.util.setSliceViewerLayers(background=volume, foreground=made, foregroundOpacity=1.0)
            shutil.rmtree(folder, ignore_errors=True)
            self.useNote.say(
                "\n".join([_("'{name}' is in the scene.").format(name=name), *answer["notes"]]), warning=bool(answer["notes"])
            )

        self.place.questions.ask(request, done, refused)

    def onDelete(self) -> None:
        """Remove the chosen runs, after asking."""
        chosen = self.chosen
        size = in_bytes(sum(run_state.size_of(run) for run in chosen))
        names = ", ".join(run.name for run in chosen)
        if not chosen or not dialogs.confirmed(
            _("Delete runs"),
            _("Delete {names}? This frees {size} and cannot be undone; exported models stay.").format(names=names, size=size),
        ):
            return
        freed = 0
        try:
            for run in chosen:
                freed += run_state.delete_run(run)
                self.deleted(run)
        except InputError as error:
            self.note.say(str(error))
            return
        self.refresh()
        self.note.say(_("Deleted {names}; {size} are free again.").format(names=names, size=in_bytes(freed)), warning=False)

    def forget_scene(self) -> None:
        """The scene is closed."""
        self._arrangement.give_back()
        self._release(self.curvesButton, self.ratiosButton)

    def _used(self, name: str) -> None:
        said = _("'{name}' is now among the models of RadiomicsPersona.").format(name=name)
        kind = run_state.state_of(self.run).kind if self.run else RECONSTRUCTION_KIND
        self.useNote.say(
            said + (_(" The analysis takes it by itself, in place of the shipped one.") if taken_by_itself(kind) else ""),
            warning=False,
        )
        self.installed(name)

    def _show_run(self) -> None:
        run = self.run
        self.evaluation.show(run)
        for button in (self.useButton, self.exportButton, self.predictButton):
            button.enabled = bool(run) and (run / run_state.BEST).is_file()
        self.deleteButton.enabled = bool(self.chosen)
        for button in (self.curvesButton, self.ratiosButton):
            button.enabled = bool(self.chosen) or button.checked
        if run and not self.nameEdit.modified:
            self.nameEdit.text = run.name
            self.nameEdit.modified = False

    def _size(self, state) -> int:
        """What a run takes; summed up again only when its last epoch has changed."""
        key = (state.folder, state.steps, state.state)
        if key not in self._sizes:
            self._sizes[key] = run_state.size_of(state.folder)
        return self._sizes[key]

    @staticmethod
    def _release(*buttons) -> None:
        for button in buttons:
            button.blockSignals(True)
            button.checked = False
            button.blockSignals(False)
