"""Dates: the days that texts stand for, in every form that scanners, hospitals and spreadsheets write."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence

from ..errors import InputError

DAYS_PER_YEAR = 365.25
FARTHEST_ZONE = 14 * 60
"""Minutes that a clock on the wall is before or behind UTC at most."""
_TIME = r"(?:[T ]+(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?)?"
_ZONE = r"(?: ?(?P<zone>Z|[+-]\d\d(?::?\d\d)?))?"
_YEAR_FIRST = re.compile(rf"(?P<year>\d{{4}})([-/.])(?P<month>\d\d?)\2(?P<day>\d\d?){_TIME}{_ZONE}")
_COMPACT = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
    rf"(?:\.0*|T?(?P<hour>\d\d)(?P<minute>\d\d)(?:(?P<second>\d\d)(?:\.\d+)?)?{_ZONE})?"
)
"""20260331 and DICOM's 20260331103000.000000+0100; 20260331.0 where a program took it for a number."""
_YEAR_LAST = re.compile(rf"(?P<first>\d\d?)(?P<mark>[-/.])(?P<second_one>\d\d?)(?P=mark)(?P<year>\d{{4}}){_TIME}{_ZONE}")
_NAMED = re.compile(rf"(?P<day>\d\d?)[-. ]+(?P<name>[^\W\d_]+)[-. ]+(?P<year>\d{{4}}){_TIME}{_ZONE}")
_MONTHS = {
    name: month
    for names in (
        "january february march april may june july august september october november december",
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "januar februar märz april mai juni juli august september oktober november dezember",
        "jan feb mär apr mai jun jul aug sept okt nov dez",
    )
    for month, name in enumerate(names.split(), 1)
}
"""Whole names and their usual abbreviations, in English and German; what only begins like one, as marraskuu, is none."""
_SERIAL = re.compile(r"[2-7]\d{4}(?:\.\d*)?")
"""Days since 1899-12-30, as spreadsheets hold dates: 1954 to 2119."""
_FIRST_SERIAL = datetime.date(1899, 12, 30).toordinal()
_YEARS = range(1800, 2200)


def days_of(texts: Sequence[str], local: bool = False) -> list[float]:
    """The days that dates stand for, with the time of day as a fraction, of UTC where a zone is given.

    Understood are 2026-03-31 with or without a time and a zone, 20260331, 31.03.2026, 31 Mar 2026, the serial numbers of
    spreadsheets, and 31/03/2026 or 03/31/2026 where only one order of day and month fits all texts.

    Args:
        texts: dates of one column, all in the same order of day and month.
        local: pass over the zone: the day that the calendar on the wall showed.
    Returns:
        days since the beginning of the year 1, as `datetime.date.toordinal` counts them.
    Raises:
        InputError: a text is no date, day and month can be exchanged, or serial numbers stand among written dates.

    >>> days_of(["2026-03-31", "20260401", "1.4.2026"])
    [739706.0, 739707.0, 739707.0]
    """
    texts = [text.strip() for text in texts]
    serials = [text for text in texts if _SERIAL.fullmatch(text)]
    if serials and len(serials) < len(texts):
        written = next(text for text in texts if text not in serials)
        raise InputError(f"The dates '{serials[0]}' and '{written}' are not of one form: write all as 2026-03-31.")
    if serials:
        return [_FIRST_SERIAL + float(text) for text in texts]
    found = [_readings(text, local) for text in texts]
    unreadable = [text for text, readings in zip(texts, found) if readings == (None, None)]
    if unreadable:  # among numbers of years the one that is none
        text = next((text for text in unreadable if not is_number(text)), unreadable[0])
        raise InputError(f"'{text}' is neither a number nor a date: write dates as 2026-03-31.")
    orders = [list(order) for order in zip(*found) if None not in order]
    if not orders:
        raise InputError(
            f"Of the dates '{_lacking(texts, found, 0)}' and '{_lacking(texts, found, 1)}' one begins with the month and one "
            "with the day: write all as 2026-03-31."
        )
    if len(orders) == 2 and orders[0] != orders[1]:
        text = next(text for text, (one, other) in zip(texts, found) if one != other)
        raise InputError(f"The date '{text}' can begin with the day or with the month: write dates as 2026-03-31.")
    return orders[0]


def is_number(text: str) -> bool:
    """Whether a text is a number, with a point or a comma before its fraction."""
    return re.fullmatch(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*", text) is not None


def are_compact_dates(texts: Sequence[str]) -> bool:
    """Whether all texts are dates as 20260331, which numbers of years or days never are."""
    return all(_COMPACT.fullmatch(text.strip()) and None not in _readings(text.strip(), True) for text in texts)


def _lacking(texts: Sequence[str], found: list, order: int) -> str:
    return next(text for text, readings in zip(texts, found) if readings[order] is None)


def _readings(text: str, local: bool) -> tuple[float | None, float | None]:
    """The day that a text stands for if the day comes first and if the month does; the same twice where the form says it."""
    match = _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text)
    if match:
        day = _day(match, int(match["month"]), int(match["day"]), local)
        return day, day
    match = _NAMED.fullmatch(text)
    if match:
        name = match["name"].lower()
        day = _day(match, _MONTHS[name], int(match["day"]), local) if name in _MONTHS else None
        return day, day
    match = _YEAR_LAST.fullmatch(text)
    if not match:
        return None, None
    first, second = int(match["first"]), int(match["second_one"])
    return _day(match, second, first, local), None if match["mark"] == "." else _day(match, first, second, local)


def _day(match: re.Match, month: int, day: int, local: bool) -> float | None:
    """None where there is no such day, time or zone."""
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    try:
        moment = datetime.datetime(int(match["year"]), month, day, hour, minute, second)
    except ValueError:
        return None
    if moment.year not in _YEARS:
        return None
    zone = (match["zone"] or "Z").replace(":", "")
    ahead = 0 if zone == "Z" else int(f"{zone[0]}1") * (int(zone[1:3]) * 60 + int(zone[3:] or 0))
    if abs(ahead) > FARTHEST_ZONE or int(zone[3:] or 0) > 59:
        return None
    return moment.toordinal() + (hour * 60 + minute - (0 if local else ahead)) / 1440 + second / 86400
