"""Which columns and cells of a table are labels, and what is refused by line."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import BaseModel, Field

from common.process.exits import JobExit
from quality.labels import Labels, of_table
from quality.spreadsheet import read


class Output(BaseModel):
    label: Literal["Parcel", "Refund"]
    runner_up: Literal["Parcel", "Refund", ""] = Field(default="", alias="Second")
    words: int = 0


@pytest.fixture
def labels(tmp_path):
    def of(text: str) -> Labels:
        path = tmp_path / "labels.csv"
        path.write_text(text, encoding="utf-8")
        return of_table(read(path), Output)

    return of


@pytest.fixture
def refusal(labels):
    def of(text: str) -> str:
        with pytest.raises(JobExit) as end:
            labels(text)
        assert end.value.code == 78
        return end.value.message

    return of


def test_columns_are_fields_by_name_or_alias_in_any_case(labels):
    found = labels("record_id,LABEL,second,Words\n1,refund,(empty),3\n")
    assert found.expected == {"1": {"label": "Refund", "runner_up": None, "words": 3}}
    assert [one.name for one in found.fields] == ["label", "runner_up", "words"]
    other = labels("record_id,Runner_Up\n1,parcel\n")
    assert other.expected == {"1": {"runner_up": "Parcel"}}
    assert [one.name for one in other.fields] == ["runner_up"]


def test_an_empty_cell_is_no_label_and_a_row_without_one_no_record(labels):
    found = labels("record_id,label,words\n1,refund,\n2,,\n3,,0\n")
    assert found.expected == {"1": {"label": "Refund"}, "3": {"words": 0}}
    assert found.empty == 1


def test_columns_that_are_no_field_are_ignored_and_named(labels):
    found = labels("record_id,label,note,Content\n1,refund,x,y\n")
    assert found.ignored == ["note", "Content"]


def test_of_a_file_that_review_wrote_what_a_person_filled_in_counts(labels):
    found = labels(
        "record_id,text,label,words,why,correct_label,correct_words\n1,x,refund,2,,Parcel,\n"
    )
    assert found.expected == {"1": {"label": "Parcel"}}
    assert "label" in found.ignored


def test_a_record_given_twice_with_the_same_labels_is_one(labels):
    found = labels("record_id,label,words\n1,refund,\n1,Refund,4\n")
    assert found.expected == {"1": {"label": "Refund", "words": 4}}


def test_spaces_around_an_id_do_not_count(labels):
    assert [*labels("record_id,label\n 7 ,refund\n").expected] == ["7"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("record_id,text\n1,x\n", "no column is a field of the output: its columns are 'text'"),
        ("record_id\n1\n", "its columns are none; fields are label, runner_up, words"),
        ("record_id,label\n1,refund\n2,refnd\n", "line 3: 'refnd' is no value of label"),
        (
            "record_id,label\n2,Refund\n1,\n2,Parcel\n",
            "'2' was there in line 2, with another label",
        ),
        ("record_id,label\n,Refund\n", "line 2: it has no record_id"),
        ("record_id,runner_up,Second\n1,,\n", "columns runner_up and Second are both the field"),
        ("record_id,words\n1,three\n", "line 2: 'three' is not what words can be"),
    ],
)
def test_what_cannot_be_a_label_is_refused(refusal, text, words):
    message = refusal(text)
    assert words in message and "labels.csv" in message
