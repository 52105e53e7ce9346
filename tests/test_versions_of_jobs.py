"""The version of a job changes with instructions, schema, show() and model, with nothing else."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

import bulk_classifier
from common import Job, Record
from rigs.own_jobs import labels

MODEL = "claude-haiku-5-5"
JOB = """
from functools import partial
from pydantic import BaseModel
from common import Job

class Label(BaseModel):
    label: str

def helped(record):
    return "helped"

{before}

JOB = Job(name="labels", select="select 1 as record_id", instructions="Label.", output=Label,
    save=print, {given})
"""


def loaded(path: Path, given: str, before: str = "") -> Job:
    """A job out of a script, imported anew."""
    path.write_text(JOB.format(given=given, before=before))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    job: Job = module.JOB
    return job


def version(path: Path, given: str, before: str = "") -> str:
    return loaded(path, given, before).version(MODEL)


class Other(BaseModel):
    label: Literal["Parcel", "Refund"]


class Shower:
    """An object that can be called, and has no hash."""

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, record: Record) -> str:
        return str(record["content"])


def test_it_is_twelve_hex_digits_that_stay_the_same():
    assert re.fullmatch("[0-9a-f]{12}", bulk_classifier.JOB.version(MODEL))
    assert labels().version(MODEL) == labels().version(MODEL)
    same = labels(name="other", chunk_size=3, select="select 1", output_tokens=9, delivery="live")
    assert same.version(MODEL) == labels().version(MODEL)


@pytest.mark.parametrize(
    "changes",
    [
        {"instructions": "Label each record well."},
        {"output": Other},
        {"show": str},
        {"show": repr},
        {"show": partial(str, encoding="utf-8")},
        {"show": Shower()},
    ],
)
def test_it_changes_with_what_is_asked(changes):
    changed = replace(labels(), **changes).version(MODEL)
    others = [labels().version(MODEL), labels(show=len).version(MODEL)]
    assert changed not in others
    assert replace(labels(), **changes).version(MODEL) == changed


def test_it_changes_with_the_model():
    assert labels().version(MODEL) != labels().version("claude-sonnet-5-5")


@pytest.mark.parametrize(
    ("before", "given", "changed_before", "changed"),
    [
        ("", 'show=lambda record: record["a"]', "", 'show=lambda record: record["b"]'),
        ("", "show=lambda record: (\n  1\n)", "", "show=lambda record: (\n  2\n)"),
        ("", "show=lambda record: 1 + \\\n  1", "", "show=lambda record: 1 + \\\n  2"),
        ("def s(r):\n  return 1", "show=s", "def s(r):\n  return 2", "show=s"),
        ("def s(r, n):\n  return n", "show=partial(s, n=1)", "def s(r, n):\n  return n",
         "show=partial(s, n=2)"),
        ("def s(r, n):\n  return n", "show=partial(s, n=helped)", "def s(r, n):\n  return n",
         "show=partial(s, n=len)"),
        ("class S:\n  def __call__(self, r):\n    return 1", "show=S()",
         "class S:\n  def __call__(self, r):\n    return 2", "show=S()"),
        ("", "show=str", "", "show=repr"),
        ("from html import escape", "show=escape", "from html import unescape", "show=unescape"),
    ],
)  # fmt: skip
def test_it_changes_with_the_source_of_show(tmp_path, before, given, changed_before, changed):
    one = version(tmp_path / "one.py", given, before)
    assert version(tmp_path / "same.py", given, before) == one
    assert version(tmp_path / "other.py", changed, changed_before) != one


def test_what_stands_beside_a_lambda_is_not_part_of_it(tmp_path):
    show = 'show=lambda record: record["a"]'
    one = version(tmp_path / "one.py", f"{show}, chunk_size=5")
    assert version(tmp_path / "two.py", f"chunk_size=7, {show}") == one
    assert version(tmp_path / "three.py", f"{show},\n    delivery='live'", "# more lines\n") == one


def test_an_edit_while_the_job_runs_changes_nothing_about_that_run(tmp_path):
    path = tmp_path / "edited.py"
    job = loaded(path, "show=show", "def show(record):\n    return 1")
    before = job.version(MODEL)
    path.write_text(path.read_text().replace("return 1", "return 2 + 2"))
    assert job.version(MODEL) == before == replace(job, note=None).version(MODEL)
    anew: Any = loaded(path, "show=show", "def show(record):\n    return 2 + 2")
    assert anew.version(MODEL) != before
