"""Memory that does not suffice: the GPU's costs time, the computer's costs one sentence."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from bench.phantom import make_head

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.commands.cache import Cache
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.reconstruction.inpainting import inpaint
from RadiomicsPersonaLib.reconstruction.reconstruction_model import NetworkModel, load_model
from RadiomicsPersonaLib.system.device import ran_out_of_memory

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

BOX = Box([30.0, 0.0, 20.0], [24.0, 24.0, 24.0])
TOO_MUCH = 1 << 55
"""Bytes that no computer has."""
SAID = "The memory of the GPU 'cpu:0' did not suffice; the CPU did the rest, which takes longer."


@pytest.fixture(scope="module")
def head():
    return make_head(4.0)


def on_a_full_card(model: NetworkModel, batches: int) -> NetworkModel:
    """The model on a device that is full after some batches.

    "cpu:0" is to PyTorch the CPU under another name, so that this runs everywhere; the error is PyTorch's own.
    """
    left = iter(range(batches))

    def fill_up(network, inputs):
        if model.device != "cpu" and next(left, None) is None:
            torch.empty(TOO_MUCH, dtype=torch.uint8)

    model.device = "cpu:0"
    model.network.register_forward_pre_hook(fill_up)
    return model


@pytest.mark.usefixtures("in_fp32", "nothing_remembered")  # both devices compute alike, as two real ones need not
@pytest.mark.parametrize("batches", [0, 1])
def test_a_full_graphics_card_is_left_in_the_middle_and_it_is_said(head, batches):
    usual = analyze(head, [BOX], load_model("auto", "cpu"), controls=6)
    model = on_a_full_card(load_model("auto", "cpu"), batches)
    assert not model.fell_back
    analysis = analyze(head, [BOX], model, controls=6)
    assert SAID in analysis.warnings and analysis.warnings.count(SAID) == 1
    assert analysis.provenance["model"]["device"] == "cpu" and model.fell_back
    np.testing.assert_array_equal(analysis.reconstruction, usual.reconstruction)
    assert [c.metrics for c in analysis.boxes[0].controls] == [c.metrics for c in usual.boxes[0].controls]


def test_inpainting_says_it_too(head):
    mask = np.zeros(head.shape, bool)
    mask[26:30, 26:30, 24:28] = True
    _, _, warnings = inpaint(head, mask, on_a_full_card(load_model("auto", "cpu"), 0))
    assert SAID in warnings


def test_weights_that_do_not_fit_onto_the_card_are_loaded_for_the_processor(monkeypatch):
    from RadiomicsPersonaLib.reconstruction import reconstruction_model as module

    real = module.ready

    def ready(network, weights, name, device):
        if device != "cpu":
            torch.empty(TOO_MUCH, dtype=torch.uint8)
        return real(network, weights, name, device)

    monkeypatch.setattr(module, "ready", ready)
    monkeypatch.setattr(module, "torch_device", lambda device: "cpu:0")
    model = load_model("auto", "auto")
    assert model.device == "cpu" and len(model.notes) == 1


def test_the_next_run_tries_the_card_again():
    cache = Cache()
    model = cache.model("auto", "cpu")
    assert cache.model("auto", "cpu") is model
    on_a_full_card(model, 0).features(np.zeros((1, 2, 16, 16, 16), np.float32))  # features pass by the hook
    assert cache.model("auto", "cpu") is model
    model.predict(np.zeros((1, 2, 16, 16, 16), np.float32), np.zeros((1, model.guides, 8, 8, 8), np.float32))
    assert cache.model("auto", "cpu") is not model


@pytest.mark.parametrize(
    "task",
    [lambda: torch.empty(TOO_MUCH, dtype=torch.uint8), lambda: np.empty(TOO_MUCH, np.uint8), lambda: bytearray(TOO_MUCH)],
)
def test_what_libraries_say_when_memory_does_not_suffice_is_understood(task):
    with pytest.raises((MemoryError, RuntimeError)) as caught:
        task()
    assert ran_out_of_memory(caught.value)


def test_the_errors_of_graphics_cards_are_understood_and_others_are_not_taken_for_them():
    kinds = {torch.cuda.OutOfMemoryError, getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)}
    for error in [kind("CUDA out of memory. Tried to allocate 2.00 GiB") for kind in kinds]:
        assert ran_out_of_memory(error)
    assert ran_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"))
    assert ran_out_of_memory(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"))
    for error in (
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        ValueError("out of memory"),
        FileNotFoundError(2, "x"),
    ):
        assert not ran_out_of_memory(error)


def test_another_error_on_the_card_is_not_hidden(head):
    model = load_model("auto", "cpu")
    model.device = "cpu:0"
    with pytest.raises(RuntimeError, match="expected input"):
        model.predict(np.zeros((1, 3, 16, 16, 16), np.float32), np.zeros((1, model.guides, 8, 8, 8), np.float32))
    assert model.device == "cpu:0" and not model.notes


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_the_command_line_says_in_one_sentence_that_memory_does_not_suffice(tmp_path):
    random = np.random.default_rng(0).integers(0, 900, (300, 300, 300)).astype(np.int16)
    write_nifti(tmp_path / "large.nii.gz", random, np.diag([0.6, 0.6, 0.6, 1]))
    code = (
        "import resource, sys, torch, RadiomicsPersonaLib.reconstruction.twin\n"
        "from RadiomicsPersonaLib.cli import main\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (300 << 20),) * 2)\n"
        f"sys.exit(main(['analyze', {str(tmp_path / 'large.nii.gz')!r}, '--box=90,90,90,30,30,30', '--output', "
        f"{str(tmp_path / 'out')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr == (
        "radiomics-persona: There is not enough free memory for this: close other programs and try again, "
        "or give a scan with fewer voxels.\n"
    )
    assert not (tmp_path / "out").exists()


def test_the_sentence_of_too_little_memory_is_no_cover_for_other_errors(monkeypatch, tmp_path):
    def broken(path):
        raise RuntimeError("something else")

    monkeypatch.setattr("RadiomicsPersonaLib.commands.cache.read_scan", broken)
    with pytest.raises(RuntimeError, match="something else"):
        main(["analyze", str(tmp_path / "x.nii.gz"), "--box=0,0,0,9,9,9", "--output", str(tmp_path / "out")])
