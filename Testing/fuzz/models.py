"""Targets: model cards, model archives, classifiers, and results that are read again."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import warnings
import zipfile
from contextlib import contextmanager, redirect_stdout
from functools import cache

import numpy as np
from bench import SMALL_MODELS
from bench.phantom import make_head
from hypothesis import strategies as st

from RadiomicsPersonaLib.analysis.classifier import DEFAULT, read_classifier
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_scan, write_nifti
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.networks.card import card_of, text_of_card
from RadiomicsPersonaLib.report.html_report import report_of
from RadiomicsPersonaLib.report.results_files import read_analysis
from RadiomicsPersonaLib.resources import SHIPPED_CLASSIFIERS
from RadiomicsPersonaTrainingLib.export.model_archive import install_archive

from .images import FOLDER
from .target import Target, changed, damaged, json_or_damaged, refusal

CARD, WEIGHTS = SMALL_MODELS / "small-tissue.json", SMALL_MODELS / "small-tissue.safetensors"


def check_card(content: bytes) -> str:
    try:
        card = card_of(content, "card.json")
    except InputError as error:
        return refusal(error, "card.json")
    assert isinstance(text_of_card(card), str)
    return "a card that can be shown"


@contextmanager
def own_models():
    """A folder of further models of its own, for one example."""
    folder, before = FOLDER / "models", os.environ.get("RADIOMICS_PERSONA_MODELS")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "another.json").write_text("{}")
    os.environ["RADIOMICS_PERSONA_MODELS"] = str(folder)
    try:
        yield folder
    finally:
        os.environ.pop("RADIOMICS_PERSONA_MODELS")
        if before is not None:
            os.environ["RADIOMICS_PERSONA_MODELS"] = before


def packed(card: bytes, weights: bytes, names: tuple[str, str] = ("fuzzed.json", "fuzzed.safetensors")) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(names[0], card)
        archive.writestr(names[1], weights)
    return stream.getvalue()


@cache
def card() -> dict:
    return json.loads(CARD.read_text(encoding="utf-8")) | {"name": "fuzzed", "weights": "fuzzed.safetensors"}


@st.composite
def archives(draw) -> bytes:
    """A model archive: of a card with values changed, of damaged weights whose checksum is right, or with bytes damaged."""
    kind = draw(st.sampled_from(["card", "card", "weights", "bytes", "names"]))
    weights = WEIGHTS.read_bytes()
    if kind == "card":
        return packed(json.dumps(draw(changed(card()))).encode(), weights)
    if kind == "weights":
        weights = draw(damaged(weights, last=3000))
        return packed(json.dumps(card() | {"sha256": hashlib.sha256(weights).hexdigest()}).encode(), weights)
    if kind == "names":
        name = st.sampled_from(
            ["a.json", "../a.json", "/a.json", "a/b.json", ".json", "a.safetensors", "x" * 300 + ".json", "a.JSON", "a"]
        )
        return packed(json.dumps(card()).encode(), weights, (draw(name), draw(name)))
    return draw(damaged(packed(json.dumps(card()).encode(), weights)))


def check_archive(content: bytes) -> str:
    (FOLDER / "archive.zip").write_bytes(content)
    with own_models() as folder:
        try:
            installed = install_archive(FOLDER / "archive.zip")
        except InputError as error:
            assert [path.name for path in folder.iterdir()] == ["another.json"], "something was left in the folder of models"
            return refusal(error)
        assert installed.parent == folder and sorted(path.suffix for path in folder.iterdir()) == [
            ".json",
            ".json",
            ".safetensors",
        ]
        assert (folder / "another.json").read_text() == "{}"
        return "a model that can be loaded"


@cache
def classifier() -> dict:
    content = json.loads((SHIPPED_CLASSIFIERS / f"{DEFAULT}.json").read_text(encoding="utf-8"))
    content.pop("sha256")
    return content


@st.composite
def classifiers(draw) -> bytes:
    """A classifier whose checksum is right, with values changed; or one with bytes damaged."""
    content = draw(changed(classifier()))
    if isinstance(content, dict):
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        content["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    whole = json.dumps(content).encode()
    return whole if draw(st.integers(0, 3)) else draw(damaged(whole))


def check_classifier(content: bytes) -> str:
    path = FOLDER / "classifier.json"
    path.write_bytes(content)
    try:
        found = read_classifier(path)
    except InputError as error:
        return refusal(error, "classifier.json")
    assert np.isfinite([*found.coefficients, found.intercept]).all()
    return "a classifier with finite numbers"


@cache
def analyzed() -> tuple[dict, Scan]:
    """The results of a real analysis of a small head, in the folder `analysis`."""
    head = make_head(6.0)
    write_nifti(FOLDER / "head.nii.gz", head.array, head.affine)
    words = ["analyze", str(FOLDER / "head.nii.gz"), "--box", "24,12,20,24,24,24", "--model", "harmonic", "--controls", "2"]
    os.environ.setdefault("RADIOMICS_PERSONA_MODELS", str(SMALL_MODELS))
    with redirect_stdout(io.StringIO()):
        assert main([*words, "--output", str(FOLDER / "analysis")]) == 0
    return json.loads((FOLDER / "analysis" / "results.json").read_text(encoding="utf-8")), read_scan(FOLDER / "head.nii.gz")


def check_results(content: bytes) -> str:
    scan = analyzed()[1]
    (FOLDER / "analysis" / "results.json").write_bytes(content)
    try:
        again = read_analysis(FOLDER / "analysis", scan)
    except InputError as error:
        return refusal(error, "results.json")
    assert "<h1>" in report_of(again, None)
    return "a report"


TARGETS = [
    Target("model cards", lambda: json_or_damaged(card()), check_card, 400),
    Target("model archives", archives, check_archive, 30),
    Target("classifiers", classifiers, check_classifier, 200),
    Target("results", lambda: json_or_damaged(analyzed()[0]), check_results, 30),
]
