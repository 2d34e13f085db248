"""Target: one kind of input, how it is drawn, and what a right answer to it is; and how whole files are damaged."""

from __future__ import annotations

import copy
import json
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from RadiomicsPersonaLib.errors import InputError

REFUSED = "refused in one sentence"


@dataclass(frozen=True)
class Target:
    """One kind of input.

    Attributes:
        name: as the log calls it.
        examples: gives the strategy that draws inputs.
        check: gives an input's answer in a few words; raises where it is wrong.
        weight: how many examples of it are tried in a round.
    """

    name: str
    examples: Callable[[], st.SearchStrategy]
    check: Callable[[object], str]
    weight: int = 100

    def run(self, count: int, number: int) -> Counter:
        """Try so many examples, drawn from a seed; gives the answers with how often each came.

        Raises:
            BaseException: what was wrong, for the smallest example that shows it.
        """
        answers: Counter = Counter()

        @seed(number)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink),
            verbosity=Verbosity.normal,
            suppress_health_check=list(HealthCheck),
        )
        @given(self.examples())
        def once(example):
            answers[self.check(example)] += 1

        once()
        return answers


def refusal(error: InputError, name: str = "") -> str:
    """The answer that a refusal is: one sentence that names the file.

    Raises:
        AssertionError: it is not.
    """
    said = str(error)
    assert said.strip() and "\n" not in said and len(said) < 1500, f"no sentence: {said!r}"
    assert name in said, f"'{name}' is not named: {said!r}"
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in said), f"cannot be printed: {said!r}"
    return REFUSED


@st.composite
def damaged(draw, whole: bytes, first: int = 0, last: int | None = None) -> bytes:
    """Bytes with one to four damages: bits and bytes changed, pieces taken out, doubled or put in, the end cut off."""
    content = bytearray(whole)
    last = len(content) if last is None else last
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(first, max(first, min(last, len(content)) - 1)))
        kind = draw(st.sampled_from(["bit", "byte", "bytes", "out", "in", "twice", "end"]))
        length = draw(st.sampled_from([1, 2, 4, 8, 40]))
        if kind == "bit":
            content[place : place + 1] = bytes([content[place] ^ 1 << draw(st.integers(0, 7))]) if place < len(content) else b""
        elif kind == "byte":
            content[place : place + 1] = bytes([draw(st.sampled_from([0, 1, 10, 32, 34, 44, 48, 127, 128, 255]))])
        elif kind == "bytes":
            content[place : place + length] = draw(st.binary(min_size=length, max_size=length))
        elif kind == "out":
            del content[place : place + length]
        elif kind == "in":
            content[place:place] = draw(st.binary(min_size=1, max_size=length))
        elif kind == "twice":
            content[place:place] = content[place : place + length]
        else:
            del content[place:]
    return bytes(content)


STRANGE = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    10**30,
    0.5,
    -1e-30,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "NaN",
    "LPS",
    "../../x",
    "\ud800",
    "x" * 3000,
    [],
    [[]],
    [0, 0, 0],
    [1, 1],
    ["a", "b", "c"],
    {},
    {"": None},
    [{}],
)
"""What stands in JSON where it is not expected."""


def places_in(value, place: tuple = ()) -> list[tuple]:
    """Every place of a nested value; of a long list, its first three and its last."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = [(index, value[index]) for index in sorted({*range(min(3, len(value))), len(value) - 1}) if index >= 0]
    else:
        items = []
    return [found for key, inner in items for found in [(*place, key), *places_in(inner, (*place, key))]]


@st.composite
def changed(draw, document: dict) -> object:
    """A JSON document with one to three values replaced, left out or doubled."""
    document = copy.deepcopy(document)
    places = places_in(document)
    for _ in range(draw(st.integers(1, 3))):
        *way, key = draw(st.sampled_from(places))
        holder = document
        try:
            for step in way:
                holder = holder[step]
            holder[key]
        except (KeyError, IndexError, TypeError):  # an earlier change has taken it away
            continue
        if not isinstance(holder, (dict, list)):  # or has put a text there, whose letters cannot be changed
            continue
        kind = draw(st.sampled_from(["strange", "strange", "near", "out", "twice"]))
        if kind == "out":
            del holder[key]
        elif kind == "twice" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif kind == "near" and isinstance(holder[key], (int, float)) and not isinstance(holder[key], bool):
            holder[key] *= draw(st.sampled_from([-1, 0, 1.0000001, 1e6, 1e-6, 1e200]))
        elif kind == "near" and isinstance(holder[key], str):
            holder[key] += draw(st.text(max_size=3))
        else:
            holder[key] = copy.deepcopy(draw(st.sampled_from(STRANGE)))
    return document


def json_or_damaged(document: dict) -> st.SearchStrategy:
    """A JSON file: with values changed, or with bytes damaged."""
    whole = json.dumps(document, indent=1).encode()
    return st.one_of(changed(document).map(lambda value: json.dumps(value).encode()), damaged(whole))
