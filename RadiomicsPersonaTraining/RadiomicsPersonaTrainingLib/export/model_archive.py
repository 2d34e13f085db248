"""Model archive: a model as one file, weights and card in a zip, and the user's own folder of models."""

from __future__ import annotations

import json
import lzma
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from RadiomicsPersonaLib.defaults import CLASSICAL, DEFAULT_MODEL
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import (
    MASK_KIND,
    RECONSTRUCTION_KIND,
    card_of,
    checked_weights,
    kind_of,
    own_models,
    read_card,
)
from RadiomicsPersonaLib.resources import SHIPPED_MODELS
from RadiomicsPersonaLib.system.device import ready, require_torch
from RadiomicsPersonaLib.system.output import file_written_whole, folder_written_whole

from ..lesion_masks.kinds import RESOURCES
from ..runs.state import EVALUATION
from ..settings.sections import KINDS

# Imported in functions: all that loads networks or exports a run (unets, reconstruction_model, safetensors, export,
# model_card), for Slicer's own process reads this room.

LARGEST_BYTES = 200_000_000
"""Of a member when it is unpacked; shipped models have 5 to 10 MB."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True)
class InstalledModel:
    """A model that the analysis can take.

    Attributes:
        name, kind, file: its name, what it does, and its card.
        own: whether it lies in the user's own folder; the others come with the program.
        card: what the card holds; empty where it cannot be read.
        problem: why it cannot be used, a sentence, or "".
    """

    name: str
    kind: str
    file: Path
    own: bool
    card: dict
    problem: str


def installed_models() -> list[InstalledModel]:
    """Every model, shipped ones first, with its checksum checked."""
    found = []
    for folder in (SHIPPED_MODELS, RESOURCES, own_models()):
        for file in sorted(folder.glob("*.json")):
            card, kind, problem = {}, "", ""
            try:
                card = read_card(file)
                kind = kind_of(card)
                checked_weights(card, file)
            except InputError as error:
                problem = str(error)
            found.append(InstalledModel(file.stem, kind, file, folder == own_models(), card, problem))
    return found


def write_archive(card_file: Path, target: Path) -> None:
    """Put a model into one file, for another machine.

    Raises:
        InputError: the model is damaged, or the file cannot be written.
    """
    card = read_card(card_file)
    weights = checked_weights(card, card_file)
    with file_written_whole(target, alone=True) as path, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(card_file, f"{card['name']}.json")
        archive.write(weights, weights.name)


def install_archive(file: Path) -> Path:
    """Take a model from a file into the user's own folder, after everything about it was checked.

    Only a card (JSON) and weights (safetensors) are taken, which cannot run code.

    Returns:
        The card's path.
    Raises:
        InputError: the file is no model archive, holds anything else, its checksum or network is wrong, or its name is taken.
    """
    if not file.is_file():
        what = "is a folder: name the .zip file of a model" if file.is_dir() else "is not there: check the path"
        raise InputError(f"The model archive '{file}' {what}.")
    try:
        with zipfile.ZipFile(file) as archive:
            members = [entry for entry in archive.infolist() if not entry.is_dir()]
            names = sorted(entry.filename for entry in members)
            strange = [
                name
                for name in names
                if PurePosixPath(name).name != name or PurePosixPath(name).suffix not in (".json", ".safetensors")
            ]
            if strange or sorted(PurePosixPath(name).suffix for name in names) != [".json", ".safetensors"]:
                what = f"'{strange[0]}'" if strange else f"{len(names)} files"
                raise InputError(
                    f"'{file.name}' holds {what}: a model archive holds one card (.json) and its weights (.safetensors), "
                    "nothing else."
                )
            if max(entry.file_size for entry in members) > LARGEST_BYTES:
                raise InputError(
                    f"'{file.name}' unpacks to more than {LARGEST_BYTES // 10**6} MB, which no model has: export it again."
                )
            content = {PurePosixPath(name).suffix: archive.read(name) for name in names}
    except (OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(f"'{file.name}' is no model archive, or a damaged one ({error}): export the model again.") from error
    card = card_of(content[".json"], file.name)
    name, weights = card["name"], card["weights"]
    refuse_name(name)
    if not _NAME.fullmatch(weights) or not weights.endswith(".safetensors"):
        raise InputError(f"The card in '{file.name}' names the weights '{weights}': export the model again.")
    # called after the model, for another one may have brought weights of the same name
    card["weights"] = f"{name}.safetensors"
    with folder_written_whole(own_models()) as folder:
        (folder / card["weights"]).write_bytes(content[".safetensors"])
        text = json.dumps(card, indent=1) + "\n" if card["weights"] != weights else content[".json"].decode("utf-8-sig")
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
        refuse_unless_usable(folder / f"{name}.json")
    return own_models() / f"{name}.json"


def refuse_no_file_name(name: str) -> None:
    """Raise an InputError where a model's name is no name for a file in a folder."""
    if not _NAME.fullmatch(name):
        raise InputError(f"A model cannot be called '{name}': use up to 80 letters, digits, '-', '_' and '.'.")


