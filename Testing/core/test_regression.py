"""Regression of visits: against published numbers, against known truths, and what the user is told."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from RadiomicsPersonaLib.cli import main

pandas = pytest.importorskip("pandas", reason="statsmodels is not installed: pip install statsmodels")
statsmodels = pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install statsmodels")

from RadiomicsPersonaLib.longitudinal.mixed_model import INTERCEPTS, ORDINARY, SLOPES, regress
from RadiomicsPersonaLib.longitudinal.observations import observations
from RadiomicsPersonaLib.longitudinal.outcome_analysis import analyze_visits
from RadiomicsPersonaLib.longitudinal.patient_slopes import patient_slopes, robust_slope


def visits(patients=12, count=5, slope=0.5, spread=0.3, noise=0.4, seed=0, **columns) -> pandas.DataFrame:
    """Visits at uneven times; levels and slopes differ between patients."""
    random = np.random.default_rng(seed)
    rows = []
    for patient in range(patients):
        level, own = random.normal(10, 2), slope + random.normal(0, spread)
        for time in np.sort(np.r_[0, random.uniform(0.3, 4, count - 1)]):
            rows.append({"patient": f"Q{patient}", "years": time, "volume_ml": level + own * time + random.normal(0, noise)})
    return pandas.DataFrame(rows).assign(**columns)


@pytest.fixture(scope="module")
def pigs():
    """The growth of pigs that statsmodels' documentation of mixed models begins with."""
    path = Path(statsmodels.__file__).parent / "regression" / "tests" / "results" / "dietox.csv"
    if not path.is_file():
        pytest.skip("This installation of statsmodels came without the data of its own tests.")
    return pandas.read_csv(path)


def test_the_published_mixed_model_of_pigs_is_found_again(pigs):
    # statsmodels documentation, "Linear Mixed Effects Models": random intercepts and slopes, the same in R's lme4
    (analysis,) = analyze_visits(pigs, ["Weight"], "Time", patient="Pig")
    slope, spread = analysis.regression.time_term, analysis.regression.spread
    assert analysis.regression.method == SLOPES
    assert slope.estimate == pytest.approx(6.939, abs=5e-4)
    from scipy import stats

    assert (slope.high - slope.low) / 2 / stats.t.ppf(0.975, slope.df) == pytest.approx(0.0798, abs=2e-4)
    assert spread["slope"] ** 2 == pytest.approx(0.416, abs=1e-3) and spread["residual"] ** 2 == pytest.approx(6.037, abs=2e-3)
    # 72 pigs and hardly any visit missing: Satterthwaite's degrees of freedom are one less
    assert slope.df == pytest.approx(71, abs=0.5)


def test_the_published_stack_loss_is_found_again():
    # statsmodels documentation, "Ordinary Least Squares" and "Robust Linear Models" (Huber's T)
    import statsmodels.api as sm

    table = sm.datasets.stackloss.load_pandas().data
    (analysis,) = analyze_visits(table, ["STACKLOSS"], covariates=["AIRFLOW", "WATERTEMP", "ACIDCONC"])
    assert analysis.regression.method == ORDINARY
    assert [term.estimate for term in analysis.regression.terms] == pytest.approx([0.7156, 1.2953, -0.1521], abs=1e-4)
    assert [term.p for term in analysis.regression.terms] == pytest.approx([0.0001, 0.0026, 0.3440], abs=1e-3)
    assert [term.estimate for term in analysis.robust_terms] == pytest.approx([0.8294, 0.9261, -0.1278], abs=1e-4)


def test_with_equal_visits_the_interval_is_that_of_the_patients_slopes():
    """Every patient seen at the same times: the mixed model's slope is the mean of theirs,
    on one degree of freedom less than patients.
    """
    from scipy import stats

    random = np.random.default_rng(3)
    times = np.tile(np.arange(5.0), 9)
    patients = np.repeat(np.arange(9), 5)
    values = np.repeat(random.normal(0, 3, 9), 5) + times * np.repeat(random.normal(2, 1, 9), 5) + random.normal(0, 0.3, 45)
    frame = pandas.DataFrame({"patient": patients, "years": times, "y": values})
    term = regress(observations(frame, "y", "years", [])).time_term
    slopes = [stats.linregress(np.arange(5), values[patients == patient]).slope for patient in range(9)]
    expected = stats.ttest_1samp(slopes, 0).confidence_interval(0.95)
    assert term.df == pytest.approx(8, rel=0.02)
    assert [term.estimate, term.low, term.high] == pytest.approx([np.mean(slopes), expected.low, expected.high], rel=1e-2)


