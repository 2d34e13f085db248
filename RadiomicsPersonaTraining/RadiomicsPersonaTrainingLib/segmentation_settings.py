"""Segmentation settings: which contrasts go in, which labels come out, where the files lie, and how samples are drawn."""

from __future__ import annotations

from dataclasses import dataclass

from .setting import setting

DICE, TVERSKY, DICE_BCE, DICE_CE = "dice", "tversky", "dice+bce", "dice+ce"
LOSSES = (DICE, TVERSKY, DICE_BCE, DICE_CE)


@dataclass(frozen=True)
class SegmentationSettings:
    """What is segmented, from what, and on which grid."""

    channels: tuple[str, ...] = setting(("t1",), "Contrasts that the network is shown, in this order.")
    images: tuple[str, ...] = setting(
        ("images/{case}",),
        "For every contrast where its files lie beneath the data folder, without .nii.gz; {case} stands for a case's name, | parts "
        "alternatives.",
    )  # fmt: skip
    truth: str = setting("labels/{case}", "Likewise for the label maps.")
    subject: str = setting(".*", "Regular expression for the part of a case's name that tells whose scan it is.")
    labels: tuple[str, ...] = setting(
        ("lesion=1",),
        'Classes with the numbers that stand for them in label maps, as in "enhancing tumour=4|3"; the first number is the one that is '
        "written. * stands for everything but 0. background=5 leaves a number out.",
    )
    codes: tuple[str, ...] = setting(
        (), "Category and type of every class for Slicer, as in \"SCT^123037004^Anatomical Structure~SCT^5366008^Hippocampus\"; empty for none."
    )
    regions: tuple[str, ...] = setting((), 'Classes taken together, which are measured too, as in "core=necrosis+enhancing tumour".')
    spacing: tuple[float, float, float] = setting(
        (1.0, 1.0, 1.0), "Millimetres of the model's grid along R, A, S; 0 keeps every scan's own.", low=0.0, high=10.0
    )
    patch: tuple[int, int, int] = setting(
        (96, 96, 96), "Voxels of a sample along R, A, S, and of the window that slides over whole scans.", low=16, high=256
    )
    foreground: float = setting(0.67, "Chance that a sample's middle lies in a class, each as likely as the other.", low=0.0, high=1.0)
    flips_at_use: bool = setting(
        False, "Whether whole scans are segmented twice, once with left and right exchanged, and both averaged. Needs twice the time."
    )


@dataclass(frozen=True)
class Augmentation:
    """How samples are changed, fresh at every draw."""

    rotation: tuple[float, float, float] = setting(
        (15.0, 15.0, 15.0), "Largest rotation about R, A, S in degrees.", low=0.0, high=180.0
    )
    scale: float = setting(0.15, "Largest relative change of size along every axis.", low=0.0, high=0.5)
    affine: float = setting(0.5, "Chance that a sample is rotated and scaled.", low=0.0, high=1.0)
    flip: tuple[float, float, float] = setting((0.5, 0.0, 0.0), "Chance of a flip along R, A, S; 0 for sides that must not be mixed up.", low=0.0, high=1.0)
    brightness: float = setting(0.2, "Largest relative change of contrast, and largest shift in standard deviations.", low=0.0, high=1.0)
    gamma: float = setting(0.3, "Chance of a bent intensity curve.", low=0.0, high=1.0)
    noise: float = setting(0.15, "Chance of noise, of at most a tenth of a standard deviation.", low=0.0, high=1.0)
    blur: float = setting(0.15, "Chance of smoothing.", low=0.0, high=1.0)
    missing: float = setting(0.0, "Chance that a contrast is left out; one always stays.", low=0.0, high=1.0)
