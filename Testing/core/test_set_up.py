"""What `make` runs before anything else: one sentence for a Python that will not do, and the smaller PyTorch by default."""

from __future__ import annotations

import os
import sys

import pytest
import set_up


def test_a_python_that_is_too_old_or_too_new_gets_one_sentence_with_the_way_out(monkeypatch):
    for version in ((3, 10, 9), (3, 15, 0)):
        monkeypatch.setattr(sys, "version_info", version)
        with pytest.raises(SystemExit) as left:
            set_up.main("demo")
        assert "3.11 to 3.14 is needed" in left.value.code and "make PYTHON=python3.12" in left.value.code
        assert "\n" not in left.value.code


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere PyPI's PyTorch is the small one")
def test_linux_takes_the_cpu_build_unless_a_site_says_where_packages_come_from(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert set_up.usual_torch() == "cpu"
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert set_up.usual_torch() == set_up.PYPI


def test_a_step_that_fails_ends_the_set_up_and_says_which():
    with pytest.raises(SystemExit) as left:
        set_up.run(sys.executable, "-c", "raise SystemExit(3)")
    assert "failed" in left.value.code and "call make again" in left.value.code
