"""Everything that ships with a model or the classifier was made with just these weights: figures, error rates, norms, pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from RadiomicsPersonaLib.analysis.classifier import load_classifier
from RadiomicsPersonaLib.analysis.error_rates import read_error_rates
from RadiomicsPersonaLib.analysis.head_norms import Measured
from RadiomicsPersonaLib.networks.card import read_card
from RadiomicsPersonaLib.resources import SHIPPED_CLASSIFIERS, SHIPPED_MODELS

REBUILDS, HEADS = "healthy-t1", ("tissue", "lesion")


def card_of(name: str) -> dict:
    return read_card(SHIPPED_MODELS / f"{name}.json")


@pytest.mark.parametrize("name", sorted(path.stem for path in Path(SHIPPED_MODELS).glob("*.json")))
def test_a_card_holds_figures_of_its_own_weights(name):
    card = card_of(name)
    assert card["evaluation"]["model"]["sha256"] == card["sha256"]


def test_the_classifier_was_fitted_with_the_models_that_ship():
    about = load_classifier().about
    assert about["model"]["sha256"] == card_of(REBUILDS)["sha256"]
    assert about["head_models"] == {name: card_of(name)["sha256"] for name in HEADS}


def test_the_error_rates_and_the_page_are_those_of_the_classifier_that_ships(checkout):
    """Else reports would say nothing of how often boxes like theirs are right."""
    classifier = load_classifier()
    assert read_error_rates(SHIPPED_CLASSIFIERS / "error-rates.json")[0] == classifier.sha256
    origin = json.loads((checkout / "Resources" / "verdict-evaluation.json").read_text(encoding="utf-8"))["origin"]
    assert classifier.sha256 in origin["Classifier"] and card_of(REBUILDS)["sha256"] in origin["Model"]
    page = (checkout / "Resources" / "verdict-evaluation.html").read_text(encoding="utf-8")
    assert classifier.sha256 in page


def test_the_norms_of_the_search_are_of_the_lesion_model_that_ships():
    assert Measured.load().lesion_model == card_of("lesion")["sha256"]
