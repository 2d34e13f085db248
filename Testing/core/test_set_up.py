"""What `make` runs before anything else: one sentence for a Python that will not do, and the smaller PyTorch by default."""

from __future__ import annotations

import os
import sys
import tomllib

import pytest
import set_up

from RadiomicsPersonaLib.errors import MADE, how_to_install


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


@pytest.fixture
def told(monkeypatch, tmp_path):
    """A clone's tools, of which uv has installed the commands; returns what was asked of them."""
    asked = []
    monkeypatch.setattr(set_up, "TOOLS", tmp_path)
    monkeypatch.setattr(set_up, "run", lambda *words: asked.append(words))
    monkeypatch.setattr(set_up, "answer", lambda *words: "radiomics-persona v1\n- radiomics-persona" if "tool" in words else "")
    monkeypatch.setattr(set_up.shutil, "which", lambda name: None)
    (tmp_path / "bin").mkdir()
    return asked


def test_make_uninstall_asks_the_program_that_installed_though_it_is_in_the_clone_only(told, tmp_path, checkout):
    (tmp_path / "bin" / "uv").touch()
    set_up.main("uninstall")
    assert told == [(str(tmp_path / "bin" / "uv"), "tool", "uninstall", "radiomics-persona")]
    makefile = (checkout / "Makefile").read_text(encoding="utf-8")
    assert "\nuninstall:\n\t@$(PYTHON) Testing/set_up.py uninstall\n" in makefile
    assert "make uninstall" in (checkout / "docs" / "install.md").read_text(encoding="utf-8")


def test_nothing_to_uninstall_is_told_in_one_sentence(told, tmp_path):
    (tmp_path / "bin" / "pipx").touch()
    with pytest.raises(SystemExit) as left:
        set_up.main("uninstall")
    assert left.value.code.endswith("there is nothing to take away.") and not told


def test_after_make_clean_the_programs_are_brought_again(told, tmp_path, monkeypatch):
    (tmp_path / "bin").rmdir()

    def brought(*names):
        (tmp_path / "bin").mkdir()
        for name in names:
            (tmp_path / "bin" / name).touch()

    monkeypatch.setattr(set_up, "brought", brought)
    set_up.main("uninstall")
    assert told == [(str(tmp_path / "bin" / "uv"), "tool", "uninstall", "radiomics-persona")]


def test_commands_that_are_not_on_the_path_are_told_with_the_line_to_add(monkeypatch, tmp_path):
    monkeypatch.setattr(set_up.shutil, "which", lambda name: None)
    said = set_up.where(str(tmp_path))
    assert "is not on your PATH" in said and f'export PATH="{tmp_path}:$PATH"' in said and "\n" not in said
    monkeypatch.setattr(set_up.shutil, "which", lambda name: str(tmp_path / name))
    assert "are on your PATH" in set_up.where(str(tmp_path))
    assert "finds another one first" in set_up.where(str(tmp_path / "elsewhere"))


def test_sentences_about_what_is_missing_know_what_make_install_brings(checkout):
    extras = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert MADE == set_up.EXTRAS and set(MADE) < set(extras)
    for extra in extras:
        assert f'".[{extra}]"' in how_to_install(extra) and ("make install" in how_to_install(extra)) == (extra in MADE)
    for page in [*checkout.glob("*.md"), *checkout.glob("docs/*.md"), *checkout.glob("RadiomicsPersona*/**/*.py")]:
        assert "radiomics-persona[" not in page.read_text(encoding="utf-8"), f"{page.name}: the package is on no index"
