"""Head search measured: what is usual in healthy heads, and how many lesions a search of whole heads lists.

The atlas and the norms are made from healthy people of the training, seen in T1 and as they might look in FLAIR; everybody is
held against an atlas of the others. The rates are measured in people that nothing was chosen on.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.analysis.head_norms import LEVEL, HeadAtlas, HeadNorms, Measured, SearchRates
from RadiomicsPersonaLib.analysis.head_search import SMOOTHINGS, SearchedHead, excess_of, head_of, peaks_of, ranked
from RadiomicsPersonaLib.brain.average_brain import AFFINE, SHAPE, SPACING
from RadiomicsPersonaLib.brain.preparation import PreparedScan, prepare
from RadiomicsPersonaLib.brain.recognition import why_no_brain
from RadiomicsPersonaLib.brain.tissue import OTHER_CONTRAST, T1_WEIGHTED
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import digest_of, name_of, read_label_map, read_scan
from RadiomicsPersonaLib.imaging.grid import Grid
from RadiomicsPersonaLib.system.output import file_written_whole
from RadiomicsPersonaLib.system.stored_arrays import arrays_of

from ..data.held_out import HeldOutScan
from ..synthesis.tissue_contrast import as_contrast
from .lesion_detection import pieces

BLUR = 6.0
"""Standard deviation, millimetres, over which healthy people are taken together: no two heads lie quite alike."""
LEAST_WEIGHT = 0.3
"""Share of the people's number whose brain must be at a place of the atlas; elsewhere the nearest such place stands."""
REACH = 4.0
"""Millimetres from a lesion within which a place still lies in it."""
SEVERAL = ("MS",)
"""Sources in which every piece of a mask is a lesion; in others all of it is one."""
LIKENESS = "FLAIR"
"""The contrast that healthy T1 scans are turned into for the norms of scans that are not T1-weighted."""

Progress = Callable[[int, int, str], None]


_KEPT = {
    "odds": ("f", (len(SMOOTHINGS), None, None, None)),
    "brain": ("b", (None, None, None)),
    "affine": ("f", (4, 4)),
    "ras_from_mni": ("f", (4, 4)),
    "lesions": ("i", (None, None, None)),
    "names": ("U", (3,)),
}


@dataclass(frozen=True, eq=False)
class KnownHead:
    """A searched head whose lesions are known.

    Attributes:
        group, subject: as in `HeldOutScan`; of a healthy person of the training the contrast is the group.
        contrast: what the scan was taken for.
        head: what is searched.
        lesions: int16 on the head's grid: 0, or the number of a lesion.
    """

    group: str
    subject: str
    contrast: str
    head: SearchedHead
    lesions: np.ndarray

    def save(self, path: Path) -> None:
        """Write it as `load` reads it."""
        head = self.head
        with file_written_whole(path) as staging, open(staging, "wb") as stream:
            np.savez_compressed(
                stream,
                odds=head.odds.astype(np.float16),
                brain=head.brain,
                affine=head.grid.affine,
                ras_from_mni=head.ras_from_mni,
                lesions=self.lesions,
                names=np.array([self.group, self.subject, self.contrast]),
            )

    @classmethod
    def load(cls, path: Path) -> KnownHead:
        """As `save` wrote it.

        Raises:
            InputError: it is damaged.
        """
        stored = arrays_of(path, _KEPT, f"delete '{path}' and call the same command again")
        odds, brain = stored["odds"].astype(np.float32), stored["brain"]
        head = SearchedHead(odds, brain, Grid(brain.shape, stored["affine"]), stored["ras_from_mni"])
        return cls(*stored["names"].tolist(), head, stored["lesions"])


