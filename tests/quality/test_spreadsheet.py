"""Tables that people edited in a spreadsheet are read rightly, or refused by line."""

from __future__ import annotations

import csv
import io

import pytest

from common.process.exits import JobExit
from quality.spreadsheet import Row, read

PLAIN = "record_id,label,note\n7,Refund,ok\n8,Sales,\n"
ROWS = [
    Row(2, {"record_id": "7", "label": "Refund", "note": "ok"}),
    Row(3, {"record_id": "8", "label": "Sales", "note": ""}),
]


@pytest.fixture
def table(tmp_path):
    def of(content: str | bytes):
        path = tmp_path / "labels.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read(path)

    return of


@pytest.fixture
def refusal(table):
    def of(content: str | bytes) -> tuple[int, str]:
        with pytest.raises(JobExit) as end:
            table(content)
        return end.value.code, end.value.message

    return of


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_form_that_a_spreadsheet_saves_gives_the_same_rows(
    table, encoding, separator, line_end
):
    text = PLAIN.replace(",", separator).replace("\n", line_end)
    found = table(text.encode(encoding))
    assert found.columns == ("record_id", "label", "note")
    assert found.rows == ROWS


def test_a_mark_of_either_byte_order_is_read(table):
    assert table(b"\xfe\xff" + PLAIN.encode("utf-16-be")).rows == ROWS
    assert table(b"\xff\xfe" + PLAIN.encode("utf-16-le")).rows == ROWS


def test_letters_in_windows_1252_are_those_that_were_typed(table):
    assert table("record_id;label\r\n1;Rückgabe – 5 €\r\n".encode("cp1252")).rows[0].cells == {
        "record_id": "1",
        "label": "Rückgabe – 5 €",
    }


def test_letters_in_utf_8_are_those_that_were_typed(table):
    assert table("record_id;label\n1;Rückgabe – 5 €, 日本\n").rows[0].cells["label"] == (
        "Rückgabe – 5 €, 日本"
    )


def test_a_file_of_two_encodings_is_refused_by_line(refusal):
    code, message = refusal("record_id,a\n1,Grün\n2,".encode() + "Grün".encode("cp1252"))
    assert code == 78
    assert message.endswith('line 3: a byte (0xfc) that is not UTF-8: save it as "CSV UTF-8"')


def test_whatever_python_writes_is_read_back(table):
    rows = [["1", 'a "quoted", text'], ["2", "two\nlines; \t and more"], ["3", "  spaces  "]]
    for dialect in ("excel", "excel-tab", "unix"):
        file = io.StringIO()
        csv.writer(file, dialect).writerows([["record_id", "text"], *rows])
        found = table(file.getvalue())
        assert [[*row.cells.values()] for row in found.rows] == rows, dialect


def test_the_line_of_a_row_counts_the_line_breaks_in_the_cells_above(table):
    found = table('record_id,text\r\n1,"one\r\ntwo\nthree"\r\n\r\n2,x\r\n')
    assert [row.line for row in found.rows] == [2, 6]
    assert found.rows[0].cells["text"] == "one\ntwo\nthree"


def test_the_line_that_tells_excel_the_separator_is_no_header(table):
    found = table("sep=|\r\nrecord_id|label\r\n1|a;b,c\r\n")
    assert found.rows == [Row(3, {"record_id": "1", "label": "a;b,c"})]


def test_a_separator_within_a_name_does_not_mislead(table):
    assert table("record_id;a, b, c, d;note\n1;2;3\n").columns == (
        "record_id",
        "a, b, c, d",
        "note",
    )


def test_empty_rows_and_columns_are_left_out(table):
    found = table("\nrecord_id,label,,note,,\n7,Refund,,ok,,\n,,,,,\n8,Sales,,,,\n , ,,,,\n,,,\n")
    assert [row.cells for row in found.rows] == [row.cells for row in ROWS]
    assert [row.line for row in found.rows] == [3, 5]


def test_cells_that_are_missing_at_the_end_of_a_row_are_empty(table):
    assert table("record_id,label,note\n7\n").rows[0].cells == {
        "record_id": "7",
        "label": "",
        "note": "",
    }


def test_the_key_is_found_in_any_case(table):
    assert table("Record_ID,Label\n1,a\n").columns == ("record_id", "Label")


def test_a_text_longer_than_pythons_own_limit_is_read(table):
    assert len(table(f"record_id,text\n1,{'x' * 300_000}\n").rows[0].cells["text"]) == 300_000


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("", 78, "no column record_id: it is empty"),
        ("\n\n", 78, "no column record_id: it is empty"),
        ("id,label\n1,a\n", 78, "no column record_id: its first line has 'id', 'label'"),
        ("record_id,a,b,a\n", 78, "line 1: 2 columns called 'a': keep one"),
        ("\nrecord_id,Record_ID\n", 78, "line 2: 2 columns called 'record_id'"),
        (
            "record_id,a\n1,2\n3,4,5\n",
            78,
            "line 3: 3 cells, and the header names 2 columns: cell 3",
        ),
        ("record_id,,b\n1,2,3\n", 78, "line 2: 3 cells, and the header names 2 columns: cell 2"),
        ('record_id,a\n1,x\n2,"y\n3,z\n', 78, "line 3: its quotes do not fit together"),
        ('record_id,a\n1,"x"y\n', 78, "line 2: its quotes do not fit together"),
        ("record_id,a\n1,x\0y\n", 78, "line 2: a NUL"),
        (b"PK\x03\x04\x14\0", 78, "is a workbook (.xlsx or .ods)"),
        (b"\xd0\xcf\x11\xe0\xa1", 78, "is a workbook (.xls)"),
        (b"SQLite format 3\0", 78, "is a database"),
        (b"\x89PNG\r\n\x1a\n\0\0", 78, 'save it as "CSV UTF-8"'),
        (b"record_id,a\n1,\x81\n", 78, "line 2: a byte (0x81) that is not CP1252"),
        (b"\xff\xfer\0e\0c", 78, "line 1: a byte (0x63) that is not UTF-16-LE"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(refusal, content, code, words):
    found, message = refusal(content)
    assert found == code
    assert words in message
    assert "labels.csv" in message and "\n" not in message


@pytest.mark.parametrize(
    ("name", "words"),
    [(".", "is a folder"), ("absent.csv", "No such file"), ("a\0b", "cannot be read")],
)
def test_a_path_without_a_file_is_wrong_usage(tmp_path, name, words):
    with pytest.raises(JobExit, match=words) as end:
        read(tmp_path / name)
    assert end.value.code == 2
