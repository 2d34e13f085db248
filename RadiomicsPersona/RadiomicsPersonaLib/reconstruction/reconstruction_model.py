"""Reconstruction model: what rebuilds a hole, by name: networks with their cards and weights, and the classical fills."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..brain.preparation import PreparedScan
from ..brain.tissue import OTHER_CONTRAST, T1_WEIGHTED, UNKNOWN_CONTRAST
from ..defaults import CLASSICAL, DEFAULT_MODEL
from ..errors import InputError
from ..geometry.hole import Hole
from ..networks.card import RECONSTRUCTION_KIND, checked_weights, kind_of, model_cards, read_card
from ..networks.trained_model import numbers_of
from ..system.device import PACKAGES, missing_package, precision_on, ran_out_of_memory, ready, torch_device
from ..system.names import meant
from . import fills

# Imported in functions: torch, and unets, which needs it: a Slicer may lack it.

ANY_CONTRAST = "any"
"""What a card's `contrasts` says of a model for any contrast."""


@dataclass(frozen=True)
class ClassicalModel:
    """A fill that needs no weights."""

    name: str

    @property
    def uses_mirror(self) -> bool:
        """Whether the mirrored side is looked at."""
        return self.name == "mirror"

    def for_scan(self, prepared: PreparedScan) -> ClassicalModel:
        """This model."""
        return self

    def fill(self, prepared: PreparedScan, hole: Hole, values: np.ndarray) -> np.ndarray:
        """Rebuild `values` (the scan over the hole's region, axes I, J, K) inside the hole's mask."""
        spacing = prepared.scan.spacing
        if self.name == "mirror":
            return fills.mirrored_side(prepared.scan, hole, prepared.midplane, prepared.tissue.background, prepared.suspects)
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
        device: where it computes.
        network: the `ReconstructionUNet`, on that device.
        others: card files of models that `for_scan` may take instead.
        chosen: why `for_scan` took this one, or None where the user named it.
        notes: what the user should know about how it computed, one sentence each.
    """

    uses_mirror = True

    def __init__(self, card: dict, weights: Path, device: str, others: tuple[Path, ...] = ()):
        self.others, self.chosen, self.notes = others, None, ()
        self._loaded: dict[Path, NetworkModel] = {}
        self._on_device = threading.Lock()
        self.device = torch_device(device)
        from ..networks.unets import network_of

        self.card, self.name = card, card["name"]
        self.patch = int(card["grid"]["patch_voxels"])
        self.largest_hole = float(card["grid"]["largest_hole_voxels"])
        self.fill = card["grid"].get("fill", "biharmonic")
        self.spacings = tuple(float(s) for s in card["grid"]["spacings_mm"])
        network = network_of(card["architecture"])
        self.network = self._without_device_if_full(lambda: ready(network, weights, self.name, self.device), network)

    def for_scan(self, prepared: PreparedScan) -> NetworkModel:
        """This model, or of `others` the one that is meant for the scan's contrast."""
        if not self.others:
            return self
        contrast = prepared.tissue.contrast
        fitting = {T1_WEIGHTED: (T1_WEIGHTED, ANY_CONTRAST), OTHER_CONTRAST: (ANY_CONTRAST,)}.get(contrast, ())
        candidates = [(self.card, None), *((read_card(path), path) for path in self.others)]
        ranked = [found for wanted in fitting for found in candidates if found[0].get("contrasts") == wanted]
        card, path = (ranked or candidates)[0]
        model = self if path is None else self._loaded.get(path) or NetworkModel(card, checked_weights(card, path), self.device)
        if path is not None:
            self._loaded[path] = model
        model.chosen = {
            T1_WEIGHTED: "the scan looks T1-weighted",
            OTHER_CONTRAST: "the scan does not look T1-weighted",
            UNKNOWN_CONTRAST: "the scan's contrast could not be told",
        }[contrast]
        return model

    @property
    def guides(self) -> int:
        """Channels of the network's guide: the mirrored side and, of a `PopulationUNet`, the population."""
        return self.network.guides

    @property
    def precision(self) -> str:
        """ "bfloat16" or "float32"."""
        return precision_on(self.device)

    def predict(self, image: np.ndarray, guide: np.ndarray, window=None) -> np.ndarray:
        """Run the network on a batch: (N, 2, S, S, S) and (N, guides, S/2, S/2, S/2) to (N, S, S, S), tissue units.

        Args:
            window: first voxel and the one after the last along the patch's axes of what is wanted; None for all.
        """
        return self._computed(lambda network, *inputs: [network(*inputs, window)], image, guide)[0][:, 0]

    def features(self, image: np.ndarray) -> list[np.ndarray]:
        """What the levels of the network's encoder see in a batch (N, 2, D, H, W): (N, channels, D/2, H/2, W/2) and coarser."""
        return self._computed(lambda network, inputs: network.features(inputs), image)

    @property
    def fell_back(self) -> bool:
        """Whether this model, or one that `for_scan` took, had to leave its device for lack of memory."""
        return bool(self.notes) or any(model.notes for model in self._loaded.values())

    def _computed(self, function, *arrays: np.ndarray) -> list[np.ndarray]:
        """What a function of the network makes of a batch; all arrays float32."""
        import torch

        def compute() -> list[np.ndarray]:
            kind = torch.device(self.device).type
            with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=self.precision == "bfloat16"):
                inputs = [torch.from_numpy(a).to(self.device).contiguous(memory_format=torch.channels_last_3d) for a in arrays]
                return [numbers_of(self.name, result.float().cpu().numpy()) for result in function(self.network, *inputs)]

        return self._without_device_if_full(compute, self.network)

    def _without_device_if_full(self, compute, network):
        """The result of a computation; if the GPU's memory does not suffice, on the CPU, from now on."""
        if self.device == "cpu":
            return compute()
        with self._on_device:  # one at a time, so that nobody computes there while the network moves
            if self.device != "cpu":
                try:
                    return compute()
                except (MemoryError, RuntimeError) as error:
                    if not ran_out_of_memory(error):
                        raise
                # outside of the handler, whose traceback would keep alive what fills the card
                self._move_to_processor(network)
        return compute()

    def _move_to_processor(self, network) -> None:
        import torch

        network.to("cpu")
        torch.cuda.empty_cache()  # does nothing where there is none
        self.notes += (f"The memory of the GPU '{self.device}' did not suffice; the CPU did the rest, which takes longer.",)
        self.device = "cpu"

    def provenance(self) -> dict:
        """What identifies this model and how it computed."""
        return {
            "name": self.name,
            "kind": "network",
            "sha256": self.card["sha256"],
            "device": self.device,
            "precision": self.precision,
        } | ({"chosen_because": self.chosen} if self.chosen else {})


