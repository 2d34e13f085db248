"""The ready settings segment folders laid out as the public collections are: drawn, trained, exported, measured, used."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from dataclasses import replace

import nibabel
import numpy as np
import pytest
import torch
from bench.segmentation_site import NUMBERS, SHAPE, cut_down, make_case, make_site, write

from RadiomicsPersonaLib.cli import main as analysis
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import name_of, read_label_map, read_scan, write_nifti
from RadiomicsPersonaLib.networks.card import read_card
from RadiomicsPersonaLib.networks.unets import network_of
from RadiomicsPersonaLib.segmentation.segmentation_model import SegmentationModel
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.data.segmentation_cases import SegmentationCase, images_of, prepared_case, truths_in
from RadiomicsPersonaTrainingLib.data.split import ListedScan
from RadiomicsPersonaTrainingLib.data.training_scans import drawn_split
from RadiomicsPersonaTrainingLib.export.export import export_model
from RadiomicsPersonaTrainingLib.fitting.run_setup import work_of
from RadiomicsPersonaTrainingLib.fitting.segmentation_task import classes_of, segmentation_loss
from RadiomicsPersonaTrainingLib.fitting.task import mean_dice
from RadiomicsPersonaTrainingLib.inspection.worst_case import open_case, worst_cases
from RadiomicsPersonaTrainingLib.samples.segmentation_samples import SegmentationSamples
from RadiomicsPersonaTrainingLib.settings.sample_sections import LOSSES, Augmentation, SegmentationSettings
from RadiomicsPersonaTrainingLib.settings.sections import SEGMENTING, NetworkSettings, architecture_of
from RadiomicsPersonaTrainingLib.settings.segmentation_labels import labels_of, outputs_of
from RadiomicsPersonaTrainingLib.settings.training_settings import read_settings, read_table, settings_from

pytestmark = pytest.mark.slow

RESOURCES = "RadiomicsPersonaTraining/Resources/segmentation"


@pytest.fixture(scope="module")
def trained(checkout, tmp_path_factory):
    """A model of a ready settings file, cut down and fitted on a folder of its layout; (folder, run, card), made once each."""
    made = {}

    def model(settings: str, layout: str, steps: int = 6):
        if settings not in made:
            root = tmp_path_factory.mktemp(layout)
            data, file = make_site(root / "data", layout), root / "settings.toml"
            file.write_text(cut_down(checkout / RESOURCES / f"{settings}.toml", steps, max(2, steps // 2)))
            assert main(["fit", str(file), "--data", str(data), "--output", str(root / "run")]) == 0
            assert main(["export", str(root / "run"), "--output", str(root / "model")]) == 0
            made[settings] = data, root / "run", root / "model.json"
        return made[settings]

    return model


def settings_of(checkout, name):
    return read_settings(checkout / RESOURCES / f"{name}.toml").segmentation


@pytest.mark.parametrize(
    "name, layout",
    [
        ("brats2020", "brats2020"),
        ("brats2020", "brats2023"),
        ("lesion", "lesion"),
        ("hipmri", "hipmri"),
        ("hippocampus", "hippocampus"),
    ],
)
def test_a_public_folder_is_read_as_it_is_published(checkout, tmp_path, name, layout):
    """Every case with every contrast, in the settings' order, and classes 1, 2, ... whatever numbers stand for them."""
    data, settings = make_site(tmp_path / "data", layout, cases=3), settings_of(checkout, name)
    found = truths_in(data, settings)
    assert len(found) == 3 and len({subject for subject, _ in found}) == 3
    for seed, (_, file) in enumerate(found):
        assert all(images_of(file, settings))
        case = prepared_case(file, settings)
        images, truth = make_case(seed, NUMBERS[layout])
        assert sorted(np.unique(case.truth)) == list(range(len(NUMBERS[layout]) + 1))
        assert np.array_equal(case.truth[::-1] > 0, truth > 0)  # stored from right to left, looked at from left to right
        around = case.truth == 0  # where every contrast has noise of its own
        for image, channel in zip(case.image, settings.channels):
            stored = images[{"t1": 0, "t1c": 1, "t2": 2, "flair": 3}.get(channel, 0)][::-1]
            assert np.corrcoef(image[around].astype(float), stored[around])[0, 1] > 0.99


