"""Lesion masks: drawn by every generator into a healthy brain, painted by one command, measured beside real ones,
learnt in a small training.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from nilearn.datasets import load_mni152_template
from scipy import ndimage

from RadiomicsPersonaLib.geometry.hole import hole_of_mask
from RadiomicsPersonaLib.imaging.files import read_label_map, read_scan, write_nifti
from RadiomicsPersonaLib.imaging.scan import Scan, make_scan
from RadiomicsPersonaLib.lesions.painter import KINDS
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.experiments import mask_comparison
from RadiomicsPersonaTrainingLib.experiments.mask_comparison import MeasuredMasks, distance_of
from RadiomicsPersonaTrainingLib.lesion_masks import resources
from RadiomicsPersonaTrainingLib.lesion_masks.fitted_mask import fitted_mask
from RadiomicsPersonaTrainingLib.lesion_masks.generators import GENERATORS, mask_generator
from RadiomicsPersonaTrainingLib.lesion_masks.ground import lesion_ground
from RadiomicsPersonaTrainingLib.lesion_masks.mask_model import mask_model_cards
from RadiomicsPersonaTrainingLib.lesion_masks.measures import MaskMeasures, dice, sphericity
from RadiomicsPersonaTrainingLib.lesion_masks.pieces import LesionPiece, carried_lesion, lesion_pieces
from RadiomicsPersonaTrainingLib.settings.sample_sections import TRAINED

pytestmark = pytest.mark.slow

INSIDE_MNI = np.array([-44.0, -24.0, 44.0])
"""In a gyrus between two sulci, so that a mask has to keep out of fluid."""
ML = {"fcd": 2.0, "ms": 0.5, "stroke": 9.0, "tumour": 12.0}


@pytest.fixture(scope="module")
def template():
    """The ICBM152 template: a healthy brain that lies in MNI space."""
    image = load_mni152_template(resolution=1)
    return make_scan(np.asarray(image.dataobj, np.float32), np.array(image.affine), "template")


@pytest.fixture(scope="module")
def ground(template):
    return lesion_ground(template)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A folder of lesion masks in MNI space: bent ellipsoids, eight of either kind."""
    root = tmp_path_factory.mktemp("shapes")
    grid = np.stack(np.meshgrid(*(np.arange(-78, 79, 3.0), np.arange(-112, 77, 3.0), np.arange(-60, 84, 3.0)), indexing="ij"))
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = grid[:, 0, 0, 0]
    for kind, radius in (("stroke", 15.0), ("ms", 9.0)):
        (root / kind).mkdir()
        for number in range(8):
            rng = np.random.default_rng(number)
            center = np.array([rng.choice([-30, 30]), rng.uniform(-50, 10), rng.uniform(5, 40)])
            away = (grid - center[:, None, None, None]) / (radius * rng.uniform(0.6, 1.4, 3))[:, None, None, None]
            away[0] += 0.3 * away[1] ** 2
            write_nifti(root / kind / f"{kind}-{number}.nii.gz", (np.linalg.norm(away, axis=0) < 1).astype(np.uint8), affine)
    return root


def drawn(name, kind, ground, shapes, seed, center=INSIDE_MNI):
    center = None if kind == "fcd" or center is None else ground.ras_from_mni[:3, :3] @ center + ground.ras_from_mni[:3, 3]
    return mask_generator(name, kind, shapes).draw(ground, np.random.default_rng(seed), ML[kind], center).hole


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", GENERATORS)
def test_a_mask_keeps_to_tissue_has_the_size_asked_for_and_is_one_piece(name, kind, ground, shapes):
    hole = drawn(name, kind, ground, shapes, 1)
    assert ground.open_to(kind)[hole.region][hole.mask].mean() > 0.95
    assert hole.voxels * ground.voxel_ml == pytest.approx(ML[kind], rel=0.1)
    assert ndimage.label(hole.mask, np.ones((3, 3, 3)))[1] == 1


@pytest.mark.parametrize("name", [name for name in GENERATORS if name != "sphere"])
def test_the_same_seed_draws_the_same_mask_and_another_seed_another_one_at_the_same_place(name, ground, shapes):
    first, again, other = (drawn(name, "stroke", ground, shapes, seed) for seed in (1, 1, 2))
    assert dice(first, again) == 1
    assert 0.05 < dice(first, other) < 0.95


