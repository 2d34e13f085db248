"""Dates: every usual form means the same day, and what can be read in two ways is refused."""

from __future__ import annotations

import datetime

import pytest

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.dates import days_of
from RadiomicsPersonaLib.longitudinal.visits import visit_times

DAY = datetime.date(2026, 3, 31).toordinal()


@pytest.mark.parametrize(
    "text",
    ["2026-03-31", "2026/3/31", "20260331", "20260331.0", "31.03.2026", "31.3.2026", "31/03/2026", "03/31/2026", "46112"]
    + [
        "31-03-2026",
        "31 Mar 2026",
        "31-MAR-2026",
        "31. March 2026",
        "31. März 2026",
        "2026-03-31T00:00:00",
        "2026-03-31T01:30:00+01:30",
    ]
    + ["2026-03-31 00:00Z", "20260331000000.000000+0000", "2026-03-30T23:00:00-0100"],
)
def test_every_usual_form_is_the_same_day(text):
    assert days_of([text]) == [DAY]


def test_one_clinic_in_winter_and_in_summer():
    winter, summer = days_of(["2026-01-01T10:00:00+01:00", "2026-07-01T10:00:00+02:00"])
    assert summer - winter == pytest.approx(181 - 1 / 24)
    assert days_of(["2026-03-31T00:30:00+02:00"], local=True)[0] // 1 == DAY


def test_another_date_of_the_column_tells_what_comes_first():
    assert days_of(["04/03/2026", "31/03/2026"]) == [DAY - 27, DAY]
    assert days_of(["03/04/2026", "03/31/2026"]) == [DAY - 27, DAY]
    assert days_of(["04.03.2026"]) == [DAY - 27], "with points the day comes first everywhere"


@pytest.mark.parametrize(
    "texts, sentence",
    [
        (["04/03/2026"], "'04/03/2026' can begin with the day or with the month"),
        (["03/31/2026", "31/03/2026"], "write all as 2026-03-31"),
        (["46112", "2026-03-31"], "are not of one form"),
        *((text, "is neither a number nor a date") for text in (["2026-02-30"], ["31.03.26"], ["12.31.2026"], ["20261331"])),
        *(
            (text, "is neither a number nor a date")
            for text in (
                ["last May"],
                ["2026-03-31T25:00"],
                ["2026-03-31T10:00+99:00"],
                ["2026-03-31T10:00+01:75"],
                ["31 Foo 2026"],
                ["1 marraskuu 2026"],
                ["1 marmalade 2026"],
                ["2022.5"],
            )
        ),
    ],
)
def test_what_is_no_date_or_two_is_refused(texts, sentence):
    with pytest.raises(InputError) as refused:
        days_of(texts)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("strange", ["x", "Infinity"])
def test_among_numbers_the_text_that_is_none_is_named(strange):
    with pytest.raises(InputError, match=f"^'{strange}' is neither a number nor a date"):
        days_of(["0", strange])


@pytest.mark.parametrize("texts", [["20240301", "20250310"], ["45352", "45726"], ["01.03.2024", "10.03.2025"]])
def test_visits_are_as_far_apart_in_every_form(texts):
    assert [time.years for time in visit_times(texts)] == pytest.approx([0, 374 / 365.25])


@pytest.mark.parametrize("texts", [["5000", "6000"], ["nan", "1"], ["inf", "1"], ["2024-01-01", "3"], ["1", "1"]])
def test_visits_at_no_time_are_refused(texts):
    with pytest.raises(InputError, match="^The dates .*: "):
        visit_times(texts)
