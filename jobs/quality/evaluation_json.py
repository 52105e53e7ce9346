"""What --eval prints for a program."""

from __future__ import annotations

from typing import Any

from quality.evaluated import Evaluated, Evaluation
from quality.fields import Kind
from quality.proportions import wilson
from quality.scores import FieldScore
from quality.side_by_side import SideBySide


def as_json(evaluation: Evaluation | None) -> dict[str, Any]:
    """An evaluation for a program; without one, what says that nothing was measured."""
    if evaluation is None:
        return {"accuracy": None, "n": 0, "interval": None, "fields": {}, "confusions": []} | {
            "wrong": [],
            "usd_per_1000": None,
        }
    whole: dict[str, Any] = {
        "labels": evaluation.labels.name,
        "ignored": evaluation.labels.ignored,
        "missing": len(evaluation.missing),
        "missing_ids": evaluation.missing,
        "seconds": round(evaluation.seconds, 1),
        "page": str(evaluation.page) if evaluation.page else None,
        "demo": evaluation.context.options.demo,
    }
    if not evaluation.side_by_side:
        return {**_model(evaluation.models[0]), **whole}
    return {
        **whole,
        "models": [_model(one) for one in evaluation.models],
        "side_by_side": _pairs(evaluation, evaluation.side_by_side),
    }


def _model(one: Evaluated) -> dict[str, Any]:
    scores = one.scores
    return {
        "model": one.model,
        "version": one.version,
        "accuracy": scores.accuracy,
        "n": scores.n,
        "right": scores.right,
        "interval": [*scores.interval],
        "accuracy_of": [*scores.headline],
        "fields": {field.field.name: _field_json(field) for field in scores.fields},
        "confusions": [
            {"field": c.field, "expected": c.expected, "got": c.got, "count": c.count}
            for c in scores.confusions
        ],
        "wrong": [
            {
                "id": w.record_id,
                "field": w.field,
                "expected": w.expected,
                "got": w.got,
                "explanation": w.explanation,
                "error": w.error or None,
            }
            for w in scores.wrong
        ],
        "unanswered": len(scores.unanswered),
        "unanswered_ids": scores.unanswered,
        "usd_per_1000": one.usd_per_1000,
        "usd_paid_now": one.paid,
    }


def _field_json(field: FieldScore) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": str(field.field.kind),
        "n": field.n,
        "right": field.right,
        "accuracy": field.accuracy,
        "interval": [*wilson(field.right, field.n)],
    }
    if field.field.kind is Kind.VALUES:
        found["values"] = {
            one.value: {
                "expected": one.expected,
                "got": one.got,
                "right": one.right,
                "precision": one.precision,
                "recall": one.recall,
                "f1": one.f1,
            }
            for one in field.values
        }
    if field.field.kind in (Kind.TEXT, Kind.LIST):
        found["folded"] = field.folded / field.n
    if field.field.kind is Kind.NUMBER:
        found |= {"mean_absolute_error": field.error, "numbers": field.numbers}
    return found


def _pairs(evaluation: Evaluation, pairs: SideBySide) -> dict[str, Any]:
    return {
        "n": pairs.n,
        "differ": len(pairs.differing),
        "both_right": pairs.both,
        "only_first_right": pairs.only_first,
        "only_second_right": pairs.only_second,
        "both_wrong": pairs.neither,
        "unpaired": pairs.unpaired,
        "p": pairs.p,
        "first": evaluation.models[0].model,
        "second": evaluation.models[1].model,
        "differing": [
            {
                "id": one.record_id,
                "expected": one.expected,
                "first": one.first,
                "second": one.second,
                "right": one.right,
            }
            for one in pairs.differing
        ],
    }
