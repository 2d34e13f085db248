"""Work folders: gone with their process, also with one that was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from RadiomicsPersonaLib.system.work_folder import sweep, work_folder


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_uses_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / f"RadiomicsPersona-{ended.pid}-abc"
    left.mkdir()
    (left / "scan.nrrd").write_text("a scan")
    with work_folder() as mine:
        other = tmp_path / f"RadiomicsPersona-{os.getppid()}-abc"
        other.mkdir()
        sweep()
        assert not left.exists() and Path(mine).is_dir() and other.is_dir()
    assert not Path(mine).exists()
