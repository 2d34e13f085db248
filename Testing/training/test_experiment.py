"""The experiment parts patients honestly, fits every arm alike, goes on where it stopped, and tells it all in a report."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from bench.phantom import make_head
from nilearn.datasets import load_mni152_template

from RadiomicsPersonaLib.brain.tissue import estimate_tissue
from RadiomicsPersonaLib.imaging.files import read_label_map, read_scan, write_nifti
from RadiomicsPersonaLib.imaging.scan import make_scan
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.commands.experiment import SETTINGS
from RadiomicsPersonaTrainingLib.experiments.painting_cases import in_slices, whole_brain
from RadiomicsPersonaTrainingLib.experiments.painting_experiment import MeasuredPatient
from RadiomicsPersonaTrainingLib.experiments.painting_report import lines_of
from RadiomicsPersonaTrainingLib.head_evaluation.lesion_detection import CUTS, Detection
from RadiomicsPersonaTrainingLib.runs.record import read_record

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

LESION = np.array([32.0, 20.0, 40.0])


def with_lesion(seed: int):
    """A head with a dark ball of 12 mm in its white matter, and the ball."""
    head = make_head(3.0, seed=seed)
    points = np.moveaxis(np.indices(head.shape), 0, -1) @ head.affine[:3, :3].T + head.affine[:3, 3]
    ball = np.linalg.norm(points - LESION, axis=-1) < 12
    return np.where(ball, 250.0, head.array).astype(np.float32), ball, head.affine


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Five people with gliomas, one with multiple sclerosis, and the mean of many healthy ones twice."""
    root = tmp_path_factory.mktemp("patients")
    for seed in range(6):
        name, ending = (f"TCGA_{seed}", "_pre") if seed < 5 else ("patient01", "_T1")
        folder = root / ("lesion/lgg_eval_only" if seed < 5 else "lesion/ms") / name
        folder.mkdir(parents=True)
        image, ball, affine = with_lesion(seed)
        write_nifti(folder / f"{name}{ending}.nii.gz", image, affine)
        write_nifti(folder / f"{name}_mask.nii.gz", ball.astype(np.uint8), affine)
    (root / "healthy").mkdir()
    template = load_mni152_template(resolution=2)
    for number, gain in enumerate((100.0, 300.0)):
        write_nifti(root / "healthy" / f"sub-{number}.nii.gz", gain * template.get_fdata(dtype=np.float32), template.affine)
    return root


def experiment(data, output, *more: str) -> int:
    words = ["--few", "1", "--more", "2", "--painted", "2", "--steps", "2", "--seeds", "1", "--kinds", "tumour,ms"]
    return main(["experiment", str(data), "--healthy", str(data / "healthy"), "--output", str(output), *words, *more])


@pytest.fixture
def narrow(tmp_path):
    """The shipped settings with a network that is fitted and asked in seconds."""
    text = SETTINGS.read_text(encoding="utf-8")
    for wide, less in (
        ("channels = [16, 32, 64, 64]", "channels = [8, 8, 16, 16]"),
        ("patch = [48, 48, 48]", "patch = [32, 32, 32]"),
    ):
        assert wide in text
        text = text.replace(wide, less)
    (tmp_path / "narrow.toml").write_text(text, encoding="utf-8")
    return "--settings", str(tmp_path / "narrow.toml")


def test_arms_are_fitted_alike_and_measured_on_people_they_never_saw(data, tmp_path, capsys, narrow):
    output = tmp_path / "worth"
    assert experiment(data, output, "--arms", "few,more", *narrow) == 0
    few, more = (read_record(output / "runs" / name) for name in ("few-0", "more-0"))
    assert few.settings.fit == more.settings.fit and few.settings.network == more.settings.network
    trained = {
        name: {row.subject for row in record.rows if row.part == "training"} for name, record in (("few", few), ("more", more))
    }
    assert len(trained["few"]) == 1 and len(trained["more"]) == 3 and trained["few"] < trained["more"]
    tested = {
        one["subject"] for line in (output / "measured.jsonl").read_text().splitlines()[1:] for one in json.loads(line)["found"]
    }
    assert "patient01" in tested and len(tested) == 2 and not tested & (trained["more"] | {row.subject for row in more.rows})
    before = (output / "runs" / "few-0" / "last.ckpt").stat().st_mtime_ns
    capsys.readouterr()

    assert experiment(data, output, "--arms", "few,sphere,more", *narrow) == 0
    said = capsys.readouterr().out
    assert all(
        text in said for text in ("| few real |", "| + spheres |", "| more real |", "## glioma", "## multiple sclerosis")
    )
    assert (output / "runs" / "few-0" / "last.ckpt").stat().st_mtime_ns == before, "what was fitted was fitted again"
    painted = read_record(output / "runs" / "sphere-0")
    assert [source.name for source in painted.settings.data] == ["real", "painted"] and painted.settings.data[
        0
    ].share == painted.settings.data[1].share
    for row in (row for row in painted.rows if row.source == "painted"):
        image, mask = read_scan(row.file.with_name(row.file.name.replace("_mask", "_image"))), read_label_map(row.file)
        assert mask.array.any() and (image.array == 0).mean() > 0.3, "the head around the brain is left out"
    page = (output / "report.html").read_text()
    assert page.count("<svg") == 2 and page.count("<img") == 1 and "Research use only" in page and "cannot show" in page
    lines = json.loads((output / "experiment.json").read_text())["lines"]
    assert {(line["group"], line["arm"]) for line in lines} == {
        (g, a) for g in ("glioma", "multiple sclerosis") for a in ("few real", "+ spheres", "more real")
    }
    assert all(line["over_first"]["value"] == 0 for line in lines if line["arm"] == "few real")


