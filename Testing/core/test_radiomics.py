"""Radiomics features: the values that IBSI publishes for its digital phantom, and a region among its own shape elsewhere."""

from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.analysis.control import place_shape
from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.errors import how_to_install
from RadiomicsPersonaLib.geometry.hole import hole_of_mask
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.metrics.radiomics import intensity_features, shape_features

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

PHANTOM = np.array(
    [
        [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [0, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
        [[1, 4, 4, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 1, 1], [1, 1, 6, 1, 1]],
        [[1, 4, 4, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
    ]
).T
"""IBSI's digital phantom (reference manual, chapter 5), voxels of 2 mm; 0 is outside the region."""
PUBLISHED = {
    "shape": {
        **{"morph_volume": "556", "morph_vol_approx": "592", "morph_area_mesh": "388", "morph_av": "0.698"},
        **{"morph_comp_1": "0.0411", "morph_comp_2": "0.599", "morph_sph_dispr": "1.19", "morph_sphericity": "0.843"},
        **{"morph_asphericity": "0.186", "morph_diam": "13.1", "morph_pca_maj_axis": "11.4", "morph_pca_min_axis": "9.31"},
        **{"morph_pca_least_axis": "8.54", "morph_pca_elongation": "0.816", "morph_pca_flatness": "0.749"},
    },
    "intensity": {
        **{"stat_mean": "2.15", "stat_var": "3.05", "stat_skew": "1.08", "stat_kurt": "-0.355", "stat_median": "1"},
        **{"stat_min": "1", "stat_p10": "1", "stat_p90": "4", "stat_max": "6", "stat_iqr": "3", "stat_range": "5"},
        **{"stat_mad": "1.55", "stat_rmad": "1.11", "stat_medad": "1.15", "stat_cov": "0.812", "stat_qcod": "0.6"},
        **{"stat_energy": "567", "stat_rms": "2.77"},
        **{"cm_joint_max": "0.509", "cm_joint_avg": "2.15", "cm_joint_var": "3.13", "cm_joint_entr": "2.57"},
        **{"cm_diff_avg": "1.38", "cm_diff_var": "3.21", "cm_diff_entr": "1.64", "cm_sum_avg": "4.3", "cm_sum_var": "7.41"},
        **{"cm_sum_entr": "2.11", "cm_energy": "0.291", "cm_contrast": "5.12", "cm_dissimilarity": "1.38"},
        **{"cm_inv_diff": "0.688", "cm_inv_diff_norm": "0.856", "cm_inv_diff_mom": "0.631", "cm_inv_var": "0.0574"},
        **{"cm_corr": "0.183", "cm_auto_corr": "5.19", "cm_clust_tend": "7.41", "cm_clust_shade": "17.4"},
        **{"cm_clust_prom": "147", "cm_info_corr1": "-0.0288", "cm_info_corr2": "0.269"},
        **{"rlm_sre": "0.729", "rlm_lre": "2.76", "rlm_lgre": "0.607", "rlm_hgre": "9.64", "rlm_glnu": "281"},
        **{"rlm_glnu_norm": "0.43", "rlm_rlnu": "328", "rlm_rlnu_norm": "0.501", "rlm_r_perc": "0.68", "rlm_gl_var": "3.48"},
        **{"rlm_rl_var": "0.598", "rlm_rl_entr": "2.62"},
        **{"szm_sze": "0.255", "szm_lze": "550", "szm_lgze": "0.253", "szm_hgze": "15.6", "szm_glnu": "1.4"},
        **{"szm_z_perc": "0.0676", "szm_gl_var": "2.64", "szm_zs_var": "331", "szm_zs_entr": "2.32"},
        **{"ngt_coarseness": "0.0296", "ngt_contrast": "0.584", "ngt_busyness": "6.54", "ngt_complexity": "13.5"},
        **{"ngt_strength": "0.763"},
    },
}
"""Its reference values, as many digits as are published; texture in three dimensions, over all directions merged."""


@pytest.fixture(autouse=True)
def library():
    pytest.importorskip("mirp", reason='MIRP is not installed: python -m pip install ".[features]"')


@pytest.mark.parametrize("kind", PUBLISHED)
def test_the_digital_phantom_has_the_published_values(kind):
    mask, spacing = PHANTOM > 0, np.full(3, 2.0)
    found = shape_features(mask, spacing) if kind == "shape" else intensity_features(PHANTOM, mask, spacing, levels=None)
    assert {name: f"{found[name]:.3g}" for name in PUBLISHED[kind]} == PUBLISHED[kind]


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A head with a dark ball in its white matter, and the ball's mask."""
    folder, head = tmp_path_factory.mktemp("case"), make_head(3.0)
    points = head.ras_from_ijk(np.argwhere(np.ones(head.shape, bool))).reshape(*head.shape, 3)
    ball = np.linalg.norm(points - [26, 4, 22], axis=-1) < 9
    values = np.where(ball, 0.5 * head.array, head.array)
    write_nifti(folder / "scan.nii.gz", values.astype(np.float32), head.affine)
    write_nifti(folder / "mask.nii.gz", ball.astype(np.uint8), head.affine)
    return folder, head, ball, values


def test_control_regions_have_the_masks_shape_and_lie_apart_in_healthy_brain(case):
    _, head, ball, _ = case
    whole = hole_of_mask(ball)
    prepared = prepare(head, [whole])
    placed = place_shape(prepared, whole, 6)
    assert len(placed) == 6
    for number, hole in enumerate(placed):
        assert np.array_equal(hole.mask, whole.mask) and not hole.touches(whole)
        inside = head.ras_from_ijk(np.argwhere(hole.mask) + hole.start)
        assert (prepared.tissue.classes_at(inside) > 0).mean() > 0.6
        shared = [(hole.mask & other.mask_over(hole.start, hole.mask.shape)).sum() for other in placed[:number]]
        assert all(voxels <= 0.4 * hole.voxels for voxels in shared)


def test_a_dark_spot_is_told_by_its_features_among_its_own_shape_elsewhere(case, tmp_path, capsys):
    folder, _, ball, values = case
    words = ["features", str(folder / "scan.nii.gz"), "--mask", str(folder / "mask.nii.gz"), "--model", "harmonic"]
    assert main([*words, "--controls", "9", "--output", str(tmp_path / "f.csv")]) == 0
    told = capsys.readouterr().out
    with open(tmp_path / "f.csv", newline="") as file:
        rows = {(row["image"], row["name"]): row for row in csv.DictReader(file)}
    mean = rows["scan", "stat_mean"]
    assert float(mean["value"]) == pytest.approx(values[ball].mean(), rel=1e-4)
    assert float(mean["z"]) == pytest.approx((float(mean["value"]) - float(mean["median"])) / float(mean["sd"]))
    assert float(rows["difference", "stat_mean"]["z"]) < -5 < -3 < float(rows["persona", "stat_mean"]["z"]) < 3
    shapes = [row for (image, _), row in rows.items() if image == "mask"]
    assert shapes and all(row["family"] == "shape" and row["z"] == "" for row in shapes)
    assert {image for image, _ in rows} == {"mask", "scan", "persona", "difference"}
    settings = json.loads((tmp_path / "f.json").read_text())
    assert len(settings["controls_ras"]) == 9 and settings["settings"]["library"].startswith("mirp")
    assert "9 control regions of the same shape" in told and "no verdict" in told and "INFO" not in told


def test_a_region_that_fits_nowhere_else_has_no_z_score_and_says_why(case, tmp_path, capsys):
    folder, head, _, _ = case
    half = np.zeros(head.shape, np.uint8)
    half[head.shape[0] // 2 :, 8:-8, 8:-8] = 1
    write_nifti(tmp_path / "half.nii.gz", half, head.affine)
    words = ["features", str(folder / "scan.nii.gz"), "--mask", str(tmp_path / "half.nii.gz"), "--model", "harmonic", "--json"]
    assert main([*words, "--output", str(tmp_path / "f.csv")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert all(feature["z"] is None for feature in told["features"])
    assert any("a z-score needs 5" in warning for warning in told["warnings"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--output", "f.txt"], "must end in .csv"),
        (["--levels", "1"], "grey levels is 1: give a number from 2"),
        (["--controls", "-1"], "control regions is -1: give a number from 0"),
        (["--mask", "few.nii.gz"], "texture needs at least 27"),
    ],
)
def test_what_cannot_be_measured_is_told_in_one_sentence(case, tmp_path, capsys, monkeypatch, words, expected):
    folder, head, _, _ = case
    few = np.zeros(head.shape, np.uint8)
    few[20, 20, 20] = 1
    write_nifti(tmp_path / "few.nii.gz", few, head.affine)
    monkeypatch.chdir(tmp_path)
    usual = ["features", str(folder / "scan.nii.gz"), "--mask", str(folder / "mask.nii.gz"), "--output", "f.csv"]
    assert main([*usual, "--model", "harmonic", *words]) == 2
    said = capsys.readouterr().err
    assert expected in said and said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["few.nii.gz"]


def test_without_the_library_one_sentence_says_what_to_install(case, tmp_path, capsys, monkeypatch):
    folder, *_ = case
    monkeypatch.setitem(sys.modules, "mirp", None)
    words = [
        "features",
        str(folder / "scan.nii.gz"),
        "--mask",
        str(folder / "mask.nii.gz"),
        "--output",
        str(tmp_path / "f.csv"),
    ]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert how_to_install("features") in said and said.count("\n") == 1
