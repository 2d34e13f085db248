"""Tables: every command reads them in one way, refuses what can be read in two, and writes none that runs in a spreadsheet."""

from __future__ import annotations

import csv

import pytest

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.report.results_files import write_rows
from RadiomicsPersonaLib.system.csv_table import CsvTable, readable_cell, written_cell

FORMULAS = ['=HYPERLINK("http://x")', "+cmd|' /C calc'!A0", "-2+3+cmd", "@SUM(A1)", "\t=1+1", " =1", "＝1+1", "=-", "-2+3"]


def read(tmp_path, text: str) -> list[dict]:
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode())
    return [cells for _, cells in CsvTable(path)]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_cells_are_what_the_user_wrote(mark, tmp_path):
    rows = [["patient", "sex", "remark"], ["001", "NA", "a  b"], ["None", "", ' "x"']]
    text = "\r\n".join(mark.join(f'"{cell.replace(chr(34), 2 * chr(34))}"' for cell in row) for row in rows)
    assert read(tmp_path, "\ufeff" + text) == [
        {"patient": "001", "sex": "NA", "remark": "a  b"},
        {"patient": "None", "sex": "", "remark": '"x"'},
    ]


def test_what_spreadsheets_add_is_passed_over(tmp_path):
    text = "a,b,\n1,2,\n3,4,,,\n,,,\n\n5,6\n"
    assert read(tmp_path, text) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}, {"a": "5", "b": "6"}]
    assert read(tmp_path, ",a,b\n0,1,2\n1,3,4\n") == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("a,b\n1,2\n3,4,5\n", "Line 3 of 'table.csv' has 3 cells and the first line names 2 columns"),
        ("a,b\n1,2\n\n3\n", "Line 4 of 'table.csv' has 1 cells"),
        ("a,b,\n1,2,3\n", "Line 2 of 'table.csv' has 3 cells"),
        ('a,b\n1,"2\n3,4\n', "from line 2 on"),
        ("a,b\n1," + 140_000 * "x" + "\n", "from line 2 on (field larger than field limit"),
        ("a,a\n1,2\n", "two columns are called 'a'"),
        ("\n1,2\n", "its first line holds no names of columns"),
        ("", "has no rows below its heads"),
    ],
)
def test_a_row_that_fits_no_columns_is_refused_with_its_line(text, sentence, tmp_path):
    with pytest.raises(InputError) as refused:
        read(tmp_path, text)
    assert sentence in str(refused.value) and "table.csv" in str(refused.value)


def test_another_encoding_is_refused(tmp_path):
    (tmp_path / "table.csv").write_bytes("a,b\nJürgen,1\n".encode("latin-1"))
    with pytest.raises(InputError, match="'table.csv' is not a CSV table in UTF-8"):
        list(CsvTable(tmp_path / "table.csv"))


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_written_cell_runs_in_a_spreadsheet_and_all_come_back(formula, tmp_path):
    write_rows(tmp_path / "table.csv", [{formula: formula, "n": -0.5, "box": "-34,-10,14,28,28,28", "none": None}])
    with open(tmp_path / "table.csv", encoding="utf-8", newline="") as stream:
        heads, cells = csv.reader(stream)
    assert heads[0][0] == cells[0][0] == "'", "a spreadsheet shows the text"
    assert cells[1:] == ["-0.5", "-34,-10,14,28,28,28", ""], "numbers and boxes are no formulas"
    assert readable_cell(written_cell(formula)) == formula
    (row,) = (cells for _, cells in CsvTable(tmp_path / "table.csv"))
    assert row[formula] == formula


def test_what_begins_with_an_apostrophe_comes_back_too():
    for text in ("'t Hooft", "'=1", "''=1", "'-5"):
        assert readable_cell(written_cell(text)) == text


def test_a_cohort_refuses_a_table_before_any_work(tmp_path, capsys):
    for text, sentence in (("mask\na.nii\nb.nii,c\n", "Line 3 of 't.csv'"), ("mask,x\na," + 140_000 * "x", "from line 2 on")):
        (tmp_path / "t.csv").write_text(text)
        assert main(["cohort", str(tmp_path / "t.csv"), "--command", "mesh", "--output", str(tmp_path / "o")]) == 2
        said = capsys.readouterr().err
        assert sentence in said and said.count("\n") == 1 and not (tmp_path / "o" / "cohort.csv").exists()
