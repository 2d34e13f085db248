"""What a process keeps of a scan for its next box, and what is kept for the next process where the user wants it."""

from __future__ import annotations

import os
import resource
from dataclasses import replace

import numpy as np
import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.commands.cache import Cache
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.networks.head_model import LesionModel, TissueModel
from RadiomicsPersonaLib.system import kept_arrays
from RadiomicsPersonaLib.system.device import in_precision

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A scan as the cache keeps it, and its preparations for two boxes."""
    head = make_head(4.0)
    path = tmp_path_factory.mktemp("cache") / "head.nii.gz"
    write_nifti(path, head.array, head.affine)
    cache = Cache()
    scan, _ = cache.scan(path)
    holes = [hole_of_box(scan, Box([x, 0.0, 20.0], [24.0, 24.0, 24.0])) for x in (30.0, -30.0)]
    first = cache.prepare(scan, [holes[0]])
    assert first.maps.tissue and first.maps.lesion
    return scan, holes, first, cache.prepare(scan, [holes[1]])


def test_the_second_box_of_a_scan_finds_the_whole_head_judged_already_with_the_same_numbers(two, nothing_remembered):
    scan, holes, first, second = two
    assert second is not first and second.maps is first.maps
    fresh = prepare(scan, [holes[1]]).maps
    for kept, anew in ((second.maps.tissue, fresh.tissue), (second.maps.lesion, fresh.lesion)):
        np.testing.assert_array_equal(kept.values, anew.values)
        np.testing.assert_array_equal(kept.affine, anew.affine)


def test_a_scan_that_was_prepared_without_a_box_lends_its_maps_and_the_twin_stays_blind(tmp_path, nothing_remembered):
    head = make_head(4.0)
    write_nifti(tmp_path / "head.nii.gz", np.rint(head.array).astype(np.int16), head.affine)  # as scanners write it
    cache = Cache()
    scan, _ = cache.scan(tmp_path / "head.nii.gz")
    hole = hole_of_box(scan, Box([30.0, 0.0, 20.0], [24.0, 24.0, 24.0]))
    ahead, fresh = cache.prepare(scan), prepare(scan, [hole])
    for kept, anew in ((ahead.maps.tissue, fresh.maps.tissue), (ahead.maps.lesion, fresh.maps.lesion)):
        np.testing.assert_array_equal(kept.values, anew.values)
    blind = cache.prepared(scan, [hole])
    assert blind.suspects is not None and blind.maps is ahead.maps
    np.testing.assert_array_equal(blind.tissue.values, fresh.tissue.values)


def test_what_was_computed_in_another_precision_is_not_taken_for_it(tmp_path, nothing_remembered):
    head = make_head(6.0)
    write_nifti(tmp_path / "head.nii.gz", np.rint(head.array).astype(np.int16), head.affine)
    cache = Cache()
    scan, _ = cache.scan(tmp_path / "head.nii.gz")
    hole = hole_of_box(scan, Box([30.0, 0.0, 20.0], [24.0, 24.0, 24.0]))
    found = {}
    for precision in ("fp32", "bf16", "fp32"):
        with in_precision(precision):
            found.setdefault(precision, []).append((cache.prepare(scan), cache.prepare(scan, [hole])))
            assert cache.prepared(scan, [hole]) is found[precision][-1][1]
    (first, again), [other] = found["fp32"], found["bf16"]
    assert first[0] is again[0] and first[1] is again[1] and other[0] is not first[0] and other[1] is not first[1]
    assert other[0].maps is not first[0].maps


def test_where_another_background_was_found_the_head_is_judged_anew(two):
    _, _, first, second = two
    other = replace(second, tissue=replace(second.tissue, background=second.tissue.background + 1))
    other.take_maps_of(first)
    assert "maps" not in vars(other)


@pytest.fixture
def model(monkeypatch, tmp_path):
    """A head model that counts how often it computes; what it says is kept in the folder `kept`."""
    monkeypatch.setenv("RADIOMICS_PERSONA_CACHE", str(tmp_path / "kept"))
    model, computed = TissueModel.installed(), []
    monkeypatch.setattr(model, "_probabilities", lambda shown: computed.append(1) or np.stack([shown] * 4))
    return model, computed


def test_what_a_network_said_of_a_head_is_kept_where_the_user_says_and_given_again(model, tmp_path, monkeypatch):
    model, computed = model
    heads = np.random.default_rng(0).random((2, 16, 16, 16)).astype(np.float32)
    first, second = (model.probabilities(head) for head in heads)
    assert len(computed) == 2 and not np.array_equal(first, second)
    assert np.array_equal(model.probabilities(heads[0]), first) and np.array_equal(model.probabilities(heads[1]), second)
    assert len(computed) == 2 and len(list((tmp_path / "kept").iterdir())) == 2
    monkeypatch.delenv("RADIOMICS_PERSONA_CACHE")
    model.probabilities(heads[0])
    assert len(computed) == 3, "without the variable something was kept"


def test_another_networks_answer_is_not_taken_for_this_ones(model):
    model, computed = model
    head = np.random.default_rng(0).random((16, 16, 16)).astype(np.float32)
    model.probabilities(head)
    other = LesionModel.installed()
    assert other.probabilities(head).shape[0] == 1 and len(computed) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(file.read_bytes()[:-900]),
        lambda file: _flip(file, 2000),
        lambda file: _flip(file, file.read_bytes().rindex(b"PK\1\2") + 10),  # how it is compressed
        lambda file: _flip(file, file.read_bytes().rindex(b"PK\1\2") + 8),  # whether it is encrypted
        lambda file: file.write_bytes(b""),
        lambda file: np.save(file.open("wb"), np.zeros(3)),
        lambda file: np.savez(file.open("wb"), other=np.zeros(3)),
        lambda file: np.savez(file.open("wb"), answer=np.array(["a"])),
    ],
)
def test_a_damaged_file_is_computed_anew(model, tmp_path, damage):
    model, computed = model
    head = np.random.default_rng(0).random((16, 16, 16)).astype(np.float32)
    first = model.probabilities(head)
    (file,) = (tmp_path / "kept").iterdir()
    damage(file)
    assert np.array_equal(model.probabilities(head), first) and len(computed) == 2
    assert np.array_equal(model.probabilities(head), first) and len(computed) == 2


def _flip(file, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 255
    file.write_bytes(content)


def test_the_folder_keeps_to_its_size_and_loses_what_nobody_asked_for_longest(model, tmp_path, monkeypatch):
    model, computed = model
    heads = np.random.default_rng(0).random((4, 16, 16, 16)).astype(np.float32)
    monkeypatch.setattr(kept_arrays, "MOST_BYTES", 3 * 4 * 16**3 * 4 + 3000)
    for head in heads[:3]:
        model.probabilities(head)
        for file in (tmp_path / "kept").iterdir():
            os.utime(file, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns - 10**9))
    model.probabilities(heads[0])  # asked for again, so the second is the oldest
    model.probabilities(heads[3])
    assert len(computed) == 4 and len(list((tmp_path / "kept").iterdir())) == 3
    for head in heads[[0, 2, 3]]:
        model.probabilities(head)
    assert len(computed) == 4
    model.probabilities(heads[1])
    assert len(computed) == 5


def test_a_folder_that_cannot_be_written_is_one_sentence(model, tmp_path):
    (tmp_path / "kept").write_text("a file")
    with pytest.raises(InputError, match="kept.*cannot be written"):
        model[0].probabilities(np.ones((16, 16, 16), np.float32))


def test_a_full_disk_costs_the_kept_answer_and_nothing_else(model, tmp_path, monkeypatch):
    """It only saves time: no scan may be refused, or left out of a training, for it."""
    model, computed = model
    head = np.random.default_rng(0).random((16, 16, 16)).astype(np.float32)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.setenv("RADIOMICS_PERSONA_CACHE", str(tmp_path / "kept"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))  # as on a full disk
    try:
        with pytest.warns(RuntimeWarning, match="Nothing is kept in"):
            said = model.probabilities(head)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert computed and not list((tmp_path / "kept").iterdir())
    assert np.array_equal(model.probabilities(head), said)
