"""Training draws honest pairs, learns, resumes, and exports what the analysis then loads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from bench.phantom import make_head

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.model import load_model, read_card
from RadiomicsPersonaLib.network_input import with_fill
from RadiomicsPersonaLib.scan import write_nifti
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.samples import HealthySamples, Recipe, load_healthy
from RadiomicsPersonaTrainingLib.settings import read_settings
from RadiomicsPersonaTrainingLib.split import split_subjects

TINY = """
name = "tiny"
contrasts = "T1w"
description = "a tiny model for a test"
split_seed = 0

[[data]]
source = "phantoms"
licence = "CC0"
folder = "heads"
share = 1.0
validation = 1
test = 1

[fit]
steps = {steps}
batch = 2
warmup = 1
validate_every = 2
validation_pairs = 2
channels = [8, 8, 8, 8]
blocks = [1, 1, 1, 1]

[recipe]
patch = 32
spacings = [2.0, 3.0]
spacing_chances = [0.5, 0.5]
side = [5.0, 12.0]
"""


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """Folder whose subfolder heads/ holds four phantom subjects."""
    root = tmp_path_factory.mktemp("training data")
    (root / "heads").mkdir()
    for seed in range(4):
        head = make_head(4.0, seed=seed)
        write_nifti(root / "heads" / f"sub-{seed}.nii.gz", head.array, head.affine)
    return root


@pytest.fixture(scope="module")
def samples(heads):
    recipe = Recipe(patch=32, spacings=(2.0, 3.0), spacing_chances=(0.5, 0.5), side=(5.0, 12.0))
    return HealthySamples([load_healthy(heads / "heads" / "sub-0.nii.gz")], np.ones(1), recipe, seed=0)


def test_a_pair_shows_only_the_fill_in_the_hole(samples):
    """What the network is shown there follows from the surroundings alone."""
    for number in range(12):
        image, mirror, target, weight = samples.draw(number)
        hole = image[1] == 1
        assert hole.any() and (weight[0][hole] == 1).all()
        wiped = image.numpy().copy()
        wiped[0][hole.numpy()] = 0
        assert np.allclose(with_fill(wiped)[0], image[0].numpy(), atol=0.05)
        assert not torch.allclose(image[0][hole], target[0][hole], atol=0.1)
        assert mirror.shape == (2, 16, 16, 16) and (mirror[0][mirror[1] == 0] == 0).all()


def test_outside_the_hole_image_and_target_agree(samples):
    """Bias field, contrast, flips and coarse voxels change both alike; only voxels mixed with the hole may differ."""
    from scipy.ndimage import binary_dilation

    plain = HealthySamples(samples.scans, samples.chances, replace(samples.recipe, low_resolution=0.0), samples.seed)
    for number in range(12):
        image, _, target, _ = plain.draw(number)
        far = torch.from_numpy(~binary_dilation(image[1].numpy() > 0, iterations=4))
        assert torch.allclose(image[0][far], target[0][far], atol=1e-4)


def test_the_same_number_draws_the_same_pair_and_the_next_another(samples):
    first, again, other = samples.draw(3), samples.draw(3), samples.draw(4)
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    assert not torch.equal(first[0], other[0])


def test_no_subject_is_in_two_parts(tmp_path):
    files = [tmp_path / f"sub-{n:02d}.nii.gz" for n in range(30)]
    parts = split_subjects(files, validation=4, test=5, seed=3)
    assert [len(parts[p]) for p in ("training", "validation", "test")] == [21, 4, 5]
    assert sorted(sum(parts.values(), [])) == files
    assert parts == split_subjects(files[::-1], validation=4, test=5, seed=3)


def test_fit_export_and_use(heads, tmp_path, capsys):
    settings = tmp_path / "tiny.toml"
    settings.write_text(TINY.format(steps=2))
    run = ["fit", str(settings), "--data", str(heads), "--output", str(tmp_path / "run")]
    assert main(run) == 0
    assert main(run) == 2 and "--resume" in capsys.readouterr().err
    settings.write_text(TINY.format(steps=4))
    assert main([*run, "--resume"]) == 0
    lines = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "2", "4"]

    assert main(["export", str(settings), "--data", str(heads), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "m")]) == 0
    card = read_card(tmp_path / "m" / "tiny.json")
    assert card["data"][0]["licence"] == "CC0" and len(card["data"][0]["training"]) == 2
    model = load_model(str(tmp_path / "m" / "tiny.json"))
    rebuilt = model.predict(np.zeros((1, 2, 32, 32, 32), np.float32), np.zeros((1, 2, 16, 16, 16), np.float32))
    assert rebuilt.shape == (1, 32, 32, 32) and np.isfinite(rebuilt).all()


def test_training_lowers_the_error(samples):
    """A few dozen steps on one pair must bring its error down, or the loop does not learn."""
    from RadiomicsPersonaLib.network import ReconstructionUNet
    from RadiomicsPersonaTrainingLib.fitting import reconstruction_loss

    torch.manual_seed(0)
    network = ReconstructionUNet((8, 8, 8, 8), (1, 1, 1, 1))
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    image, mirror, target, weight = (a[None] for a in samples.draw(0))
    losses = []
    for _ in range(40):
        loss = reconstruction_loss(network(image, mirror), target, weight, 0.3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [("name = ", "TOML"), (TINY.format(steps=2) + "\nglow = 1", "unknown key 'glow'"), ('name = "x"', "no \\[\\[data\\]\\]")],
)
def test_bad_settings_are_refused_by_name(tmp_path, text, said):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_settings(path)


def test_the_settings_of_the_shipped_model_are_those_on_its_card(checkout):
    settings = read_settings(checkout / "RadiomicsPersonaTraining" / "Resources" / "healthy-t1.toml")
    card = load_model("auto").card
    assert card["name"] == settings.name
    assert card["architecture"]["channels"] == list(settings.fit.channels)
    assert card["architecture"]["blocks"] == list(settings.fit.blocks)
    assert card["grid"]["patch_voxels"] == settings.fit.recipe.patch
