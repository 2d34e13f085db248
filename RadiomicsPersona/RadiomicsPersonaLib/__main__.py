"""`python -m RadiomicsPersonaLib` is the command line `radiomics-persona`."""

import sys

from .cli import main

sys.exit(main())