@pytest.mark.parametrize(
    "words, sentence",
    [
        (("--arms", "few,other"), "no arm 'other': choose from few, sphere"),
        (("--kinds", "cold"), "no kind of lesion 'cold'"),
        (("--few", "4", "--arms", "few"), "5 patients to part, and 8 are needed"),
        (("--painted", "3", "--arms", "few,sphere"), "2 healthy scans to paint in, and --painted asks for 3"),
        (("--arms", "shapes"), "--shapes"),
        (("--contrast", "FLAIR", "--arms", "few"), "No patient"),
        (("--steps", "0"), "--steps must be at least 1"),
        (("--settings", "no.toml"), "no settings file"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence(data, tmp_path, capsys, words, sentence):
    assert experiment(data, tmp_path / "out", *words) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert not (tmp_path / "out" / "runs").exists()


def test_a_bay_that_a_lesion_leaves_in_the_brain_mask_is_closed():
    head = make_head(3.0)
    tissue = estimate_tissue(head, model=None)
    points = np.moveaxis(np.indices(tissue.brain.shape), 0, -1) @ tissue.grid.affine[:3, :3].T + tissue.grid.affine[:3, 3]
    edge = points[tissue.brain][points[tissue.brain][:, 0].argmax()]
    bitten = replace(tissue, brain=tissue.brain & (np.linalg.norm(points - edge + [9, 0, 0], axis=-1) > 9))
    whole, left = whole_brain(head, tissue), whole_brain(head, bitten)
    lost = tissue.brain_on(head.affine, head.shape) & ~bitten.brain_on(head.affine, head.shape)
    assert lost.sum() > 50 and left[lost].mean() > 0.7 and not (left & ~whole).any()


def test_thick_slices_smear_along_the_body_s_axis_alone():
    affine = np.array([[0, 0, 2.0, 0], [0, 2.0, 0, 0], [-1.0, 0, 0, 0], [0, 0, 0, 1]])
    values = np.zeros((40, 20, 20), np.float32)
    values[20, 10, 10] = 1.0
    thick = in_slices(values, make_scan(values, affine), 6.0)
    assert thick[20, 10, 10] < 0.4 and thick[:, 10, 10].sum() == pytest.approx(1.0, abs=1e-3)
    assert (thick[17:24, 10, 10] > 0.02).all() and (thick[:14, 10, 10] < 1e-3).all()


def test_arms_are_compared_patient_by_patient_and_seed_by_seed():
    """The second arm is .1 better in everyone, though one patient was tested under two seeds and the other under one."""
    found = np.where(CUTS <= 0.5, 1, 0)
    measured = [
        MeasuredPatient(arm, seed, "MS T1", subject, dice + more, 0.5, Detection(1, found, np.where(CUTS < 0.3, 5, 0)))
        for arm, more in (("few real", 0.0), ("+ spheres", 0.1))
        for seed, subject, dice in ((0, "a", 0.2), (1, "a", 0.4), (1, "b", 0.7))
    ]
    first, second = lines_of(measured)
    assert (first.patients, first.runs) == (2, 2) and first.dice.value == pytest.approx((0.3 + 0.7) / 2)
    assert second.over_first.value == pytest.approx(0.1) and second.over_first.low == pytest.approx(0.1)
    assert first.over_first.value == 0 and first.detected.value == 1.0
