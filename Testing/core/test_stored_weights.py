"""Stored weights: a file of eight bits a weight is half as large, and what is rebuilt with it is the same but for a little."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from bench.phantom import make_head
from safetensors.torch import save_file

from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.files import sha256_of, write_nifti
from RadiomicsPersonaLib.networks.card import read_card
from RadiomicsPersonaLib.reconstruction.reconstruction import rebuild
from RadiomicsPersonaLib.reconstruction.reconstruction_model import card_files, load_model
from RadiomicsPersonaLib.resources import SHIPPED_MODELS
from RadiomicsPersonaLib.system.stored_weights import SCALE, in_eight_bits, in_half, read_weights

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

BOX = Box([30, 0, 20], [24, 24, 24])


@pytest.fixture
def stored(tmp_path):
    """Makes a model of the shipped weights, stored by a function; returns its card's path."""
    path = card_files("healthy-t1")[0]
    card, weights = read_card(path), read_weights(path.with_name("healthy-t1.safetensors"))

    generator = torch.Generator().manual_seed(0)
    # the shipped ones were stored in eight bits before
    weights = {name: value * (1 + 1e-3 * torch.randn(value.shape, generator=generator)) for name, value in weights.items()}

    def model(name: str, function):
        file = tmp_path / f"{name}.safetensors"
        save_file(function(weights), str(file))
        (tmp_path / f"{name}.json").write_text(
            json.dumps(card | {"name": name, "weights": file.name, "sha256": sha256_of(file)})
        )
        return tmp_path / f"{name}.json"

    return model


def test_eight_bits_take_half_the_room_and_rebuild_the_same_but_for_a_little(stored):
    prepared = prepare(make_head(3.0))
    hole, found, sizes = hole_of_box(prepared.scan, BOX), [], []
    for name, function in (("whole", lambda weights: weights), ("half", in_half), ("eight", in_eight_bits)):
        card = stored(name, function)
        sizes.append(card.with_name(f"{name}.safetensors").stat().st_size)
        [persona] = rebuild(prepared, [hole], load_model(str(card), "cpu"))
        found.append(persona.values[persona.hole.mask] / prepared.tissue.scale.deviation)
    whole, half, eight = found
    assert sizes[2] < 0.52 * sizes[1] < 0.27 * sizes[0]
    assert 0 < np.abs(eight - whole).mean() < 0.03 and np.abs(half - whole).mean() < 0.01, "tissue SD"


@pytest.mark.parametrize(("bits", "largest"), [(8, 127), (7, 63)])
def test_every_weight_is_within_half_a_step_of_its_channel(bits, largest, tmp_path):
    weights = {
        "body.weight": torch.randn(8, 4, 3, 3, 3),
        "body.bias": torch.randn(8),
        "none.weight": torch.zeros(2, 2, 1, 1, 1),
    }
    weights["body.weight"][3] *= 1e-6
    save_file(in_eight_bits(weights, bits), str(tmp_path / "w.safetensors"))
    again = read_weights(tmp_path / "w.safetensors")
    assert set(again) == set(weights) and torch.equal(again["none.weight"], weights["none.weight"])
    step = weights["body.weight"].flatten(1).abs().amax(dim=1) / largest
    off = (again["body.weight"] - weights["body.weight"]).flatten(1).abs().amax(dim=1)
    assert (off <= 0.501 * step).all()


def nan(value):
    return value * float("nan")


NAME = "stem.weight"
DAMAGES = {
    "a factor for all channels": (NAME + SCALE, lambda value: value[:1], "no factor for each"),
    "too few factors": (NAME + SCALE, lambda value: value[:-1], "no factor for each"),
    "factors in a row": (NAME + SCALE, lambda value: value[None], "no factor for each"),
    "whole factors": (NAME + SCALE, lambda value: value.to(torch.int32), "no factor for each"),
    "factors that are no numbers": (NAME + SCALE, nan, "not above zero"),
    "factors below zero": (NAME + SCALE, lambda value: -value, "not above zero"),
    "factors without end": (NAME + SCALE, lambda value: value * float("inf"), "not finite"),
    "factors of other weights": (NAME, lambda value: value.float(), "no weights of eight bits"),
    "other whole numbers": (NAME, lambda value: value.to(torch.uint8), "uint8"),
    "weights of one bit": (NAME, lambda value: value.bool(), "bool"),
    "a bias that is no number": ("stem.bias", nan, "not finite"),
    "a bias of eight bits": ("stem.bias", lambda value: value.to(torch.int8), "no factor for each"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_weights_that_no_network_has_are_refused(tmp_path, damage):
    name, change, said = DAMAGES[damage]
    weights = in_eight_bits({"stem.weight": torch.randn(8, 2, 3, 3, 3), "stem.bias": torch.randn(8)})
    save_file(weights | {name: change(weights[name]).contiguous()}, str(tmp_path / "w.safetensors"))
    with pytest.raises(ValueError, match=said):
        read_weights(tmp_path / "w.safetensors")


@pytest.mark.parametrize("command", ["inpaint", "segment"])
def test_a_network_whose_answers_are_no_numbers_is_refused(stored, tmp_path, capsys, command):
    """Its weights are finite, and what comes of them is not."""
    head = make_head(6.0)
    write_nifti(tmp_path / "head.nii.gz", head.array, head.affine)
    mask = np.zeros(head.shape, np.uint8)
    mask[12:16, 12:16, 12:16] = 1
    write_nifti(tmp_path / "mask.nii.gz", mask, head.affine)
    if command == "inpaint":
        card = stored("huge", lambda weights: {name: value * 1e20 for name, value in weights.items()})
        words = ["--mask", str(tmp_path / "mask.nii.gz")]
    else:
        shipped = SHIPPED_MODELS / "hippocampus.json"
        weights = read_weights(shipped.with_suffix(".safetensors"))
        save_file({name: value * 1e20 for name, value in weights.items()}, str(tmp_path / "huge.safetensors"))
        told = {"name": "huge", "weights": "huge.safetensors", "sha256": sha256_of(tmp_path / "huge.safetensors")}
        card, words = tmp_path / "huge.json", []
        card.write_text(json.dumps(read_card(shipped) | told))
    words = [command, str(tmp_path / "head.nii.gz"), *words, "--model", str(card), "--output", str(tmp_path / "out.nii.gz")]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "The model 'huge' answers with values that are no numbers" in said and not (tmp_path / "out.nii.gz").exists()


def test_a_file_without_a_factor_is_refused_in_one_sentence(stored, tmp_path, capsys):
    def without(weights):
        return {name: value for name, value in in_eight_bits(weights).items() if name != f"stem.weight{SCALE}"}

    head = make_head(4.0)
    write_nifti(tmp_path / "head.nii.gz", head.array, head.affine)
    words = ["analyze", str(tmp_path / "head.nii.gz"), "--box=30,0,20,24,24,24", "--output", str(tmp_path / "out")]
    assert main([*words, "--model", str(stored("broken", without))]) == 2
    said = capsys.readouterr().err
    assert "The weights of the model 'broken' cannot be read" in said and "install the model again" in said
    assert not (tmp_path / "out").exists()