def refuse_name(name: str) -> None:
    """Raise where a model of the user's own cannot have this name.

    Raises:
        InputError: it is no name for a file, or taken.
    """
    refuse_no_file_name(name)
    if name in (DEFAULT_MODEL, *CLASSICAL) or any((folder / f"{name}.json").exists() for folder in (SHIPPED_MODELS, RESOURCES)):
        raise InputError(f"'{name}' is the name of a model of the program: give the model another name.")
    if (own_models() / f"{name}.json").exists():
        raise InputError(f"A model '{name}' is already installed: remove it first, or give this one another name.")
    if (own_models() / f"{name}.safetensors").exists():
        raise InputError(
            f"'{own_models() / name}.safetensors' is there already and belongs to another model: give this one another name, "
            "or delete the file."
        )


def refuse_unless_usable(card_file: Path) -> None:
    """Load a model once, so that a damaged one is found now and not during an analysis.

    Raises:
        InputError: its checksum is wrong, or its network is not of this version.
    """
    from RadiomicsPersonaLib.networks.unets import network_of
    from RadiomicsPersonaLib.reconstruction.reconstruction_model import NetworkModel

    card = read_card(card_file)
    kind, weights = kind_of(card), checked_weights(card, card_file)
    require_torch()
    from safetensors import SafetensorError

    if kind not in KINDS:
        raise InputError(
            f"The model '{card['name']}' is of the kind '{kind}', which this version does not know: update the program."
        )
    try:
        if kind == RECONSTRUCTION_KIND:
            NetworkModel(card, weights, "cpu")
        else:
            ready(network_of(card["architecture"]), weights, card["name"], "cpu")
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise InputError(f"The model '{card['name']}' does not hold what its card says ({error}): export it again.") from error


def remove_model(name: str) -> int:
    """Delete a model from the user's own folder; returns the bytes that this freed.

    Raises:
        InputError: there is none of that name there, or it cannot be deleted.
    """
    file = own_models() / f"{name}.json"
    if not _NAME.fullmatch(name) or not file.is_file():
        raise InputError(f"There is no model '{name}' of your own: choose one in '{own_models()}'.")
    weights = _files_of(file)[1]
    # a card may name the weights of another model, which stay
    shared = any(weights in _files_of(other) for other in own_models().glob("*.json") if other != file)
    found = [path for path in ([file] if shared else [file, weights]) if path.is_file()]
    size = sum(path.stat().st_size for path in found)
    try:
        for path in found:
            path.unlink()
    except OSError as error:
        raise InputError(f"'{error.filename}' cannot be deleted ({error.strerror}): close the programs that use it.") from error
    return size


def _files_of(card_file: Path) -> tuple[Path, Path]:
    """Card and weights of a model; a damaged card's weights have its name."""
    try:
        return card_file, card_file.with_name(Path(read_card(card_file)["weights"]).name)
    except InputError:
        return card_file, card_file.with_suffix(".safetensors")


def install_run(run: Path, name: str) -> Path:
    """Export a run's best checkpoint into the user's own folder of models, where the analysis finds it.

    The figures of its evaluation go into the card.

    Returns:
        The card's path.
    Raises:
        InputError: the name is taken, or see `export.export_model`.
    """
    from .export import export_model
    from .model_card import evaluation_in, write_card

    refuse_name(name)
    card_file = export_model(run, own_models() / name)
    figures = run / EVALUATION / "evaluation.json"
    if figures.is_file() and evaluation_in(figures)["model"].get("sha256") == read_card(card_file)["sha256"]:
        write_card(card_file, figures)
    return card_file


def taken_by_itself(kind: str) -> bool:
    """Whether the analysis takes an installed model of this kind by itself; one that rebuilds is chosen by the user, and one
    that draws masks is none of its business.
    """
    return kind not in (RECONSTRUCTION_KIND, MASK_KIND)
