"""Beside a verdict stands how often such boxes are right, and only of the classifier that was evaluated."""

from __future__ import annotations

import json
import math

import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.analysis import error_rates
from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.analysis.classifier import load_classifier
from RadiomicsPersonaLib.analysis.error_rates import ErrorRates
from RadiomicsPersonaLib.analysis.verdict import Decision
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model

pytestmark = pytest.mark.usefixtures("small_models")

CLASSES = [
    ErrorRates("T1w", 0.0, 6.0, (2, 40), (9, 12), (5, 24)),
    ErrorRates("T1w", 110.0, math.inf, (0, 30), (0, 0), (7, 10)),
    ErrorRates("other", 0.0, 6.0, (0, 0), (3, 4), (0, 0)),
]
FINE = Box([34, -10, 14], [16, 18, 16])
"""4.6 ml."""


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder with the rates of the shipped classifier."""
    monkeypatch.setattr(error_rates, "SHIPPED_CLASSIFIERS", tmp_path)
    (tmp_path / error_rates.FILE).write_text(error_rates.written(load_classifier().sha256, CLASSES))
    return tmp_path


def test_the_class_of_a_box_is_found_by_contrast_and_size(shipped):
    own = load_classifier().sha256
    assert error_rates.error_rates_of(own, "T1w", 5.9) == CLASSES[0]
    assert error_rates.error_rates_of(own, "T1w", 900.0) == CLASSES[1]
    assert error_rates.error_rates_of(own, "other", 0.5) == CLASSES[2]
    for classifier, contrast, milliliters in ((own, "T1w", 20.0), (own, "unknown", 5.0), ("another", "T1w", 5.0)):
        assert error_rates.error_rates_of(classifier, contrast, milliliters) is None


def test_what_was_not_counted_is_not_told():
    assert CLASSES[0].in_words == (
        "Of boxes like this one (T1-weighted, 0 to 6 ml) the evaluation called 2 of 40 healthy ones, 9 of 12 drawn tightly "
        "around lesions and 5 of 24 drawn loosely or off."
    )
    assert CLASSES[1].in_words.endswith(
        "more than 110 ml) the evaluation called 0 of 30 healthy ones and 7 of 10 drawn loosely or off."
    )
    assert CLASSES[2].in_words.endswith("called 3 of 4 drawn tightly around lesions.")


def test_a_verdict_by_p_tells_them_and_another_decision_does_not(shipped):
    head, model = make_head(2.0), load_model("harmonic")
    [result] = analyze(head, [FINE], model, controls=0).boxes
    assert result.error_rates == CLASSES[0].in_words
    [result] = analyze(head, [FINE], model, controls=0, decision=Decision("deviation", 3.0)).boxes
    assert result.error_rates == ""


@pytest.mark.parametrize("text", ["{", "{}", json.dumps({"classifier": "a", "classes": [{"contrast": "T1w"}]})])
def test_a_damaged_file_is_refused_in_one_sentence(shipped, text):
    (shipped / error_rates.FILE).write_text(text)
    with pytest.raises(InputError, match="install the program again"):
        error_rates.error_rates_of(load_classifier().sha256, "T1w", 5.0)
