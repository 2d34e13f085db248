"""Commands of the training that write results, ended at random moments: the old results or the new ones, nothing hidden.

RADIOMICS_PERSONA_KILLS=50 draws as many moments for each.
"""

from __future__ import annotations

import pytest
from bench.ended import files_of, times_ended

from RadiomicsPersonaTrainingLib.cli import main

pytestmark = pytest.mark.slow


def test_an_export_that_is_ended_leaves_the_old_model_or_the_new_one(finished_run, tmp_path, capfd):
    folder = tmp_path / "models"
    words = ["export", str(finished_run()), "--output", str(folder / "tiny")]
    assert times_ended(main, words, folder, lambda name: True, capfd)
    assert set(files_of(folder)) == {"tiny.json", "tiny.safetensors"}
