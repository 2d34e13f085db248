"""Text and pictures of our PDFs, as a reader finds them."""

from __future__ import annotations

import io
import re
import zlib

from PIL import Image


def pages_of(path) -> list[str]:
    """The text of a PDF's pages, a line for every piece of text, read from its streams."""
    content = path.read_bytes()
    assert content.startswith(b"%PDF-1.5") and content.rstrip().endswith(b"%%EOF")
    places = [int(entry) for entry in re.findall(rb"(\d{10}) 00000 n", content)]
    assert all(re.match(rb"%d 0 obj" % number, content[place:]) for number, place in enumerate(places, start=1))
    pieces = [re.findall(rb"Td \((.*?)\) Tj|/ActualText <(.*?)>", stream) for stream in _streams(content)]
    return ["\n".join(_text(*piece) for piece in page) for page in pieces]


def bottoms_of(path) -> list[float]:
    """How far down every page is used, above the line at its bottom; points from its top."""
    places = [re.findall(rb"([\d.-]+) Td|([\d.-]+) cm", stream) for stream in _streams(path.read_bytes())]
    heights = [[float(text or picture) for text, picture in page] for page in places]
    return [842 - min(height for height in page if height > 30) for page in heights]


def _streams(content: bytes) -> list[bytes]:
    """What is drawn on each page."""
    found = re.findall(rb"/FlateDecode /Length \d+ >>\nstream\n(.*?)\nendstream", content, re.DOTALL)
    return [zlib.decompress(stream) for stream in found]


def pictures_of(path) -> list[Image.Image]:
    """A PDF's pictures in the order in which they were drawn."""
    found = re.findall(rb"/DCTDecode /Length (\d+) >>\nstream\n", path.read_bytes())
    starts = [match.end() for match in re.finditer(rb"/DCTDecode /Length \d+ >>\nstream\n", path.read_bytes())]
    return [Image.open(io.BytesIO(path.read_bytes()[start : start + int(length)])) for start, length in zip(starts, found)]


def _text(written: bytes, drawn: bytes) -> str:
    """A piece of text, or the text behind a drawn one."""
    if drawn:
        return bytes.fromhex(drawn.decode()).decode("utf-16")
    return re.sub(rb"\\(.)", rb"\1", written).decode("cp1252")
