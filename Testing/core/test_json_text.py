"""What is written as JSON can be read by any program."""

from __future__ import annotations

import json
import math

import numpy as np

from RadiomicsPersonaLib.system.json_text import json_value


def test_what_is_no_number_is_null_however_deep_it_lies_and_all_else_keeps_its_value():
    told = {"p": math.nan, "rows": ({"z": np.float32(math.inf)}, [np.float64(0.25), np.int64(3)]), "no": None, "yes": True}
    text = json.dumps(json_value(told), allow_nan=False)
    assert json.loads(text) == {"p": None, "rows": [{"z": None}, [0.25, 3]], "no": None, "yes": True}
