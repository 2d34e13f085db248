"""Results form: the kinds of values in results.json, so that a file that was changed is refused before it becomes a report."""

from __future__ import annotations

import json

from ..analysis.score import SCORES
from ..metrics.metric import METRICS

SCHEMA_VERSION = "1.1"
"""Of results.json; Resources/Schemas/results.schema.json describes it. A key that is added raises the second number, one that
is changed or taken away the first."""
_LARGEST = 1e300
LONGEST_TEXT, LONGEST_TEXTS, LONGEST_OBJECT = 2_000, 20_000, 100_000
"""Letters of a text, of all texts of a list, and of an object of any content, as JSON; laying out books would take hours."""


def _number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_LARGEST < value < _LARGEST


def _positive(value) -> bool:
    return _number(value) and value > 0


def _count(value) -> bool:
    return _number(value) and value >= 0


def _number_or_null(value) -> bool:
    return value is None or _number(value)


def _positive_or_null(value) -> bool:
    return value is None or _positive(value)


def _share_or_null(value) -> bool:
    return value is None or _number(value) and 0 <= value <= 1


def _label(value) -> bool:
    return value is None or type(value) is int and value in (0, 1)


def _text(value) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT


def _texts(value) -> bool:
    return isinstance(value, list) and all(map(_text, value)) and sum(map(len, value)) <= LONGEST_TEXTS


def _this_version(value) -> bool:
    return value == SCHEMA_VERSION


def _object(value) -> bool:
    return isinstance(value, dict)


def _classifier(value) -> bool:
    return value is None or isinstance(value, dict) and isinstance(value.get("name"), str)


_VECTOR, _EDGES = (_number, 3), (_positive, 3)
_PLACE = {"center_ras": _VECTOR, "size_mm": _EDGES, "axes": (_VECTOR, 3)}
_CONTROL = _PLACE | {
    "name": _text,
    "metrics": dict.fromkeys(METRICS, _number_or_null),
    "combined": _number_or_null,
    "z": _object,
}
_BOX = _PLACE | {
    "name": _text,
    "grid_mm": _positive,
    "metrics": dict.fromkeys(METRICS, _number_or_null),
    "p": _share_or_null,
    "percentile": _number_or_null,
    "q": _share_or_null,
    "probability": _share_or_null,
    "combined": _number_or_null,
    "independent_controls": _count,
    "effective_boxes": _count,
    "label": _label,
    "reason": _text,
    "warnings": _texts,
    "where": _text,
    "persona": _text,
    "rebuilt_again_ml": _number_or_null,
    "error_rates": _text,
    "would_be_found": _text,
    "certainty": _text,
    "expected_error_sd": _positive_or_null,
    "beyond_expected": _share_or_null,
    "controls": [_CONTROL],
    "scores": _object,
    "parts": [_PLACE | {"volume_ml": _positive}],
    "stability": [{"change": _text, "label": _label, "p": _share_or_null}],
}
_SCORE = {"name": _text, "z": _number_or_null, "p": _share_or_null, "adds_to_log_odds": _number_or_null}
_RESULTS = {
    "boxes": [_BOX],
    "decision": _object,
    "warnings": _texts,
    "window": (_number, 2),
    "provenance": {
        "model": {"name": _text},
        "preprocessing": {"tissue_scale": {"center": _number, "deviation": _positive}},
    },
    "schema_version": _this_version,
}


def wrong_place(results) -> str | None:
    """Where results, as `results_files.results_of` makes them, hold what they cannot, such as boxes[0].p; None where nowhere.

    >>> wrong_place({"boxes": [], "decision": {}, "warnings": "none"})
    'warnings'
    """
    place = _wrong(results, _RESULTS, "")
    if place is not None:
        return place or "content"
    for number, box in enumerate(results["boxes"]):
        for key, score in box["scores"].items():
            place = _wrong(score, _SCORE, "") if key in SCORES else ""
            if place is not None:
                return f"boxes[{number}].scores.{key}" + f".{place}" * bool(place)
        for index, control in enumerate(box["controls"]):
            wrong = next((key for key, value in control["z"].items() if not _number_or_null(value)), None)
            if wrong is not None:
                return f"boxes[{number}].controls[{index}].z.{wrong}"
        if (box["expected_error_sd"] is None) != (box["beyond_expected"] is None):  # the two are told in one sentence
            return f"boxes[{number}].beyond_expected"
    for key in ("decision", "provenance"):
        if len(json.dumps(results[key])) > LONGEST_OBJECT:
            return key
    if not isinstance(results["provenance"].get("scan_sha256", ""), str):
        return "provenance.scan_sha256"
    if not _classifier(results["provenance"].get("classifier")):
        return "provenance.classifier"
    scale = results["provenance"]["preprocessing"]["tissue_scale"]
    if set(scale) != {"center", "deviation"}:
        return "provenance.preprocessing.tissue_scale"
    return None if results["window"][0] <= results["window"][1] else "window"


def _wrong(value, form, place: str) -> str | None:
    """The first place where a value has not the form: a function that says whether it fits, an object with at least these
    keys, a list [of one form], or (form, how many).
    """
    if isinstance(form, dict):
        if not isinstance(value, dict):
            return place
        for key, inner in form.items():
            here = f"{place}.{key}" if place else key
            found = _wrong(value[key], inner, here) if key in value else here
            if found is not None:
                return found
        return None
    if isinstance(form, (list, tuple)):
        if not isinstance(value, list) or isinstance(form, tuple) and len(value) != form[1]:
            return place
        found = (_wrong(item, form[0], f"{place}[{number}]") for number, item in enumerate(value))
        return next((one for one in found if one is not None), None)
    return None if form(value) else place
