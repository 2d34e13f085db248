"""results.json keeps to the schema that is published with the program."""

from __future__ import annotations

import copy
import json

import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.report.results_form import SCHEMA_VERSION
from RadiomicsPersonaLib.resources import shipped

jsonschema = pytest.importorskip("jsonschema")
pytestmark = pytest.mark.usefixtures("small_models")


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict:
    """What `analyze` writes of a box."""
    folder, head = tmp_path_factory.mktemp("results"), make_head(4.0)
    write_nifti(folder / "head.nii.gz", head.array, head.affine)
    words = ["--box", "34,-10,14,28,28,28", "-m", "harmonic", "--controls", "6"]
    assert main(["analyze", str(folder / "head.nii.gz"), *words, "-o", str(folder / "out"), "--outputs", "json"]) == 0
    return json.loads((folder / "out" / "results.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def schema() -> dict:
    """The published schema, itself valid."""
    told = json.loads((shipped("Schemas") / "results.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(told)
    return told


def test_results_are_valid_and_say_their_version(results, schema):
    jsonschema.validate(results, schema)
    assert results["schema_version"] == SCHEMA_VERSION == "1.1"


def test_the_schema_describes_every_key_that_is_written(results, schema):
    defined = schema["$defs"]
    assert set(results) == set(schema["properties"])
    assert set(results["boxes"][0]) == set(defined["box"]["properties"])
    assert set(results["boxes"][0]["controls"][0]) == set(defined["control"]["properties"])
    assert set(results["provenance"]) <= set(defined["provenance"]["properties"])
    for score in results["boxes"][0]["scores"].values():
        assert set(score) == set(defined["score"]["properties"])


@pytest.mark.parametrize(
    ("key", "value"), [("label", 2), ("p", 1.5), ("center_ras", [0, 0]), ("word", "sick"), ("reason", None), ("q", "small")]
)
def test_a_value_that_cannot_be_is_invalid(results, schema, key, value):
    changed = copy.deepcopy(results)
    changed["boxes"][0][key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed, schema)
