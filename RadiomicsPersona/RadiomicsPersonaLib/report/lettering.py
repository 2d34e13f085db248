"""Lettering: text in pictures, in whatever script, in the fonts that the machine has.

Every letter is drawn in the first font that has it. A letter that none has is written by its number, as in [U+738B].
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import lru_cache
from itertools import groupby

from PIL import ImageFont

_FONTS = {
    False: ("DejaVuSans.ttf", "segoeui.ttf", "arial.ttf", "Arial.ttf", "LiberationSans-Regular.ttf"),
    True: ("DejaVuSans-Bold.ttf", "segoeuib.ttf", "arialbd.ttf", "Arial Bold.ttf", "LiberationSans-Bold.ttf"),
}
_WIDE_FONTS = (
    # Linux
    *("NotoSansCJK-Regular.ttc", "NotoSansCJK-VF.ttc", "NotoSansCJKsc-Regular.otf", "NotoSansCJKjp-Regular.otf"),
    *("NotoSansCJKkr-Regular.otf", "NotoSansCJKtc-Regular.otf", "SourceHanSans.ttc", "SourceHanSans-Regular.ttc"),
    *("SourceHanSansSC-Regular.otf", "SourceHanSansCN-Regular.otf", "SourceHanSansJP-Regular.otf"),
    *("SourceHanSansKR-Regular.otf", "wqy-zenhei.ttc", "wqy-microhei.ttc", "DroidSansFallbackFull.ttf"),
    *("DroidSansFallback.ttf", "NanumGothic.ttf"),
    # Windows
    *("msyh.ttc", "simsun.ttc", "simhei.ttf", "YuGothM.ttc", "msgothic.ttc", "meiryo.ttc", "malgun.ttf", "msjh.ttc"),
    *("Nirmala.ttf", "LeelawUI.ttf", "seguisym.ttf", "ARIALUNI.TTF"),
    # macOS
    *("PingFang.ttc", "Hiragino Sans GB.ttc", "STHeiti Medium.ttc", "AppleSDGothicNeo.ttc", "Arial Unicode.ttf"),
    # anywhere, and less handsome
    *("FreeSans.ttf", "unifont.ttf", "unifont.otf"),
)
"""For what the others have no letters for: Chinese, Japanese, Korean and more."""
_NO_LETTER = "\uffff"
"""What no font has: it is drawn as a font draws whatever it lacks."""
_FORMAT = ("Mn", "Mc", "Me", "Cf")
"""Unicode's categories of signs that join the letter before them."""


def write_text(draw, place, text: str, size: int, color, bold: bool = False, anchor: str = "la", halo: bool = False) -> None:
    """One line of text, its point `anchor` (as Pillow names them) at `place`; with a dark border where `halo`."""
    width = 2 if halo else 0
    runs, (across, upwards), first = _runs(text, size, bold), anchor, font_of(size, bold)
    x, y = place
    if len(runs) > 1:
        # fonts of different heights stand on one line
        x -= {"l": 0.0, "m": 0.5, "r": 1.0}[across] * drawn_width(text, size, bold)
        ascent, descent = first.getmetrics()
        y += {"a": ascent, "s": 0, "m": (ascent - descent) / 2, "d": -descent}[upwards]
        anchor = "ls"
    for font, words in runs:
        draw.text((x, y), words, fill=color, font=font, anchor=anchor, stroke_width=width, stroke_fill=(0, 0, 0))
        x += font.getlength(words)


def drawn_width(text: str, size: int, bold: bool = False) -> float:
    """Pixels that a text takes on one line, as `write_text` writes it."""
    return sum(font.getlength(words) for font, words in _runs(text, size, bold))


def lines_of(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """A text in lines that measure at most `width`; words that are longer are cut."""
    lines = [""]
    for word in str(text).split():
        joined = f"{lines[-1]} {word}".strip()
        if measure(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and measure(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return lines


@lru_cache
def font_of(size: int, bold: bool = False):
    """The font that text is written in before any other: the first that the machine has, or Pillow's own."""
    paths = _paths(_FONTS[bold])
    return _opened(paths[0], size) if paths else ImageFont.load_default(size)


@lru_cache(maxsize=1024)
def _runs(text: str, size: int, bold: bool) -> list[tuple]:
    """A text in pieces, each with the font that has its letters."""
    first = font_of(size, bold)
    if text.isascii() and text.isprintable():
        return [(first, text)]
    pieces = []
    for letter in (" " if sign.isspace() else sign for sign in text):
        joins = bool(pieces) and unicodedata.category(letter) in _FORMAT
        font = pieces[-1][0] if joins and _has(pieces[-1][0], letter) else _font_with(letter, size, bold)
        if font is not None:
            pieces.append((font, letter))
        elif plain := unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode():
            pieces.append((first, plain))
        else:
            pieces.append((first, f"[U+{ord(letter):04X}]"))
    runs = groupby(pieces, key=lambda piece: piece[0])
    return [(font, "".join(words for _, words in run)) for font, run in runs] or [(first, "")]


def _font_with(letter: str, size: int, bold: bool):
    """The first font that has a letter; None where none has."""
    first = font_of(size, bold)
    if _has(first, letter):
        return first
    others = (_opened(path, size) for path in _paths(_FONTS[bold] + _WIDE_FONTS))
    return next((font for font in others if _has(font, letter)), None)


def _has(font, letter: str) -> bool:
    """Whether a font has a letter, and not only what it draws for letters that it lacks."""
    # a stand-in for a byte is no letter, whatever is drawn for it
    return letter == " " or (unicodedata.category(letter) != "Cs" and _drawn(font, letter) != _drawn(font, _NO_LETTER))


@lru_cache(maxsize=4096)
def _drawn(font, letter: str) -> tuple:
    # letter by letter: Raqm would put a circle below a mark that stands alone
    plain = (
        ImageFont.truetype(font.path, font.size, layout_engine=ImageFont.Layout.BASIC) if isinstance(font.path, str) else font
    )
    mask = plain.getmask(letter)
    return mask.size, bytes(mask)


@lru_cache
def _paths(names: tuple[str, ...]) -> list[str]:
    """The files of those fonts that the machine has."""
    paths = (_path(name) for name in names)
    return [path for path in paths if path]


@lru_cache(maxsize=None)
def _path(name: str) -> str | None:
    try:
        return ImageFont.truetype(name, 12).path
    except OSError:
        return None


@lru_cache
def _opened(path: str, size: int):
    return ImageFont.truetype(path, size)