def training_heads(files: list[Path], folder: Path, progress: Progress) -> list[KnownHead]:
    """Healthy people in T1 and as in `LIKENESS`.

    Args:
        files: a scan of each.
        folder: where heads are kept, so that a run that was cut off goes on.
    """
    heads = []
    for number, file in enumerate(files):
        subject = f"{file.parent.name}_{name_of(file)}"
        progress(number, len(files), f"norms: {subject}")
        told = f"{subject}-{digest_of([file])}"  # an exchanged scan is looked at anew
        names = {contrast: folder / f"norms-{contrast}-{told}.npz" for contrast in (T1_WEIGHTED, OTHER_CONTRAST)}
        if not all(name.is_file() for name in names.values()):
            scan = prepare(read_scan(file))
            rng = np.random.default_rng(zlib.crc32(subject.encode()))
            for contrast, name in names.items():
                like = scan if contrast == T1_WEIGHTED else prepare(as_contrast(scan.scan, scan.tissue, LIKENESS, rng))
                _known(contrast, subject, like, None).save(name)
        heads += [KnownHead.load(name) for name in names.values()]
    return heads


def held_out_heads(scans: list[HeldOutScan], folder: Path, progress: Progress) -> list[KnownHead]:
    """Patients and healthy people that nothing was fitted on; the first of every group comes before the second of any.

    Args:
        scans: as `verdict_scans` gives them.
        folder: as in `training_heads`.
    """
    groups: dict[str, int] = {}
    order = []
    for scan in scans:
        groups[scan.group] = groups.get(scan.group, 0) + 1
        order.append(groups[scan.group])
    heads = []
    for number, index in enumerate(np.argsort(order, kind="stable")):
        held_out = scans[index]
        progress(number, len(scans), f"{held_out.group} {held_out.subject}")
        name = folder / f"{held_out.group.replace(' ', '-')}-{held_out.subject}-{digest_of(held_out.files)}.npz"
        if not name.is_file():
            _known(held_out.group, held_out.subject, prepare(held_out.read()), held_out.lesion).save(name)
        heads.append(KnownHead.load(name))
    return heads


