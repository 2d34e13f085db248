"""The networks: what one image gets, and how; and that the number of threads changes nothing."""

from __future__ import annotations

import pytest
import torch

from RadiomicsPersonaLib.networks.unets import (
    Convolution,
    FoldedUNet,
    LesionUNet,
    PlainUNet,
    PopulationUNet,
    ReconstructionUNet,
)

FEW_VOXELS = (1, 16, 12, 16, 12)
"""So few that PyTorch would leave oneDNN aside for a single image."""


@pytest.fixture
def convolution() -> Convolution:
    torch.manual_seed(0)
    return Convolution(16, 16, 3, padding=1).eval()


def operations(function) -> set[str]:
    """Names of PyTorch's operations that a function's call takes."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        function()
    return {event.key for event in profile.key_averages()}


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="This PyTorch has no oneDNN.")
def test_one_small_image_is_left_to_onednn_as_several_are(convolution):
    image = torch.randn(FEW_VOXELS)
    with torch.inference_mode():
        taken = operations(lambda: convolution(image))
        alone, among_others = convolution(image), convolution(torch.cat([image, torch.randn(FEW_VOXELS)]))
        usual = torch.nn.functional.conv3d(image, convolution.weight, convolution.bias, padding=1)
    assert "aten::mkldnn_convolution" in taken and not any("slow_conv3d" in name for name in taken)
    assert torch.equal(alone, among_others[:1])
    assert torch.allclose(alone, usual, atol=1e-5)


def test_it_learns_as_any_other(convolution):
    convolution(torch.randn(FEW_VOXELS)).square().mean().backward()
    assert convolution.weight.grad.abs().sum() > 0


def test_the_precision_that_is_asked_for_is_kept(convolution):
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert convolution(torch.randn(FEW_VOXELS)).dtype == torch.bfloat16


def test_a_network_says_of_an_image_alone_what_it_says_of_it_among_others():
    torch.manual_seed(0)
    shown = [torch.randn(2, 2, 32, 32, 32), torch.randn(2, 2, 16, 16, 16)]
    rebuilding, segmenting = ReconstructionUNet((8, 16, 16, 16), (1, 1, 1, 1)).eval(), PlainUNet(2, 3, (8, 16), (1, 1)).eval()
    with torch.inference_mode():
        for network, images in ((rebuilding, shown), (segmenting, shown[:1])):
            together = network(*images)
            assert torch.allclose(network(*(part[:1] for part in images)), together[:1], atol=1e-5)


def test_a_window_of_a_patch_is_what_the_whole_patch_would_be_there():
    torch.manual_seed(1)
    network = ReconstructionUNet((8, 16, 16, 16), (1, 2, 1, 2)).eval()
    shown = torch.randn(2, 2, 64, 64, 64), torch.randn(2, 2, 32, 32, 32)
    with torch.inference_mode():
        whole = network(*shown)
        for window in (((20, 41), (17, 45), (30, 34)), ((0, 12), (50, 64), (3, 61)), ((0, 64),) * 3):
            inside = (..., *(slice(*ends) for ends in window))
            assert torch.equal(network(*shown, window)[inside], whole[inside])


def test_a_network_of_a_single_level_has_nothing_to_go_down_to():
    with torch.inference_mode():
        assert FoldedUNet(1, 2, (16,), (1,)).eval()(torch.zeros(1, 1, 16, 16, 16)).shape == (1, 2, 16, 16, 16)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_one_thread_and_two_give_the_same_digits(kind):
    torch.manual_seed(2)
    network = LesionUNet((16, 16, 16, 16), (1, 1, 1, 1)).eval().to(memory_format=torch.channels_last_3d)
    image = (10 * torch.randn(1, 1, 64, 64, 64)).contiguous(memory_format=torch.channels_last_3d)
    found, threads = [], torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
                found.append(network(image))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*found)


def test_a_network_that_is_shown_the_population_begins_as_the_one_that_is_not():
    torch.manual_seed(3)
    sizes = (8, 16, 16, 16), (1, 1, 1, 1)
    before, after = ReconstructionUNet(*sizes).eval(), PopulationUNet(*sizes).eval()
    after.take(before.state_dict())
    image, guide = torch.randn(1, 2, 32, 32, 32), torch.randn(1, 4, 16, 16, 16)
    with torch.inference_mode():
        assert torch.allclose(before(image, guide[:, :2]), after(image, guide), atol=1e-5)
        after.mirror_stem.weight[:, 2:] = 1
        assert not torch.allclose(before(image, guide[:, :2]), after(image, guide), atol=1e-2)
