"""Report: the present results on their way to the worker, which writes them as a report."""

from __future__ import annotations

import json
import os

from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.work_folder import work_folder

from . import origin
from . import scan as scans

FILES = ("report.html", "report.pdf")


def write(parameter_node, folder, name, run) -> list:
    """Write the present results as a report; nothing is computed anew.

    Args:
        folder: where to; it is made if it is not there.
        name: what the report calls the scan, or None.
        run: called with the arguments of the command line's `report`.
    Returns:
        the paths of the files.
    Raises:
        InputError: there are no results, or their scan is gone.
    """
    table, persona = parameter_node.resultTable, parameter_node.reconstructionVolume
    results, scan = origin.results_in(table), table.GetNodeReference(origin.INPUT_VOLUME_ROLE) if table else None
    if (
        not results or not scan or not persona or not persona.GetAttribute(origin.ATTRIBUTE_PREFIX + "provenance")
    ):  # a live twin has none
        raise InputError(_("There is nothing to report: apply first; the scan and the healthy persona must be in the scene."))
    with work_folder() as work:
        path = os.path.join(work, "scan.nrrd")
        scans.write_file(scan, path)
        scans.write_file(persona, os.path.join(work, "reconstruction.nrrd"))
        if any(box.get("expected_error_sd") for box in results["boxes"]) and parameter_node.expectedErrorVolume:
            scans.write_file(parameter_node.expectedErrorVolume, os.path.join(work, "expected_error_sd.nrrd"))
        with open(os.path.join(work, "results.json"), "w", encoding="utf-8") as stream:
            json.dump(results, stream)
        run(["report", work, path, "--output", str(folder), *([f"--with-name={name}"] if name else [])])
    return [os.path.join(folder, file) for file in FILES]
