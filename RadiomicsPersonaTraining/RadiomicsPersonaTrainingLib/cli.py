"""Command line `radiomics-persona-train`: its commands by name."""

from __future__ import annotations

from RadiomicsPersonaLib.commands.registry import Command, Registry
from RadiomicsPersonaLib.defaults import RESEARCH_USE

_NOTHING = "nothing was written"
_GOES_ON = "what was finished is kept, and the same call goes on from there"
_RESUMES = "what was finished is kept, and --resume goes on from there"


def _here(name: str, help: str, after_cancel: str = _NOTHING) -> Command:
    return Command(f"RadiomicsPersonaTrainingLib.commands.{name}", help, after_cancel)


TRAINING = Registry(
    "radiomics-persona-train",
    f"Train, measure and export models of healthy tissue. {RESEARCH_USE}",
    {
        "Train on your own scans": {
            "split": _here("split", "part scans by subject into training, validation and test"),
            "init": _here("init", "write a settings file in which every key is explained"),
            "fit": _here("fit", "train a model as a settings file says", _RESUMES),
            "predict": _here(
                "predict",
                "rebuild a masked region, segment, or map tissues or lesions with a run's checkpoint, before it is exported",
            ),
            "evaluate": _here(
                "evaluate", "measure how well models rebuild healthy tissue, segment, or find tissues and lesions", _GOES_ON
            ),
            "export": _here("export", "turn a checkpoint into weights with a model card"),
            "models": _here("models", "list the models that are installed, install one, or put one into a file"),
            "pack": _here("pack", "put settings and scans into one file for a machine with a GPU"),
        },
        "The verdict, and lesions painted for training": {
            "calibrate": _here("calibrate", "fit the verdict's classifier on boxes whose truth is known", _GOES_ON),
            "synthesize": _here("synthesize", "paint lesions into healthy scans, with their masks"),
        },
        "Research on the program itself, for its developers": {
            "evaluate-verdict": _here(
                "evaluate_verdict", "measure what the verdict is worth, on patients and healthy people", _GOES_ON
            ),
            "evaluate-scan": _here(
                "evaluate_scan", "make the norms of the search over whole heads, and measure what it lists", _GOES_ON
            ),
            "compare": _here(
                "compare", "fit variations of one training on the same steps, and measure them in the same holes", _GOES_ON
            ),
            "evaluate-masks": _here("evaluate_masks", "measure how far drawn lesion masks are from real ones"),
            "experiment": _here(
                "experiment", "measure what painted lesions are worth to a network that segments real ones", _GOES_ON
            ),
        },
    },
    extra="training",
)
"""The commands of `radiomics-persona-train`."""


def main(words: list[str] | None = None) -> int:
    """Run one command; see `Registry.main`."""
    return TRAINING.main(words)