@pytest.mark.slow
def test_intervals_hold_the_known_slope_in_95_of_100_simulations():
    runs, held, robust_held = 100, 0, 0
    for seed in range(runs):
        seen = observations(visits(8, 4, seed=seed), "volume_ml", "years", [])
        term, robust = regress(seen).time_term, robust_slope(patient_slopes(seen))
        held += term.low <= 0.5 <= term.high
        robust_held += robust.low <= 0.5 <= robust.high
    # two standard errors of so few runs around 0.95; benchmark_regression.py makes as many as it takes
    assert 0.91 <= held / runs <= 0.99 and 0.91 <= robust_held / runs <= 1


def test_a_treatment_that_halves_growth_is_seen_in_the_slopes():
    slow = visits(12, slope=0.3, spread=0.1, seed=1).assign(arm="treated", patient=lambda table: "t" + table.patient)
    fast = visits(12, slope=1.0, spread=0.1, seed=2).assign(arm="control")
    (analysis,) = analyze_visits(pandas.concat([slow, fast]), ["volume_ml"], slope_by="arm")
    terms = {term.name: term for term in analysis.regression.terms}
    assert terms["years"].estimate == pytest.approx(1.0, abs=0.2), "the slope of the control arm"
    assert terms["years x arm = treated"].estimate == pytest.approx(-0.7, abs=0.2) and terms["years x arm = treated"].p < 0.001
    assert terms["arm = treated"].p > 0.01


def test_a_covariate_between_patients_has_the_degrees_of_freedom_of_patients():
    table = visits(14, 5)
    ages = {patient: age for patient, age in zip(table.patient.unique(), np.random.default_rng(0).normal(50, 9, 14))}
    table["age"] = table.patient.map(ages)
    table["volume_ml"] += 0.3 * table.age
    (analysis,) = analyze_visits(table, ["volume_ml"], covariates=["age"])
    age = analysis.regression.terms[1]
    assert age.low < 0.3 < age.high and 8 < age.df < 20


def test_outliers_move_the_robust_slope_little():
    table = visits(16, 6, spread=0.05, noise=0.1)
    table.loc[table.index % 12 == 5, "volume_ml"] += 40
    (analysis,) = analyze_visits(table, ["volume_ml"])
    assert abs(analysis.robust.estimate - 0.5) < 0.15 < abs(analysis.regression.time_term.estimate - 0.5)
    assert any("not normally distributed" in note for note in analysis.notes)


def test_the_doubling_time_of_growth_is_found(tmp_path, capsys):
    random = np.random.default_rng(0)
    rows = [
        {
            "patient": patient,
            "date": f"{2020 + year}-0{month}-15",
            "volume_ml": size * 2 ** ((year + (month - 1) / 12) / 0.8) * np.exp(random.normal(0, 0.05)),
        }
        for patient, size in enumerate(random.uniform(1, 30, 8))
        for year, month in ((0, 1), (0, 7), (1, 3), (2, 1))
    ]
    pandas.DataFrame(rows).to_csv(tmp_path / "visits.csv", index=False)
    for more in ([], ["--log"]):
        assert main(["regress", str(tmp_path / "visits.csv"), "--json", "--output", str(tmp_path / "out"), *more]) == 0
        (outcome,) = json.loads(capsys.readouterr().out)["outcomes"]
        doubling = outcome["doubling_time"]
        assert (
            doubling["estimate"] == pytest.approx(0.8, rel=0.03)
            and doubling["low"] < 0.8 < doubling["high"]
            and doubling["unit"] == "years"
        )


