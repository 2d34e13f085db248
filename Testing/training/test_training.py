"""Training draws honest pairs, learns, resumes, and exports what the analysis then loads."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from bench.ended import in_a_fork
from bench.training_site import environment, tiny

from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.cli import main as analysis
from RadiomicsPersonaLib.defaults import HOLE_FILLS
from RadiomicsPersonaLib.imaging.files import read_scan, write_nifti
from RadiomicsPersonaLib.networks.card import read_card
from RadiomicsPersonaLib.reconstruction.network_input import with_fill
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.data.split import read_split
from RadiomicsPersonaTrainingLib.samples.draws import DrawSampler
from RadiomicsPersonaTrainingLib.samples.healthy_pairs import HealthyPairs
from RadiomicsPersonaTrainingLib.settings.sample_sections import Recipe

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]


@pytest.fixture(scope="module")
def pairs(site):
    recipe = Recipe(patch=32, spacings=(2.0, 3.0), spacing_chances=(0.5, 0.5), side=(5.0, 12.0))
    return HealthyPairs([prepare(read_scan(site / "heads" / "sub-0.nii.gz"))], np.ones(1), recipe, seed=0)


def weights_in(path):
    return torch.load(path, weights_only=True)["state_dict"]


def test_a_pair_shows_only_the_fill_in_the_holes(pairs):
    """What the network is shown there follows from the surroundings alone."""
    for number in range(12):
        image, mirror, target, weight, _ = pairs[number]
        hole = image[1] == 1
        assert hole.any() and (weight[0][hole] > 0).all()
        wiped = image.numpy().copy()
        wiped[0][hole.numpy()] = 0
        assert np.allclose(with_fill(wiped, "biharmonic")[0], image[0].numpy(), atol=0.05)
        assert not torch.allclose(image[0][hole], target[0][hole], atol=0.1)
        assert mirror.shape == (2, 16, 16, 16) and (mirror[0][mirror[1] == 0] == 0).all()


def test_outside_the_holes_image_and_target_agree(pairs):
    """Bias field, contrast, flips and foreign curves change both alike; only voxels mixed with a hole may differ."""
    from scipy.ndimage import binary_dilation

    plain = HealthyPairs(pairs.scans, pairs.chances, replace(pairs.recipe, low_resolution=0.0, foreign=0.5), pairs.seed)
    for number in range(12):
        image, _, target, _, _ = plain[number]
        far = torch.from_numpy(~binary_dilation(image[1].numpy() > 0, iterations=4))
        assert torch.allclose(image[0][far], target[0][far], atol=1e-4)


def test_several_holes_lie_in_one_patch_and_weigh_the_same(pairs):
    from scipy import ndimage

    counts = []
    for number in range(20):
        image, _, _, weight, _ = pairs[number]
        labels, count = ndimage.label(image[1].numpy() > 0)
        sums = ndimage.sum(weight[0].numpy(), labels, range(1, count + 1))
        assert np.allclose(sums, sums[0], rtol=1e-4)
        counts.append(count)
    assert max(counts) >= 2 and min(counts) == 1


def test_real_lesion_shapes_are_taken_out_and_those_of_the_evaluation_are_not(site, pairs, data_root):
    from RadiomicsPersonaTrainingLib.data.lesion_shapes import is_for_evaluation, training_shapes

    files = sorted((data_root / "lesion_masks" / "stroke").glob("*.nii.gz"))
    kept = [file for file in files if is_for_evaluation(file)]
    assert 0.1 < len(kept) / len(files) < 0.3
    recipe = replace(pairs.recipe, lesions=1.0, ellipsoids=0.0, several=0.0, rotated=0.0)
    shapes = training_shapes(data_root / "lesion_masks" / "stroke")
    assert set(shapes) == set(files) - set(kept)
    lesions = HealthyPairs(pairs.scans, pairs.chances, recipe, 0, shapes)
    filled = []
    for number in range(30):
        hole = lesions[number][0][1].numpy() > 0
        hull = np.prod([np.ptp(axis) + 1 for axis in np.nonzero(hole)])
        filled.append(hole.sum() / hull)
    assert np.median(filled) < 0.7  # a cuboid along the axes would fill its hull


@pytest.mark.parametrize("fill", HOLE_FILLS)
def test_every_fill_leaves_the_surroundings_alone(pairs, fill):
    image = pairs[1][0].numpy()  # which has one hole: the mean of a rim is one number
    hole = image[1] > 0
    filled, again = with_fill(image, fill), with_fill(image, fill)
    assert np.array_equal(filled, again)
    assert np.array_equal(filled[0][~hole], image[0][~hole])
    assert (filled[0][hole].std() > 0.5) == (fill == "noise") or fill == "biharmonic"


def test_the_same_number_draws_the_same_pair_and_the_next_another(pairs):
    first, again, other = pairs[3], pairs[3], pairs[4]
    assert all(torch.equal(a, b) for a, b in zip(first[:4], again[:4]))
    assert not torch.equal(first[0], other[0])
    assert pairs.name_of(3) == "sub-0"


def test_two_processes_share_the_numbers_of_every_epoch():
    numbers = []
    for epoch in range(3):
        for rank in range(2):
            sampler = DrawSampler(8, lambda: epoch, rank, 2)
            numbers += list(sampler)
            assert len(sampler) == 4
    assert sorted(numbers) == list(range(24))


def test_fit_resumes_to_the_same_weights_and_exports_a_model_that_analyze_takes(fit, site, tmp_path, capsys):
    assert fit(tiny(steps=6), "unbroken") == 0
    assert fit(tiny(steps=6), "broken", "--minutes", "0.0001") == 0
    assert len((tmp_path / "broken" / "log.csv").read_text().splitlines()) == 2
    assert fit(tiny(steps=6), "broken") == 2
    assert "--resume" in capsys.readouterr().err
    assert fit(tiny(steps=6), "broken", "--resume") == 0
    whole, parts = (list(csv.DictReader(open(tmp_path / name / "log.csv"))) for name in ("unbroken", "broken"))
    assert [row["step"] for row in parts] == ["2", "4", "6"]
    keys = ("epoch", "training_loss", "validation_mse", "learning_rate")
    assert [[row[k] for k in keys] for row in whole] == [[row[k] for k in keys] for row in parts]
    one, other = (weights_in(tmp_path / name / "last.ckpt") for name in ("unbroken", "broken"))
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert (tmp_path / "broken" / "pictures" / "epoch-00002.png").stat().st_size > 2000
    assert list((tmp_path / "broken" / "tensorboard").glob("events*"))

    assert main(["export", str(tmp_path / "unbroken"), "--output", str(tmp_path / "models" / "tiny")]) == 0
    card = read_card(tmp_path / "models" / "tiny.json")
    entry = card["data"][0]
    assert entry["licence"] == "CC0" and len(entry["training"]) == 2 and len(entry["test"]) == 1
    assert str(site) not in (tmp_path / "models" / "tiny.json").read_text()  # a card tells nobody where a site keeps its scans
    scan = site / "heads" / f"{entry['test'][0]}.nii.gz"
    command = [
        "analyze",
        str(scan),
        "--box",
        "30,0,30,30,30,30",
        "--controls",
        "4",
        "--model",
        str(tmp_path / "models" / "tiny.json"),
    ]
    assert analysis([*command, "--output", str(tmp_path / "result")]) == 0
    mask = np.zeros(read_scan(scan).shape, np.uint8)
    mask[20:26, 20:26, 20:26] = 1
    write_nifti(tmp_path / "mask.nii.gz", mask, read_scan(scan).affine)
    out = tmp_path / "rebuilt.nii.gz"
    assert (
        main(["predict", str(tmp_path / "unbroken"), str(scan), "--mask", str(tmp_path / "mask.nii.gz"), "--output", str(out)])
        == 0
    )
    assert (read_scan(out).array != read_scan(scan).array)[mask > 0].mean() > 0.9


def test_training_lowers_the_error_on_a_subject_never_trained_on(site, fit, tmp_path):
    from RadiomicsPersonaLib.networks.unets import PopulationUNet
    from RadiomicsPersonaTrainingLib.fitting.reconstruction_task import hole_mse

    assert (
        fit(
            tiny(steps=60, fit="")
            .replace("validate_every = 2", "validate_every = 20")
            .replace("[8, 8, 8, 8]", "[16, 16, 16, 16]")
        )
        == 0
    )
    with open(site / "split.csv") as stream:
        test = next(row["file"] for row in csv.DictReader(stream) if row["part"] == "test")
    recipe = Recipe(patch=32, spacings=(2.0, 3.0), spacing_chances=(0.5, 0.5), side=(5.0, 12.0), several=0.0)
    unseen = HealthyPairs([prepare(read_scan(site / test))], np.ones(1), recipe, seed=9, population=True)

    def error(network):
        with torch.inference_mode():
            drawn = (unseen[n][:3] for n in range(8))
            return np.mean([float(hole_mse(network(i[None], m[None]), t[None], i[None, 1:2])) for i, m, t in drawn])

    torch.manual_seed(0)
    network = PopulationUNet((16, 16, 16, 16), (1, 1, 1, 1))
    before = error(network)
    network.load_state_dict({k.removeprefix("network."): v for k, v in weights_in(tmp_path / "run" / "best.ckpt").items()})
    assert error(network) < 0.8 * before


def test_fine_tuning_starts_from_a_models_weights(finished_run, fit, tmp_path, capsys):
    finished_run("first")
    assert main(["export", str(tmp_path / "first"), "--output", str(tmp_path / "first")]) == 0
    start = f'start = "{tmp_path / "first.json"}"'
    assert fit(tiny(steps=2, task="learning_rate = 1e-6", fit=start), "second") == 0
    one, other = (weights_in(tmp_path / name / "best.ckpt") for name in ("first", "second"))
    assert all(torch.allclose(one[key], other[key], atol=1e-3) for key in one)
    capsys.readouterr()
    assert fit(tiny(steps=2, fit='start = "auto"'), "third") == 2
    assert "channels" in capsys.readouterr().err


def test_label_maps_train_beside_scans(site, label_maps, fit):
    assert main(["split", str(site / "heads"), str(label_maps), "--output", str(site / "both.csv")]) == 0
    text = tiny(steps=2).replace("split.csv", "both.csv") + '\n[[data]]\nname = "maps"\nkind = "label maps"\nvariants = 1\n'
    before = set((site / "cache").glob("*"))
    assert fit(text) == 0
    assert any(entry.name.endswith("-0") for entry in set((site / "cache").glob("*")) - before)


def test_a_loss_with_structural_similarity_falls_for_the_truth_only(pairs):
    from RadiomicsPersonaTrainingLib.fitting.reconstruction_task import reconstruction_loss

    image, _, target, weight, _ = pairs[1]
    blurred = torch.nn.functional.avg_pool3d(target[None], 3, 1, 1)
    right, wrong = (reconstruction_loss(x, target[None], weight[None], 0.3, ssim=0.5) for x in (target[None], blurred))
    assert right < 1e-5 < 0.01 < wrong
    assert wrong > reconstruction_loss(blurred, target[None], weight[None], 0.3)


def test_no_process_is_forked_from_one_that_trains(fit, monkeypatch):
    """A fork takes along a lock that another thread holds at that moment, and then waits for it for ever."""

    def fork():
        raise AssertionError("forked")

    monkeypatch.setattr(os, "fork", fork)
    assert fit(tiny(steps=2)) == 0


def test_two_processes_train_one_model(site, tmp_path):
    path = site / f"{tmp_path.name}-ddp.toml"
    path.write_text(tiny(steps=2))
    command = [
        sys.executable,
        "-m",
        "RadiomicsPersonaTrainingLib",
        "fit",
        str(path),
        "--cache",
        str(site / "cache"),
        "--devices",
        "2",
    ]
    code, said = finished([*command, "--output", str(tmp_path / "run")], seconds=240)
    assert code == 0, said
    assert (tmp_path / "run" / "log.csv").read_text().splitlines()[1].startswith("0,2,")


LATE_IN_ONE = """
import os, sys
from RadiomicsPersonaTrainingLib import cli
from RadiomicsPersonaTrainingLib.fitting.callbacks import StopInTime