@pytest.mark.parametrize("name", ["sphere", "unet"])
def test_places_and_sizes_are_drawn_where_none_are_given(name, ground):
    holes = [mask_generator(name, "ms").draw(ground, np.random.default_rng(seed)).hole for seed in range(4)]
    assert len({hole.voxels for hole in holes}) == 4
    assert max(dice(a, b) for a in holes for b in holes if a is not b) < 0.5


def test_dysplasia_lies_in_cortex_and_just_beneath_it(ground):
    assert ground.cortical_band.sum() < 0.75 * ground.solid.sum()
    for spared in ([-26.0, 2.0, 4.0], [-30.0, -65.0, -42.0], [0.0, -28.0, -32.0]):  # putamen, cerebellum, pons
        voxel = np.rint(ground.scan.ijk_from_ras(ground.ras_from_mni[:3, :3] @ spared + ground.ras_from_mni[:3, 3])).astype(int)
        around = tuple(slice(i - 3, i + 4) for i in voxel)
        assert ground.solid[around].mean() > 0.5 and not ground.cortical_band[around].any()


def test_a_brain_in_standard_space_is_found_to_lie_there(ground):
    corners = np.array([[40, -60, 40], [-40, 30, 10], [0, -20, -20], [50, 0, 0]], float)
    moved = corners @ ground.ras_from_mni[:3, :3].T + ground.ras_from_mni[:3, 3]
    assert np.linalg.norm(moved - corners, axis=1).max() < 4


def test_a_real_lesion_is_carried_with_the_brain_that_it_lies_in(ground, template):
    turn = np.deg2rad(12)
    motion = np.eye(4)
    motion[:3, :3] = 0.92 * np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    motion[:3, 3] = (12, -20, 9)
    moved = lesion_ground(Scan(template.array, motion @ template.affine, "moved"))
    mask = np.ones((12, 12, 12), bool)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = INSIDE_MNI - 11
    piece = LesionPiece("stroke", mask, affine, False, "block")
    here, there = carried_lesion(piece, ground), carried_lesion(piece, moved)
    assert dice(here, there) > 0.8  # the same voxels, for the brain moved with its grid


def test_of_two_pieces_that_touch_at_one_level_the_size_asked_for_is_taken():
    scan = Scan(np.zeros((40, 20, 20), np.float32), np.eye(4))
    field = np.full((40, 20, 20), -1.0, np.float32)
    field[2:18, 4:16, 4:16] = 0.5
    field[22:38, 4:16, 4:16] = 0.5
    field[18:22, 9:11, 9:11] = 0.2
    hole = fitted_mask(scan, np.ones(scan.shape, bool), field, np.eye(4), 3.0)
    assert hole.voxels == 3000 and ndimage.label(hole.mask)[1] == 1


def test_a_ball_is_round_and_a_rod_is_not():
    index = np.stack(np.meshgrid(*[np.arange(-12, 13)] * 3, indexing="ij"))
    scan = Scan(np.zeros((25, 25, 25)), np.eye(4))
    ball = hole_of_mask(np.linalg.norm(index, axis=0) < 10)
    rod = hole_of_mask((np.abs(index[1:]) < 2).all(axis=0))
    assert sphericity(ball, scan) > 0.9 > 0.65 > sphericity(rod, scan)


def test_masks_like_the_real_ones_cannot_be_told_apart_and_others_can():
    def source(name, seed, round_by):
        rng = np.random.default_rng(seed)
        rows = rng.normal(size=(60, 5))
        return MeasuredMasks(
            name,
            "stroke",
            tuple(
                MaskMeasures(np.exp(a), 0.6 + round_by + 0.1 * b, np.exp(c), 0.5 + 0.1 * d, 20 + e, 0.0)
                for a, b, c, d, e in rows
            ),
        )

    real = source("real", 0, 0.0)
    alike, rounder = distance_of(source("alike", 1, 0.0), real, 0), distance_of(source("rounder", 1, 0.3), real, 0)
    assert alike.mean[0] < 0.35 < rounder.mean[0] and rounder.measures["sphericity"] > 2
    assert 0.3 < alike.auroc[0] < 0.7 and rounder.auroc[0] > 0.95