def test_a_label_map_may_lie_on_any_contrast_s_grid(checkout, tmp_path):
    """T1 and T2 with half the slices, FLAIR and label map with all: everything is laid on the label map's grid."""
    data, settings = make_site(tmp_path, "lesion", cases=1), settings_of(checkout, "lesion")
    ((_, truth),) = truths_in(data, settings)
    whole = prepared_case(truth, settings)
    for word in ("T1W", "T2W"):
        file = data / "patient01" / f"patient01_{word}.nii.gz"
        stored = read_scan(file)
        write_nifti(file, np.ascontiguousarray(stored.array[:, :, ::2]), stored.affine @ np.diag([1, 1, 2, 1]))
    mixed = prepared_case(truth, settings)
    assert mixed.image.shape == whole.image.shape and np.array_equal(mixed.truth, whole.truth)
    assert np.array_equal(mixed.image[2], whole.image[2])
    assert (
        np.corrcoef(mixed.image[0, ..., ::2].astype(float).ravel(), whole.image[0, ..., ::2].astype(float).ravel())[0, 1] > 0.95
    )


def test_visits_of_one_man_stay_in_one_part_and_capitals_do_not_matter(checkout, tmp_path):
    images, truth = make_case(0, NUMBERS["hipmri"])
    for name in ("Case_004_Week0", "Case_004_Week1", "Case_005_Week0"):
        write(tmp_path / "semantic_MRs_anon" / f"{name}_lfov.nii.gz", images[0])
        write(tmp_path / "semantic_labels_anon" / f"{name}_SEMANTIC_LFOV.nii.gz", truth)
    found = truths_in(tmp_path, settings_of(checkout, "hipmri"))
    assert [subject for subject, _ in found] == ["Case_004", "Case_004", "Case_005"]
    assert all(images_of(file, settings_of(checkout, "hipmri")) for _, file in found)


def test_the_shared_hippocampi_are_read(checkout, data_root):
    if not (data_root / "hippocampus").is_dir():
        pytest.skip(f"No hippocampi in '{data_root}'.")
    settings = settings_of(checkout, "hippocampus")
    found = truths_in(data_root / "hippocampus", settings)
    case = prepared_case(found[0][1], settings)
    assert (
        len(found) > 100 and set(np.unique(case.truth)) == {0, 1, 2} and abs(float(case.image.astype(np.float32).mean())) < 0.2
    )


def test_hippocampi_are_learnt_measured_and_segmented(trained, tmp_path, capsys):
    """Balls that differ in brightness are told apart after seconds, on the scan's own grid and in people never seen."""
    data, run, card = trained("hippocampus", "hippocampus", steps=60)
    assert {"validation_dice_anterior", "validation_dice_hippocampus", "validation_one_minus_dice"} <= set(
        next(csv.DictReader(open(run / "log.csv")))
    )
    assert main(["evaluate", str(data), "--model", str(card), "--output", str(tmp_path / "report"), "--card"]) == 0
    figures = json.loads((tmp_path / "report" / "evaluation.json").read_text())["figures"]
    assert figures["anterior"]["dice"]["value"] > 0.8 and figures["posterior"]["hd95_mm"]["value"] < 3
    assert read_card(card)["evaluation"]["figures"] == figures
    page = (tmp_path / "report" / "report.html").read_text()
    assert "Research use only" in page and page.count("<img") == 1 and "HD95" in page
    rows = list(csv.DictReader(open(tmp_path / "report" / "cases.csv")))
    held_out = read_card(card)["data"][0]["test"]
    assert {row["subject"] for row in rows} == set(held_out) and len(rows) == 3 * len(held_out)

    subject = held_out[0]
    scan, truth = data / "imagesTr" / f"{subject}.nii.gz", read_label_map(data / "labelsTr" / f"{subject}.nii.gz")
    output, probabilities = tmp_path / "seg.nii.gz", tmp_path / "p.nii.gz"
    capsys.readouterr()
    assert (
        analysis(
            [
                "segment",
                str(scan),
                "--model",
                str(card),
                "--output",
                str(output),
                "--probabilities",
                str(probabilities),
                "--json",
            ]
        )
        == 0
    )
    told, found = json.loads(capsys.readouterr().out), read_label_map(output)
    assert found.shape == truth.shape and np.allclose(found.affine, truth.affine)
    for number in (1, 2):
        assert (
            2
            * ((found.array == number) & (truth.array == number)).sum()
            / ((found.array == number).sum() + (truth.array == number).sum())
        ) > 0.8
    assert told["classes"][0]["name"] == "anterior" and told["classes"][0]["ml"] == pytest.approx(
        (found.array == 1).sum() / 1000, abs=1e-3
    )
    shares = nibabel.load(probabilities).get_fdata()
    assert shares.shape == (*SHAPE, 2) and shares.min() >= 0 and (shares.sum(axis=-1) <= 1.001).all()
    assert (shares[..., 0][found.array == 1] >= shares[..., 1][found.array == 1]).all()
    assert main(["predict", str(run), str(scan), "--output", str(tmp_path / "again.nii.gz")]) == 0
    assert np.array_equal(read_label_map(tmp_path / "again.nii.gz").array, found.array)