def _known(group: str, subject: str, prepared: PreparedScan, mask: Path | None) -> KnownHead:
    reason = why_no_brain(prepared)
    if reason or prepared.evidence is None:
        raise InputError(f"'{subject}' cannot be searched: {reason or 'a head model is not installed'}.")
    head = head_of(prepared)
    lesions = np.zeros(head.brain.shape, np.int16)
    if mask is not None:
        truth = read_label_map(mask)
        to = truth.grid.inverse @ head.grid.affine
        several = group.split(" ")[0] in SEVERAL
        marked, count = pieces(truth.array > 0, truth.grid.ml_of(1))
        for number in range(1, count + 1):
            share = ndimage.affine_transform(
                (marked == number).astype(np.float32), to[:3, :3], to[:3, 3], lesions.shape, order=1, mode="grid-constant"
            )
            lesions[share >= min(0.5, 0.9 * share.max())] = number if several else 1
    return KnownHead(group, subject, prepared.tissue.contrast, head, lesions)


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over people on the grid of `average_brain`: their number, their log odds, and the squares of these."""

    weight: np.ndarray
    first: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, head: SearchedHead) -> _Sums:
        to = head.grid.inverse @ head.ras_from_mni @ AFFINE

        def moved(values: np.ndarray) -> np.ndarray:
            return ndimage.affine_transform(values.astype(np.float32), to[:3, :3], to[:3, 3], SHAPE, order=1)

        weight = (moved(head.brain) > 0.99).astype(np.float64)
        odds = np.stack([weight * moved(values) for values in head.odds])
        return cls(weight, odds, odds**2)

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(self.weight + other.weight, self.first + other.first, self.second + other.second)

    def __sub__(self, other: _Sums) -> _Sums:
        return _Sums(self.weight - other.weight, self.first - other.first, self.second - other.second)

    def atlas(self, usual: np.ndarray) -> HeadAtlas:
        """Mean and standard deviation of people and places within `BLUR`."""

        def spread_out(values: np.ndarray) -> np.ndarray:
            return ndimage.gaussian_filter(values, BLUR / SPACING)

        weight = spread_out(self.weight)
        mean, square = (
            np.stack([spread_out(v) for v in sums]) / np.maximum(weight, 1e-3) for sums in (self.first, self.second)
        )
        known = weight > LEAST_WEIGHT * self.weight.max()
        nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
        where = (slice(None), *nearest)
        spread = np.sqrt(np.maximum(square - mean**2, 0))
        return HeadAtlas(mean[where].astype(np.float32), spread[where].astype(np.float32), usual)


def norms_of(heads: list[KnownHead], progress: Progress) -> tuple[HeadAtlas, dict[str, HeadNorms]]:
    """The atlas of healthy heads, and what a search finds in each of them by the atlas of the others.

    Raises:
        InputError: there are not two people.
    """
    people = list(dict.fromkeys(known.subject for known in heads))
    if len(people) < 2:
        raise InputError("Norms need at least two healthy people: give a data folder with more.")
    own = {}
    for known in heads:
        sums = _Sums.of(known.head)
        own[known.subject] = own[known.subject] + sums if known.subject in own else sums
    total = own[people[0]]
    for subject in people[1:]:
        total = total + own[subject]
    none = np.ones(len(SMOOTHINGS))
    others = {subject: (total - own[subject]).atlas(none) for subject in people}
    largest = []
    for number, known in enumerate(heads):
        progress(number, 2 * len(heads), "norms: how far heads stand out")
        usual = others[known.subject]
        largest.append(excess_of(known.head, usual.middle, usual.spread)[:, known.head.brain].max(axis=1))
    usual, found = np.mean(largest, axis=0), {T1_WEIGHTED: [], OTHER_CONTRAST: []}
    for number, known in enumerate(heads):
        progress(len(heads) + number, 2 * len(heads), "norms: what a search lists")
        atlas = others[known.subject]
        peaks = peaks_of(known.head, HeadAtlas(atlas.middle, atlas.spread, usual))
        found[known.group].append(tuple(peak.score for peak in peaks))
    return total.atlas(usual), {contrast: HeadNorms(tuple(scores)) for contrast, scores in found.items()}


def rates_of(heads: list[KnownHead], atlas: HeadAtlas, measured: Measured, about: dict[str, str]) -> list[SearchRates]:
    """What is listed in every group.

    Args:
        about: of a group's source, or a group, in words.
    """
    rates = []
    for group in dict.fromkeys(known.group for known in heads):
        members = [known for known in heads if known.group == group]
        counts = np.sum([_counted(known, atlas, measured) for known in members], axis=0)
        told = about.get(group) or about[group.split(" ")[0]]
        rates.append(SearchRates(group, told, len(members), *map(int, counts)))
    return rates


def _counted(known: KnownHead, atlas: HeadAtlas, measured: Measured) -> tuple[int, ...]:
    """Lesions; those found, found first, called; false places, and false places that are called."""
    places = ranked(peaks_of(known.head, atlas), measured.norms_for(known.contrast))
    hits = [lesions_at(known, place.point) for place in places]
    called = [place.p <= LEVEL for place in places]
    found = set().union(*hits)
    return (
        len(np.unique(known.lesions)) - 1,
        len(found),
        len(hits[0]) if hits else 0,
        len(set().union(*(hit for hit, call in zip(hits, called) if call))),
        sum(not hit for hit in hits),
        sum(call and not hit for hit, call in zip(hits, called)),
    )


def lesions_at(known: KnownHead, point: tuple[float, float, float]) -> set[int]:
    """The number of the lesion that lies nearest within `REACH` of a RAS point, as a set; empty where there is none."""
    marked = np.argwhere(known.lesions)
    if not len(marked):
        return set()
    distance = np.linalg.norm(known.head.grid.ras_from_ijk(marked) - np.array(point), axis=1)
    nearest = int(distance.argmin())
    return {int(known.lesions[tuple(marked[nearest])])} if distance[nearest] <= REACH else set()
