"""Origin: what made the results that a node holds, and whether the same is installed here."""

from __future__ import annotations

import json

from slicer.i18n import tr as _

import RadiomicsPersonaLib
from RadiomicsPersonaLib.analysis.classifier import classifier_files
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import TISSUE_KIND, model_cards, read_card

ATTRIBUTE_PREFIX = "RadiomicsPersona."
INPUT_VOLUME_ROLE = "RadiomicsPersona.inputVolume"
OUTPUT = ATTRIBUTE_PREFIX + "output"
"""Attribute of a node of results with the field of the parameter node that it belongs in, for its scan."""
GEOMETRY = ("name", "center_ras", "size_mm", "axes", "voxels", "label", "word", "p")


def record(node, scan, results: dict) -> None:
    """Keep with a node how it came about, so that it is saved with the scene."""
    kept = {
        "provenance": results["provenance"],
        "rebuilt_by": results["rebuilt_by"],
        "judged_by": results["judged_by"],
        "decision": results["decision"],
        "warnings": results["warnings"],
        "boxes": [{key: box[key] for key in GEOMETRY} for box in results["boxes"]],
    }
    for key, value in kept.items():
        node.SetAttribute(ATTRIBUTE_PREFIX + key, json.dumps(value))
    node.SetNodeReferenceID(INPUT_VOLUME_ROLE, scan.GetID())


def erase(node) -> None:
    """Take away what `record` kept with a node that holds those results no longer."""
    for name in node.GetAttributeNames():
        if name.startswith(ATTRIBUTE_PREFIX) and name != OUTPUT:
            node.RemoveAttribute(name)


def is_result(node) -> bool:
    """Whether a volume is a result of this module, and no scan."""
    return bool(node.GetAttribute(OUTPUT) or node.GetAttribute(ATTRIBUTE_PREFIX + "provenance"))


def record_results(table, results: dict) -> None:
    """Keep everything but the images with the table of results."""
    table.SetAttribute(ATTRIBUTE_PREFIX + "results", json.dumps(results))


def results_in(table) -> dict | None:
    """What `record_results` kept, or None."""
    text = table.GetAttribute(ATTRIBUTE_PREFIX + "results") if table else None
    return json.loads(text) if text else None


def midplane_in(results: dict | None) -> dict | None:
    """The midplane that an analysis found, as its provenance tells it; None where there is no analysis or it found none."""
    return results["provenance"]["preprocessing"].get("midplane") if results else None


def differences_from_installed(table) -> list:
    """One sentence for each part of this program that is not the one that made a table's results; usually none."""
    text = table.GetAttribute(ATTRIBUTE_PREFIX + "provenance") if table else None
    if not text:
        return []
    provenance, sentences = json.loads(text), []
    made_with = provenance.get("versions", {}).get("RadiomicsPersona")
    installed = RadiomicsPersonaLib.__version__
    if made_with and made_with != installed:
        sentences.append(
            _(
                "These results were made with version {old} of this program and {new} is installed: apply again before you "
                "compare them with new ones."
            ).format(old=made_with, new=installed)
        )
    parts = [
        (provenance.get("model", {}), "reconstruction"),
        (provenance.get("preprocessing", {}).get("brain_found_by", {}), TISSUE_KIND),
    ]
    for part, kind in parts:
        name, checksum = part.get("name"), part.get("sha256")
        if not checksum:  # a classical fill has no weights
            continue
        try:
            card = model_cards(kind).get(name)
            here = read_card(card)["sha256"] if card else None
        except InputError as error:
            sentences.append(str(error))
            continue
        if here is None:
            sentences.append(
                _("These results were made with the model '{name}', which is not installed here.").format(name=name)
            )
        elif here != checksum:
            sentences.append(
                _(
                    "The weights of the model '{name}' are not those that made these results: apply again before you compare "
                    "them with new ones."
                ).format(name=name)
            )
    classifier = provenance.get("classifier", {})
    if classifier.get("own") and classifier["sha256"] not in map(_checksum_in, classifier_files().values()):
        sentences.append(
            _(
                "These results were judged by the classifier '{name}', which is not installed here, or was fitted anew since."
            ).format(name=classifier["name"])
        )
    return sentences


def _checksum_in(file) -> str:
    """The checksum that a classifier's file says of itself; empty where it cannot be read."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