def test_generators_are_small_and_name_their_data():
    for name in TRAINED:
        file = mask_model_cards()[f"masks-{name}"]
        card = json.loads(file.read_text())
        assert file.with_suffix(".safetensors").stat().st_size <= 2_000_000
        assert card["masks"]["generator"] == name and card["data"][0]["licence"] == "CC0"
        assert "ds004889" in card["history"] and "Lesjak" in card["history"]


@pytest.fixture(scope="module")
def healthy(template, tmp_path_factory):
    file = tmp_path_factory.mktemp("healthy") / "person-1.nii.gz"
    write_nifti(file, template.array, template.affine)
    return file


def test_the_command_paints_lesions_with_masks_and_says_what_made_them(healthy, tmp_path, capsys):
    arguments = [str(healthy), "--masks", "unet-tissue", "--kind", "stroke", "--size", "6", "--count", "2", "--output"]
    assert main(["synthesize", *arguments, str(tmp_path / "a")]) == 0
    assert main(["synthesize", *arguments[:-1], "--seed", "1", "--output", str(tmp_path / "b")]) == 0
    before, masks = read_scan(healthy).array, []
    for folder, number in (("a", 1), ("a", 2), ("b", 1)):
        image = read_scan(tmp_path / folder / f"person-1_stroke_{number}_image.nii.gz")
        mask = read_label_map(tmp_path / folder / f"person-1_stroke_{number}_mask.nii.gz").array > 0
        near = ndimage.distance_transform_edt(~mask) < 16
        assert 0.7 * 6 < mask.sum() / 1000 < 1.1 * 6  # where the painter leaves tissue nearly as it was, there is no lesion
        assert np.array_equal(image.array[~near], before[~near]) and image.array[mask].mean() < before[mask].mean()
        masks.append(hole_of_mask(mask))
    assert max(dice(masks[0], masks[1]), dice(masks[0], masks[2])) < 0.9
    said = json.loads((tmp_path / "a" / "provenance.json").read_text())
    assert [entry["drawn_ml"] for entry in said["lesions"]] == pytest.approx([6, 6], rel=0.05) and said["masks"][
        "name"
    ] == "masks-unet-tissue"
    assert (tmp_path / "a" / "sheet.png").stat().st_size > 10_000
    assert "person-1_stroke_2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--kind": "abscess"}, "fcd, ms, stroke or tumour"),
        ({"--masks": "vae"}, "sphere, shapes, unet, unet-tissue, gan"),
        ({"--masks": "shapes"}, "--shapes"),
        ({"--size": "900"}, "does not fit"),
        ({"--size": "-1"}, "above 0"),
        ({"--count": "0"}, "--count"),
        ({"--strength": "9"}, "strength"),
        ({"--contrast": "PET"}, "contrast"),
    ],
)
def test_what_cannot_be_is_one_sentence(change, words, healthy, tmp_path, capsys):
    options = {"--masks": "sphere", "--kind": "stroke", "--output": str(tmp_path / "out")} | change
    assert main(["synthesize", str(healthy), *(word for pair in options.items() for word in pair)]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and "Traceback" not in said
    assert not list(tmp_path.glob("out/*.nii.gz")) and not list(tmp_path.glob("out/*.json.part"))


def test_scans_that_show_too_little_or_too_coarsely_are_refused(template, tmp_path, capsys):
    noise = np.random.default_rng(0).normal(100, 10, (64, 64, 64)).astype(np.float32)
    write_nifti(tmp_path / "noise.nii.gz", noise, np.diag([3.0, 3.0, 3.0, 1.0]))
    thick = template.array[:, :, : 8 * (template.shape[2] // 8)].reshape(*template.shape[:2], -1, 8).mean(axis=3)
    affine = template.affine @ np.diag([1.0, 1.0, 8.0, 1.0])
    write_nifti(tmp_path / "thick.nii.gz", thick.astype(np.float32), affine)
    for name, more, words in (("noise", [], "tells grey from white"), ("thick", ["--size", "0.5"], "too coarse")):
        assert (
            main(
                [
                    "synthesize",
                    str(tmp_path / f"{name}.nii.gz"),
                    "--masks",
                    "unet",
                    "--kind",
                    "ms",
                    *more,
                    "--output",
                    str(tmp_path / "out"),
                ]
            )
            == 2
        )
        assert words in capsys.readouterr().err


def test_an_input_is_never_overwritten(template, tmp_path, capsys):
    scans = [tmp_path / "a.nii.gz", tmp_path / "a_ms_1_image.nii.gz"]
    for scan in scans:
        write_nifti(scan, template.array, template.affine)
    assert main(["synthesize", *map(str, scans), "--masks", "sphere", "--kind", "ms", "--output", str(tmp_path)]) == 2
    assert "would replace its input" in capsys.readouterr().err


@pytest.mark.parametrize("generator", ["unet-tissue", "gan"])
def test_a_small_training_learns_to_draw_and_goes_on(generator, template, shapes, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(resources, "DRAWS", 3)
    lines = ["source,subject,part,file"]
    for number, part in enumerate(("training", "validation")):
        write_nifti(tmp_path / f"p{number}.nii.gz", template.array[::2, ::2, ::2], template.affine @ np.diag([2, 2, 2, 1.0]))
        lines.append(f"heads,p{number},{part},p{number}.nii.gz")
    (tmp_path / "split.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "masks").symlink_to(shapes)
    text = f"""
[model]
name = "tiny"
[scans]
split = "split.csv"
lesion_masks = "masks"
[masks]
generator = "{generator}"
patch = 24
steps = 2
discriminator = [8, 8]
[network]
channels = [8, 8]
blocks = [1, 1]
[task]
kind = "masks"
warmup = 1
[fit]
steps = STEPS
batch = 2
validate_every = 4
validation_pairs = 3
average = 0.5
pictures_every = 1
"""
    settings = tmp_path / "settings.toml"
    run = ["fit", str(settings), "--output", str(tmp_path / "run")]
    settings.write_text(text.replace("STEPS", "4"))
    assert main(run) == 0
    settings.write_text(text.replace("STEPS", "8"))
    assert main([*run, "--resume"]) == 0
    log = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert len(log) == 3 and "validation_" in log[0]
    assert (tmp_path / "run" / "pictures" / "epoch-00002.png").is_file()
    assert main(["export", str(tmp_path / "run"), "--output", str(tmp_path / "tiny")]) == 0
    card = json.loads((tmp_path / "tiny.json").read_text())
    assert card["masks"]["kinds"] == ["stroke", "ms"] and set(card["masks"]["roughness"]) == {"stroke", "ms"}
    capsys.readouterr()
    wrong = [
        "synthesize",
        str(tmp_path / "p0.nii.gz"),
        "--masks",
        "unet",
        "--kind",
        "ms",
        "--generator",
        str(tmp_path / "tiny.json"),
    ]
    assert main([*wrong, "--output", str(tmp_path / "out")]) == 2
    assert generator in capsys.readouterr().err


def test_real_masks_are_measured_beside_drawn_ones(data_root, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(mask_comparison, "TREES", 20)
    scans = sorted((data_root / "healthy" / "ds002748").glob("*.nii.gz"))[:1]
    pieces = lesion_pieces(data_root / "lesion_masks", ("ms",))
    assert sum(piece.held_out for piece in pieces) > 20 and all(piece.ml >= 0.05 for piece in pieces)
    arguments = [
        *map(str, scans),
        "--shapes",
        str(data_root / "lesion_masks"),
        "--kinds",
        "ms",
        "--masks",
        "sphere,unet-tissue",
        "--count",
        "12",
    ]
    assert main(["evaluate-masks", *arguments, "--output", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "evaluation.json").read_text())
    found = {entry["name"]: entry for entry in record["distances"]}
    assert found["unet-tissue"]["mean"][0] < found["sphere"]["mean"][0]
    assert "held-out" in (tmp_path / "report.html").read_text() and "| unet-tissue |" in capsys.readouterr().out
