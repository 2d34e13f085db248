"""A short part of `make fuzz`: a few damaged inputs of every kind that takes no second; see Testing/fuzz."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis")
from fuzz import images, models, texts
from fuzz.target import REFUSED

FEW = {
    "NIfTI headers": 60,
    "NIfTI headers, bytes": 30,
    "NRRD headers": 30,
    "MetaImage headers": 30,
    "one wrong bit in a compressed scan": 60,
    "compressed scans, bytes": 30,
    "DICOM series, bytes": 6,
    "markups": 60,
    "tables": 60,
    "model cards": 60,
    "model archives": 8,
    "classifiers": 30,
}
"""Examples of each; of the others a single one takes seconds."""


@pytest.mark.parametrize(
    "target", [t for room in (images, texts, models) for t in room.TARGETS if t.name in FEW], ids=lambda t: t.name
)
def test_whatever_is_damaged_the_answer_is_right_or_a_refusal(target):
    answers = target.run(FEW[target.name], 20)
    assert answers.total() >= FEW[target.name] // 2 and answers[REFUSED], answers
