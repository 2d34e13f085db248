"""Model archives: what is damaged, of the wrong type or too large is refused in one sentence, and no model harms another."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import zipfile
from pathlib import Path

import pytest
from safetensors.torch import save

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import checked_weights, model_cards, read_card
from RadiomicsPersonaLib.networks.unets import network_of
from RadiomicsPersonaLib.resources import SHIPPED_MODELS
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.export.model_archive import install_archive, remove_model

ARCHITECTURE = {"class": "TissueUNet", "channels": [8, 8, 8, 8], "blocks": [1, 1, 1, 1]}


@pytest.fixture(scope="module")
def weights() -> bytes:
    """Of a small network."""
    return save(network_of(ARCHITECTURE).state_dict())


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """An empty folder of further models."""
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("RADIOMICS_PERSONA_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def card_for(weights: bytes, **changes) -> dict:
    card = {"name": "mine", "kind": "tissue", "architecture": ARCHITECTURE, "grid": {"spacing_mm": 2.0}}
    return card | {"weights": "mine.safetensors", "sha256": hashlib.sha256(weights).hexdigest()} | changes


def archive(path: Path, card: dict | bytes, weights: bytes, method=zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("card.json", card if isinstance(card, bytes) else json.dumps(card))
        file.writestr("w.safetensors", weights)
    return path


def test_a_second_model_leaves_the_first_one_whole(own, weights, tmp_path):
    other = save({key: value * 2 for key, value in network_of(ARCHITECTURE).state_dict().items()})
    for name, content in (("mine", weights), ("other", other)):
        install_archive(archive(tmp_path / "m.zip", card_for(content, name=name), content))
    assert {"mine", "other"} <= set(model_cards("tissue"))
    for name in ("mine", "other"):
        assert checked_weights(read_card(own / f"{name}.json"), own / f"{name}.json").name == f"{name}.safetensors"


def test_weights_that_are_there_are_not_replaced(own, weights, tmp_path):
    (own / "mine.safetensors").write_bytes(b"of another model")
    with pytest.raises(InputError, match="is there already and belongs to another model"):
        install_archive(archive(tmp_path / "m.zip", card_for(weights), weights))
    assert (own / "mine.safetensors").read_bytes() == b"of another model" and len(list(own.iterdir())) == 1


def test_removing_a_model_leaves_the_weights_that_another_one_names(own, weights, tmp_path):
    install_archive(archive(tmp_path / "m.zip", card_for(weights), weights))
    (own / "copy.json").write_text(json.dumps(card_for(weights, name="copy")), encoding="utf-8")
    remove_model("copy")
    assert [file.name for file in sorted(own.iterdir())] == ["mine.json", "mine.safetensors"]
    assert remove_model("mine") > len(weights) and not list(own.iterdir())


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_STORED])
def test_one_damaged_byte_anywhere_is_one_sentence(method, own, weights, tmp_path, capsys):
    whole = bytearray(archive(tmp_path / "m.zip", card_for(weights), weights, method).read_bytes())
    places = [*range(30, len(whole), len(whole) // 12), len(whole) - 10]
    for place in places:
        damaged = whole.copy()
        damaged[place] ^= 0x55
        (tmp_path / "m.zip").write_bytes(damaged)
        code = main(["models", "--install", str(tmp_path / "m.zip")])
        said = capsys.readouterr().err
        if code == 0:  # a byte that nothing depends on, such as a date's
            assert checked_weights(read_card(own / "mine.json"), own / "mine.json")
            shutil.rmtree(own)
            own.mkdir()
            continue
        assert code == 2 and said.count("\n") == 1 and not list(own.iterdir()), said


ODD = [[], 3, "x", None, True, -1, 10**30, 1e999, {"a": 1}, [[]], [-8, 8], [8] * 100, [10**9] * 4, [8.5] * 4]


@pytest.mark.parametrize("key", ["architecture", "grid", "name", "kind", "weights", "sha256", "data", "evaluation", "limits"])
def test_a_card_with_a_value_of_another_kind_is_refused(key, own, weights, tmp_path):
    fitting = {"name": ["x"], "limits": ["x"], "data": [[]], "evaluation": [{"a": 1}]}.get(key, [])
    for odd in [odd for odd in ODD if odd not in fitting]:
        with pytest.raises(InputError):
            install_archive(archive(tmp_path / "m.zip", card_for(weights) | {key: odd}, weights))
        assert not list(own.iterdir())


@pytest.mark.parametrize("key", ["class", "channels", "blocks", "inputs", "outputs"])
def test_an_architecture_of_no_network_is_refused_at_once(key, own, weights, tmp_path):
    begun = time.monotonic()
    for odd in [*ODD, [10**6] * 4, 10**6]:
        card = card_for(weights, architecture=ARCHITECTURE | {key: odd})
        with pytest.raises(InputError, match="m.zip|There is no|has no network"):
            install_archive(archive(tmp_path / "m.zip", card, weights))
    card = card_for(weights, architecture=ARCHITECTURE | {"channels": [1024] * 4, "blocks": [16] * 4})
    with pytest.raises(InputError, match="million parameters"):
        install_archive(archive(tmp_path / "m.zip", card, weights))
    assert time.monotonic() - begun < 20 and not list(own.iterdir())


@pytest.mark.parametrize(
    "name, key",
    [("healthy-t1", "grid"), ("hippocampus", "grid"), ("hippocampus", "segmentation"), ("tissue", "grid")],
)
def test_every_number_that_a_model_is_used_with_is_checked(name, key, tmp_path):
    card = json.loads((SHIPPED_MODELS / f"{name}.json").read_text(encoding="utf-8"))
    needed = set(card[key]) - {"fill", "regions"}
    for inner in needed:
        for odd in (-1, "x", None, [[]], 1e999, 10**30):
            (tmp_path / "c.json").write_text(json.dumps(card | {key: card[key] | {inner: odd}}), encoding="utf-8")
            with pytest.raises(InputError, match=f"'c.json' has an unusable {key} .{inner}."):
                read_card(tmp_path / "c.json")


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"[1]", b'{"a": 1}', b"null"])
def test_a_card_that_is_none_is_refused(content, own, weights, tmp_path):
    with pytest.raises(InputError, match="m.zip"):
        install_archive(archive(tmp_path / "m.zip", content, weights))


def test_other_json_files_among_the_models_stop_nothing(own, weights, capsys):
    for number, content in enumerate([b"{}", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"window": [1, 2]}', b"3"]):
        (own / f"settings{number}.json").write_bytes(content)
    assert main(["models"]) == 0
    (own / "mine.json").write_text("{", encoding="utf-8")
    (own / "mine.safetensors").write_bytes(weights)
    capsys.readouterr()
    assert main(["models"]) == 2 and "'mine.json' cannot be read" in capsys.readouterr().err, "a damaged model is told"


def test_a_checkpoint_or_an_archive_that_is_not_there_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.ckpt").touch()
    for words, said in (
        (["export", "no.ckpt"], "There is no checkpoint and no folder 'no.ckpt'"),
        (["predict", "no.ckpt", "s.nii.gz", "-o", "o.nii.gz"], "There is no checkpoint and no folder 'no.ckpt'"),
        (["export", "there.ckpt"], f"'{tmp_path}' is no training run"),
        (["models", "--install", "no.zip"], "The model archive 'no.zip' is not there"),
        (["models", "--install", "."], "The model archive '.' is a folder"),
    ):
        assert main(words) == 2
        assert said in capsys.readouterr().err
