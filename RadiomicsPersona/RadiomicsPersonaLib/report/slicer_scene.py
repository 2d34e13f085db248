"""Slicer scene: an analysis as a Slicer scene bundle (.mrb), written without Slicer.

The bundle is a zip archive with one folder: a .mrml file that describes the nodes, and Data/ with the volumes (NRRD),
boxes (.mrk.json), results (.tsv) and the difference's colours (.csv). File names in it are plain ASCII. It is anonymous
unless it is given a name for the scan; boxes keep the names their user gave them.
"""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from ..analysis.result import Analysis, BoxResult
from ..defaults import RESEARCH_USE, USUAL_PERCENT
from ..geometry.box import Box
from ..geometry.markups import markups_text, roi_of_box
from ..imaging.files import write_nrrd
from ..metrics.metric import METRICS
from ..system.csv_table import written_cell
from .colors import CONTROL_COLOR, DIFFERENCE_RANGE, FOG, VERDICT_COLORS, diverging, of_expected_error
from .picture import display_window
from .results_files import results_of
from .slice_plane import planes_around

FOLDER = "RadiomicsPersona"
MRML_VERSION = "Slicer 5.12.0 0"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of all files in the bundle, so that the same analysis gives the same bundle."""
FOUR_UP = 3
COLOR_STEPS = 255
DEVIATION_P_SHOWN = 0.1
"""p at which the map of deviations is black."""
VIEW_CONTEXT_MM = 60.0
_VIEWS = {
    "axial": ("Red", "R", "0.952941 0.290196 0.2", "Axial"),
    "coronal": ("Green", "G", "0.431373 0.690196 0.294118", "Coronal"),
    "sagittal": ("Yellow", "Y", "0.929412 0.835294 0.298039", "Sagittal"),
}
_FIELDS = {
    "persona": "reconstructionVolume",
    "blind": "blindVolume",
    "difference": "differenceVolume",
    "deviation p": "deviationVolume",
    "expected error": "expectedErrorVolume",
}
"""Fields of the panel's parameter node, by the file of a volume."""
# where a node's class is not called like its tag
_CLASSES = {"Volume": "ScalarVolume", "VolumeDisplay": "ScalarVolumeDisplay"}
# slice-to-RAS rotations, row by row
_ROTATIONS = {
    "Axial": ((-1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "Sagittal": ((0, 0, -1), (-1, 0, 0), (0, 1, 0)),
    "Coronal": ((-1, 0, 0), (0, 0, 1), (0, 1, 0)),
}


def write_scene(analysis: Analysis, path: str | Path, name: str | None = None) -> None:
    """Write a scene with the scan, its healthy persona, their difference, all boxes and the results.

    Opened in Slicer it shows the scan with the persona over it at half opacity around the first box, four-up. The boxes
    carry their verdicts' words and colours; the controls are there but hidden; the difference has its own colours.

    Args:
        name: what the scene calls the scan; None leaves it anonymous.
    """
    with zipfile.ZipFile(path, "w") as archive:
        _Bundle(analysis, archive, name).write()


class _Bundle:
    """The nodes of one scene while their files go into the archive."""

    def __init__(self, analysis: Analysis, archive: zipfile.ZipFile, name: str | None):
        self.analysis, self.archive, self.name = analysis, archive, name
        self.nodes: list[str] = []
        self.counts: dict[str, int] = {}
        self.folders: list[tuple[str, list[str]]] = []
        self.scan = ""

    def write(self) -> None:
        analysis = self.analysis
        low, high = display_window(analysis)
        name = self.name or "scan"
        original = analysis.scan.array if analysis.scan.original is None else analysis.scan.original
        colors = self._add_colors()
        scan = self._add_volume("scan", name, original, low, high, "vtkMRMLColorTableNodeGrey", {})
        self.scan = scan
        about = {"RadiomicsPersona.Provenance": json.dumps(self._provenance(), ensure_ascii=False)}
        persona = self._add_volume(
            "persona", f"{name} healthy persona", analysis.reconstruction, low, high, "vtkMRMLColorTableNodeGrey", about
        )
        outputs = {"reconstructionVolume": persona}
        if analysis.blind is not analysis.reconstruction:
            outputs["blindVolume"] = self._add_volume(
                "blind", f"{name} blind persona", analysis.blind, low, high, "vtkMRMLColorTableNodeGrey", about
            )
        outputs["differenceVolume"] = self._add_volume(
            "difference",
            f"{name} difference in {analysis.unit}",
            analysis.difference_in_units,
            -DIFFERENCE_RANGE,
            DIFFERENCE_RANGE,
            colors,
            about,
        )
        # the smaller p, the brighter
        grey = "vtkMRMLColorTableNodeInvertedGrey"
        outputs["deviationVolume"] = self._add_volume(
            "deviation p", f"{name} p of the difference", analysis.deviation_p, 0.0, DEVIATION_P_SHOWN, grey, about
        )
        if analysis.expected_error is not None:
            expected = analysis.expected_error / np.float32(analysis.tissue.scale.deviation)
            outputs["expectedErrorVolume"] = self._add_volume(
                "expected error", f"{name} expected error in tissue SD", expected, 0.0, FOG[1], self._add_fog(), about
            )
        boxes = [self._add_box(result, number) for number, result in enumerate(analysis.boxes, start=1)]
        self._add_folders()
        outputs["resultTable"] = self._add_table(boxes)
        self._add_parameters(boxes, outputs)
        for number, result in enumerate(analysis.boxes, start=1):
            if result.sorted_scores:
                self._add_scores(result, number)
        self._add_text()
        self._add_views(scan, persona)
        text = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<MRML version="{MRML_VERSION}" userTags="">\n'
            + "\n".join(self.nodes)
            + "\n</MRML>\n"
        )
        self._store(f"{FOLDER}.mrml", text)

    def _store(self, name: str, text: str) -> None:
        entry = zipfile.ZipInfo(f"{FOLDER}/{name}", EPOCH)
        entry.compress_type = zipfile.ZIP_DEFLATED
        # a file name that is not UTF-8 reaches us with stand-ins that UTF-8 cannot hold
        self.archive.writestr(entry, text.encode("utf-8", "replace"))

    def _add(
        self,
        tag: str,
        name: str,
        identifier: str | None = None,
        references: dict | None = None,
        about: dict | None = None,
        **values,
    ) -> str:
        """Append a node and return its identifier."""
        self.counts[tag] = self.counts.get(tag, 0) + 1
        identifier = identifier or f"vtkMRML{_CLASSES.get(tag, tag)}Node{self.counts[tag]}"
        attributes = {"id": identifier, "name": name} | values
        if references:
            attributes["references"] = "".join(f"{role}:{target};" for role, target in references.items())
        if about:
            attributes["attributes"] = ";".join(
                f"{key}:{value.replace('%', '%25').replace(';', '%3B')}" for key, value in about.items()
            )
        self.nodes.append(f" <{tag} " + " ".join(f'{key}="{_xml(value)}"' for key, value in attributes.items()) + f"></{tag}>")
        return identifier

    def _add_storage(self, tag: str, file: str, **values) -> str:
        return self._add(tag, tag, fileName=f"Data/{file}", useCompression="1", hideFromEditors="true", **values)

    def _add_volume(self, file: str, name: str, array: np.ndarray, low: float, high: float, colors: str, about: dict) -> str:
        scan = self.analysis.scan
        with self.archive.open(zipfile.ZipInfo(f"{FOLDER}/Data/{file}.nrrd", EPOCH), "w") as stream:
            write_nrrd(stream, array, scan.affine)
        storage = self._add_storage("VolumeArchetypeStorage", f"{file}.nrrd", UseOrientationFromFile="1")
        display = self._add(
            "VolumeDisplay",
            f"{file} display",
            hideFromEditors="true",
            colorNodeID=colors,
            autoWindowLevel="0",
            window=_number(high - low),
            level=_number((high + low) / 2),
            interpolate="1",
            applyThreshold="0",
        )
        of_scan = {"RadiomicsPersona.inputVolume": self.scan} if self.scan else {}
        return self._add(
            "Volume",
            name,
            references={"display": display, "storage": storage} | of_scan,
            about=about | ({"RadiomicsPersona.output": _FIELDS[file]} if self.scan else {}),
            spacing=_row(scan.spacing),
            origin=_row(scan.affine[:3, 3]),
            ijkToRASDirections=_row((scan.affine[:3, :3] / scan.spacing).ravel()),
        )

    def _add_colors(self) -> str:
        unit, rows = self.analysis.unit, []
        for number, (red, green, blue) in enumerate(diverging(np.linspace(-1, 1, COLOR_STEPS))):
            deviation = (2 * number / (COLOR_STEPS - 1) - 1) * DIFFERENCE_RANGE
            # no difference is transparent, so that the difference can be laid over the scan
            opacity = 0 if deviation == 0 else 255
            rows.append((f"{deviation:+.2f} {unit}", red, green, blue, opacity))
        return self._add_color_table("difference", f"Difference in {unit}", rows)

    def _add_fog(self) -> str:
        rows = []
        for share in np.linspace(0, 1, COLOR_STEPS):
            rows.append((f"{share * FOG[1]:.2f} tissue SD", *of_expected_error(share), 255 if share > 0 else 0))
        return self._add_color_table("fog", "Expected error in tissue SD", rows)

    def _add_color_table(self, file: str, name: str, rows: list[tuple]) -> str:
        """Colours by name, red, green, blue and opacity, 0 to 255."""
        lines = ["LabelValue,Name,Color_R,Color_G,Color_B,Color_A"]
        lines += [",".join(map(str, (number, *row))) for number, row in enumerate(rows)]
        self._store(f"Data/{file} colors.csv", "\n".join(lines) + "\n")
        storage = self._add_storage("ColorTableStorage", f"{file}%20colors.csv")
        about = {"Category": "RadiomicsPersona"}
        return self._add(
            "ColorTable",
            name,
            references={"storage": storage},
            about=about,
            type="13",
            numcolors=str(COLOR_STEPS),
        )

    def _add_box(self, result: BoxResult, number: int) -> str:
        """The box with its verdict, and its controls; returns the box."""
        about = {"RadiomicsPersona.Verdict": result.reason}
        name = f"{result.box.name} ({result.word})"
        node = self._add_roi(
            f"box {number}",
            Box(result.box.center, result.box.size, result.box.axes, name),
            VERDICT_COLORS[result.word],
            True,
            about,
        )
        controls = []
        for position, control in enumerate(result.controls, start=1):
            box = control.box.moved_to(control.box.center, f"{control.box.name} of {result.box.name}")
            controls.append(self._add_roi(f"box {number} control {position}", box, CONTROL_COLOR, False, {}))
        self.folders.append((f"Control regions of {result.box.name}", controls))
        return node

    def _add_roi(self, file: str, box: Box, color, visible: bool, about: dict) -> str:
        shade = [part / 255 for part in color]
        self._store(f"Data/{file}.mrk.json", markups_text([roi_of_box(box, shade, locked=True, visible=visible)]))
        storage = self._add_storage("MarkupsROIJsonStorage", f"{file.replace(' ', '%20')}.mrk.json", coordinateSystem="LPS")
        display = self._add(
            "MarkupsROIDisplay",
            f"{file} display",
            hideFromEditors="true",
            color=_row(shade),
            selectedColor=_row(shade),
            activeColor=_row(shade),
            visibility=str(visible).lower(),
            visibility2D="true",
            visibility3D="true",
            handlesInteractive="false",
            pointLabelsVisibility="false",
            propertiesLabelVisibility="true",
            fillVisibility="false",
        )
        return self._add(
            "MarkupsROI", box.name, references={"display": display, "storage": storage}, about=about, locked="true"
        )

    def _add_folders(self) -> None:
        """The controls in one closed folder per box; Slicer itself lists all other nodes."""
        item = '<SubjectHierarchyItem id="{}" {}="{}" parent="{}" type="{}" expanded="{}" attributes="{}">'
        lines, number = [item.format(1, "name", "Scene", 0, "", "true", "Level^Scene|")], 1
        for name, rois in self.folders:
            number += 1
            folder = number
            lines.append(item.format(folder, "name", _xml(name), 1, "Folder", "false", "Level^Folder|"))
            for roi in rois:
                number += 1
                lines.append(item.format(number, "dataNode", roi, folder, "Markups", "true", "") + "</SubjectHierarchyItem>")
            lines.append("</SubjectHierarchyItem>")
        about = 'id="vtkMRMLSubjectHierarchyNode1" name="SubjectHierarchy" attributes="SubjectHierarchyVersion:2"'
        self.nodes.append(f" <SubjectHierarchy {about}>" + "".join(lines) + "</SubjectHierarchyItem></SubjectHierarchy>")

    def _add_table(self, boxes: list[str]) -> str:
        """The numbers of all boxes and of their controls, one row each; with it everything that the panel shows of them."""
        header = ["Box", "Verdict", "p", "Controls", *(_with_unit(metric) for metric in METRICS.values())]
        rows = []
        for result in self.analysis.boxes:
            p = "nan" if result.p is None else _number(result.p)
            rows.append([result.box.name, result.word, p, str(len(result.controls)), *_values(result.metrics)])
            rows += [
                [f"{c.box.name} of {result.box.name}", "control", "nan", "nan", *_values(c.metrics)] for c in result.controls
            ]
        results = results_of(self.analysis) | {"scan": self.name or "", "provenance": self._provenance()}
        kept = {key: results[key] for key in ("provenance", "rebuilt_by", "judged_by", "decision", "warnings", "boxes")}
        about = {f"RadiomicsPersona.{key}": json.dumps(value) for key, value in (kept | {"results": results}).items()}
        references = {"RadiomicsPersona.inputVolume": self.scan, "RadiomicsPersona.box": " ".join(boxes)}
        about["RadiomicsPersona.output"] = "resultTable"
        return self._add_table_file("results", "RadiomicsPersona results", header, rows, 2, references, about)

    def _add_parameters(self, boxes: list[str], outputs: dict[str, str]) -> None:
        """What the module's panel shows when the scene is opened: the node behind it, with its fields."""
        listed = {f"inputROIs.{number}": box for number, box in enumerate(boxes)}
        self._add(
            "ScriptedModule",
            "RadiomicsPersona",
            references={"inputVolume": self.scan, "inputROIs": " ".join(boxes)} | listed | outputs,
            about={"ModuleName": "RadiomicsPersona"},
            singletonTag="RadiomicsPersona",
            hideFromEditors="true",
            parameter0=f"inputROIs.len {len(boxes)}",
            parameter1="shown reconstruction",
            parameter2="fade 50",
        )

    def _add_table_file(
        self,
        file: str,
        name: str,
        header: list[str],
        rows: list[list[str]],
        texts: int,
        references: dict | None = None,
        about: dict | None = None,
    ) -> str:
        """A table whose first columns hold texts, the others numbers."""
        self._store(f"Data/{file}.tsv", "".join("\t".join(_cell(cell) for cell in row) + "\n" for row in [header, *rows]))
        types = ["string"] * texts + ["double"] * (len(header) - texts)
        schema = [["columnName", "type"], *([_cell(column), kind] for column, kind in zip(header, types))]
        self._store(f"Data/{file}.schema.tsv", "".join("\t".join(row) + "\n" for row in schema))
        quoted = file.replace(" ", "%20")
        storage = self._add_storage("TableStorage", f"{quoted}.tsv", fileListMember0=f"Data/{quoted}.schema.tsv")
        return self._add(
            "Table",
            name,
            references={"storage": storage} | (references or {}),
            about=about,
            locked="true",
            useColumnTitleAsColumnHeader="true",
        )

    def _add_scores(self, result: BoxResult, number: int) -> None:
        """The scores behind a verdict as a bar plot, the most unusual first, beside what is usual among the controls."""
        header = ["Score", "Place", "This box", f"{USUAL_PERCENT:g} % of control regions"]
        rows = [
            [METRICS[key].label, str(place), _number(result.standings[key].z), _number(result.usual_limit(key))]
            for place, key in enumerate(result.sorted_scores, start=1)
        ]
        table = self._add_table_file(f"scores {number}", f"Scores of {result.box.name}", header, rows, 1)
        series = []
        for column, color in ((header[2], VERDICT_COLORS[result.word]), (header[3], CONTROL_COLOR)):
            series.append(
                self._add(
                    "PlotSeries",
                    f"{column}: {result.box.name}",
                    references={"table": table},
                    plotType="Bar",
                    xColumnName="Place",
                    yColumnName=column,
                    labelColumnName="Score",
                    color=_row(part / 255 for part in color),
                )
            )
        self._add(
            "PlotChart",
            f"Scores of {result.box.name}",
            references={"plotSeries": " ".join(series)},
            title=f"{result.box.name}: score profile",
            xAxisTitle="score",
            yAxisTitle="robust SD of the control regions",
        )

    def _add_text(self) -> None:
        sentences = [RESEARCH_USE]
        for result in self.analysis.boxes:
            told = filter(None, (result.where, *result.remarks))
            sentences += [f"{result.box.name}: {result.reason}", *told, *result.warnings]
        sentences += [*self.analysis.warnings, json.dumps(self._provenance(), indent=1, ensure_ascii=False)]
        # 3 is VTK's number for UTF-8
        self._add("Text", "RadiomicsPersona verdicts and provenance", text="\n".join(sentences), encoding="3")

    def _provenance(self) -> dict:
        """Without the command line, which names files."""
        shown = {key: value for key, value in self.analysis.provenance.items() if key != "command"}
        return ({"scan": self.name} if self.name else {}) | {"decision": self.analysis.decision} | shown

    def _add_views(self, scan: str, persona: str) -> None:
        box = self.analysis.boxes[0].box
        for plane in planes_around(box, VIEW_CONTEXT_MM, 1):
            view, label, color, preset = _VIEWS[plane.orientation]
            matrix = np.eye(4)
            matrix[:3, :3], matrix[:3, 3] = _ROTATIONS[preset], box.center
            # presets come first: Slicer reads attributes in their order, and the orientation needs its preset
            presets = {f"orientationMatrix{name}": _row(np.ravel(rotation)) for name, rotation in _ROTATIONS.items()}
            self._add(
                "Slice", view, f"vtkMRMLSliceNode{view}", **presets, singletonTag=view, layoutName=view, layoutLabel=label,
                layoutColor=color, orientation=preset, defaultOrientation=preset, orientationReference=preset,
                sliceToRAS=_row(matrix.ravel()), fieldOfView=f"{plane.side:g} {plane.side:g} 1", dimensions="256 256 1",
            )  # fmt: skip
            self._add(
                "SliceComposite", f"{view} composite", f"vtkMRMLSliceCompositeNode{view}",
                references={"backgroundVolume": scan, "foregroundVolume": persona}, singletonTag=view, layoutName=view,
                foregroundOpacity="0.5", linkedControl="1", compositing="0", hideFromEditors="true",
            )  # fmt: skip
        self._add("View", "View1", singletonTag="1", layoutName="1", layoutLabel="1")
        eye = box.center + [0, 500, 0]
        self._add(
            "Camera",
            "Camera",
            "vtkMRMLCameraNode1",
            singletonTag="1",
            position=_row(eye),
            focalPoint=_row(box.center),
            viewUp="0 0 1",
            hideFromEditors="true",
        )
        self._add(
            "Layout",
            "Layout",
            "vtkMRMLLayoutNodevtkMRMLLayoutNode",
            singletonTag="vtkMRMLLayoutNode",
            currentViewArrangement=str(FOUR_UP),
            hideFromEditors="true",
        )
        self._add(
            "Selection",
            "Selection",
            "vtkMRMLSelectionNodeSingleton",
            references={"ActiveVolume": scan},
            singletonTag="Singleton",
            hideFromEditors="true",
        )


def _xml(value: str) -> str:
    """Text as an attribute's value; characters that XML cannot hold at all are left out."""
    allowed = "".join(character for character in value if character in "\t\n\r" or ord(character) >= 32)
    return escape(allowed, {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _row(values) -> str:
    return " ".join(_number(value) for value in values)


def _number(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else "nan"


def _cell(text: str) -> str:
    """Text for a .tsv file; Slicer's reader loses what stands before a double quote, and a spreadsheet runs formulas."""
    return written_cell(" ".join(text.split()).replace('"', "'"))


def _values(metrics: dict[str, float]) -> list[str]:
    return [_number(metrics[key]) for key in METRICS]


def _with_unit(metric) -> str:
    return f"{metric.label} ({metric.unit})" if metric.unit else metric.label