def test_a_run_is_measured_before_it_is_exported_and_its_worst_case_is_opened(trained, tmp_path):
    """The best checkpoint and the test cases of the run's own split, as an export and their folder would be."""
    data, run, card = trained("hippocampus", "hippocampus", steps=60)
    assert main(["evaluate", str(run), "--output", str(tmp_path / "of-run")]) == 0
    assert main(["evaluate", str(data), "--model", str(card), "--output", str(tmp_path / "of-export")]) == 0
    tables = [(tmp_path / name / "cases.csv").read_text() for name in ("of-run", "of-export")]
    assert tables[0] == tables[1] and (tmp_path / "of-run" / "report.html").is_file()
    rows = worst_cases(tmp_path / "of-run", "segmentation")
    dice = [float(row["dice"]) for row in rows]
    assert dice == sorted(dice) and {row["structure"] for row in rows} == {"anterior", "posterior", "hippocampus"}
    opened = open_case(run, tmp_path / "of-run", rows[0], tmp_path / "case")
    truth, found, kept = (
        read_label_map(file)
        for file in (opened.maps["truth"], opened.maps["found"], data / "labelsTr" / f"{rows[0]['case']}.nii.gz")
    )
    assert np.array_equal(truth.array, kept.array) and np.allclose(truth.affine, kept.affine)
    numbers = {"anterior": [1], "posterior": [2], "hippocampus": [1, 2]}[rows[0]["structure"]]
    one, other = np.isin(found.array, numbers), np.isin(truth.array, numbers)
    assert 2 * (one & other).sum() / (one.sum() + other.sum()) == pytest.approx(dice[0], abs=1e-3)
    assert np.linalg.norm(truth.ras_from_ijk(np.argwhere(one | other).mean(axis=0)) - opened.center) < 0.1
    assert opened.labels[1][0] == "anterior" and read_scan(opened.scan).shape == truth.shape
    for file in (data / "labelsTr").glob(f"{rows[0]['case']}*"):
        file.rename(file.with_suffix(".away"))
        with pytest.raises(InputError, match="None of the test cases"):
            open_case(run, tmp_path / "of-run", rows[0], tmp_path / "case")
        file.with_suffix(".away").rename(file)


