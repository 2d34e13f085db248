"""SVG: the shapes that every plot is drawn of, as text. Lengths are pixels, from the top left corner."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape

GRID, AXIS, FOREGROUND = "var(--line)", "var(--faint)", "var(--text)"
"""Colours that the page's style gives."""


def line(x1: float, y1: float, x2: float, y2: float, color: str, width: float | None = None, dash: str | None = None) -> str:
    """A straight line."""
    return _shape("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=color, stroke_width=width, stroke_dasharray=dash)


def polyline(
    points: Iterable[tuple[float, float]],
    color: str,
    width: float,
    dash: str | None = None,
    opacity: float | None = None,
    title: str | None = None,
) -> str:
    """A line through points, with what is said of it under the mouse."""
    style = {"fill": "none", "stroke": color, "stroke_width": width, "stroke_dasharray": dash, "opacity": opacity}
    return _shape("polyline", title, points=_path(points), **style)


def polygon(points: Iterable[tuple[float, float]], color: str, opacity: float) -> str:
    """A filled area."""
    return _shape("polygon", points=_path(points), fill=color, opacity=opacity)


def circle(x: float, y: float, radius: float, color: str, title: str | None = None) -> str:
    """A dot, with what is said of it under the mouse."""
    return _shape("circle", title, cx=x, cy=y, r=radius, fill=color)


def ring(x: float, y: float, radius: float, color: str, width: float) -> str:
    """A circle that is empty."""
    return _shape("circle", cx=x, cy=y, r=radius, fill="none", stroke=color, stroke_width=width)


def diamond(x: float, y: float, width: float, height: float, color: str) -> str:
    """A rhomb with a border; half its width and half its height."""
    corners = f"M{x} {y - height} L{x + width} {y} L{x} {y + height} L{x - width} {y} Z"
    return _shape("path", d=corners, fill=color, stroke=FOREGROUND)


def rectangle(
    x: float, y: float, width: float, height: float, fill: str, border: str, border_width: float | None = None
) -> str:
    """A rectangle with a border."""
    return _shape("rect", x=x, y=y, width=width, height=height, fill=fill, stroke=border, stroke_width=border_width)


def text(x: float, y: float, words: str, anchor: str | None = "middle", upwards: bool = False) -> str:
    """Words on one line.

    Args:
        anchor: "start", "middle" or "end": which part of them lies at the point; None for what the page does, "start".
        upwards: whether they run upwards.
    """
    turned = f"rotate(-90 {x} {y})" if upwards else None
    attributes = _attributes(x=x, y=y, text_anchor=anchor, transform=turned)
    return f"<text{attributes}>{escape(words)}</text>"


def group(title: str, *shapes: str) -> str:
    """Shapes with what is said of them under the mouse."""
    return f"<g><title>{escape(title)}</title>{''.join(shapes)}</g>"


def marks_across(
    ticks: Iterable[float], place: Callable[[float], float], top: float, bottom: float, color: str = GRID, below: float = 16
) -> str:
    """Upright lines at round numbers, each number beneath its line."""
    return "".join(
        line(place(tick), top, place(tick), bottom, color) + text(place(tick), bottom + below, f"{tick:g}") for tick in ticks
    )


def marks_upwards(ticks: Iterable[float], place: Callable[[float], float], left: float, right: float) -> str:
    """Level lines at round numbers, each number to the left of its line."""
    return "".join(
        line(left, place(tick), right, place(tick), GRID) + text(left - 8, place(tick) + 4, f"{tick:g}", "end")
        for tick in ticks
    )


def drawing(width: float, height: float, label: str, *shapes: str, alone: bool = False) -> str:
    """A picture of shapes.

    Args:
        label: what it shows, for readers who cannot see it.
        alone: whether it may also be a file of its own.
    """
    space = " xmlns='http://www.w3.org/2000/svg'" if alone else ""
    head = f"<svg{space} viewBox='0 0 {width} {height}' role='img' aria-label='{escape(label, quote=True)}'>"
    return f"{head}{''.join(shapes)}</svg>"


def _path(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


def _shape(name: str, title: str | None = None, **attributes) -> str:
    begun = f"<{name}{_attributes(**attributes)}"
    return f"{begun}/>" if title is None else f"{begun}><title>{escape(title)}</title></{name}>"


def _attributes(**values) -> str:
    return "".join(f" {name.replace('_', '-')}='{value}'" for name, value in values.items() if value is not None)