Model = ClassicalModel | NetworkModel


def load_model(name: str = DEFAULT_MODEL, device: str = "auto") -> Model:
    """A model by its name, the path of a card, or "auto" for the first default model, whose `for_scan` may take another.

    Raises:
        InputError: unknown name, damaged weights (SHA-256), or a device that is not there.
    """
    if name in CLASSICAL:
        if device != "auto":
            torch_device(device)
        return ClassicalModel(name)
    path, *others = card_files(name)
    card = read_card(path)
    if missing_package():
        raise InputError(
            f"The network needs {missing_package()}, which is not installed: {PACKAGES[missing_package()]}, or choose the "
            f"model harmonic, which needs none."
        )
    return NetworkModel(card, checked_weights(card, path), device, tuple(others))


def card_files(name: str) -> list[Path]:
    """The card of the trained model that a name stands for, and those of the models that its `for_scan` may take instead.

    Args:
        name: see `load_model`, no classical one.
    Raises:
        InputError: there is no such model, or it rebuilds nothing.
    """
    cards, others = model_cards(), []
    if name == DEFAULT_MODEL:
        defaults = [path for path in cards.values() if read_card(path).get("default")]
        if not defaults:
            raise InputError("No trained model is installed: choose a classical one, for example harmonic.")
        # T1-weighted scans are the most; a site's own default comes before the shipped ones
        path, *others = sorted(reversed(defaults), key=lambda file: read_card(file).get("contrasts") == ANY_CONTRAST)
    elif name in cards:
        path = cards[name]
    elif name.lower().endswith(".json") and Path(name).is_file():
        path = Path(name)
    else:
        names = ["auto", *cards, *CLASSICAL]
        raise InputError(f"There is no model '{name}'{meant(name, names)}: choose one of {', '.join(names)}.")
    card = read_card(path)
    if kind_of(card) != RECONSTRUCTION_KIND:
        raise InputError(
            f"The model '{card['name']}' rebuilds nothing, it is a {kind_of(card)} model: choose one that `models` lists."
        )
    return [path, *others]
