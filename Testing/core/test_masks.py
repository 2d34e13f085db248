"""Masks and label maps as other programs write them: NaN around what is marked, headers that are rounded."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.commands.boxes import label_boxes, mask_on
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_label_map, read_mask, write_nifti

pytestmark = pytest.mark.usefixtures("small_models")


@pytest.fixture(scope="module")
def head():
    return make_head(6.0)


@pytest.fixture(scope="module")
def marked(head) -> np.ndarray:
    mask = np.zeros(head.shape, np.float32)
    mask[tuple(slice(n // 2 - 2, n // 2 + 3) for n in head.shape)] = 1
    return mask


@pytest.mark.parametrize("around", [np.nan, np.inf])
def test_what_is_not_a_number_is_background(tmp_path, head, marked, around):
    path = tmp_path / "mask.nii.gz"
    write_nifti(path, np.where(marked > 0, marked, np.float32(around)), head.affine)
    assert np.array_equal(mask_on(head, str(path)), marked > 0)
    assert np.array_equal(read_mask(path).array, marked > 0)
    assert np.array_equal(read_label_map(path).array, marked)
    assert len(label_boxes(str(path))[0]) == 1


def test_labels_with_nan_around_them_are_not_spread(tmp_path, head, marked):
    labels = np.where(marked > 0, 1, np.float32(np.nan))
    labels[:4, :4, :4] = 2
    write_nifti(tmp_path / "labels.nii.gz", labels, head.affine)
    assert [box.name for box in label_boxes(str(tmp_path / "labels.nii.gz"))[0]] == ["label 1, part 1", "label 2, part 1"]


@pytest.mark.parametrize("value", [0, np.nan])
def test_an_empty_mask_is_refused_as_what_it_is(tmp_path, head, marked, value):
    write_nifti(tmp_path / "mask.nii.gz", np.full_like(marked, value), head.affine)
    with pytest.raises(InputError, match="The mask 'mask.nii.gz' is empty: mark some voxels first"):
        mask_on(head, str(tmp_path / "mask.nii.gz"))


def test_a_mask_that_covers_everything_is_not_called_empty(tmp_path, capfd, head, marked):
    write_nifti(tmp_path / "scan.nii.gz", head.array, head.affine)
    write_nifti(tmp_path / "mask.nii.gz", np.ones_like(marked), head.affine)
    words = [str(tmp_path / "scan.nii.gz"), "--mask", str(tmp_path / "mask.nii.gz"), "--model", "harmonic"]
    assert main(["inpaint", *words, "--output", str(tmp_path / "o.nii.gz")]) == 2
    assert "covers the whole scan" in capfd.readouterr().err


def test_a_colour_image_is_no_mask(tmp_path):
    colour = np.zeros((20, 20, 20), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(colour, np.eye(4)), tmp_path / "colour.nii.gz")
    for read in (read_label_map, read_mask):
        with pytest.raises(InputError, match="'colour.nii.gz' is a colour"):
            read(tmp_path / "colour.nii.gz")


def test_a_rounded_header_is_the_same_grid_and_another_place_is_told_in_millimetres(tmp_path, head, marked):
    path = str(tmp_path / "mask.nii.gz")

    def written(shift: float) -> None:
        moved = head.affine.copy()
        moved[2, 3] += shift
        write_nifti(path, marked, moved)

    for shift in (0.003, 0.2):
        written(shift)
        assert np.array_equal(mask_on(head, path), marked > 0)
    written(3)
    with pytest.raises(InputError, match="lie up to 3 mm from the scan's"):
        mask_on(head, path)
    write_nifti(path, marked[1:], head.affine)
    shapes = " against ".join(" x ".join(map(str, shape)) for shape in (marked[1:].shape, head.shape))
    with pytest.raises(InputError, match=f"another grid than the scan .{shapes} voxels"):
        mask_on(head, path)


def test_a_mask_whose_header_does_not_say_where_it_lies_is_told_of(tmp_path, capfd, head, marked):
    image = nibabel.Nifti1Image(marked, head.affine)
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    nibabel.save(image, tmp_path / "mask.nii.gz")
    assert "does not say where right and left are" in read_mask(tmp_path / "mask.nii.gz").warnings[0]
    assert label_boxes(str(tmp_path / "mask.nii.gz"))[1] == read_mask(tmp_path / "mask.nii.gz").warnings
    assert main(["mesh", str(tmp_path / "mask.nii.gz"), "--output", str(tmp_path / "mask.ply")]) == 0
    assert "note: The header of 'mask.nii.gz' does not say where right and left are" in capfd.readouterr().out


def test_a_label_map_whose_header_does_not_say_where_it_lies_is_told_of_in_the_results(tmp_path, capfd, head, marked):
    # ITK's place for a header without codes, so that the boxes lie in the head
    turned = np.diag([-6.0, -6.0, 6.0, 1.0])
    image = nibabel.Nifti1Image(marked, turned)
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    nibabel.save(image, tmp_path / "labels.nii.gz")
    write_nifti(tmp_path / "scan.nii.gz", head.array, turned)
    words = ["analyze", str(tmp_path / "scan.nii.gz"), "--labels", str(tmp_path / "labels.nii.gz"), "--controls", "0"]
    assert main([*words, "--model", "harmonic", "--output", str(tmp_path / "o")]) == 0
    assert "note: The header of 'labels.nii.gz' does not say where right and left are" in capfd.readouterr().out


def test_only_the_largest_parts_of_a_label_map_are_taken_and_it_is_said(tmp_path):
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[2:5, 2:5, 2:5], labels[10:16, 10:16, 10:16], labels[20:25, 20:25, 20:25] = 1, 1, 2
    write_nifti(tmp_path / "labels.nii.gz", labels, np.eye(4))
    boxes, told = label_boxes(str(tmp_path / "labels.nii.gz"), 2)
    assert [box.name for box in boxes] == ["label 1, part 1", "label 2, part 1"]
    assert told[-1] == "Of the 3 parts of 'labels.nii.gz' the 2 largest were taken."
    assert len(label_boxes(str(tmp_path / "labels.nii.gz"))[0]) == 3


NO_MASKS = {
    "fractions": (lambda marked: marked * 0.5, "not whole numbers"),
    "one fraction": (lambda marked: marked + np.eye(*marked.shape[:2])[..., None] * 1e-6, "not whole numbers"),
    "below 0": (lambda marked: marked - 1, "below 0"),
    "a scan": (lambda marked: np.random.default_rng(0).integers(0, 900, marked.shape), "looks like a scan"),
    "too many labels": (lambda marked: np.arange(marked.size).reshape(marked.shape) // 3, "labels up to"),
}


@pytest.mark.parametrize("kind", NO_MASKS)
def test_what_is_no_mask_is_refused_alike_wherever_a_mask_or_label_map_is_asked_for(tmp_path, capfd, kind):
    head = make_head(4.5)
    marked = np.zeros(head.shape, np.float32)
    marked[tuple(slice(n // 2 - 2, n // 2 + 3) for n in head.shape)] = 1
    values, said = NO_MASKS[kind]
    scan, mask, out = (str(tmp_path / name) for name in ("scan.nii.gz", "mask.nii.gz", "out.nii.gz"))
    write_nifti(scan, head.array, head.affine)
    write_nifti(mask, np.asarray(values(marked), np.float32), head.affine)
    for words in (
        ["mesh", mask, "-o", str(tmp_path / "out.ply")],
        ["inpaint", scan, "--mask", mask, "--model", "harmonic", "-o", out],
        ["features", scan, "--mask", mask, "-o", str(tmp_path / "out.csv")],
        ["analyze", scan, "--labels", mask, "--model", "harmonic", "-o", str(tmp_path / "out")],
        ["analyze", scan, "--box", "0,0,0,20,20,20", "--exclude", mask, "--model", "harmonic", "-o", str(tmp_path / "out")],
    ):
        assert main(words) == 2, words
        error = capfd.readouterr().err
        assert error.count("\n") == 1 and "'mask.nii.gz'" in error and said in error, (words, error)
    assert len(list(tmp_path.iterdir())) == 2
