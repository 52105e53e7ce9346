"""How values come out of PostgreSQL as texts, which travel and can be set aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg.abc import AdaptContext
    from psycopg.adapt import AdaptersMap

# Types whose values come as Python has them where all others come as texts.
_AS_PYTHON_HAS_THEM = ("bool", "bytea", "int2", "int4", "int8", "oid", "float4", "float8")


@lru_cache(maxsize=1)
def as_texts() -> AdaptContext:
    """How values come as texts, which travel, and can be set aside, whatever their type is."""
    import psycopg
    from psycopg.adapt import AdaptersMap
    from psycopg.types.string import TextLoader

    class Adapting:
        adapters = AdaptersMap(psycopg.adapters)
        connection = None

    for oid in _text_types():
        Adapting.adapters.register_loader(oid, TextLoader)
    return Adapting()


def load_any(adapters: AdaptersMap, decoded: Callable[[bytes], str]) -> None:
    """Let texts come as `decoded` has them."""
    from psycopg.adapt import Loader

    class AnyLoader(Loader):
        def load(self, data: Any) -> str:
            return decoded(bytes(data))

    for oid in (0, *_text_types()):
        adapters.register_loader(oid, AnyLoader)


def _text_types() -> Iterator[int]:
    """The types whose values come as texts. One that psycopg does not know does so anyway."""
    import psycopg

    for info in psycopg.adapters.types:
        if info.name not in _AS_PYTHON_HAS_THEM:
            yield info.oid
        yield info.array_oid
