"""Sample sections: the keys that say how samples are drawn: holes, heads, lesion masks,
and segmentation cases with where their files lie.
"""

from __future__ import annotations

from dataclasses import dataclass

from RadiomicsPersonaLib.defaults import HOLE_FILLS

from .key import setting

DICE, TVERSKY, DICE_BCE, DICE_CE = "dice", "tversky", "dice+bce", "dice+ce"
LOSSES = (DICE, TVERSKY, DICE_BCE, DICE_CE)


@dataclass(frozen=True)
class SegmentationSettings:
    """What is segmented, from what, and on which grid."""

    channels: tuple[str, ...] = setting(("t1",), "Contrasts that the network is shown, in this order.")
    images: tuple[str, ...] = setting(
        ("images/{case}",),
        "For every contrast where its files lie beneath the data folder, without .nii.gz; {case} stands for a case's name, | "
        "parts alternatives.",
    )
    truth: str = setting("labels/{case}", "Likewise for the label maps.")
    subject: str = setting(".*", "Regular expression for the part of a case's name that tells whose scan it is.")
    labels: tuple[str, ...] = setting(
        ("lesion=1",),
        'Classes with the numbers that stand for them in label maps, as in "enhancing tumour=4|3"; the first number is the '
        "one that is written. * stands for everything but 0. background=5 leaves a number out.",
    )
    codes: tuple[str, ...] = setting(
        (),
        'Category and type of every class for Slicer, as in "SCT^123037004^Anatomical Structure~SCT^5366008^Hippocampus"; '
        "empty for none.",
    )
    regions: tuple[str, ...] = setting(
        (), 'Classes taken together, which are measured too, as in "core=necrosis+enhancing tumour".'
    )
    spacing: tuple[float, float, float] = setting(
        (1.0, 1.0, 1.0), "Millimetres of the model's grid along R, A, S; 0 keeps every scan's own.", low=0.0, high=10.0
    )
    patch: tuple[int, int, int] = setting(
        (96, 96, 96), "Voxels of a sample along R, A, S, and of the window that slides over whole scans.", low=16, high=256
    )
    foreground: float = setting(
        0.67, "Chance that a sample's middle lies in a class, each as likely as the other.", low=0.0, high=1.0
    )
    flips_at_use: bool = setting(
        False,
        "Whether whole scans are segmented twice, once with left and right exchanged, and both averaged. Needs twice the time.",
    )


@dataclass(frozen=True)
class Augmentation:
    """How samples are changed, fresh at every draw."""

    rotation: tuple[float, float, float] = setting(
        (15.0, 15.0, 15.0), "Largest rotation about R, A, S in degrees.", low=0.0, high=180.0
    )
    scale: float = setting(0.15, "Largest relative change of size along every axis.", low=0.0, high=0.5)
    affine: float = setting(0.5, "Chance that a sample is rotated and scaled.", low=0.0, high=1.0)
    flip: tuple[float, float, float] = setting(
        (0.5, 0.0, 0.0), "Chance of a flip along R, A, S; 0 for sides that must not be mixed up.", low=0.0, high=1.0
    )
    brightness: float = setting(
        0.2, "Largest relative change of contrast, and largest shift in standard deviations.", low=0.0, high=1.0
    )
    gamma: float = setting(0.3, "Chance of a bent intensity curve.", low=0.0, high=1.0)
    noise: float = setting(0.15, "Chance of noise, of at most a tenth of a standard deviation.", low=0.0, high=1.0)
    blur: float = setting(0.15, "Chance of smoothing.", low=0.0, high=1.0)
    missing: float = setting(0.0, "Chance that a contrast is left out; one always stays.", low=0.0, high=1.0)


def channels_of(kinds: tuple[str, ...], with_tissue: bool) -> int:
    """How many `conditions` gives."""
    return 2 + 2 * with_tissue + len(kinds)


UNET, UNET_TISSUE, GAN = "unet", "unet-tissue", "gan"
TRAINED = (UNET, UNET_TISSUE, GAN)
"""The generators that are trained."""


@dataclass(frozen=True)
class MaskRecipe:
    """How networks that draw lesion masks are trained."""

    generator: str = setting(
        UNET_TISSUE,
        "unet draws from the image and noise step by step (flow matching), unet-tissue is shown grey and white matter too, "
        "gan draws from the image and noise at once and is judged by a discriminator that sees the masked image.",
        choices=TRAINED,
    )
    patch: int = setting(32, "Patch voxels along every axis; a multiple of 8.", low=24, high=96)
    kinds: tuple[str, ...] = setting(
        ("stroke", "ms"), "Kinds of lesions: subfolders of lesion_masks, in MNI space; drawn equally often."
    )
    steps: int = setting(12, "Steps in which unet and unet-tissue draw a mask.", low=1, high=200)
    pictures: float = setting(
        0.3,
        "Chance that the network is shown a picture of the tissues, as for scans that are not T1-weighted.",
        low=0.0,
        high=1.0,
    )
    diversity: float = setting(
        1.0, "gan: weight of the reward for drawing other masks from other noise (Mao et al. 2019).", low=0.0, high=100.0
    )
    discriminator: tuple[int, ...] = setting((24, 48, 96), "gan: width of the discriminator's levels.", low=4, high=512)

    @property
    def with_tissue(self) -> bool:
        """Whether the network is shown grey and white matter."""
        return self.generator == UNET_TISSUE

    @property
    def inputs(self) -> int:
        """Channels of the network: the mask as far as it is drawn, how far that is, and the conditions."""
        return 2 + channels_of(self.kinds, self.with_tissue)


