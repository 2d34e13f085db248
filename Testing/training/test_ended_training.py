"""Commands of the training that write results, ended at random moments: the old results or the new ones, nothing hidden.

RADIOMICS_PERSONA_KILLS=50 draws as many moments for each.
"""

from __future__ import annotations

import os
import random
import signal

import pytest
from bench.ended import files_of, hidden_in, is_old_or_new, signal_at

from RadiomicsPersonaTrainingLib.cli import main

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("RADIOMICS_PERSONA_KILLS", 3))


def ended(words: list[str], place, names: set[str], capfd, may_stay: tuple[str, ...] = ()) -> int:
    """Run a command again and again, ended each time; returns how often the signal came before its end.

    Args:
        place: where the results lie.
        names: of the results; of other files none may be new but those of `may_stay`.
    """
    moments, count_ended = random.Random(words[0]), 0
    with signal_at(None) as count:
        assert main(words) == 0
        total = count()
    before = files_of(place)
    for turn in range(KILLS):
        number = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)[turn % 3]
        moment = moments.randrange(total) if turn % 2 else total - moments.randrange(min(total, 60))
        with signal_at(moment, number):
            code = main(words)
        said = capfd.readouterr().err
        assert code in (0, 128 + number), said
        count_ended += code != 0
        after = files_of(place)
        assert is_old_or_new(
            {name: before[name] for name in names}, {name: what for name, what in after.items() if name in names}, names
        )
        assert set(after) - set(before) <= set(may_stay) and not hidden_in(place), (moment, total, said)
        before = after
    return count_ended


def test_an_export_that_is_ended_leaves_the_old_model_or_the_new_one(finished_run, tmp_path, capfd):
    run = finished_run()
    words = ["export", str(run), "--output", str(tmp_path / "models" / "tiny")]
    assert main(words) == 0
    assert ended(words, tmp_path / "models", {"tiny.json", "tiny.safetensors"}, capfd)