def test_a_tumour_is_found_in_any_subset_and_order_of_contrasts(trained, checkout, tmp_path):
    data, _, card = trained("brats2020", "brats2020")
    name = "BraTS20_Training_353"
    t1, t1c, t2, flair = (str(data / name / f"{name}_{word}.nii.gz") for word in ("t1", "t1ce", "t2", "flair"))

    def segmented(*files):
        assert (
            analysis(
                [
                    "segment",
                    *files,
                    "--model",
                    str(card),
                    "--output",
                    str(tmp_path / "seg.nii.gz"),
                    "--probabilities",
                    str(tmp_path / "p.nii.gz"),
                ]
            )
            == 0
        )
        assert set(np.unique(read_label_map(tmp_path / "seg.nii.gz").array)) <= {0, 1, 2, 4}
        return nibabel.load(tmp_path / "p.nii.gz").get_fdata()

    everything = segmented(t1, t1c, t2, flair)
    assert np.array_equal(everything, segmented(flair, t2, t1, t1c))
    # what training draws from is what is looked at: the same channels in the same order, from left to right
    case = prepared_case(data / name / f"{name}_seg.nii.gz", settings_of(checkout, "brats2020"))
    drawn, other = (
        SegmentationModel.load(str(card)).probabilities(image.astype(np.float32)) for image in (case.image, case.image[::-1])
    )
    apart = [np.abs(everything[::-1] - np.moveaxis(each[1:], 0, -1)).mean() for each in (drawn, other)]
    assert apart[0] < 0.1 * apart[1]
    assert not np.allclose(everything, segmented(flair, t1), atol=1e-3)
    (tmp_path / "odd.nii.gz").write_bytes(open(t1c, "rb").read())
    assert np.array_equal(everything, segmented(t1, f"t1c={tmp_path / 'odd.nii.gz'}", t2, flair))
    what = read_card(card)["segmentation"]
    assert what["regions"]["TC"] == ["necrotic core", "enhancing tumour"] and "Edema" in what["labels"][1]["code"]
    assert [entry["number"] for entry in what["labels"]] == [1, 2, 4] and len(
        {tuple(entry["color"]) for entry in what["labels"]}
    ) == 3


def test_one_class_is_cut_at_one_half_and_five_are_told_apart(trained, tmp_path):
    data, _, card = trained("lesion", "lesion")
    assert main(["evaluate", str(data), "--model", str(card), "--output", str(tmp_path / "report")]) == 0
    assert list(json.loads((tmp_path / "report" / "evaluation.json").read_text())["figures"]) == ["lesion"]
    files = [str(data / "patient01" / f"patient01_{word}.nii.gz") for word in ("T1W", "T2W", "FLAIR")]
    assert (
        analysis(
            [
                "segment",
                *files,
                "--model",
                str(card),
                "--output",
                str(tmp_path / "seg.nii"),
                "--probabilities",
                str(tmp_path / "p.nii"),
            ]
        )
        == 0
    )
    assert np.array_equal(
        read_label_map(tmp_path / "seg.nii").array == 1, nibabel.load(tmp_path / "p.nii").get_fdata()[..., 0] >= 0.5
    )
    _, _, card = trained("hipmri", "hipmri")
    assert read_card(card)["architecture"]["outputs"] == 6 and read_card(card)["architecture"]["class"] == "PlainUNet"


def test_a_model_says_what_it_cannot_take(trained, tmp_path, capsys):
    data, _, card = trained("brats2020", "brats2020")
    _, _, one = trained("hippocampus", "hippocampus", steps=60)
    scan = str(data / "BraTS20_Training_353" / "BraTS20_Training_353_flair.nii.gz")
    far = tmp_path / "far_t1.nii.gz"
    shifted = np.diag([-1.0, 1, 1, 1])
    shifted[:3, 3] = 500
    write_nifti(far, read_scan(scan).array, shifted)

    def refused(*words: str) -> str:
        target = tmp_path / "seg.nii.gz"
        assert analysis(["segment", *words, "--output", str(target)]) == 2
        assert not target.exists() and not list(tmp_path.glob(".*"))
        return capsys.readouterr().err

    assert "looks like flair" in refused(scan, "--model", str(one))
    assert "no contrast 'pd'" in refused(f"pd={scan}", "--model", str(card))
    assert "same place" in refused(scan, str(far), "--model", str(card))
    assert "are both flair" in refused(scan, f"flair={far}", "--model", str(card))
    assert "no segmentation model" in refused(scan, "--model", "healthy-t1")
    assert analysis(["segment", scan, "--model", str(card), "--output", str(tmp_path / "seg.png")]) == 2


