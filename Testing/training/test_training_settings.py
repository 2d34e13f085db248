"""Settings, splits, the cache, and what bad input to the training commands gets: one sentence, exit code 2,
nothing half-written.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from bench.phantom import make_head
from bench.training_site import environment, tiny
from safetensors.torch import load_file, save_file

from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_scan, sha256_of, write_nifti
from RadiomicsPersonaLib.networks.head_model import TissueModel
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.data.prepared_scans import CachedScans, correct_bias_field, prepare_scans
from RadiomicsPersonaTrainingLib.data.split import PARTS, read_split
from RadiomicsPersonaTrainingLib.data.training_scans import lesion_masks_of
from RadiomicsPersonaTrainingLib.runs.state import state_of
from RadiomicsPersonaTrainingLib.settings.sections import CacheSettings
from RadiomicsPersonaTrainingLib.settings.training_settings import SECTIONS, TrainingSettings, read_settings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]


def test_init_writes_the_defaults_with_every_key_explained(site, tmp_path):
    path = tmp_path / "settings.toml"
    assert main(["init", str(path), "--split", str(site / "split.csv")]) == 0
    written = read_settings(path)
    assert [source.name for source in written.data] == ["heads"]
    assert (path.parent / written.scans.split).resolve() == (site / "split.csv").resolve()
    defaults = TrainingSettings()
    assert all(getattr(written, name) == getattr(defaults, name) for name in SECTIONS if name != "scans")
    lines = path.read_text().splitlines()
    for before, line in zip(lines, lines[1:]):
        if " = " in line and not line.startswith("#"):
            assert before.startswith("# "), f"{line} is not explained"


def test_init_for_fine_tuning_takes_the_shipped_models_network(tmp_path, capsys):
    path = tmp_path / "settings.toml"
    assert main(["init", str(path), "--start", "auto"]) == 0
    settings = read_settings(path)
    assert list(settings.network.channels) == load_model("auto").card["architecture"]["channels"]
    assert settings.fit.start == "auto"
    assert main(["init", str(path)]) == 2 and "already there" in capsys.readouterr().err
    assert main(["init", str(tmp_path / "b.toml"), "--start", "harmonic"]) == 2


def test_lesion_masks_lie_beneath_the_data_or_beside_the_settings(site, tmp_path, monkeypatch, capsys):
    """Whatever folder the command is given in; a folder that is nowhere is named."""
    monkeypatch.chdir(tmp_path)
    settings_file = tmp_path / "settings" / "s.toml"
    for place in ("settings/near", "data/both", "settings/both"):
        (tmp_path / place).mkdir(parents=True)
    for name, root, found in (
        ("near", None, "settings/near"),
        ("near", "data", "settings/near"),
        ("both", "data", "data/both"),
        ("both", None, "settings/both"),
    ):
        settings = replace(TrainingSettings(), scans=replace(TrainingSettings().scans, lesion_masks=name))
        assert lesion_masks_of(settings, settings_file, tmp_path / root if root else None) == tmp_path / found
    assert lesion_masks_of(TrainingSettings(), settings_file, None) is None
    (tmp_path / "s.toml").write_text(
        tiny().replace('split = "split.csv"', f'split = "{site / "split.csv"}"\nlesion_masks = "nowhere"')
    )
    assert main(["fit", str(tmp_path / "s.toml"), "--output", str(tmp_path / "run"), "--estimate"]) == 2
    assert str(tmp_path / "nowhere") in capsys.readouterr().err


def test_a_split_keeps_every_subject_in_one_part(tmp_path, capsys):
    folder = tmp_path / "scans"
    folder.mkdir()
    for subject in range(10):
        for session in (1, 2):
            (folder / f"sub-{subject:02d}_ses-{session}_T1w.nii.gz").write_bytes(b"")
    for out, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert main(["split", str(folder), "--output", str(tmp_path / f"{out}.csv"), "--seed", str(seed)]) == 0
    rows = read_split(tmp_path / "a.csv")
    subjects = {part: {row.subject for row in rows if row.part == part} for part in PARTS}
    assert [len(subjects[part]) for part in PARTS] == [8, 1, 1] and len(rows) == 20
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text() != (tmp_path / "c.csv").read_text()


def test_a_csv_of_scans_tells_the_subjects(tmp_path):
    listing = tmp_path / "cohort.csv"
    listing.write_text("subject,file\n" + "".join(f"{n // 2},scan{n}.nii.gz\n" for n in range(12)))
    for n in range(12):
        (tmp_path / f"scan{n}.nii.gz").touch()
    assert main(["split", str(listing), "--output", str(tmp_path / "split.csv")]) == 0
    rows = read_split(tmp_path / "split.csv")
    assert len(rows) == 12 and {row.source for row in rows} == {"cohort"}


def test_a_split_mixes_nobody_and_lists_every_file_once(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def refused(*words: str) -> str:
        assert main(["split", *words, "-o", "x.csv"]) == 2 and not (tmp_path / "x.csv").exists()
        out, said = capsys.readouterr()
        assert not out and said.count("\n") == 1
        return said

    for site, subjects in (("A", 4), ("B", 12)):
        (tmp_path / site / "scans").mkdir(parents=True)
        for n in range(subjects):
            (tmp_path / site / "scans" / f"sub-{n:02d}.nii.gz").touch()
    head, scans = "subject,file\n", [f"A/scans/sub-0{n}.nii.gz" for n in range(4)]
    (tmp_path / "t.csv").write_text(head + f"a,{scans[0]}\nb,{scans[0]}\nc,{scans[1]}\n")
    assert "is listed twice, for 'a' of 't' and for 'b' of 't'" in refused("t.csv")
    (tmp_path / "t.csv").write_text(head + f"a,{scans[0]}\nb,{scans[1]}\nb,{scans[1]}\nc,{scans[2]}\n")
    assert "is listed twice, for 'b': list every file once" in refused("t.csv")
    (tmp_path / "t.csv").write_text(head + f"a,{scans[0]}\nb,{scans[1]}\nd,none.nii.gz\n")
    assert "'t.csv' names the scan 'none.nii.gz' of 'd', which is not there" in refused("t.csv")
    assert "would be one source, 'scans'" in refused("A/scans", "B/scans")
    assert "named twice" in refused("A/scans", "A/../A/scans")
    assert "is listed twice" in refused("A", "A/scans")
    (tmp_path / "t.txt").write_text(head)
    assert "'t.txt' is no folder and no table" in refused("t.txt")
    rows = f"s,a,training,{scans[0]}\ns,b,test,{scans[0]}\n"
    (tmp_path / "s.csv").write_text("source,subject,part,file\n" + rows)  # as an editor may leave it
    with pytest.raises(InputError, match="is listed twice"):
        read_split(tmp_path / "s.csv")


def test_a_split_finds_all_scans_and_nothing_else(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site.1" / "folder.nii").mkdir(parents=True)
    (tmp_path / "site.1" / ".cache").mkdir()
    for name in ("a.nii.gz", "B.NII.GZ", "c.nii", "._a.nii.gz", ".cache/d.nii.gz"):
        (tmp_path / "site.1" / name).touch()
    assert main(["split", "site.1", "-o", "x.csv"]) == 0
    rows = read_split(tmp_path / "x.csv")
    assert sorted(row.subject for row in rows) == ["B", "a", "c"] and {row.source for row in rows} == {"site.1"}
    capsys.readouterr()
    (tmp_path / "D").mkdir()
    for n in range(3):
        Path(os.fsdecode(b"D/\xff%d.nii.gz" % n)).touch()
    assert main(["split", "D", "-o", "x.csv"]) == 2
    assert "is no text in UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["split", "x"], ["evaluate", "x", "-o", "y"], ["compare", "a", "b", "-o", "y"]])
def test_a_negative_seed_is_refused_by_every_command(words, capsys):
    assert main([*words, "--seed", "-1"]) == 2
    assert "The seed is -1: give 0 or a positive whole number." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "TOML"),
        (tiny(more_recipe="flipp = 0.2"), "unknown key 'flipp' in \\[recipe\\]: did you mean 'flip'"),
        (tiny() + "\n[glow]\nx = 1", "unknown section 'glow'"),
        (tiny(more_recipe="flip = 1.5"), "'flip' in \\[recipe\\] is 1.5, out of its range: give 0 to 1"),
        (tiny(more_recipe='flip = "often"'), "'flip' in \\[recipe\\] is 'often', not a number"),
        (tiny(more_recipe='fill = "magic"'), "choose one of biharmonic"),
        (tiny(task="weight_decay = [1.0]"), "not a number"),
        (tiny().replace('name = "heads"', ""), "lack 'name' in \\[data\\]"),
        (tiny().replace("[2.0, 3.0]", "[2.0]"), "as many spacing_chances as spacings"),
        (tiny().replace("patch = 32", "patch = 40"), "multiple of 16"),
    ],
)
def test_bad_settings_are_refused_by_name(tmp_path, text, said):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_settings(path)


@pytest.mark.usefixtures("shipped_models")
@pytest.mark.parametrize("name", ["healthy-t1", "healthy-any", "tissue"])
def test_the_settings_of_a_shipped_model_are_those_on_its_card(checkout, name):
    resources = checkout / "RadiomicsPersonaTraining" / "Resources"
    settings = read_settings(resources / f"{name}.toml")
    rows = read_split(resources / settings.scans.split)
    assert settings.model.name == name
    assert {row.source for row in rows} == {source.name for source in settings.data}
    if name == "healthy-any":
        return  # not shipped yet
    card = load_model("auto").card if name == "healthy-t1" else TissueModel.load("auto").card
    assert card["name"] == name and card["kind"] == settings.task.kind
    assert card["architecture"]["channels"] == list(settings.network.channels)
    assert card["architecture"]["blocks"] == list(settings.network.blocks)
    tissue = name == "tissue"
    assert card["grid"]["spacing_mm" if tissue else "patch_voxels"] == (
        settings.tissue.spacing if tissue else settings.recipe.patch
    )
    for entry in card["data"]:
        for part in ("training", "validation", "test"):
            assert set(entry[part]) == {row.subject for row in rows if (row.source, row.part) == (entry["name"], part)}


def test_an_entry_is_made_once_and_again_when_scan_settings_or_entry_change(tmp_path):
    head = make_head(4.0, seed=5)
    file = tmp_path / "sub-5.nii.gz"
    write_nifti(file, head.array, head.affine)
    keep = CacheSettings()

    def entry_of(settings=keep):
        return prepare_scans([file], tmp_path / "cache", settings)[0][0]

    first = entry_of()
    stamp = (first / "entry.json").stat().st_mtime_ns
    assert entry_of() == first and (first / "entry.json").stat().st_mtime_ns == stamp
    cached, fresh = CachedScans([first])[0], prepare(read_scan(file))
    assert np.array_equal(cached.scan.array, fresh.scan.array) and np.array_equal(cached.tissue.brain, fresh.tissue.brain)
    assert cached.tissue.scale == fresh.tissue.scale and np.allclose(cached.midplane.normal, fresh.midplane.normal)
    assert isinstance(cached.scan.array, np.memmap)

    array = first / "scan.scan.array.npy"
    array.write_bytes(array.read_bytes()[:-8] + b"garbage!")
    entry_of()
    assert np.array_equal(np.load(array), fresh.scan.array)

    assert entry_of(CacheSettings(bias_field="correct")) != first
    write_nifti(file, head.array * 2, head.affine)
    assert entry_of() != first


def test_n4_takes_a_bias_field_out():
    head = make_head(6.0)
    ramp = np.exp(np.linspace(-0.4, 0.4, head.shape[0]))[:, None, None]
    shaded = replace(head, array=(head.array * ramp).astype(np.float32))
    corrected = correct_bias_field(shaded)
    inside = head.array > np.percentile(head.array, 70)
    before, after = (np.std(np.log(s.array[inside] / head.array[inside])) for s in (shaded, corrected))
    assert after < 0.6 * before


def test_an_unreadable_scan_stops_the_run_or_is_skipped_by_name(site, fit, tmp_path, capsys):
    folder = tmp_path / "heads"
    shutil.copytree(site / "heads", folder)
    assert main(["split", str(folder), "--output", str(site / "torn.csv")]) == 0
    lost = next(row.file for row in read_split(site / "torn.csv") if row.part == "training")
    lost.write_bytes(lost.read_bytes()[:500])
    text = tiny(steps=2).replace("split.csv", "torn.csv")
    capsys.readouterr()
    assert fit(text) == 2
    said = capsys.readouterr().err
    assert lost.name in said and 'unreadable = "skip"' in said and not (tmp_path / "run" / "best.ckpt").exists()
    assert fit(text + '\n[cache]\nunreadable = "skip"\n', "skipping") == 0
    said = capsys.readouterr().out
    assert f"Skipped: '{lost}" in said or lost.name in said
    assert "1 scans train" in said


def test_a_part_without_a_usable_scan_is_named(site, fit, tmp_path, capsys):
    folder = tmp_path / "heads"
    shutil.copytree(site / "heads", folder)
    assert main(["split", str(folder), "--output", str(site / "lost.csv")]) == 0
    for row in read_split(site / "lost.csv"):
        if row.part == "validation":
            row.file.write_bytes(b"")
    capsys.readouterr()
    assert fit(tiny(steps=2).replace("split.csv", "lost.csv") + '\n[cache]\nunreadable = "skip"\n') == 2
    assert "No scan is left for validation" in capsys.readouterr().err


def test_a_mask_among_the_scans_is_refused(site, fit, tmp_path, capsys):
    scan = read_scan(site / "heads" / "sub-0.nii.gz")
    folder = tmp_path / "heads"
    folder.mkdir()
    for n in range(4):
        write_nifti(folder / f"sub-{n}.nii.gz", (scan.array > 50).astype(np.uint8), scan.affine)
    assert main(["split", str(folder), "--output", str(site / "masks.csv")]) == 0
    assert fit(tiny(steps=2).replace("split.csv", "masks.csv")) == 2
    assert "must be a mask" in capsys.readouterr().err


@pytest.mark.parametrize("case", ["empty", "single", "both parts", "no such part", "foreign source", "bare header"])
def test_bad_cohorts_are_refused(case, site, fit, tmp_path, capsys):
    folder = tmp_path / "some"
    folder.mkdir()
    if case in ("empty", "single"):
        if case == "single":
            shutil.copy(site / "heads" / "sub-0.nii.gz", folder)
        assert main(["split", str(folder), "--output", str(tmp_path / "s.csv")]) == 2
        said = capsys.readouterr().err
        assert ("no NIfTI scans" if case == "empty" else "only 1 subject") in said and not (tmp_path / "s.csv").exists()
        return
    lines = (site / "split.csv").read_text().splitlines()
    row = lines[1].split(",")
    extra, expected = {
        "both parts": ([",".join([row[0], row[1], "test", row[3]])], "is in two parts"),
        "no such part": ([",".join([row[0], "sub-9", "holdout", row[3]])], "names the part 'holdout'"),
        "foreign source": ([",".join(["mars", "sub-9", "test", f"mars/{row[3]}"])], "names the source 'mars'"),
        "bare header": (None, "lists no scan"),
    }[case]
    (site / "broken.csv").write_text("\n".join(lines[:1] if extra is None else lines + extra) + "\n")
    assert fit(tiny().replace("split.csv", "broken.csv")) == 2
    assert expected in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_a_run_only_goes_on_with_its_own_settings(finished_run, fit, capsys):
    finished_run()
    assert fit(tiny(steps=4, task="l1 = 0.7"), "run", "--resume") == 2
    assert "l1 in [task]" in capsys.readouterr().err
    assert fit(tiny(steps=4), "run", "--resume") == 0
    assert fit(tiny(steps=4), "elsewhere", "--resume") == 2
    assert "no run to go on with" in capsys.readouterr().err


@pytest.mark.parametrize("case", ["a pickle", "torn", "another network", "not a run", "missing"])
def test_bad_checkpoints_are_refused(case, finished_run, tmp_path, capsys):
    best = finished_run() / "best.ckpt"
    if case == "a pickle":
        best.write_bytes(pickle.dumps(print))
    elif case == "torn":
        best.write_bytes(best.read_bytes()[:2000])
    elif case == "another network":
        state = torch.load(best, weights_only=True)
        state["state_dict"] = {"network.other": torch.zeros(3)}
        torch.save(state, best)
    elif case == "not a run":
        (tmp_path / "run" / "run.json").unlink()
    else:
        best.unlink()
    capsys.readouterr()
    assert main(["export", str(tmp_path / "run"), "--output", str(tmp_path / "out" / "m")]) == 2
    said = capsys.readouterr().err
    expected = {
        "a pickle": "could run code",
        "torn": "damaged",
        "another network": "another network",
        "not a run": "no training run",
        "missing": "run fit first",
    }[case]
    assert expected in said and "Traceback" not in said and not list((tmp_path / "out").glob("*")), said


def test_a_loss_that_is_no_number_names_the_scans(finished_run, fit, site, tmp_path, capsys):
    finished_run("first")
    assert main(["export", str(tmp_path / "first"), "--output", str(tmp_path / "broken")]) == 0
    weights = load_file(tmp_path / "broken.safetensors")
    weights["head.weight"] = torch.full_like(weights["head.weight"], 3e38, dtype=torch.float32)
    save_file(weights, tmp_path / "broken.safetensors")
    card = json.loads((tmp_path / "broken.json").read_text())
    card["sha256"] = sha256_of(tmp_path / "broken.safetensors")
    (tmp_path / "broken.json").write_text(json.dumps(card))
    capsys.readouterr()
    assert fit(tiny(steps=4, fit=f'start = "{tmp_path / "broken.json"}"'), "second") == 2
    said = capsys.readouterr().err
    assert "no longer a number at step 0" in said and "sub-" in said


def test_a_full_disk_leaves_the_checkpoint_before(site, tmp_path):
    """A limit on the size of a file stands in for the disk's end: the system refuses the write just the same."""
    path = site / f"{tmp_path.name}-full.toml"
    path.write_text(tiny(steps=2).replace("[8, 8, 8, 8]", "[16, 16, 16, 16]"))
    command = [sys.executable, "-m", "RadiomicsPersonaTrainingLib", "fit", str(path), "--cache", str(site / "cache")]
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "run")],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, 900_000)),
    )
    assert done.returncode == 2 and "free some space" in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert not list((tmp_path / "run").glob("*.ckpt*"))
    assert "free some space" in state_of(tmp_path / "run").sentence


