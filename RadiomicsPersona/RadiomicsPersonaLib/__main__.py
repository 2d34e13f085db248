"""`python -m RadiomicsPersonaLib` is the command line `radiomics-persona`."""

from __future__ import annotations

import sys

from .cli import main

sys.exit(main())