LARGEST_HOLE = 0.55
"""Share of the patch's edge that a hole's hull may take in training."""


@dataclass(frozen=True)
class Recipe:
    """How training pairs are drawn. Lengths are in patch voxels unless they say millimetres."""

    patch: int = setting(64, "Patch voxels along every axis; a multiple of 16.", low=32, high=160)
    spacings: tuple[float, ...] = setting((1.0, 1.5, 2.0), "Spacings of the patch in mm.", low=0.3, high=8.0)
    spacing_chances: tuple[float, ...] = setting((0.5, 0.3, 0.2), "How often each spacing is drawn.", low=0.0, high=1.0)
    side: tuple[float, float] = setting(
        (9.0, 34.0),
        f"Shortest and longest side of a hole; its hull is kept to {LARGEST_HOLE} of the patch.",
        low=2.0,
        high=100.0,
    )
    holes: int = setting(4, "Most holes in one patch.", low=1, high=16)
    several: float = setting(0.75, "Chance that a patch has more holes than one.", low=0.0, high=1.0)
    rotated: float = setting(0.3, "Chance that a box is turned.", low=0.0, high=1.0)
    ellipsoids: float = setting(0.15, "Chance that a box's ellipsoid is taken out instead of the box.", low=0.0, high=1.0)
    lesions: float = setting(
        0.15, "Chance that a real lesion's shape is taken out; needs the folder lesion_masks.", low=0.0, high=1.0
    )
    fill: str = setting("biharmonic", "What the network is shown in the hole.", choices=HOLE_FILLS)
    flip: float = setting(0.5, "Chance of a left-right flip.", low=0.0, high=1.0)
    low_resolution: float = setting(0.4, "Chance of coarse voxels or thick slices.", low=0.0, high=1.0)
    contrast: float = setting(0.7, "Chance of a bent monotone intensity curve and a bias field.", low=0.0, high=1.0)
    foreign: float = setting(
        0.0, "Chance of an inverted or folded intensity curve, which makes other contrasts of the scan.", low=0.0, high=1.0
    )
    no_mirror: float = setting(0.15, "Chance that the mirrored side is not shown.", low=0.0, high=1.0)
    no_population: float = setting(
        0.15, "Chance that what healthy people have there on average is not shown.", low=0.0, high=1.0
    )


@dataclass(frozen=True)
class TissueRecipe:
    """How samples for the tissue model are drawn."""

    shape: tuple[int, int, int] = setting(
        (96, 112, 96),
        "Voxels along R, A, S, multiples of 16; large enough for a whole head, or the network never sees the air around it.",
        low=32,
        high=256,
    )
    spacing: float = setting(2.0, "Millimetres of the tissue model's grid.", low=0.5, high=8.0)
    fine: float = setting(4 / 3, "Millimetres of the grid on which heads are painted.", low=0.5, high=8.0)
    offset: tuple[float, float, float] = setting(
        (20.0, 25.0, 40.0), "Largest distance of the sample's middle from the brain's along R, A, S in mm.", low=0.0, high=100.0
    )
    gain: float = setting(
        0.15,
        "Standard deviation of the logarithm of a factor on the image, for a whole scan's percentiles are not a sample's.",
        low=0.0,
        high=1.0,
    )
    various: bool = setting(
        False,
        "Lesions: of all sizes, outlines and strengths, in heads with and without artefacts, as the keys below say; else "
        "irregular ellipsoids, one or two large ones or many small ones.",
    )
    healthy: float = setting(0.15, "Lesions: share of heads that hold none.", low=0.0, high=1.0)
    artefacts: float = setting(
        0.5,
        "Lesions: chance of ghosts, motion, spikes, fold-over, shading or noise in a head that holds none; "
        "half of it in one that does.",
        low=0.0,
        high=1.0,
    )
    real_outlines: float = setting(0.3, "Lesions: share of outlines taken from 'lesion_masks' in [scans].", low=0.0, high=1.0)
    noise_outlines: float = setting(0.2, "Lesions: share of outlines from smooth noise above a threshold.", low=0.0, high=1.0)
    flow_outlines: float = setting(
        0.2,
        "Lesions: share of outlines drawn out by a flow without sources; what is left of 1 are irregular ellipsoids.",
        low=0.0,
        high=1.0,
    )
    mixed: float = setting(0.35, "Lesions: chance of large and small ones in one head.", low=0.0, high=1.0)
    small: float = setting(
        0.5, "Lesions: chance that heads with one size of lesions have small ones, 2 to 16 mm across.", low=0.0, high=1.0
    )
    faint: float = setting(
        0.3, "Lesions: chance that those of one size differ little from their surroundings.", low=0.0, high=1.0
    )
    least_difference: float = setting(
        0.035,
        "Lesions: least difference of their brightness from what they replace, as a share of the brightest tissue.",
        low=0.0,
        high=0.5,
    )
    low_resolution: float = setting(0.6, "Lesions: chance of voxels larger than 'fine'.", low=0.0, high=1.0)
    thick_slices: float = setting(0.65, "Lesions: share of these that are slices, up to 8 mm thick.", low=0.0, high=1.0)
    extracted: float = setting(0.35, "Lesions: chance of a brain-extracted head.", low=0.0, high=1.0)
