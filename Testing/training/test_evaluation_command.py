"""The evaluation's command: which scans it takes, what it writes, the population mean, and the figures in the model card."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from bench.label_phantom import SHAPE as LABELS
from bench.label_phantom import make_numbers
from bench.phantom import make_head
from scipy import ndimage

from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.hole import Hole
from RadiomicsPersonaLib.imaging.files import read_scan, sha256_of, write_nifti
from RadiomicsPersonaLib.imaging.scan import make_scan
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.data.held_out_groups import held_out_scans
from RadiomicsPersonaTrainingLib.evaluation import population_mean as population
from RadiomicsPersonaTrainingLib.evaluation.holes import CUBOIDS, LESIONS
from RadiomicsPersonaTrainingLib.evaluation.rebuilding import (
    NETWORK,
    POPULATION_MEAN,
    SECOND_SCAN,
    EvaluationPlan,
    evaluate,
    holes_of,
    standard_rebuilders,
)
from RadiomicsPersonaTrainingLib.evaluation.scores import RowTable
from RadiomicsPersonaTrainingLib.evaluation.summary import ALL_CUBOIDS, summarize
from RadiomicsPersonaTrainingLib.verdict.cases import verdict_scans

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

LESION_IN_RAS = np.array([30.0, 10.0, 20.0])


def inverted(array):
    """The same head with fluid bright, white matter and scalp dark, and bone dark still, roughly as T2 shows it."""
    return np.where(array > 115, 640 - 0.65 * array, array).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder of phantoms: four healthy heads, a patient in two contrasts, one without a mask, and two shapes."""
    root = tmp_path_factory.mktemp("data")
    for folder in ("healthy/site", "lesion/ms/p1", "lesion/ms/p2", "lesion_masks"):
        (root / folder).mkdir(parents=True)
    for number in range(4):
        head = make_head(spacing=3.0, seed=number)
        write_nifti(root / f"healthy/site/h{number}.nii.gz", head.array, head.affine)
    patient = make_head(spacing=3.0, seed=9)
    where = patient.ras_from_ijk(np.indices(patient.shape).reshape(3, -1).T)
    lesion = (np.linalg.norm(where - LESION_IN_RAS, axis=1) < 14).reshape(patient.shape)
    for name, array in (("T1", patient.array), ("T2", inverted(patient.array)), ("mask", lesion.astype(np.uint8))):
        write_nifti(root / f"lesion/ms/p1/p1_{name}.nii.gz", array, patient.affine)
    write_nifti(root / "lesion/ms/p2/p2_T1.nii.gz", patient.array, patient.affine)
    shape = np.zeros((30, 30, 30), np.uint8)
    shape[5:25, 8:20, 8:24] = 1
    write_nifti(root / "lesion_masks/shape-0.nii.gz", shape, np.eye(4))
    return root


