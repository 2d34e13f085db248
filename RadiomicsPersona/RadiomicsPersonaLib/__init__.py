"""RadiomicsPersona: what a region of a brain MRI would look like if it were healthy, and how far it is from that.

Arrays and their geometry in, arrays and numbers out; no Slicer, no Qt. `analysis.analyze` is the whole line.
"""

from __future__ import annotations

__version__ = "0.1.0"
