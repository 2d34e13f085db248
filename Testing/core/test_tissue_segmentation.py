"""`segment --model tissue`: the brain and its tissues as files that others read, and what cannot be meshed."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.imaging.files import read_label_map, write_nifti

pytestmark = pytest.mark.usefixtures("small_models")


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    """A head in voxels of 4 mm, as a scan and as a file."""
    scan, path = make_head(4.0), tmp_path_factory.mktemp("head") / "head.nii.gz"
    write_nifti(path, scan.array, scan.affine)
    return scan, path


def test_tissue_is_written_with_names_probabilities_and_a_brain_mask(head, tmp_path):
    scan, path = head
    outputs = [tmp_path / name for name in ("sub-01_dseg.nii.gz", "brain.nii.gz", "p.nii.gz")]
    words = ["--output", outputs[0], "--brain-mask", outputs[1], "--probabilities", outputs[2]]
    assert main(["segment", str(path), "--model", "tissue", *map(str, words)]) == 0
    labels, brain = read_label_map(outputs[0]), read_label_map(outputs[1])
    assert np.allclose(labels.affine, scan.affine) and labels.shape == scan.shape
    assert np.array_equal(brain.array > 0, labels.array > 0) and 500 < brain.grid.ml_of((brain.array > 0).sum()) < 2600
    with open(tmp_path / "sub-01_dseg.tsv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [(row["index"], row["name"]) for row in rows] == [("1", "grey matter"), ("2", "white matter"), ("3", "fluid")]
    means = [scan.array[labels.array == int(row["index"])].mean() for row in rows]
    assert means[1] > means[0] > means[2], "as a T1-weighted head shows them"


def test_a_brain_mask_of_a_lesion_model_is_refused_and_nothing_is_left(head, tmp_path, capsys):
    words = ["--output", str(tmp_path / "l.nii.gz"), "--brain-mask", str(tmp_path / "b.nii.gz")]
    assert main(["segment", str(head[1]), "--model", "lesion", *words]) == 2
    assert "goes with a tissue model" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_scan_is_no_mask_to_mesh(head, tmp_path, capsys):
    scan = head[0]
    whole = np.rint(scan.array / scan.array.max() * 255).astype(np.uint8)
    write_nifti(tmp_path / "t1.nii.gz", whole, scan.affine)
    assert main(["mesh", str(tmp_path / "t1.nii.gz"), "--output", str(tmp_path / "t1.ply")]) == 2
    assert "looks like a scan, not like a mask" in capsys.readouterr().err and not (tmp_path / "t1.ply").exists()


def test_a_parcellation_of_many_regions_is_a_mask(tmp_path):
    regions = np.arange(125).reshape(5, 5, 5).repeat(4, 0).repeat(4, 1).repeat(4, 2)
    write_nifti(tmp_path / "regions.nii.gz", regions.astype(np.int16), np.eye(4))
    assert main(["mesh", str(tmp_path / "regions.nii.gz"), "--label", "62", "--output", str(tmp_path / "r.stl")]) == 0
