"""PDF: pages of text, lines and pictures, written with the standard library and Pillow.

Text stays text: it can be searched, copied and read aloud. Coordinates are points (1/72 inch) from the top left corner of an A4
page. The font is Helvetica, which every PDF reader has. So that text can be broken into lines without the font, the widths of
its letters stand here; they are those of Adobe's core fonts' metrics. A line in another script is drawn in a system font, with
its text behind the picture. No library is needed, so that a Slicer with nothing installed into it writes reports, too.
"""

from __future__ import annotations

import io
import math
import zlib
from pathlib import Path

from PIL import Image, ImageDraw

from .lettering import drawn_width, lines_of, write_text

PAGE_WIDTH, PAGE_HEIGHT = 595.0, 842.0
_FIRST = 32
DRAWN = 48
"""Pixels in which a line of another script is drawn."""


def printable(text: str) -> str:
    """The text with single spaces between its words, whatever stood there."""
    return " ".join(str(text).split())


def in_helvetica(text: str) -> bool:
    """Whether Helvetica has all letters of a text."""
    return text.encode("cp1252", "ignore").decode("cp1252") == text


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Points that a text takes on one line."""
    if not in_helvetica(text):
        return drawn_width(text, DRAWN, bold) * size / DRAWN
    codes = printable(text).encode("cp1252")
    return sum(WIDTHS[bold][code - _FIRST] for code in codes if code >= _FIRST) * size / 1000


def broken(text: str, size: float, width: float, bold: bool = False) -> list[str]:
    """A text in lines of at most `width` points; words that are longer are cut."""
    return lines_of(text, width, lambda words: text_width(words, size, bold))


class Pdf:
    """A document that grows page by page.

    Args:
        title: as readers show it in the window's frame.
        footer: a line at the bottom of every page, followed by the page's number.
    """

    def __init__(self, title: str, footer: str):
        self.title, self.footer = title, footer
        self._pages: list[list[str]] = []
        self._page: list[str] = []
        self._images: list[Image.Image] = []

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return len(self._pages)

    def add_page(self) -> None:
        """Go on on a new page."""
        self._page = []
        self._pages.append(self._page)

    def text(
        self, x: float, y: float, text: str, size: float = 9, bold: bool = False, color=(0, 0, 0), anchor: str = "left"
    ) -> None:
        """One line whose baseline is at `y`; anchor left, middle or right."""
        x -= {"left": 0.0, "middle": 0.5, "right": 1.0}[anchor] * text_width(text, size, bold)
        if not in_helvetica(text):
            self._draw_text(x, y, text, size, bold, color)
            return
        escaped = printable(text).translate({ord("\\"): r"\\", ord("("): r"\(", ord(")"): r"\)"})
        self._draw(f"BT {_color(color)} rg /F{2 if bold else 1} {size:g} Tf {x:.2f} {PAGE_HEIGHT - y:.2f} Td ({escaped}) Tj ET")

    def _draw_text(self, x: float, y: float, text: str, size: float, bold: bool, color) -> None:
        """A line as a picture in a font of the system, its baseline at `y`, with the text for searching and copying."""
        width, above, below = drawn_width(text, DRAWN, bold), 1.1 * DRAWN, 0.4 * DRAWN
        image = Image.new("RGB", (max(1, math.ceil(width)), round(above + below)), (255, 255, 255))
        write_text(ImageDraw.Draw(image), (0, above), text, DRAWN, color, bold=bold, anchor="ls")
        said = ("\ufeff" + text).encode("utf-16-be", "replace").hex()
        self._draw(f"/Span << /ActualText <{said}> >> BDC")
        self.picture(image, x, y - above * size / DRAWN, image.width * size / DRAWN)
        self._draw("EMC")

    def line(self, points, color=(0, 0, 0), width: float = 0.5) -> None:
        """A line through points (x, y)."""
        self._draw(f"{_color(color)} RG {width:g} w {_path(points)} S")

    def polygon(self, points, fill, outline=None) -> None:
        """A filled polygon."""
        stroke = f"{_color(outline)} RG 0.5 w " if outline else ""
        self._draw(f"{_color(fill)} rg {stroke}{_path(points)} {'b' if outline else 'f'}")

    def rectangle(self, x: float, y: float, width: float, height: float, fill) -> None:
        """A filled rectangle with its top left corner at (x, y)."""
        self.polygon(((x, y), (x + width, y), (x + width, y + height), (x, y + height)), fill)

    def dot(self, x: float, y: float, radius: float, fill) -> None:
        """A filled circle, of four Bezier curves."""
        k, top = 0.5523 * radius, PAGE_HEIGHT - y
        curves = (
            (x + radius, top + k, x + k, top + radius, x, top + radius),
            (x - k, top + radius, x - radius, top + k, x - radius, top),
            (x - radius, top - k, x - k, top - radius, x, top - radius),
            (x + k, top - radius, x + radius, top - k, x + radius, top),
        )
        drawn = " ".join(" ".join(f"{value:.2f}" for value in curve) + " c" for curve in curves)
        self._draw(f"{_color(fill)} rg {x + radius:.2f} {top:.2f} m {drawn} f")

    def picture(self, image: Image.Image, x: float, y: float, width: float) -> float:
        """A picture with its top left corner at (x, y); returns its height in points."""
        height = width * image.height / image.width
        self._images.append(image.convert("RGB"))
        self._draw(f"q {width:.2f} 0 0 {height:.2f} {x:.2f} {PAGE_HEIGHT - y - height:.2f} cm /I{len(self._images)} Do Q")
        return height

    def save(self, path: str | Path) -> None:
        """Write the file; the same pages give the same bytes."""
        for number, self._page in enumerate(self._pages, start=1):
            self.text(42, PAGE_HEIGHT - 24, self.footer, 8, True)
            self.text(PAGE_WIDTH - 42, PAGE_HEIGHT - 24, f"{number} / {len(self._pages)}", 8, anchor="right")
        first_image, first_page = 6, 6 + len(self._images)
        kids = " ".join(f"{first_page + 2 * number} 0 R" for number in range(len(self._pages)))
        images = " ".join(f"/I{number + 1} {first_image + number} 0 R" for number in range(len(self._images)))
        objects = [
            b"<< /Type /Catalog /Pages 2 0 R /Lang (en) /ViewerPreferences << /DisplayDocTitle true >> >>",
            f"<< /Type /Pages /Kids [{kids}] /Count {len(self._pages)} >>".encode(),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
            b"<< /Title <"
            + ("\ufeff" + self.title).encode("utf-16-be", "replace").hex().encode()
            + b"> /Producer (RadiomicsPersona) >>",
        ]
        objects += [_image_object(image) for image in self._images]
        resources = f"<< /Font << /F1 3 0 R /F2 4 0 R >> /XObject << {images} >> >>"
        for number, page in enumerate(self._pages):
            box = f"[0 0 {PAGE_WIDTH:g} {PAGE_HEIGHT:g}]"
            content = first_page + 2 * number + 1
            objects.append(
                f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Resources {resources} /Contents {content} 0 R >>".encode()
            )
            objects.append(_stream(b"/Filter /FlateDecode", zlib.compress("\n".join(page).encode("cp1252"))))
        Path(path).write_bytes(_file_of(objects))

    def _draw(self, command: str) -> None:
        self._page.append(command)


def _color(color) -> str:
    return " ".join(f"{part / 255:.3f}" for part in color)


def _path(points) -> str:
    (x, y), *rest = points
    return f"{x:.2f} {PAGE_HEIGHT - y:.2f} m " + " ".join(f"{x:.2f} {PAGE_HEIGHT - y:.2f} l" for x, y in rest)


def _image_object(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=92, subsampling=0)
    head = (
        f"/Type /XObject /Subtype /Image /Width {image.width} /Height {image.height} /ColorSpace /DeviceRGB "
        "/BitsPerComponent 8 /Filter /DCTDecode"
    )
    return _stream(head.encode(), stream.getvalue())


def _stream(head: bytes, content: bytes) -> bytes:
    return b"<< " + head + f" /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream"


def _file_of(objects: list[bytes]) -> bytes:
    content, places = b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n", []
    for number, item in enumerate(objects, start=1):
        places.append(len(content))
        content += f"{number} 0 obj\n".encode() + item + b"\nendobj\n"
    start = len(content)
    content += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    content += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    return content + f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()


# fmt: off
WIDTHS = {
    False: (
        278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556, 556,
        556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
        667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556,
        556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584, 0,
        556, 0, 222, 556, 333, 1000, 556, 556, 333, 1000, 667, 333, 1000, 0, 611, 0, 0, 222, 222, 333, 333, 350, 556, 1000, 333,
        1000, 500, 333, 944, 0, 500, 667, 278, 333, 556, 556, 556, 556, 260, 556, 333, 737, 370, 556, 584, 333, 737, 333, 400,
        584, 333, 333, 333, 556, 537, 278, 333, 333, 365, 556, 834, 834, 834, 611, 667, 667, 667, 667, 667, 667, 1000, 722, 667,
        667, 667, 667, 278, 278, 278, 278, 722, 722, 778, 778, 778, 778, 778, 584, 778, 722, 722, 722, 722, 667, 667, 611, 556,
        556, 556, 556, 556, 556, 889, 500, 556, 556, 556, 556, 278, 278, 278, 278, 556, 556, 556, 556, 556, 556, 556, 584, 611,
        556, 556, 556, 556, 500, 556, 500,
    ),
    True: (
        278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556, 556,
        556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778,
        667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556, 333, 556, 611, 556, 611, 556, 333, 611,
        611, 278, 278, 556, 278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584, 0,
        556, 0, 278, 556, 500, 1000, 556, 556, 333, 1000, 667, 333, 1000, 0, 611, 0, 0, 278, 278, 500, 500, 350, 556, 1000, 333,
        1000, 556, 333, 944, 0, 500, 667, 278, 333, 556, 556, 556, 556, 280, 556, 333, 737, 370, 556, 584, 333, 737, 333, 400,
        584, 333, 333, 333, 611, 556, 278, 333, 333, 365, 556, 834, 834, 834, 611, 722, 722, 722, 722, 722, 722, 1000, 722, 667,
        667, 667, 667, 278, 278, 278, 278, 722, 722, 778, 778, 778, 778, 778, 584, 778, 722, 722, 722, 722, 667, 667, 611, 556,
        556, 556, 556, 556, 556, 889, 556, 556, 556, 556, 556, 278, 278, 278, 278, 611, 611, 611, 611, 611, 611, 611, 584, 611,
        611, 611, 611, 611, 556, 611, 556,
    ),
}
# fmt: on
"""Thousandths of the size by boldness, for the characters 32 to 255 of code page 1252."""