@pytest.fixture
def card_file(data, tmp_path):
    """A small network with a card that names two training and two test subjects, and figures typed in by hand."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    from RadiomicsPersonaLib.networks.unets import ReconstructionUNet

    torch.manual_seed(0)
    network = ReconstructionUNet((8, 8, 8, 8), (1, 1, 1, 1))
    weights = tmp_path / "small.safetensors"
    save_file(network.state_dict(), str(weights))
    card = {
        "name": "small",
        "architecture": {"class": "ReconstructionUNet", "channels": [8, 8, 8, 8], "blocks": [1, 1, 1, 1]},
        "grid": {"patch_voxels": 32, "spacings_mm": [3.0, 4.0], "largest_hole_voxels": 22},
        "data": [{"name": "site", "training": ["h0", "h1"], "validation": [], "test": ["h2", "h3"]}],
        "weights": weights.name,
        "sha256": sha256_of(weights),
        "evaluation": {"typed in by hand": 0.1},
    }
    path = tmp_path / "small.json"
    path.write_text(json.dumps(card))
    return path


def groups_of(scans):
    return list(dict.fromkeys(scan.group for scan in scans))


def test_the_groups_are_the_test_subjects_of_the_card_and_the_patients_with_a_mask(data, card_file):
    scans = held_out_scans(data, json.loads(card_file.read_text()))
    assert [(scan.group, scan.subject) for scan in scans] == [
        ("site", "h2"),
        ("site", "h3"),
        ("MS T1", "p1"),
        ("MS T2", "p1"),
    ]
    assert groups_of(held_out_scans(data, None)) == ["MS T1", "MS T2"]


def test_groups_are_chosen_by_their_name_or_their_source(data, card_file):
    card = json.loads(card_file.read_text())
    assert groups_of(held_out_scans(data, card, ["MS"])) == ["MS T1", "MS T2"]
    assert groups_of(held_out_scans(data, card, ["MS T2", "site"])) == ["site", "MS T2"]
    assert len(held_out_scans(data, card, ["site"], most=1)) == 1
    with pytest.raises(InputError, match="no group 'IXI'.*choose from site, MS T1, MS T2"):
        held_out_scans(data, card, ["IXI"])


def test_holes_are_the_same_in_every_contrast_and_keep_five_millimetres_from_the_lesion(data):
    plain, other = held_out_scans(data, None)
    plan = EvaluationPlan({}, (plain, other), (data / "lesion_masks/shape-0.nii.gz",))
    wanted = [(stratum, number) for stratum in (*CUBOIDS, LESIONS) for number in range(8)]
    scan = read_scan(plain.lesion)
    away = ndimage.distance_transform_edt(scan.array == 0, sampling=scan.spacing)
    found = [
        [(*key, hole.full_mask(scan.shape)) for *key, _, hole in holes_of(plan, held_out, wanted)]
        for held_out in (plain, other)
    ]
    assert len(found[0]) >= 6
    for (stratum, number, hole), (_, _, same) in zip(*found, strict=True):
        np.testing.assert_array_equal(hole, same)
        assert away[hole].min() > 5, f"{stratum} {number} touches the lesion"
    free = EvaluationPlan({}, (replace(plain, lesion=None),), plan.lesion_masks)
    unhindered = [hole.full_mask(scan.shape) for *_, hole in holes_of(free, free.scans[0], wanted)]
    assert min(away[hole].min() for hole in unhindered) <= 5, "the check would pass without the lesion"


def test_contrasts_on_different_grids_are_refused(data):
    _, other = held_out_scans(data, None)
    coarse = make_head(spacing=4.0)
    with pytest.raises(InputError, match="p1.*resample"):
        replace(other, read_places=lambda: coarse).scan_and_places()


@pytest.fixture(scope="module")
def average(data, tmp_path_factory):
    """Of three heads, as the shipped tissue model sees them: their places are told from its maps."""
    files = [data / f"healthy/site/h{number}.nii.gz" for number in range(3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RADIOMICS_PERSONA_MODELS")
        return population.population_mean(files, tmp_path_factory.mktemp("mean") / "mean.npz")


def case_in(scan, start=(36, 44, 44), size=(16, 20, 18)):
    hole = Hole(np.array(start), np.ones(size, bool))
    return prepare(scan, [hole]), hole


def error_of(rebuilder, prepared, hole):
    truth = prepared.scan.array[hole.region].astype(float)
    result = rebuilder(prepared, [hole])[0]
    return np.mean((result.values[result.hole.mask] - truth.ravel()) ** 2)


@pytest.mark.usefixtures("shipped_models")
@pytest.mark.parametrize("contrast", ["T1", "T2"])
def test_the_population_mean_finds_the_anatomy_of_a_brain_that_is_moved_turned_and_of_another_contrast(average, contrast):
    head = make_head(spacing=2.0, seed=3)
    points = head.ras_from_ijk(np.indices(head.shape).reshape(3, -1).T)
    brain = (np.linalg.norm((points - (0, 0, 10)) / (69, 85, 65), axis=1) < 1).reshape(head.shape)
    array = np.where(brain, inverted(head.array) if contrast == "T2" else head.array, 0)
    affine = head.affine.copy()
    turn = np.deg2rad(8)
    affine[:2, :2] = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ affine[:2, :2] * 1.05
    affine[:3, 3] += [12, -25, 40]
    prepared, hole = case_in(make_scan(array, affine))
    errors = {name: error_of(rebuilder, prepared, hole) for name, rebuilder in standard_rebuilders(None, average).items()}
    assert errors[POPULATION_MEAN] < 0.5 * errors["rim mean"]


def test_the_population_mean_never_looks_into_the_hole(average):
    scan = make_head(spacing=3.0, seed=4)
    spoiled = scan.array.copy()
    hole = Hole(np.array([24, 30, 24]), np.ones((12, 12, 12), bool))
    spoiled[hole.region][hole.mask] = 5000
    values = [average(prepare(make_scan(array, scan.affine), [hole]), [hole])[0] for array in (scan.array, spoiled)]
    np.testing.assert_array_equal(values[0].values[values[0].hole.mask], values[1].values[values[1].hole.mask])
    looking = average(prepare(make_scan(spoiled, scan.affine)), [hole])[0]
    assert not np.array_equal(looking.values, values[0].values), "the check would pass for a mean that looked"


def test_the_population_mean_is_read_back_and_made_anew_for_other_subjects(data, tmp_path, monkeypatch):
    files = [data / f"healthy/site/h{number}.nii.gz" for number in range(2)]
    cache = tmp_path / "mean.npz"
    made = population.population_mean(files, cache)
    with monkeypatch.context() as patched:
        patched.setattr(population, "read_scan", lambda path: pytest.fail(f"{path} was read again"))
        again = population.population_mean(files, cache)
    np.testing.assert_array_equal(again.values, made.values)
    other = population.population_mean(files[:1], cache)
    assert other.subjects == ("site/h0",) and not np.array_equal(other.values, made.values)
    exchanged = tmp_path / "site" / "h0.nii.gz"
    exchanged.parent.mkdir()
    exchanged.write_bytes(files[1].read_bytes())
    assert not np.array_equal(population.population_mean([exchanged], cache).values, other.values), "h0 is another scan now"


def run(*arguments):
    return main(["evaluate", *map(str, arguments)])


def test_the_command_writes_its_own_figures_into_the_card_and_goes_on_where_it_stopped(
    data, card_file, tmp_path, capsys, monkeypatch
):
    output = tmp_path / "out"
    common = (data, "--model", card_file, "--boxes", 1, "--output", output)
    assert run(*common, "--groups", "site") == 0
    assert "report.html" in capsys.readouterr().out
    assert "typed in by hand" in json.loads(card_file.read_text())["evaluation"], "the card changed without --card"
    first = (output / "rows.csv").read_text()
    assert run(*common, "--groups", "site,MS", "--card") == 0
    printed = capsys.readouterr().out
    assert (output / "rows.csv").read_text().startswith(first), "rows were computed again"

    rows = [
        row
        for rows in RowTable(output / "rows.csv", (*standard_rebuilders(None), POPULATION_MEAN, NETWORK)).rows.values()
        for row in rows
    ]
    assert {row.group for row in rows} == {"site", "MS T1", "MS T2"}
    entry = json.loads(card_file.read_text())["evaluation"]
    assert "typed in by hand" not in entry and "--boxes 1" in entry["command"]
    cells = {(cell.group, cell.stratum): cell for cell in summarize(rows)}
    assert {(group, stratum) for group, parts in entry["figures"].items() for stratum in parts} == set(cells)
    for (group, stratum), cell in cells.items():
        figure, ratio = entry["figures"][group][stratum], cell.headlines[0].ratio
        assert figure["ratio_to_best_fill"]["value"] == pytest.approx(ratio.value, abs=1e-4)
        assert figure["official_ssim"]["value"] == pytest.approx(cell.estimates[NETWORK]["official_ssim"].value, abs=1e-4)
        assert (figure["ratio_to_best_fill"]["low"] is None) == math.isnan(ratio.low) == (cell.subjects == 1)
    record = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    assert record["figures"] == entry["figures"] and record["population_mean_of"] == ["site/h0", "site/h1"]
    page = (output / "report.html").read_text(encoding="utf-8")
    value = cells["site", ALL_CUBOIDS].headlines[0].ratio.value
    assert f"site: {value:.{2 if value >= 10 else 3}f} (" in page and "Any contrast" in page
    assert "## Any contrast" in printed and "population mean" in printed


def test_a_card_of_a_classical_fill_is_refused_before_anything_is_computed(data, tmp_path, capsys):
    assert run(data, "--model", "harmonic", "--card", "--output", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "classical fill without a card" in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("--boxes", "0"), "--boxes must be at least 1"),
        (("--subjects", "-1"), "--subjects must be at least 1"),
        (("--groups", "LGG"), "no group 'LGG'"),
    ],
)
def test_what_cannot_be_evaluated_is_said_in_one_sentence(data, tmp_path, capsys, arguments, said):
    assert run(data, "--model", "harmonic", *arguments, "--output", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


@pytest.mark.usefixtures("shipped_models")
def test_on_real_patients_every_contrast_gets_holes_off_the_lesions(data_root):
    scans = held_out_scans(data_root, None, ["MS", "BraTS", "LGG"], most=1)
    assert groups_of(scans) == [
        *(f"MS {contrast}" for contrast in ("T1", "T1 post", "T2", "FLAIR")),
        *(f"BraTS {contrast}" for contrast in ("T1", "T1 post", "T2", "FLAIR")),
        *(f"LGG {contrast}" for contrast in ("T1", "T1 post", "FLAIR")),
    ]
    for held_out in (scan for scan in scans if scan.group.endswith("FLAIR")):
        plan = EvaluationPlan({}, (held_out,))
        lesion = read_scan(held_out.lesion).array > 0
        holes = list(holes_of(plan, held_out, [("16-24 mm", 0), ("16-24 mm", 1)]))
        assert len(holes) == 2
        for *_, hole in holes:
            assert not (lesion & hole.full_mask(lesion.shape)).any()


def test_a_synthetic_head_is_the_same_head_in_every_contrast_and_its_holes_lie_in_its_brain(tmp_path):
    (tmp_path / "label_maps").mkdir()
    affine = np.eye(4)
    affine[:3, 3] = -(np.array(LABELS) - 1) / 2
    for name in ("seen", "unseen"):
        write_nifti(tmp_path / f"label_maps/{name}.nii.gz", make_numbers(), affine)
    card = {"data": [{"name": "label_maps", "kind": "label maps", "training": ["seen"], "test": ["unseen"]}]}
    scans = held_out_scans(tmp_path, card)
    assert [(scan.group, scan.subject) for scan in scans] == [
        (f"synthetic {name}", "unseen") for name in ("T1", "T2", "FLAIR", "T1 post")
    ]
    plain, bright_fluid = (scans[number].scan_and_places()[0].array for number in (0, 1))
    _, brain = scans[0].scan_and_places()
    inside = brain.array > 0
    assert np.corrcoef(plain[inside], bright_fluid[inside])[0, 1] < -0.5
    plan = EvaluationPlan({}, tuple(scans))
    for held_out in scans[:2]:
        for *_, hole in holes_of(plan, held_out, [("16-24 mm", 0), ("24-40 mm", 1)]):
            assert inside[hole.region][hole.mask].mean() > 0.6


def test_the_expected_error_is_measured_in_holes_it_was_not_told_from(data, card_file, tmp_path, capsys):
    words = (data, "--model", card_file, "--certainty", "--boxes", 1, "--subjects", 1, "--output", tmp_path / "out")
    assert run(*words, "--groups", "site") == 0
    printed = capsys.readouterr().out
    assert "## site (1)" in printed and "evaluation.md" in printed
    figures = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))["figures"]
    assert {figure["holes"] for figure in figures} <= {*CUBOIDS, LESIONS} and len(figures) > 8
    assert all(0 < figure["within"]["value"] < figure["within_twice"]["value"] <= 1 for figure in figures)
    assert 0.4 < np.mean([figure["within"]["value"] for figure in figures if figure["tissue"] == "brain"]) < 0.95
    found = (tmp_path / "out" / "certainty.jsonl").read_text()
    assert run(*words, "--groups", "site") == 0 and (tmp_path / "out" / "certainty.jsonl").read_text() == found

    assert run(*words, "--card") == 2 and "--certainty" in capsys.readouterr().err


def test_people_who_were_scanned_twice_have_their_second_scan_beside_the_fills(tmp_path):
    """The second scan is turned, moved, on another grid and louder; of who was scanned once there is none."""
    folder = tmp_path / "healthy" / "oasis_eval_only"
    folder.mkdir(parents=True)
    head = make_head(spacing=3.0, seed=4)
    turned = make_head(affine=np.array([[2.5, 0.1, 0, -110], [-0.1, 2.5, 0, -100], [0, 0, 2.5, -95], [0, 0, 0, 1.0]]), seed=4)
    motion = np.eye(4)
    motion[:3, 3] = 4, -3, 2
    write_nifti(folder / "P1_scan1_T1.nii.gz", head.array, head.affine)
    write_nifti(folder / "P1_scan2_T1.nii.gz", 3 * turned.array, motion @ turned.affine)
    write_nifti(folder / "P2_scan1_T1.nii.gz", head.array, head.affine)
    scans = held_out_scans(tmp_path, None)
    assert [(scan.group, scan.subject) for scan in scans] == [
        ("OASIS", "P1_scan1_T1"),
        ("OASIS", "P2_scan1_T1"),
        ("OASIS twice", "P1_scan1_T1"),
    ]
    assert [scan.group for scan in verdict_scans(tmp_path, None)] == ["OASIS", "OASIS"]
    plan = EvaluationPlan(standard_rebuilders(None), tuple(scans[1:]), boxes_per_stratum=1)
    rows = evaluate(plan, tmp_path / "out")
    error = {(row.group, row.stratum, row.rebuilder): row.metrics["mse"] for row in rows}
    assert ("OASIS", "24-40 mm", SECOND_SCAN) not in error
    for stratum in CUBOIDS:
        best = min(error["OASIS twice", stratum, name] for name in plan.rebuilders)
        assert error["OASIS twice", stratum, SECOND_SCAN] < 0.7 * best  # noise is all that is left
    again = evaluate(plan, tmp_path / "out")
    assert [row.rebuilder for row in again] == [row.rebuilder for row in rows]
    assert any(line.rebuilder == SECOND_SCAN for cell in summarize(rows) for line in cell.headlines)
