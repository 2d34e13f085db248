"""Model choice: the models and classifiers that can be chosen here, what is known of them, and whether they can be used."""

from __future__ import annotations

from slicer.i18n import tr as _

from RadiomicsPersonaLib.analysis.classifier import DEFAULT, classifier_files, load_classifier
from RadiomicsPersonaLib.defaults import CLASSICAL, DEFAULT_MODEL
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import model_cards, read_card, text_of_card


def choices() -> list:
    """Names and one-line descriptions of the models, the automatic choice first.

    Raises:
        InputError: a model card is damaged.
    """
    cards = [read_card(path) for path in model_cards().values()]
    return [
        (DEFAULT_MODEL, _("automatic")),
        *((card["name"], _("{name}: {text}").format(name=card["name"], text=card.get("description", ""))) for card in cards),
        *((name, _("{name}: {text}, no weights").format(name=name, text=text)) for name, text in CLASSICAL.items()),
    ]


def card_text(model: str) -> str:
    """What is known of a model, as text for a reader.

    Raises:
        InputError: the model's card is damaged, or there is no such model.
    """
    if model in CLASSICAL:
        return _(
            "{name}\n\nFills the box by: {text}. It needs neither weights nor PyTorch, and knows nothing of anatomy."
        ).format(name=model, text=CLASSICAL[model])
    cards = {name: read_card(path) for name, path in model_cards().items()}
    chosen = [card for name, card in cards.items() if name == model or (model == DEFAULT_MODEL and card.get("default"))]
    if not chosen:
        raise InputError(_("There is no model '{name}' here: choose another one.").format(name=model))
    parts = [text_of_card(card) for card in chosen]
    if model == DEFAULT_MODEL:
        parts.insert(0, _("Automatic: of the models below, the one that is meant for the scan's contrast."))
    return "\n\n".join(parts)


def classifier_choices() -> list:
    """Names and one-line descriptions of the classifiers, the program's first; one that cannot be used is said to be so."""
    return [(name, _described(name)) for name in classifier_files()]


def _described(name: str) -> str:
    if name == DEFAULT:
        return _("{name}: comes with the program").format(name=name)
    try:
        about = load_classifier(name).about
    except InputError:
        return _("{name} (cannot be used)").format(name=name)
    measured = about.get("cross_validation", {})
    if {"subjects", "auroc_mean_over_subjects"} <= set(measured):
        return _("{name}: your own, {subjects} subjects, AUROC {auroc:.2f}").format(
            name=name, subjects=measured["subjects"], auroc=measured["auroc_mean_over_subjects"]
        )
    return _("{name}: your own").format(name=name)
