"""Files of arrays that come with the program are whole, or they are refused in one sentence."""

from __future__ import annotations

import numpy as np
import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.analysis.head_norms import ATLAS, HeadAtlas
from RadiomicsPersonaLib.brain import average_brain, population
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.resources import SHIPPED_HEAD_SEARCH
from RadiomicsPersonaLib.system.stored_arrays import read_arrays

READERS = {
    "population": (population, population.averages, population.FILE),
    "average": (average_brain, average_brain.average_brain, average_brain.FILE),
    "atlas": (None, HeadAtlas.load, SHIPPED_HEAD_SEARCH / ATLAS),
}
DAMAGES = {
    "empty": lambda content: b"",
    "cut off": lambda content: content[:-300],
    "no archive": lambda content: b"404 not found" * 100,
    "one wrong bit in the middle": lambda content: _flipped(content, len(content) // 2),
    "another compression": lambda content: _flipped(content, content.rindex(b"PK\1\2") + 10),
    "encrypted": lambda content: _flipped(content, content.rindex(b"PK\1\2") + 8),
}


def _flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_refused(tmp_path, monkeypatch, name, damage):
    module, read, file = READERS[name]
    path = tmp_path / file.name
    path.write_bytes(DAMAGES[damage](file.read_bytes()))
    with pytest.raises(InputError, match=f"^'{file.name}' cannot be read .*: install the program again.$"):
        if module is None:
            read(path)
        else:
            monkeypatch.setattr(module, "FILE", path)
            read.__wrapped__()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"averages": np.zeros((4, 2, 2, 2), np.uint8)}, "is uint8 of"),
        ({"averages": np.zeros((4, *population.SHAPE), np.float32)}, "is float32 of"),
        ({"other": np.zeros(3)}, "damaged, KeyError"),
    ],
)
def test_arrays_of_another_kind_or_shape_are_refused(tmp_path, monkeypatch, arrays, said):
    np.savez(tmp_path / "population.npz", **arrays)
    monkeypatch.setattr(population, "FILE", tmp_path / "population.npz")
    with pytest.raises(InputError, match=said):
        population.averages.__wrapped__()


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", usual=np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match="'usual' is not finite"):
        read_arrays(tmp_path / "a.npz", {"usual": ("f", (None,))})


def test_a_command_says_it_in_one_sentence(tmp_path, monkeypatch, capfd, small_models):
    (tmp_path / "population.npz").write_bytes(population.FILE.read_bytes()[:-300])
    monkeypatch.setattr(population, "FILE", tmp_path / "population.npz")
    monkeypatch.setattr(population, "averages", population.averages.__wrapped__)
    head = make_head(4.0)
    write_nifti(tmp_path / "head.nii.gz", head.array, head.affine)
    words = ["analyze", str(tmp_path / "head.nii.gz"), "--box=30,0,20,24,24,24", "--controls", "2"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 2
    said = capfd.readouterr().err
    assert "'population.npz' cannot be read" in said and said.count("\n") == 1 and not (tmp_path / "out").exists()
