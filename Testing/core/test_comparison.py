"""The comparison's numbers mean what their formulas say, inside the box only."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import structural_similarity

from RadiomicsPersonaLib.brain.tissue import IntensityScale
from RadiomicsPersonaLib.metrics.comparison import compare
from RadiomicsPersonaLib.metrics.metric import METRICS

SCALE = IntensityScale(100, 20)
SHAPE = (40, 36, 32)


@pytest.fixture(scope="module")
def pair():
    """A textured original, a rebuilt one that differs inside the mask only, and the mask."""
    rng = np.random.default_rng(0)
    original = 100 + 20 * ndimage.gaussian_filter(rng.normal(size=SHAPE), 1.5) * 8
    mask = np.zeros(SHAPE, bool)
    mask[10:30, 10:26, 10:22] = True
    rebuilt = original.copy()
    rebuilt[mask] += ndimage.gaussian_filter(rng.normal(size=SHAPE), 1)[mask] * 30 + 5
    return original, rebuilt, mask


def compared(original, rebuilt, mask):
    return compare(original, rebuilt, mask, np.array([1.0, 1.0, 2.0]), SCALE, (0.0, 200.0))


def test_every_metric_is_there_and_described(pair):
    assert compared(*pair).keys() == METRICS.keys()


def test_errors_match_their_formulas(pair):
    original, rebuilt, mask = pair
    metrics = compared(*pair)
    error = (original - rebuilt)[mask]
    assert metrics["mse"] == pytest.approx(np.mean(error**2))
    assert metrics["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert metrics["deviation"] == pytest.approx(metrics["rmse"] / 20)
    assert metrics["mae"] == pytest.approx(np.mean(np.abs(error)))
    assert metrics["psnr"] == pytest.approx(10 * np.log10(200**2 / metrics["mse"]))
    assert metrics["mean_shift"] == pytest.approx(error.mean() / 20)
    x, y = original[mask], rebuilt[mask]
    assert metrics["cosine"] == pytest.approx(x @ y / np.linalg.norm(x) / np.linalg.norm(y))
    assert metrics["cosine_centered"] == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_the_raw_cosine_hides_what_the_centred_one_shows(pair):
    original, _, mask = pair
    inverted = np.where(mask, 2 * original[mask].mean() - original, original)
    metrics = compared(original, inverted, mask)
    assert metrics["cosine"] > 0.9 and metrics["cosine_centered"] == pytest.approx(-1)


def test_ssim_agrees_with_scikit_image(pair):
    original, rebuilt, mask = pair
    _, full = structural_similarity(
        original / 200, rebuilt / 200, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    assert compared(*pair)["ssim"] == pytest.approx(full[mask].mean(), abs=2e-3)


def test_equal_images_score_perfectly(pair):
    original, _, mask = pair
    metrics = compared(original, original, mask)
    for key in ("mse", "mae", "gradient_error", "histogram_distance", "mean_shift"):
        assert metrics[key] == 0
    for key in ("ssim", "ssim_challenge", "cosine", "cosine_centered", "sd_ratio"):
        assert metrics[key] == pytest.approx(1, abs=1e-6)
    assert metrics["ncc"] > 0.9


def test_a_blurred_reconstruction_shows_in_the_local_sd_ratio(pair):
    original, _, mask = pair
    blurred = np.where(mask, ndimage.gaussian_filter(original, 3), original)
    assert compared(original, blurred, mask)["sd_ratio"] > 1.2


def test_what_lies_far_outside_the_box_changes_nothing(pair):
    original, rebuilt, mask = (a.copy() for a in pair)
    before = compared(original, rebuilt, mask)
    original[:2] += 500
    rebuilt[:2] += 500
    assert compared(original, rebuilt, mask) == before


def test_the_asymmetry_is_scipys_wasserstein_distance_of_what_is_known(pair):
    from scipy.stats import wasserstein_distance

    original, rebuilt, mask = pair
    mirrored = original[::-1] + 20.0

    def asymmetry() -> float:
        return compare(original, rebuilt, mask, np.ones(3), SCALE, (0.0, 200.0), mirrored=mirrored)["asymmetry"]

    mirrored[:, :14] = np.nan
    known = np.isfinite(mirrored) & mask
    assert 0.5 * mask.sum() < known.sum() < mask.sum()
    assert asymmetry() == pytest.approx(wasserstein_distance(original[mask], mirrored[known]) / SCALE.deviation)
    mirrored[:, :20] = np.nan
    assert np.isnan(asymmetry())


def test_a_small_lesion_in_a_large_box_shows_in_peak_and_regional_shift_more_than_in_the_mean():
    rng = np.random.default_rng(0)
    shape = (60, 60, 60)
    healthy = 100 + 5 * rng.normal(size=shape)
    rebuilt = np.full(shape, 100.0)
    mask = np.zeros(shape, bool)
    mask[10:50, 10:50, 10:50] = True
    rebuilt[~mask] = healthy[~mask]
    sick = healthy.copy()
    sick[15:25, 15:25, 15:25] += 25

    def of(values):
        return compare(np.where(mask, values, healthy), rebuilt, mask, np.ones(3), IntensityScale(100.0, 25.0), (0.0, 200.0))

    before, after = of(healthy), of(sick)
    assert abs(after["mean_shift"]) < 0.05
    assert after["peak"] > 0.4 > 3 * before["peak"] and after["regional_shift"] > 0.3 > 5 * before["regional_shift"]
    even = compare(rebuilt + 12.5 * mask, rebuilt, mask, np.ones(3), IntensityScale(100.0, 25.0), (0.0, 200.0))
    assert even["regional_shift"] == pytest.approx(0.5, rel=1e-4)


def test_the_networks_encoder_sees_a_lesion_and_nothing_in_equal_images(synthetic_head):
    from RadiomicsPersonaLib.metrics.feature_distance import feature_distance
    from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model

    model, scale = load_model("auto"), IntensityScale(450.0, 80.0)
    values = np.asarray(synthetic_head.array[20:60, 20:60, 20:60], float)
    mask = np.zeros(values.shape, bool)
    mask[10:30, 10:30, 10:30] = True

    def distance(shift: float, spacing: float = 2.0) -> float:
        lesion = values.copy()
        lesion[15:25, 15:25, 15:25] += shift
        return feature_distance(model, lesion, values, mask, np.full(3, 2.0), spacing, scale)

    assert distance(0) == 0 < distance(40) < distance(120)
    assert distance(120, 1.5) > 0
