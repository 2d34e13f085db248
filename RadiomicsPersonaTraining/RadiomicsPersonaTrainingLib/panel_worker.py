"""Panel worker: `python -m RadiomicsPersonaTrainingLib.panel_worker`, the process that looks things up for the training module.

It is asked as `RadiomicsPersonaLib.worker` is, one JSON object per line, and answers in the same way. What takes hours is no
request: the module starts it as a process of its own (see `runs.heartbeat`). Requests, by their `kind`, with what "done" holds:

    command   {"arguments"}                           what the command line would do; {"text": what it prints}
    survey    {"places", "folder", "closely"}         {"rows": see `data.survey.SurveyedScan`}
    read      {"file"}                                {"table"} of a settings file
    begin     {"task", "start", "split"}              the same of what `init` writes; "split" may be ""
    write     {"table", "file"}                       {}
    estimate  {"table", "file", "cache"}              {"sentence", "fits"}; paths are relative to the file, which need not be
                                                      there
    record    {"run"}                                 {"table"} of a run, or refused where it is another version's
    worst     {"evaluation", "task"}                  {"rows"}: see `inspection.worst_case.worst_cases`
    case      {"run", "evaluation", "row", "folder"}  see `inspection.opened_case.OpenedCase`
    predict   {"run", "scans", "boxes", "output"}     {"labels", "notes"}: see `inspection.prediction.predict`
    use       {"run", "name"}                         {"card"}: the run's best checkpoint is exported and installed
    install   {"file"}, archive {"card", "file"}      {"card"}, {}
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.system.output import file_written_whole
from RadiomicsPersonaLib.worker import Activity, open_desk, work_off

from .cli import TRAINING
from .export.model_archive import install_archive, install_run, write_archive
from .inspection.worst_case import open_case, worst_cases
from .runs.record import read_record
from .settings.definition import settings_table
from .settings.training_settings import read_settings, settings_from, written

# Imported in functions: survey, training_scans, estimate and prediction, which load scipy, torch or lightning:
# questions that need none of them are answered at once.


def main() -> None:
    """Work off requests until the input ends."""
    wire, desk = open_desk()
    work_off(wire, desk, _result, lambda: None)


def _result(request: dict, activity: Activity) -> dict:
    return _KINDS[request["kind"]](request, activity)


def _command(request: dict, activity: Activity) -> dict:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        TRAINING.run(TRAINING.options_of(request["arguments"]), Job(activity.progress, activity.tell, activity.check))
    return {"text": said.getvalue()}


def _survey(request: dict, activity: Activity) -> dict:
    from .data.survey import survey

    rows = survey([Path(place) for place in request["places"]], Path(request["folder"]), request["closely"], activity.progress)
    return {"rows": [asdict(row) for row in rows]}


def _read(request: dict, activity: Activity) -> dict:
    table = settings_table(read_settings(request["file"]))
    scans = table["scans"]
    if masks := scans["lesion_masks"]:  # named from the file's folder, which is not known any more later
        scans["lesion_masks"] = str(Path(request["file"]).absolute().parent / masks)
    return {"table": table}


def _begin(request: dict, activity: Activity) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "settings.toml"
        split = ["--split", request["split"]] if request["split"] else []
        start = ["--start", request["start"]] if request["start"] else []
        _command({"arguments": ["init", str(file), "--task", request["task"], *split, *start]}, activity)
        return _read({"file": str(file)}, activity)


def _write(request: dict, activity: Activity) -> dict:
    text = written(settings_from(request["table"]))
    with file_written_whole(request["file"]) as path:
        path.write_text(text, encoding="utf-8")
    return {}


def _estimate(request: dict, activity: Activity) -> dict:
    from .data.training_scans import lesion_masks_of, split_of
    from .fitting.estimate import estimate

    settings, file = settings_from(request["table"]), Path(request["file"])
    rows = split_of(settings, file, None)
    found = estimate(settings, rows, lesion_masks_of(settings, file, None), Path(request["cache"]), activity.progress)
    return {"sentence": found.sentence, "fits": found.fits}


def _record(request: dict, activity: Activity) -> dict:
    return {"table": settings_table(read_record(Path(request["run"])).settings)}


def _worst(request: dict, activity: Activity) -> dict:
    return {"rows": worst_cases(Path(request["evaluation"]), request["task"])}


def _case(request: dict, activity: Activity) -> dict:
    activity.tell("Having the model do it once more")
    opened = open_case(Path(request["run"]), Path(request["evaluation"]), request["row"], Path(request["folder"]))
    return json.loads(json.dumps(asdict(opened), default=str))


def _predict(request: dict, activity: Activity) -> dict:
    from .inspection.prediction import predict

    boxes = [Box(**box) for box in request["boxes"]]
    done = predict(Path(request["run"]), request["scans"], boxes, Path(request["output"]), activity.progress)
    return {"labels": done.labels, "notes": list(done.notes)}


def _use(request: dict, activity: Activity) -> dict:
    activity.tell("Exporting; how well it rebuilds is measured on the validation scans")
    return {"card": str(install_run(Path(request["run"]), request["name"]))}


def _install(request: dict, activity: Activity) -> dict:
    return {"card": str(install_archive(Path(request["file"])))}


def _archive(request: dict, activity: Activity) -> dict:
    write_archive(Path(request["card"]), Path(request["file"]))
    return {}


_KINDS = {
    "command": _command,
    "survey": _survey,
    "read": _read,
    "begin": _begin,
    "write": _write,
    "estimate": _estimate,
    "record": _record,
    "worst": _worst,
    "case": _case,
    "predict": _predict,
    "use": _use,
    "install": _install,
    "archive": _archive,
}


if __name__ == "__main__":
    main()