def test_a_contrast_on_another_grid_is_resampled(trained, tmp_path):
    """The same contrast stored with coarser, flipped axes gives nearly the same answer."""
    data, _, card = trained("brats2020", "brats2020")
    name = "BraTS20_Training_353"
    files = [str(data / name / f"{name}_{word}.nii.gz") for word in ("t1", "flair")]
    flair = read_scan(files[1])
    turned = np.diag([-1.0, 1.0, 1.0, 1.0]) @ np.array([[1, 0, 0, 0], [0, -1, 0, SHAPE[1] - 1], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    write_nifti(tmp_path / "turned_flair.nii.gz", flair.array[:, ::-1], turned)
    answers = []
    for second in (files[1], str(tmp_path / "turned_flair.nii.gz")):
        assert (
            analysis(
                [
                    "segment",
                    files[0],
                    second,
                    "--model",
                    str(card),
                    "--output",
                    str(tmp_path / "s.nii"),
                    "--probabilities",
                    str(tmp_path / "p.nii"),
                ]
            )
            == 0
        )
        answers.append(nibabel.load(tmp_path / "p.nii").get_fdata())
    assert np.allclose(*answers, atol=0.02)


@pytest.mark.parametrize(
    "change, sentence",
    [
        ("label map of halves", "no whole number"),
        ("label map with a 7", "holds the label 7"),
        ("label map elsewhere", "on another grid"),
        ("no image", "has no image"),
        ("described otherwise", "names the label 3"),
        ("two cases", "need at least"),
    ],
)
def test_folders_that_cannot_be_trained_on_are_refused_in_one_sentence(checkout, tmp_path, capsys, change, sentence):
    data = make_site(tmp_path / "data", "hippocampus", cases=2 if change == "two cases" else 3)
    label, image = data / "labelsTr" / "hippocampus_002.nii.gz", data / "imagesTr" / "hippocampus_002.nii.gz"
    values = read_label_map(label).array.astype(np.float32)
    if change == "label map of halves":
        write(label, values / 2)
    elif change == "label map with a 7":
        write(label, np.where(values == 2, 7, values).astype(np.uint8))
    elif change == "label map elsewhere":
        write(label, values[:-1].astype(np.uint8))
    elif change == "no image":
        image.unlink()
    elif change == "described otherwise":
        (data / "dataset.json").write_text(
            json.dumps({"labels": {"background": 0, "Anterior": 1, "Posterior": 2, "Middle": 3}})
        )
    file = tmp_path / "settings.toml"
    file.write_text(cut_down(checkout / RESOURCES / "hippocampus.toml", 2, 2))
    assert main(["fit", str(file), "--data", str(data), "--output", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err
    assert sentence in told and len(told.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "line, sentence",
    [
        ('labels = ["anterior=1", "posterior=1"]', "each number once"),
        ('labels = ["anterior"]', "must be a name and its numbers"),
        ('regions = ["both=anterior+middle"]', "must be a new name with classes"),
        ('images = ["imagesTr/x"]', "lacks {case}"),
        ("patch = [40, 50, 40]", "give multiples of 8"),
        ('codes = ["SCT^1^a~SCT^2^b"]', "one entry per class"),
        ('channels = ["t1", "t2"]', "as many images as channels"),
    ],
)
def test_settings_that_cannot_work_are_refused(checkout, line, sentence):
    table = read_table(checkout / RESOURCES / "hippocampus.toml")
    table["segmentation"] |= tomllib.loads(line)
    with pytest.raises(InputError, match=re.escape(sentence)):
        settings_from(table)


LEARNT = [(design, "dice+ce", 2) for design in SEGMENTING] + [("plain", loss, classes) for loss in LOSSES for classes in (1, 2)]


@pytest.mark.parametrize("design, loss, classes", LEARNT[:-1])  # the last is there twice
def test_every_network_learns_by_every_loss(design, loss, classes):
    torch.manual_seed(0)
    truth = torch.zeros(1, 1, 16, 16, 16, dtype=torch.long)
    truth[..., 2:7, 2:9, 3:9] = 1
    truth[..., 9:14, 5:13, 4:12] = classes
    image = truth.float() + 0.1 * torch.randn(truth.shape)
    outputs = outputs_of(loss, classes)
    network = network_of(architecture_of(NetworkSettings((8, 16), (1, 1), design), "segmentation", 1, outputs))
    criterion, optimizer = segmentation_loss(loss, classes, 0.7), torch.optim.Adam(network.parameters(), 0.02)
    first = None
    for _ in range(40):
        optimizer.zero_grad()
        value = criterion(network(image), truth)
        value.backward()
        optimizer.step()
        first = first or value.item()
    found = classes_of(network(image).detach(), classes)
    assert value.item() < 0.7 * first and found.shape == truth.shape
    assert mean_dice(found > 0, truth > 0) > 0.7 and (found == truth).float().mean() > 0.9


def test_samples_turn_image_and_truth_alike_and_leave_contrasts_out():
    """The same number gives the same sample; what is bright in the image stays what is marked in the truth."""
    images, truth = make_case(0, (1, 2))
    case = SegmentationCase("case", np.stack([image / 100 for image in images[:2]]).astype(np.float16), truth)
    settings = SegmentationSettings(channels=("a", "b"), patch=(24, 24, 24), labels=("x=1", "y=2"))
    plain = dict(brightness=0.0, gamma=0.0, noise=0.0, blur=0.0)
    samples = SegmentationSamples([case], settings, 2, Augmentation(affine=1.0, flip=(0.5, 0.5, 0.5), **plain), 0)
    alone = SegmentationSamples([case], settings, 2, Augmentation(missing=0.6, **plain), 0)
    shown, kept = [], []
    for number in range(12):
        image, classes, _ = samples[number]
        again = samples[number]
        assert torch.equal(image, again[0]) and torch.equal(classes, again[1])
        assert image.shape == (2, 24, 24, 24) and classes.shape == (1, 24, 24, 24)
        bright = image[0] > 1.2  # around it is 1, in the balls 1.4 and 0.6
        marked = classes[0] == 1
        assert (bright & marked).sum() > 0.75 * max(int(marked.sum()), int(bright.sum()))
        shown.append(image[0].sum())
        kept.append(int((alone[number][0].abs().sum(dim=(1, 2, 3)) > 0).sum()))
    assert len({round(float(value), 3) for value in shown}) == 12
    assert set(kept) == {1, 2}


def test_collections_are_drawn_by_their_shares(checkout, tmp_path):
    """A collection of one case with three times the share of another of two."""
    cases = [
        SegmentationCase(name, np.zeros((1, 16, 16, 16), np.float16), np.zeros((16, 16, 16), np.uint8))
        for name in ("a", "b", "c")
    ]
    samples = SegmentationSamples(cases, SegmentationSettings(patch=(16, 16, 16)), 1, None, 0, np.array([3.0, 0.5, 0.5]))
    drawn = [samples.name_of(number) for number in range(600)]
    assert {name: round(drawn.count(name) / 600, 1) for name in "abc"} == {"a": 0.8, "b": 0.1, "c": 0.1}
    data, file = make_site(tmp_path / "data", "hippocampus"), tmp_path / "settings.toml"
    named = re.sub(
        r'name = "Task04_Hippocampus"',
        'name = "one"\nshare = 3.0\n\n[[data]]\nname = "two"',
        cut_down(checkout / RESOURCES / "hippocampus.toml", 2, 2),
    )
    file.write_text(named)
    settings = read_settings(file)
    truths = [path for _, path in truths_in(data, settings.segmentation)]
    rows = [
        ListedScan("one" if n == 0 else "two", str(n), "validation" if n == 3 else "training", truth)
        for n, truth in enumerate(truths)
    ]
    training = work_of(settings, rows, None, tmp_path / "cache").training
    drawn = [training.name_of(number) for number in range(300)]
    assert 0.65 < drawn.count(name_of(truths[0])) / 300 < 0.85
    with pytest.raises(InputError, match="share of every collection is 0"):
        work_of(
            replace(settings, data=tuple(replace(source, share=0.0) for source in settings.data)),
            rows,
            None,
            tmp_path / "cache",
        )


def test_star_takes_everything_for_the_lesion_and_an_empty_map_is_a_map(checkout, tmp_path):
    settings = settings_of(checkout, "lesion")
    values = np.array([0, 1, 255, 3.0])
    assert labels_of(settings).classes_of(values, "mask").tolist() == [0, 1, 1, 1]
    assert labels_of(replace(settings, labels=("a=1|3", "background=255"))).classes_of(values, "mask").tolist() == [0, 1, 0, 1]
    write(tmp_path / "empty.nii.gz", np.zeros((4, 4, 4), np.uint8))
    assert not read_label_map(tmp_path / "empty.nii.gz").array.any()


def test_a_split_lists_label_maps_and_a_run_goes_by_it(checkout, tmp_path, capsys):
    data, file = make_site(tmp_path / "data", "hippocampus"), tmp_path / "settings.toml"
    text = cut_down(checkout / RESOURCES / "hippocampus.toml", 2, 2)
    file.write_text(text.replace('split = ""', 'split = "split.csv"').replace('name = "Task04_Hippocampus"', 'name = "data"'))
    assert main(["split", str(data), "--settings", str(file), "--output", str(tmp_path / "split.csv")]) == 0
    rows = list(csv.DictReader(open(tmp_path / "split.csv")))
    assert {row["file"] for row in rows} == {f"data/labelsTr/hippocampus_{number:03d}.nii.gz" for number in range(1, 5)}
    assert sorted(row["part"] for row in rows) == ["test", "training", "training", "validation"]
    assert main(["fit", str(file), "--output", str(tmp_path / "run")]) == 0
    assert "2 cases train, 1 validate." in capsys.readouterr().out


def test_painted_lesions_are_training_cases_and_all_of_a_scan_s_stay_in_one_part(checkout, tmp_path, capsys):
    data, file = make_site(tmp_path / "painted", "synthetic", cases=8), tmp_path / "settings.toml"
    (data / "provenance.json").write_text("{}")
    write(data / "sub-09_T1w_tumour_12_image.nii.gz", make_case(9, (1,))[0][0])
    assert {subject for subject, _ in truths_in(data, settings_of(checkout, "synthetic"))} == {
        f"sub-{number:02d}_T1w" for number in range(4)
    }
    file.write_text(cut_down(checkout / RESOURCES / "synthetic.toml", 2, 2))
    assert main(["split", str(data), "--settings", str(file), "--output", str(tmp_path / "split.csv")]) == 0
    parts = {}
    for row in csv.DictReader(open(tmp_path / "split.csv")):
        assert row["file"].endswith("_mask.nii.gz")
        parts.setdefault(row["subject"], []).append(row["part"])
    assert all(len(own) == 2 and len(set(own)) == 1 for own in parts.values())
    assert main(["fit", str(file), "--data", str(data), "--output", str(tmp_path / "run")]) == 0
    assert "4 cases train, 2 validate." in capsys.readouterr().out
    card = export_model(tmp_path / "run", tmp_path / "model")
    assert read_card(card)["data"][0]["name"] == "painted"


def test_init_writes_settings_of_a_segmentation(tmp_path):
    assert main(["init", str(tmp_path / "new.toml"), "--task", "segmentation"]) == 0
    settings = read_settings(tmp_path / "new.toml")
    assert settings.task.kind == "segmentation" and settings.scans.split == ""
    text = (tmp_path / "new.toml").read_text()
    assert "[augmentation]" in text and "[recipe]" not in text and "[tissue]" not in text


def test_a_run_starts_from_a_model_s_weights_and_says_when_it_does_not_fit(trained, checkout, tmp_path, capsys):
    data, _, card = trained("hippocampus", "hippocampus", steps=60)
    assert main(["init", str(tmp_path / "new.toml"), "--task", "segmentation", "--start", str(card)]) == 0
    settings = read_settings(tmp_path / "new.toml")
    assert settings.segmentation.labels == ("anterior=1", "posterior=2") and settings.network.channels == (8, 16, 16)
    work = work_of(
        replace(settings, fit=replace(settings.fit, validation_pairs=1)), drawn_split(settings, data), None, tmp_path / "cache"
    )
    model = SegmentationModel.load(str(card))
    assert all(torch.equal(a, b) for a, b in zip(work.task.network.state_dict().values(), model.network.state_dict().values()))
    file = tmp_path / "other.toml"
    text = cut_down(checkout / RESOURCES / "hippocampus.toml", 2, 2).replace("[fit]", f'[fit]\nstart = "{card}"')
    file.write_text(text.replace("channels = [8, 16, 16]", "channels = [16, 16, 16]"))
    assert main(["fit", str(file), "--data", str(data), "--output", str(tmp_path / "run")]) == 2
    assert "has channels [8, 16, 16]" in capsys.readouterr().err