def test_a_first_epoch_that_takes_too_long_is_left_and_the_run_can_begin_again(fit, monkeypatch, capsys):
    from RadiomicsPersonaTrainingLib.fitting import callbacks

    monkeypatch.setattr(callbacks, "FIRST_EPOCH_SECONDS", 0.0)
    assert fit(tiny(steps=2), "late", "--minutes", "0.0001") == 2
    told = capsys.readouterr()
    assert "Time is over before the epoch is" in told.out and "--resume" in told.err
    assert fit(tiny(steps=2), "late", "--resume") == 0
    assert "begins at its first step" in capsys.readouterr().out


def test_an_export_states_the_licence_and_what_was_never_measured(finished_run, tmp_path, capsys):
    from RadiomicsPersonaTrainingLib.commands.export import notes_on

    card = {"training": {"best_after_steps": 8}, "licence": "", "evaluation": {}}
    assert [note for note in notes_on(card, tmp_path / "m.json") if "--licence" in note]
    assert main(["export", str(finished_run()), "--output", str(tmp_path / "m"), "--licence", "CC-BY-4.0"]) == 0
    told = capsys.readouterr().out
    assert json.loads((tmp_path / "m.json").read_text())["licence"] == "CC-BY-4.0"
    assert "after 2 steps" in told and "never measured" in told and "no licence" not in told