if __name__ == "__main__":
    start = StopInTime.__init__
    if os.environ.get("LOCAL_RANK") == "1":
        StopInTime.__init__ = lambda self, minutes: start(self, 1e6)
    sys.exit(cli.main(sys.argv[1:]))
"""


def test_two_processes_end_together_though_only_one_of_them_is_out_of_time(site, tmp_path):
    path, script = site / f"{tmp_path.name}-late.toml", tmp_path / "late.py"
    path.write_text(tiny(steps=100_000))
    script.write_text(LATE_IN_ONE)
    command = [sys.executable, str(script), "fit", str(path), "--cache", str(site / "cache"), "--devices", "2"]
    code, said = finished([*command, "--minutes", "0.0001", "--output", str(tmp_path / "run")], seconds=240)
    assert code == 0, said
    assert (tmp_path / "run" / "log.csv").read_text().splitlines()[1].startswith("0,2,")


def test_two_processes_that_are_told_to_end_do_so_and_keep_the_last_epoch(site, tmp_path):
    path, kept = site / f"{tmp_path.name}-end.toml", tmp_path / "run" / "last.ckpt"
    path.write_text(tiny(steps=100_000))
    command = [sys.executable, "-m", "RadiomicsPersonaTrainingLib", "fit", str(path), "--cache", str(site / "cache")]

    def tell(process: subprocess.Popen) -> None:
        while not kept.is_file() and process.poll() is None:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGTERM)  # as a shell or a queue does: all at once, those that draw samples too

    words = [*command, "--devices", "2", "--output", str(tmp_path / "run")]
    code, said = finished(words, seconds=240, meanwhile=tell)
    assert code not in (None, 0) and "Traceback" not in said, said
    assert kept.is_file() and not list(kept.parent.glob("*.part")) and "--resume" in said


def finished(
    command: list[str], seconds: float, meanwhile: Callable[[subprocess.Popen], None] | None = None
) -> tuple[int | None, str]:
    """Exit code, None where it did not end in time, and what was said;
    a command that did not end tells where each of its processes stood.
    """
    process = subprocess.Popen(
        command,
        env=environment() | {"PYTHONFAULTHANDLER": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        if meanwhile:
            meanwhile(process)
        return process.wait(seconds), process.communicate()[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGABRT)
        return None, f"It did not end within {seconds:.0f} s:\n{process.communicate(timeout=30)[0]}"


@pytest.mark.parametrize(
    "number",
    [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)],
    ids=lambda number: number.name,
)
def test_ctrl_c_and_a_kill_keep_the_best_so_far(site, tmp_path, number):
    path = site / f"{tmp_path.name}-long.toml"
    path.write_text(tiny(steps=100_000))
    command = [sys.executable, "-m", "RadiomicsPersonaTrainingLib", "fit", str(path), "--cache", str(site / "cache")]
    process = subprocess.Popen(
        [*command, "--output", str(tmp_path / "run")],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not all((tmp_path / "run" / name).is_file() for name in ("best.ckpt", "last.ckpt")) and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number and "--resume" in said, said
    assert weights_in(tmp_path / "run" / "best.ckpt") and weights_in(tmp_path / "run" / "last.ckpt")
    assert not list((tmp_path / "run").glob("*.part"))


def test_ctrl_c_in_the_moment_an_object_is_cleared_away_ends_a_training(site, tmp_path, capfd, monkeypatch):
    """Python prints such an exception and goes on; samples come with objects that are cleared away at every step."""
    from RadiomicsPersonaTrainingLib.fitting import callbacks, loop  # noqa: F401 (here, so that no fork has to)

    class Cleared:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    told, steps = callbacks.StepsTold.on_train_batch_end, []

    def on_train_batch_end(self, trainer, *more) -> None:
        told(self, trainer, *more)
        steps.append(trainer.global_step)
        if len(steps) == 3:
            Cleared()

    monkeypatch.setattr(callbacks.StepsTold, "on_train_batch_end", on_train_batch_end)
    path = site / f"{tmp_path.name}-long.toml"
    path.write_text(tiny(steps=200))
    words = ["fit", str(path), "--cache", str(site / "cache"), "--output", str(tmp_path / "run")]
    assert in_a_fork(lambda: main(words), None)[0] == 130
    said = capfd.readouterr().err
    assert "--resume" in said and "ignored" not in said


def test_a_pack_holds_all_that_a_training_elsewhere_needs_and_goes_on_at_the_next_call(site, tmp_path, capsys):
    settings = site / f"{tmp_path.name}-pack.toml"
    settings.write_text(tiny(steps=4))
    pack = tmp_path / "pack.tar.xz"
    assert main(["pack", str(settings), "--output", str(pack)]) == 0
    with tarfile.open(pack) as archive:
        names = set(archive.getnames())
        archive.extractall(tmp_path / "unpacked", filter="data")
    rows = read_split(tmp_path / "unpacked" / "split.csv")
    assert {str(row.file.relative_to(tmp_path / "unpacked")) for row in rows if row.part != "test"} | {
        "settings.toml",
        "split.csv",
    } == names
    packed = next(row.file for row in rows if row.subject == "sub-1")
    original, carried = (read_scan(file) for file in (site / "heads" / "sub-1.nii.gz", packed))
    assert np.array_equal(original.array, carried.array) and np.allclose(original.affine, carried.affine)
    small = tmp_path / "small.tar.xz"
    assert main(["pack", str(settings), "--output", str(small), "--largest", "0.001"]) == 2
    assert "leave some training scans out" in capsys.readouterr().err and not small.exists()
    assert main(["pack", str(settings), "--output", str(small), "--small"]) == 0
    assert small.stat().st_size < 0.6 * pack.stat().st_size
    with tarfile.open(small) as archive:
        archive.extractall(tmp_path / "rough", filter="data")
    rough = read_scan(tmp_path / "rough" / packed.relative_to(tmp_path / "unpacked"))
    head = original.array > 100
    assert np.corrcoef(rough.array[head], original.array[head])[0, 1] > 0.999

    script = Path(__file__).parents[2] / "RadiomicsPersonaTraining" / "train_packed.sh"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for steps in (2, 4):
        done = subprocess.run(
            ["sh", str(script), str(pack), str(tmp_path / "out"), "0.0001"],
            env={**os.environ, "RUN": str(tmp_path / "run"), "PATH": path},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "out" / "log.csv").read_text().splitlines()[-1].split(",")[1] == str(steps)
    assert read_card(tmp_path / "out" / "tiny.json")["training"]["best_after_steps"] in (2, 4)
