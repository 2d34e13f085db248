"""CITATION.cff has what the Citation File Format 1.2 asks for, and one version stands everywhere."""

from __future__ import annotations

import datetime
import re
import tomllib

import pytest

import RadiomicsPersonaLib

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: it comes with MkDocs")


@pytest.fixture(scope="module")
def citation(checkout) -> dict:
    return yaml.safe_load((checkout / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_citation_has_what_the_format_asks_for(citation):
    """Required by CFF 1.2.0: authors, cff-version, message, title; each author is a person with names or an entity."""
    assert {"cff-version", "message", "title", "authors"} <= set(citation) and citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["authors"] and all(
        "name" in who or {"family-names", "given-names"} <= set(who) for who in citation["authors"]
    )
    assert isinstance(citation["date-released"], datetime.date)
    assert all(isinstance(citation[key], str) for key in ("message", "title", "abstract", "license", "version"))
    assert citation["repository-code"].startswith("https://") and all(isinstance(word, str) for word in citation["keywords"])
    assert "healthy boxes" not in citation["abstract"]


def test_one_version_stands_in_the_package_the_citation_and_the_changelog(checkout, citation):
    version = RadiomicsPersonaLib.__version__
    assert citation["version"] == version
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "RadiomicsPersonaLib.__version__"}
    released = re.findall(r"^## (\d+\.\d+\.\d+)(?: - (\S+))?$", (checkout / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert released[0] == (version, citation["date-released"].isoformat())
