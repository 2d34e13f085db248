"""Evaluation contrasts: how a network does on T2, FLAIR and T1 post beside T1, in the same holes of the same subjects."""

from __future__ import annotations

from dataclasses import dataclass

from .evaluation import NETWORK
from .evaluation_holes import CUBOIDS, LESIONS
from .evaluation_rows import Score
from .evaluation_summary import ALL_CUBOIDS, DRAWS, Estimate, estimate_of, ratio_draws

CONTRASTS = ("T1", "T1 post", "T2", "FLAIR")
"""Contrasts that a group's name may end in; the first is what the others are held against."""
CONTRAST_GOAL = 1.15
"""In another contrast the ratio to the best fill is to be at most this multiple of the one in T1."""


@dataclass(frozen=True)
class ContrastLine:
    """One contrast of one source beside its T1.

    Attributes:
        source, contrast, stratum: "MS", "T2", "all cuboids".
        subjects: how many have both contrasts.
        ratio: the network's squared error over the best fill's.
        over_t1: that ratio over the one in T1; every bootstrap draw takes the same subjects of both.
    """

    source: str
    contrast: str
    stratum: str
    subjects: int
    ratio: Estimate
    over_t1: Estimate

    @property
    def reached(self) -> bool:
        """Whether `over_t1` is at most `CONTRAST_GOAL`."""
        return self.over_t1.value <= CONTRAST_GOAL


def source_and_contrast(group: str) -> tuple[str, str] | None:
    """The parts of a group's name, or None for a group of a single contrast: "MS T1 post" gives "MS" and "T1 post"."""
    for contrast in CONTRASTS:
        if group.endswith(f" {contrast}"):
            return group.removesuffix(f" {contrast}"), contrast
    return None


def contrast_lines(scores: list[Score], seed: int = 0, draws: int = DRAWS) -> list[ContrastLine]:
    """A line per source, contrast and kind of hole, for sources with T1 and at least one more contrast."""
    lines = []
    parts = {group: source_and_contrast(group) for group in dict.fromkeys(row.group for row in scores)}
    for group, named in parts.items():
        if named is None or named[1] == CONTRASTS[0]:
            continue
        source, contrast = named
        for stratum, members in ((ALL_CUBOIDS, tuple(CUBOIDS)), (LESIONS, (LESIONS,))):
            rows = [row for row in scores if row.group == group and row.stratum in members]
            plain = [row for row in scores if row.group == f"{source} {CONTRASTS[0]}" and row.stratum in members]
            shared = {row.hole[1:] for row in rows} & {row.hole[1:] for row in plain}
            rows, plain = ([row for row in part if row.hole[1:] in shared] for part in (rows, plain))
            if not any(row.rebuilder == NETWORK for row in rows):
                continue
            value, drawn = ratio_draws(rows, NETWORK, seed, draws)
            value_t1, drawn_t1 = ratio_draws(plain, NETWORK, seed, draws)
            subjects = len({row.subject for row in rows})
            over = estimate_of(value / value_t1, drawn / drawn_t1, subjects)
            lines.append(ContrastLine(source, contrast, stratum, subjects, estimate_of(value, drawn, subjects), over))
    return lines
