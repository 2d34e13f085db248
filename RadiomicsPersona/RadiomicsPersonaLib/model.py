"""Model: what rebuilds a hole, by name: networks with their cards and weights, and the classical fills."""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import fills
from .errors import InputError
from .hole import Hole
from .preparation import PreparedScan
from .scan import sha256_of

_HERE = Path(__file__).resolve().parent
# beside the library in a checkout and in Slicer, inside it when installed as a wheel
SHIPPED = next((folder for folder in (_HERE.parent / "Resources" / "Models", _HERE / "Models") if folder.is_dir()), _HERE)
FOLDER_VARIABLE = "RADIOMICS_PERSONA_MODELS"
"""Environment variable with a folder of further models."""
DEFAULT_MODEL = "auto"

CLASSICAL = {
    "rim-mean": "the mean of the voxels that touch the hole",
    "harmonic": "Laplace equation with the rim as boundary",
    "biharmonic": "biharmonic equation, continuing values and slopes of the rim",
    "mirror": "the mirrored side of the same scan",
}


@dataclass(frozen=True)
class ClassicalModel:
    """A fill that needs no weights."""

    name: str

    @property
    def uses_mirror(self) -> bool:
        """Whether the mirrored side is looked at."""
        return self.name == "mirror"

    def fill(self, prepared: PreparedScan, hole: Hole, values: np.ndarray) -> np.ndarray:
        """Rebuild `values` (the scan over the hole's region, axes I, J, K) inside the hole's mask."""
        spacing = prepared.scan.spacing
        if self.name == "mirror":
            return fills.mirrored_side(
                prepared.scan, hole, prepared.midplane, prepared.tissue.background, prepared.suspects
            )
        function = {"rim-mean": fills.rim_mean, "harmonic": fills.harmonic, "biharmonic": fills.biharmonic}[self.name]
        return function(values, hole.mask, spacing)

    def provenance(self) -> dict:
        """What identifies this model."""
        return {"name": self.name, "kind": "classical", "sha256": None}


class NetworkModel:
    """A network with checked weights, ready to rebuild on one device.

    Attributes:
        name, card: the model's name and its card.
        patch: patch voxels along every axis.
        largest_hole: patch voxels that a hole may take along an axis.
        spacings: grids it was trained on, millimetres, finest first.
        fill: what it is shown in the hole; see `network_input.with_fill`.
        device, precision: where and how it computes.
        network: the `ReconstructionUNet`, on that device.
    """

    uses_mirror = True

    def __init__(self, card: dict, weights: Path, device: str):
        self.device = _torch_device(device)
        import torch
        from safetensors.torch import load_file

        from .network import ReconstructionUNet

        self.card, self.name = card, card["name"]
        self.patch = int(card["grid"]["patch_voxels"])
        self.largest_hole = float(card["grid"]["largest_hole_voxels"])
        self.fill = card["grid"].get("fill", "biharmonic")
        self.spacings = tuple(float(s) for s in card["grid"]["spacings_mm"])
        self.precision = "bfloat16" if computes_in_bfloat16(self.device) else "float32"
        architecture = card["architecture"]
        network = ReconstructionUNet(tuple(architecture["channels"]), tuple(architecture["blocks"]))
        try:
            network.load_state_dict({key: value.float() for key, value in load_file(str(weights)).items()})
        except RuntimeError as error:
            raise InputError(f"The model '{self.name}' was made for another version of this program: install both anew.") from error
        self.network = network.to(self.device).to(memory_format=torch.channels_last_3d).eval()

    def predict(self, image: np.ndarray, mirror: np.ndarray) -> np.ndarray:
        """Run the network on a batch: (N, 2, S, S, S) and (N, 2, S/2, S/2, S/2) to (N, S, S, S), tissue units."""
        import torch

        with torch.inference_mode(), torch.autocast(
            self.device, torch.bfloat16, enabled=self.precision == "bfloat16"
        ):
            tensors = [
                torch.from_numpy(a).to(self.device).contiguous(memory_format=torch.channels_last_3d) for a in (image, mirror)
            ]
            return self.network(*tensors)[:, 0].float().cpu().numpy()

    def provenance(self) -> dict:
        """What identifies this model and how it computed."""
        return {
            "name": self.name,
            "kind": "network",
            "sha256": self.card["sha256"],
            "device": self.device,
            "precision": self.precision,
        }


Model = ClassicalModel | NetworkModel


def model_cards() -> dict[str, Path]:
    """Names and card files of the shipped models and of those in the folder named by RADIOMICS_PERSONA_MODELS."""
    folders = [SHIPPED] + ([Path(os.environ[FOLDER_VARIABLE])] if os.environ.get(FOLDER_VARIABLE) else [])
    cards = {}
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            cards[path.stem] = path
    return cards


def read_card(path: Path) -> dict:
    """The card of a model.

    Raises:
        InputError: the card is damaged or lacks what is needed.
    """
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        missing = {"name", "architecture", "grid", "weights", "sha256"} - set(card)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"The model card '{path.name}' cannot be read ({error}): install the model again.") from error
    if missing:
        raise InputError(f"The model card '{path.name}' lacks {', '.join(sorted(missing))}: install the model again.")
    return card


def load_model(name: str = DEFAULT_MODEL, device: str = "auto") -> Model:
    """A model by its name, "auto" for the shipped default, or the path of a card.

    Raises:
        InputError: unknown name, damaged weights (SHA-256), or a device that is not there.
    """
    if name in CLASSICAL:
        if device != "auto":
            _torch_device(device)
        return ClassicalModel(name)
    cards = model_cards()
    if name == DEFAULT_MODEL:
        defaults = [path for path in cards.values() if read_card(path).get("default")]
        if not defaults:
            raise InputError("No trained model is installed: choose a classical one, for example --model harmonic.")
        path = defaults[-1]
    elif name in cards:
        path = cards[name]
    elif name.endswith(".json") and Path(name).is_file():
        path = Path(name)
    else:
        raise InputError(f"There is no model '{name}': choose one of {', '.join(['auto', *cards, *CLASSICAL])}.")
    card = read_card(path)
    weights = path.with_name(Path(card["weights"]).name)
    if not weights.is_file():
        raise InputError(f"The weights '{weights.name}' of model '{card['name']}' are missing: install the model again.")
    if sha256_of(weights) != card["sha256"]:
        raise InputError(f"The weights of model '{card['name']}' are damaged (their SHA-256 differs from the card's): install the model again.")
    return NetworkModel(card, weights, device)


def computes_in_bfloat16(device: str) -> bool:
    """Whether a device ("cpu", "cuda", "mps") computes in bfloat16; a processor without it would emulate it slowly."""
    import torch

    return device == "cuda" or (device == "cpu" and getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


def _torch_device(device: str) -> str:
    if device not in ("auto", "cpu", "cuda", "mps"):
        raise InputError(f"There is no device '{device}': choose auto, cpu, cuda or mps.")
    _require_torch()
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return "cuda" if available["cuda"] else "cpu"
    if not available[device]:
        raise InputError(f"The device '{device}' is not available on this machine: choose auto or cpu.")
    return device


def _require_torch() -> None:
    for package, remedy in (
        ("torch", "install PyTorch (in Slicer: the PyTorch extension)"),
        ("safetensors", "install the Python package safetensors"),
    ):
        if importlib.util.find_spec(package) is None:
            raise InputError(f"The network needs {package}, which is not installed: {remedy}, or choose --model harmonic.")