def test_the_models_step_down_where_the_data_do_not_carry_them():
    same = visits(12, 5, spread=0.0, noise=1.0, seed=4)
    assert regress(observations(same, "volume_ml", "years", [])).method in (SLOPES, INTERCEPTS)
    two = visits(6, 2)
    fit = regress(observations(two, "volume_ml", "years", []))
    assert fit.method == INTERCEPTS and any("too few" in note for note in fit.notes)
    alone = visits(1, 6)
    fit = regress(observations(alone, "volume_ml", "years", []))
    assert fit.method == ORDINARY and fit.terms[0].df == 4 and any("one patient only" in note for note in fit.notes)


def test_two_visits_of_one_patient_give_a_slope_without_an_interval(tmp_path, capsys):
    table = pandas.DataFrame({"patient": ["Q", "Q"], "years": [0, 1.5], "volume_ml": [2.0, 8.0]})
    table.to_csv(tmp_path / "visits.csv", index=False)
    assert main(["regress", str(tmp_path / "visits.csv"), "--output", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "volume_ml per years: 4, p = -" in said and "doubles in" not in said
    assert "there is no doubling time, because 2 visits give it no interval; a patient alone needs at least 3." in said
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "nan" not in page.lower() and "doubles in" not in page and "There is no doubling time" in page


def test_the_report_calls_outcomes_as_the_report_of_visits_does(tmp_path):
    table = visits(7).assign(combined=lambda table: table.volume_ml / 2, own=1.0 + np.arange(35) % 4)
    table = table.rename(columns={"volume_ml": "deviating_ml"})
    table.to_csv(tmp_path / "visits.csv", index=False)
    words = ["--outcome", "deviating_ml", "--outcome", "combined", "--outcome", "own"]
    assert main(["regress", str(tmp_path / "visits.csv"), *words, "--output", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    results, settings = page.split("What is needed to make these numbers again")
    assert "deviating_ml" not in results and "deviating_ml" in settings, "settings are told as they were typed"
    assert {f"<h2>{name}</h2>" for name in ("unusual tissue (ml)", "combined score", "own")} <= set(
        re.findall("<h2>.*?</h2>", page)
    )
    assert "unusual tissue (ml) over years" in page and "Slopes of combined score" in page
    with open(tmp_path / "out" / "regression.csv", newline="", encoding="utf-8") as stream:
        assert "deviating_ml" in {row["outcome"] for row in csv.DictReader(stream)}, "files keep the columns' names"


def test_p_is_corrected_over_all_outcomes(tmp_path):
    table = visits(10)
    random = np.random.default_rng(0)
    for number in range(4):
        table[f"chance {number}"] = random.normal(size=len(table))
    outcomes = ["volume_ml", *(f"chance {number}" for number in range(4))]
    analyses = analyze_visits(table, outcomes)
    ps = np.array([analysis.regression.terms[0].p for analysis in analyses])
    order = np.argsort(ps)
    expected = np.empty(5)
    expected[order] = np.minimum.accumulate((ps[order] * 5 / np.arange(1, 6))[::-1])[::-1]
    assert [analysis.q[0] for analysis in analyses] == pytest.approx(expected.tolist())
    holm = analyze_visits(table, outcomes, correction="holm")
    assert min(analysis.q[0] for analysis in holm) == pytest.approx(5 * ps.min())


def test_the_band_is_narrowest_where_the_visits_are():
    regression = regress(observations(visits(20), "volume_ml", "years", []))
    mean, low, high = regression.band("years", np.array([1.5, 12.0]))
    assert (low < mean).all() and (mean < high).all() and (high - low)[0] < 0.5 * (high - low)[1]
    assert (mean[1] - mean[0]) / 10.5 == pytest.approx(regression.time_term.estimate)


def test_report_figures_and_tables_are_written_and_patients_are_numbered(tmp_path):
    visits(7).to_csv(tmp_path / "visits.csv", index=False)
    assert main(["regress", str(tmp_path / "visits.csv"), "--output", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Research use only" in page and "Q3" not in page and "patient 4" in page and page.count("<svg") == 4
    assert len(list((tmp_path / "out").glob("*.svg"))) == 4
    import xml.etree.ElementTree as xml

    for figure in (tmp_path / "out").glob("*.svg"):
        assert xml.parse(figure).getroot().tag.endswith("svg") and "var(" not in figure.read_text(encoding="utf-8")
    with open(tmp_path / "out" / "patients.csv", newline="", encoding="utf-8") as stream:
        assert {row["patient"] for row in csv.DictReader(stream)} == {f"Q{number}" for number in range(7)}
    assert main(["regress", str(tmp_path / "visits.csv"), "--with-name", "--output", str(tmp_path / "out")]) == 0
    assert "Q3" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def with_gaps(table):
    return table.assign(age=[None if row % 6 == 0 else 40 + row for row in range(len(table))])


def test_it_is_said_how_many_rows_fall_out(tmp_path, capsys):
    with_gaps(visits(10, 6)).to_csv(tmp_path / "visits.csv", index=False)
    assert main(["regress", str(tmp_path / "visits.csv"), "--covariate", "age", "--output", str(tmp_path / "out")]) == 0
    assert "10 of 60 rows fall out because values are missing (10 without age)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change, options, sentence",
    [
        (lambda table: table.drop_duplicates("patient"), [], "Every patient has only one visit with volume_ml"),
        (lambda table: table.assign(a=table.years * 2 + 1), ["--covariate", "a"], "'a' is collinear: it follows from 'years'"),
        (
            lambda table: table.assign(a=np.arange(len(table)) ** 0.5, b=lambda t: 3 * t.a - t.years),
            ["--covariate", "a", "--covariate", "b"],
            "'b' is collinear: it follows from 'years' and 'a'",
        ),
        (lambda table: table.assign(a=1), ["--covariate", "a"], "'a' is the same in all rows"),
        (lambda table: table, ["--outcome", "volume_mm"], "has no column 'volume_mm': did you mean 'volume_ml'?"),
        (lambda table: table, ["--patient", "subject"], "has no column 'subject'"),
        (lambda table: table.rename(columns={"years": "t"}), [], "no column of time"),
        (lambda table: table.assign(volume_ml=-table.volume_ml), ["--log"], "have no logarithm"),
        (lambda table: table.assign(volume_ml="much"), [], "holds 'much', which is not a number"),
        (lambda table: table.assign(years="last May"), [], "neither a number nor a date"),
        (lambda table: table.assign(volume_ml=np.nan), ["--outcome", "volume_ml"], "No row of the table has a value in each"),
        (lambda table: table, ["--correction", "magic"], "choose one of bh, holm, none"),
        (lambda table: table.iloc[:0], [], "has no rows"),
    ],
)
def test_what_cannot_be_regressed_is_told_in_one_sentence(change, options, sentence, tmp_path, capsys):
    change(visits(6, 4)).to_csv(tmp_path / "visits.csv", index=False)
    assert main(["regress", str(tmp_path / "visits.csv"), *options, "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


DATES = ("2022-09-08", "2023-03-05", "2023-09-11", "2024-03-26")
DAYS = [0, 178, 368, 565]


def table_text(patients=6, dates=DATES, mark=",", comma=False, end="", heads="patient,date,volume_ml") -> str:
    """A table in which every volume grows by 2 a year."""
    lines = [heads.replace(",", mark)]
    for patient in range(patients):
        for date, day in zip(dates, DAYS):
            volume = f"{10 + patient / 4 + 2 * day / 365.25 + 0.01 * (patient * day % 7):.3f}"
            lines.append(mark.join([f"{patient:03d}", date, volume.replace(".", ",") if comma else volume]) + end)
    return "\n".join(lines) + "\n"


def regressed(tmp_path, capsys, *tables: str, more=()) -> dict:
    for number, text in enumerate(tables):
        (tmp_path / f"t{number}.csv").write_text(text, encoding="utf-8")
    names = [str(tmp_path / f"t{number}.csv") for number in range(len(tables))]
    assert main(["regress", *names, "--json", *more, "--output", str(tmp_path / "out")]) == 0
    return json.loads(capsys.readouterr().out)["outcomes"][0]


@pytest.mark.parametrize(
    "text",
    [
        table_text(),
        table_text(end=","),
        table_text(mark=";", comma=True),
        table_text(mark="\t", comma=True).replace(",000", ",0001"),
        table_text(dates=("20220908", "20230305", "20230911", "20240326")),
        table_text(dates=("44812", "44990", "45180", "45377")),
        table_text(dates=("08.09.2022", "05.03.2023", "11.09.2023", "26.03.2024")),
        table_text(dates=("08/09/2022", "05/03/2023", "11/09/2023", "26/03/2024")),
        table_text(dates=[f"{date}T10:00:00+0{zone}:00" for date, zone in zip(DATES, (2, 1, 2, 1))]),
    ],
    ids=["plain", "trailing comma", "semicolons", "tabs", "compact", "serial numbers", "points", "slashes", "zones"],
)
def test_the_same_table_in_every_usual_form_has_the_same_slope(text, tmp_path, capsys):
    (slope, *_) = regressed(tmp_path, capsys, text)["estimates"]
    assert slope["estimate"] == pytest.approx(2, abs=0.02) and slope["term"] == "years" and slope["patients"] == 6


def test_a_patient_keeps_its_name_in_every_table(tmp_path, capsys):
    later = table_text().replace("2024", "2027").replace("2023", "2026").replace("2022", "2025") + "X7,2022-01-01,1\n"
    assert regressed(tmp_path, capsys, table_text(), later)["estimates"][0]["patients"] == 7
    with open(tmp_path / "out" / "residuals.csv", newline="", encoding="utf-8") as stream:
        assert {row["patient"] for row in csv.DictReader(stream)} == {*(f"00{n}" for n in range(6)), "X7"}
    named = table_text().replace("000,", "None,").replace("001,", "NA,")
    assert regressed(tmp_path, capsys, named)["estimates"][0]["patients"] == 6, "None and NA are names here"


def test_rows_that_stand_twice_are_told(tmp_path, capsys):
    notes = regressed(tmp_path, capsys, table_text(), table_text(patients=1))["notes"]
    assert any("4 row(s) of the table repeat another one" in note for note in notes)


@pytest.mark.parametrize(
    "text, more, sentence",
    [
        (table_text().replace(".", ",", 1).replace("\n", ",60\n").replace(",60", "", 1), [], "Line 2 of 't.csv' has 5 cells"),
        (table_text().replace(",10.", ",1e308,", 1).replace("1e308,000", "1e308"), [], "'1e308', which is too large"),
        (table_text().replace(",10.000", ",inf", 1), [], "holds 'inf', which is not a number"),
        (table_text(heads="patient,date,age,volume_ml").replace("-08,", "-08,inf,").replace("-05,", "-05,40,"), None, "'inf'"),
        (table_text(dates=("2022.5", "2023.0", "2023.5", "2024.0")), [], "'2022.5' is neither a number nor a date"),
        (table_text(dates=("08/09/2022", "05/03/2023", "11/09/2023", "06/03/2024")), [], "can begin with the day or with"),
        (table_text(mark="\t", comma=True).replace(",000", ",001"), [], "can stand before a fraction or between thousands"),
        (
            table_text(mark=";", comma=True).replace(",000", ",5").replace(";11,", ";1."),
            [],
            "In the column 'volume_ml' line 2 of 't.csv' holds '10,5', whose comma can stand before a fraction or between "
            "thousands, as the point of '1.",
        ),
        (table_text(heads="patient,years,volume_ml", dates=("0", "x", "2", "3")), [], "for 'x' is neither a number nor a date"),
    ],
)
def test_what_can_be_read_in_two_ways_or_in_none_is_refused(text, more, sentence, tmp_path, capsys):
    if more is None:
        text, more = text.replace("-11,", "-11,41,").replace("-26,", "-26,42,"), ["--covariate", "age"]
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    assert main(["regress", str(tmp_path / "t.csv"), *more, "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert (
        sentence in said
        and "t.csv" in said
        and said.count("\n") == 1
        and said.count(". ") == 0
        and not (tmp_path / "out").exists()
    )


def test_a_name_is_the_same_in_every_form_of_unicode(tmp_path, capsys):
    plain = table_text(heads="patient,date,gr\u00f6sse").replace("000,", "M\u00fcller,")
    one, two = (unicodedata.normalize(form, plain) for form in ("NFC", "NFD"))
    two = two.replace("2024", "2027").replace("2023", "2026").replace("2022", "2025")
    found = regressed(tmp_path, capsys, one, two, more=["--outcome", "gro\u0308sse"])
    assert found["estimates"][0]["patients"] == 6 and found["estimates"][0]["rows"] == 48
