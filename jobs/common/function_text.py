"""The source of a function, as part of what tells one version of a job from another."""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable
from functools import lru_cache, partial
from inspect import findsource, getsource
from tokenize import TokenError
from typing import Any


def text_of(function: Callable[..., Any]) -> str:
    """The source of a function as it was when it was first asked for, or else its name.

    A file that is edited while its job runs changes nothing about that run. Of a lambda it is the
    expression alone; of an object that can be called, its class. What it calls is not in it.
    """
    return _kept(function) if isinstance(function, Hashable) else _text(function)


def _text(function: Any) -> str:
    if isinstance(function, partial):
        return f"{text_of(function.func)} {_named(function.args)} {_named(function.keywords)}"
    try:
        if getattr(function, "__name__", "") == "<lambda>":
            return _of_lambda(function)
        return getsource(function if hasattr(function, "__name__") else type(function))
    # Of what is made by other code, or typed in at a prompt, or built in.
    except (OSError, TypeError, SyntaxError, TokenError):
        return getattr(function, "__qualname__", type(function).__qualname__)


_kept = lru_cache(maxsize=None)(_text)


def _of_lambda(function: Any) -> str:
    lines, _ = findsource(function)
    source = "".join(lines)
    first = function.__code__.co_firstlineno
    found = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Lambda) and node.lineno == first
    ]
    return (len(found) == 1 and ast.get_source_segment(source, found[0])) or getsource(function)


def _named(values: Any) -> str:
    """What was given to a function, without addresses, which differ in every run."""
    plain = (str, bytes, int, float, bool, type(None))
    if isinstance(values, dict):
        return str({name: _named(value) for name, value in sorted(values.items())})
    if isinstance(values, tuple):
        return str([_named(value) for value in values])
    if isinstance(values, plain):
        return repr(values)
    return text_of(values) if callable(values) else type(values).__qualname__
