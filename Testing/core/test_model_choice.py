"""Which default model the analysis takes by itself, and how it says so."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from bench.phantom import make_head
from bench.preparations import prepared

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.brain.tissue import estimate_tissue
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.imaging.scan import make_scan
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model
from RadiomicsPersonaLib.resources import SHIPPED_MODELS

pytestmark = pytest.mark.slow

BOX = Box([30.0, 0.0, 20.0], [20.0, 20.0, 20.0])


@pytest.fixture(scope="module")
def head():
    return make_head(3.0)


@pytest.fixture(scope="module")
def inverted(head):
    """The head with grey brighter than white and fluid brightest, as in T2."""
    return make_scan(np.where(head.array > 60, 1150 - head.array, head.array).astype(np.float32), head.affine, "inverted")


@pytest.fixture
def site_models(tmp_path, monkeypatch):
    """A folder of further models with one for any contrast, which is the shipped T1 model's weights under another name."""
    card = json.loads((SHIPPED_MODELS / "healthy-t1.json").read_text())
    card |= {"name": "site-any", "contrasts": "any", "default": True}
    (tmp_path / "site-any.json").write_text(json.dumps(card))
    shutil.copy(SHIPPED_MODELS / card["weights"], tmp_path)
    monkeypatch.setenv("RADIOMICS_PERSONA_MODELS", str(tmp_path))


def chosen(scan, name="auto"):
    provenance = analyze(scan, [BOX], load_model(name), controls=0, prepare=prepared).provenance["model"]
    return provenance["name"], provenance.get("chosen_because")


def test_the_contrast_decides(site_models, head, inverted):
    assert chosen(head) == ("healthy-t1", "the scan looks T1-weighted")
    name, why = chosen(inverted)
    assert "any" in name and why == "the scan does not look T1-weighted"
    # and a user's own choice stands
    assert chosen(inverted, "healthy-t1") == ("healthy-t1", None)


def test_a_model_in_a_contrast_it_was_not_trained_on_is_warned_of(head, inverted):
    for scan, warned in ((head, False), (inverted, True)):
        warnings = analyze(scan, [BOX], load_model("healthy-t1"), controls=0, prepare=prepared).warnings
        assert any("not look T1-weighted" in warning for warning in warnings) == warned


def test_without_the_tissue_model_the_contrast_is_not_told(head, monkeypatch):
    monkeypatch.setattr("RadiomicsPersonaLib.networks.trained_model.missing_package", lambda: "torch")
    assert estimate_tissue(head).contrast == "unknown"


def test_the_command_line_says_which_model_it_took(site_models, inverted, tmp_path, capsys):
    write_nifti(tmp_path / "scan.nii.gz", inverted.array, inverted.affine)
    command = [
        "analyze",
        str(tmp_path / "scan.nii.gz"),
        "--box",
        "30,0,20,20,20,20",
        "--controls",
        "0",
        "--output",
        str(tmp_path / "out"),
    ]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "the scan does not look T1-weighted" in said
    assert "the scan does not look T1-weighted" in (tmp_path / "out" / "report.html").read_text()


def test_real_scans_are_told_apart(data_root):
    from RadiomicsPersonaLib.imaging.files import read_scan

    kinds = {"T1w": ("healthy/ixi_2mm_eval_only/*", "lesion/ms/*/*_T1"), "other": ("lesion/ms/*/*_T2", "lesion/ms/*/*_FLAIR")}
    for contrast, patterns in kinds.items():
        for pattern in patterns:
            files = sorted(data_root.glob(f"{pattern}.nii.gz"))[:1]
            if not files:
                pytest.skip(f"'{pattern}' is not in '{data_root}'.")
            assert estimate_tissue(read_scan(files[0])).contrast == contrast, files[0].name
