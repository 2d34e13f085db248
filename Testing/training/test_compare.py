"""Compare fits candidates on the same steps and measures them in the same holes; what was cut off goes on,
what is done stays.
"""

from __future__ import annotations

import json

import pytest
from bench.training_site import tiny

from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.data.held_out_groups import synthetic_heads
from RadiomicsPersonaTrainingLib.data.split import TEST, VALIDATION
from RadiomicsPersonaTrainingLib.experiments import comparison

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

CANDIDATES = """
[common]
fit.average = 0.4

[candidates."as it is"]

[candidates."mean fill"]
recipe.fill = "mean"
data.heads.share = 2.0
"""


@pytest.fixture(scope="module")
def compare(site, tmp_path_factory):
    """Run `compare` on candidates, into a folder of that name; returns the exit code and the folder."""
    folder = tmp_path_factory.mktemp("compare")

    def run(name: str, *more: str, text: str = CANDIDATES, settings: str = tiny()):
        # beside the split, which relative paths start from
        file = site / "compare.toml"
        file.write_text(settings)
        (folder / f"{name}.toml").write_text(text)
        command = [
            "compare",
            str(file),
            str(folder / f"{name}.toml"),
            "--output",
            str(folder / name),
            "--cache",
            str(site / "cache"),
        ]
        return main([*command, "--steps", "4", "--boxes", "1", *more]), folder / name

    return run


@pytest.fixture(scope="module")
def whole(compare):
    """The folder of a comparison that was never cut off."""
    code, folder = compare("whole")
    assert code == 0
    return folder


def figures(folder):
    record = json.loads((folder / "comparison.json").read_text())
    return record["candidates"], record["lines"]


def test_all_candidates_stand_in_one_table_with_the_same_steps_and_holes(whole):
    candidates, lines = figures(whole)
    assert [(each["name"], each["steps"]) for each in candidates] == [("as it is", 4), ("mean fill", 4)]
    assert [each["settings"]["recipe"]["fill"] for each in candidates] == ["biharmonic", "mean"]
    assert {each["settings"]["fit"]["average"] for each in candidates} == {0.4}
    text = (whole / "comparison.md").read_text()
    by_name = {}
    for line in lines:
        assert f"| {line['rebuilder']} |" in text
        by_name.setdefault(line["rebuilder"], []).append(line)
    assert {"as it is", "mean fill", "as it is, averaged over a flip", "as it is and mean fill, averaged"} <= set(by_name)
    places = [[(line["group"], line["stratum"], line["holes"]) for line in own] for own in by_name.values()]
    assert all(own == places[0] for own in places)
    assert all(line["over_first"]["value"] == 1 for line in by_name["as it is"])
    for name, own in by_name.items():
        if name != "as it is":
            assert all(line["over_first"]["value"] != 1 for line in own), f"{name} rebuilds as the first does"
        for line, first in zip(own, by_name["as it is"]):
            assert line["over_first"]["value"] == pytest.approx(line["share"]["value"] / first["share"]["value"], rel=1e-6)


def test_a_comparison_that_was_cut_off_gives_the_same_table_and_fits_nothing_twice(whole, compare, monkeypatch):
    begun = []

    def cut_off(work, run, output, resume):
        begun.append(output.name)
        if output.name == "mean fill" and begun.count("mean fill") == 1:
            fitted(work, run, output, resume, minutes=1e-4)
            raise KeyboardInterrupt
        assert resume == (output.name == "mean fill")
        return fitted(work, run, output, resume)

    fitted = comparison.fit
    monkeypatch.setattr(comparison, "fit", cut_off)
    assert compare("broken")[0] == 130
    code, folder = compare("broken")
    assert code == 0 and begun == ["as it is", "mean fill", "mean fill"]
    assert figures(folder) == figures(whole)
    before = (folder / "comparison.md").read_text()
    rows = next(folder.glob("holes-*")) / "rows.csv"
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[:-1]))
    assert compare("broken")[0] == 0 and len(begun) == 3
    assert figures(folder) == figures(whole)
    assert len((folder / "comparison.md").read_text().splitlines()) == len(before.splitlines())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CANDIDATES + "recipe.no_miror = 1.0", "'mean fill'.*unknown key 'no_miror' in [recipe]: did you mean 'no_mirror'?"),
        (CANDIDATES + "data.head.share = 1.0", "no collection 'head' in [[data]]: choose from heads"),
        (CANDIDATES + "fit.batch = 1", "'mean fill' has another 'batch' in [fit] than 'as it is': set it in [common]"),
        (CANDIDATES + "fit.steps = 8", "another 'steps'"),
        (CANDIDATES + "fit = 8", "'fit' in the settings must be a section"),
        (CANDIDATES.replace("[common]", "[comon]"), "holds 'comon'"),
        ("[common]\nfit.batch = 1", "names no candidate"),
        (CANDIDATES.replace("mean fill", "a/b"), "cannot be called 'a/b'"),
        (CANDIDATES.replace("0.4", "0.4\nfit.validate_every = 3"), "no whole number of epochs of 3"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence_before_anything_is_fitted(compare, capsys, text, said):
    import re

    pattern = re.escape(said).replace(r"\.\*", ".*")
    code, folder = compare("refused", text=text)
    message = capsys.readouterr().err
    assert code == 2 and re.search(pattern, message), message
    assert len(message.splitlines()) == 1 and not folder.exists()


def test_other_steps_or_settings_in_the_same_folder_are_refused(whole, compare, capsys):
    assert compare("whole", "--steps", "6")[0] == 2
    assert "another number of steps" in capsys.readouterr().err
    assert compare("whole", text=CANDIDATES.replace('"mean"', '"constant"'))[0] == 2
    assert "fill in [recipe]" in capsys.readouterr().err


def test_choosing_does_not_look_at_the_label_maps_of_the_test(data_root):
    chosen, kept = ({scan.subject for scan in synthetic_heads(data_root, None, part)} for part in (VALIDATION, TEST))
    assert chosen and kept and not chosen & kept
