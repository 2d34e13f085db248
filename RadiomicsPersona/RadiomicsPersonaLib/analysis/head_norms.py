"""Head norms: what the lesion model says of healthy people's heads, place by place, how far their most striking places
stand out, and how many lesions the search was measured to find.

All of it is measured by `radiomics-persona-train evaluate-scan`, which writes the two files.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..brain.average_brain import SHAPE
from ..brain.tissue import OTHER_CONTRAST, T1_WEIGHTED
from ..errors import InputError
from ..resources import SHIPPED_HEAD_SEARCH
from ..system.json_text import parsed
from ..system.stored_arrays import INSTALL, arrays_of

ATLAS, NORMS = "head-atlas.npz", "head-search.json"
"""Files as `evaluate-scan` writes them."""
FALSE_PER_HEAD = 1.0
"""Places as striking in a healthy head, on average, above which a place is not listed."""
LEVEL = 0.05
"""p up to which a place is told to stand out from healthy heads."""
STEP = 1 / 16
"""Of log odds as the atlas is stored."""


@dataclass(frozen=True, eq=False)
class HeadAtlas:
    """What is usual in healthy heads, on the grid of `average_brain`.

    Attributes:
        middle, spread: mean and standard deviation of the smoothed log odds of lesion, float32 (S, 46, 55, 46), a map for
            every smoothing of `head_search.SMOOTHINGS`.
        usual: the largest excess of a healthy head, on average, for every smoothing, (S,); scores are told in multiples of it.
    """

    middle: np.ndarray
    spread: np.ndarray
    usual: np.ndarray

    def save(self, path: Path) -> None:
        """Write the file, in steps of `STEP`."""
        steps = {
            name: np.clip(np.rint(values / STEP), -128, 127).astype(np.int8)
            for name, values in (("middle", self.middle), ("spread", self.spread))
        }
        with open(path, "wb") as stream:
            np.savez_compressed(stream, usual=self.usual, **steps)

    @classmethod
    def load(cls, path: Path | None = None) -> HeadAtlas:
        """The shipped atlas, or that of a file.

        Raises:
            InputError: the file is missing or damaged.
        """
        shapes = {"middle": ("i", (None, *SHAPE)), "spread": ("i", (None, *SHAPE)), "usual": ("f", (None,))}
        stored = arrays_of(path or SHIPPED_HEAD_SEARCH / ATLAS, shapes, INSTALL)
        return cls(*(STEP * stored[name].astype(np.float32) for name in ("middle", "spread")), stored["usual"])


@dataclass(frozen=True)
class HeadNorms:
    """What the search finds in healthy people's heads of one contrast.

    Attributes:
        heads: the scores of every head's places, the largest first.
    """

    heads: tuple[tuple[float, ...], ...]

    def p(self, score: float) -> float:
        """(1 + heads with a place at least as striking) / (1 + heads): corrected for the search over the head, as by the
        maximum statistic of Nichols and Holmes 2002.

        >>> HeadNorms(((3.0, 2.5), (1.0,), ())).p(2.0)
        0.5
        """
        return (1 + len(self._largest) - bisect_left(self._largest, score)) / (1 + len(self.heads))

    def false_per_head(self, score: float) -> float:
        """Places at least as striking in a healthy head, on average.

        >>> HeadNorms(((3.0, 2.5), (1.0,), ())).false_per_head(0.5)
        1.0
        """
        return (len(self._all) - bisect_left(self._all, score)) / len(self.heads)

    @cached_property
    def _largest(self) -> list[float]:
        return sorted(head[0] for head in self.heads if head)

    @cached_property
    def _all(self) -> list[float]:
        return sorted(score for head in self.heads for score in head)


@dataclass(frozen=True)
class SearchRates:
    """What the search finds in one group of people that nothing was chosen on.

    Attributes:
        group: source and contrast.
        about: the people in words.
        scans: how many were searched.
        lesions: marked lesions in all of them; 0 for healthy people.
        found: lesions in which a listed place lies, `first` those in which the first of the list does, and `called` those in
            which one with p <= `LEVEL` does.
        false: listed places that lie in no lesion, and `false_called` those of them with p <= `LEVEL`.
    """

    group: str
    about: str
    scans: int
    lesions: int
    found: int
    first: int
    called: int
    false: int
    false_called: int

    @property
    def in_words(self) -> str:
        """One sentence.

        >>> SearchRates("IXI", "healthy adults", 20, 0, 0, 0, 0, 30, 2).in_words
        'IXI, healthy adults: 1.5 places a head were listed in 20 scans, all of them false.'
        """
        each = f"{self.false / self.scans:.1f}"
        if not self.lesions:
            return f"{self.group}, {self.about}: {each} places a head were listed in {self.scans} scans, all of them false."
        return (
            f"{self.group}, {self.about}: {self.found} of {self.lesions} were listed, {self.first} of them first, with {each} "
            f"false places a head ({self.scans} scans)."
        )


@dataclass(frozen=True)
class Measured:
    """The file of norms.

    Attributes:
        lesion_model: SHA-256 of the lesion model that all of it holds for.
        norms: by contrast, `tissue.T1_WEIGHTED` and `tissue.OTHER_CONTRAST`.
        rates: group by group.
        origin: what is needed to make the numbers again, as texts by name.
    """

    lesion_model: str
    norms: dict[str, HeadNorms]
    rates: tuple[SearchRates, ...]
    origin: dict[str, str]

    def norms_for(self, contrast: str) -> HeadNorms:
        """Those of a scan's contrast; of scans that are not T1-weighted for any other one."""
        return self.norms[T1_WEIGHTED if contrast == T1_WEIGHTED else OTHER_CONTRAST]

    @property
    def in_words(self) -> str:
        """What is listed of lesions and in healthy people, one sentence over all groups."""
        listed = []
        for about in dict.fromkeys(rates.about for rates in self.rates if rates.lesions):
            same = [rates for rates in self.rates if rates.about == about]
            listed.append(f"{sum(rates.found for rates in same)} of {sum(rates.lesions for rates in same)} {about}")
        healthy = [rates for rates in self.rates if not rates.lesions]
        each = sum(rates.false for rates in healthy) / max(sum(rates.scans for rates in healthy), 1)
        found = f"Measured: listed were {', '.join(listed)} (each contrast counts)" if listed else "Measured"
        return f"{found}; healthy people had {each:.1f} places a head, all of them false."

    @classmethod
    def load(cls, path: Path | None = None) -> Measured:
        """The shipped file, or another one.

        Raises:
            InputError: the file is missing or damaged.
        """
        path = path or SHIPPED_HEAD_SEARCH / NORMS
        try:
            content = parsed(path.read_text(encoding="utf-8"))
            norms = {
                contrast: HeadNorms(tuple(tuple(float(word) for word in head.split()) for head in content["norms"][contrast]))
                for contrast in (T1_WEIGHTED, OTHER_CONTRAST)
            }
            if not all(norm.heads for norm in norms.values()):
                raise ValueError("no heads")
            rates = tuple(SearchRates(**record) for record in content["measured"])
            return cls(str(content["lesion_model"]), norms, rates, dict(content["origin"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"'{path.name}' cannot be read ({error!r}): install the program again.") from error

    def text(self) -> str:
        """What `load` reads."""
        norms = {name: [_line(head) for head in norm.heads] for name, norm in self.norms.items()}
        content = {
            "lesion_model": self.lesion_model,
            "origin": self.origin,
            "measured": [asdict(rates) for rates in self.rates],
            "norms": norms,
        }
        return json.dumps(content, indent=1) + "\n"


def _line(scores: Sequence[float]) -> str:
    return " ".join(f"{score:.3f}" for score in scores)
