"""Rules of the design that nobody can see in one file alone: imports, sizes, words."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from common.definition.names import ROOMS
from rigs.harness import REPOSITORY

JOBS = REPOSITORY / "jobs"
FILES = sorted(path for path in JOBS.rglob("*.py") if "__pycache__" not in path.parts)
IDS = [str(path.relative_to(JOBS)) for path in FILES]

MOST = 290  # lines of a file
HEAVY = ("anthropic", "asyncio", "requests", "httpx2", "psycopg", "celery")
# These send: nothing imports them before the first request is made. The stand-in is a server.
SENDING = (
    "common/claude/api.py",
    "common/claude/sdk_client.py",
    "common/claude/transport.py",
    "common/delivery/live.py",
    "common/process/event_loop.py",
    "ops/crew/attempt.py",
    "ops/crew/crew.py",
    "ops/examination/claude_account.py",
    "ops/examination/schemas.py",
    "standin/",
)
# The rooms of common and the files between them, from the top to the bottom: each imports from what
# stands below it, and never from its neighbours or from above.
LAYERS = (
    ("common.runner",),
    ("common.definition",),
    ("common.weeks",),
    ("common.report",),
    ("common.publish",),
    ("common.delivery",),
    ("common.records",),
    ("common.context",),
    ("common.job_code",),
    ("common.ledger", "common.source"),
    ("common.claude",),
    ("common.pace",),
    ("common.settings", "common.options"),
    ("common.option_values",),
    ("common.job",),
    ("common.process", "common.html_document"),
    ("common.answer_schema", "common.budget", "common.function_text", "common.tally"),
    ("common.times", "common.row"),
    ("common.time_forms",),
    ("common.time_grammar",),
)
LAYER = {name: number for number, layer in enumerate(LAYERS) for name in layer}
LEDGER_TABLES = re.compile(
    r"\b(?:from|into|update|join|table(?: if (?:not )?exists)?)\s+"
    r"(?:records|requests|message_batches|windows|runs|queue|queues|pace|workers)\b",
    re.IGNORECASE,
)


def module_of(path: Path) -> str:
    parts = path.relative_to(JOBS).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def imported(path: Path) -> Iterator[tuple[str, bool]]:
    """Each module that a file imports, and whether it does so as soon as it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lazy = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in lazy
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide where things come from"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole if whole in MODULES else str(node.module)), id(node) not in lazy


@cache
def graph() -> dict[str, set[str]]:
    """What each module imports of ours."""
    return {
        name: {other for other, _ in imported(path) if other in MODULES and other != name}
        for name, path in MODULES.items()
    }


def reachable(name: str) -> set[str]:
    """All modules that a module imports, and that those import."""
    seen: set[str] = set()
    left = [name]
    while left:
        for other in graph()[left.pop()] - seen:
            seen.add(other)
            left.append(other)
    return seen


def test_no_two_files_import_each_other_not_even_by_way_of_others():
    assert [name for name in graph() if name in reachable(name)] == []


def room_of(module: str) -> str:
    """The room of common, or the file between the rooms, that a module belongs to."""
    return ".".join(module.split(".")[:2])


def upwards(imports: dict[str, set[str]]) -> list[str]:
    """Every import that goes up, or to a neighbour."""
    return [
        f"{name} -> {other}"
        for name, others in imports.items()
        for other in others
        if (room := room_of(name)) != (theirs := room_of(other))
        and room in LAYER
        and (theirs not in LAYER or LAYER[theirs] <= LAYER[room])
        # A demo starts the stand-in, and a run asks whether its answers look right: nothing else of
        # common knows of these rooms.
        and not (room == "common.runner" and theirs.partition(".")[0] in ("standin", "quality"))
    ]


def test_every_file_of_common_stands_in_a_layer():
    inside = {room_of(name) for name in MODULES if name.startswith("common.")}
    assert inside == set(LAYER)


def test_imports_of_common_go_down():
    assert not upwards({name: others - {"common"} for name, others in graph().items()})


def test_the_rule_about_layers_knows_right_from_wrong():
    assert not upwards({"common.delivery.loop": {"common.ledger.ledger", "common.delivery.live"}})
    for wrong in (
        {"common.claude.send": {"common.ledger.ledger"}},
        {"common.ledger.ledger": {"common.source.sqlite_source"}},
        {"common.process.log": {"common.runner.run"}},
        {"common.ledger.runs": {"ops.overview.model"}},
        {"common.claude.client": {"standin.standin"}},
    ):
        assert upwards(wrong), wrong


def test_a_job_is_imported_by_nobody():
    jobs = {name for name, path in MODULES.items() if path.parent == JOBS}
    assert len(jobs) >= 3
    assert not [name for name in graph() if graph()[name] & jobs]


def test_common_knows_nothing_of_the_rooms_beside_it():
    for name, others in graph().items():
        if name.startswith("common.") and room_of(name) != "common.runner":
            assert not {other for other in others if not other.startswith("common")}, name


def test_the_standin_imports_nothing_of_the_jobs():
    for name in MODULES:
        if name.split(".")[0] == "standin":
            assert not [other for other in graph()[name] if not other.startswith("standin")], name


def test_claude_knows_neither_ledger_nor_delivery():
    below = {
        other for name in MODULES if room_of(name) == "common.claude" for other in graph()[name]
    }
    assert not below & {other for other in MODULES if room_of(other) in FORBIDDEN_TO_CLAUDE}


FORBIDDEN_TO_CLAUDE = ("common.ledger", "common.delivery", "common.context")


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_sql_about_the_ledger_stands_in_its_room(path):
    if path.relative_to(JOBS).as_posix().startswith(("common/ledger/", "ops/ledger/", "standin/")):
        return  # the stand-in has a database of its own
    strings = [
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    sql = re.compile(r"\b(?:select|insert|update|delete|create|drop|alter)\b", re.IGNORECASE)
    assert not [text for text in strings if sql.search(text) and LEDGER_TABLES.search(text)]


def test_no_module_has_the_name_of_another():
    names = Counter(path.stem for path in FILES if path.stem != "__init__")
    assert [name for name, count in names.items() if count > 1] == []


def test_no_job_can_take_the_name_of_a_room():
    rooms = {path.name for path in JOBS.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert rooms == set(ROOMS)


def test_the_demo_is_imported_by_nobody_at_module_level():
    for name, path in MODULES.items():
        if not name.startswith("standin"):
            early = {other for other, now in imported(path) if now}
            assert not [other for other in early if other.startswith("standin")], name


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_what_is_heavy_is_imported_by_what_sends_when_it_sends(path):
    if path.relative_to(JOBS).as_posix().startswith(SENDING):
        # asyncio is theirs to have; the SDK is imported when something is sent, even here.
        heavy = {"anthropic", "requests", "psycopg", "celery"}
    else:
        heavy = set(HEAVY)
    if path.name == "sdk_client.py":
        heavy.discard("anthropic")  # api.py imports it when the first client is made
    if path.relative_to(JOBS).as_posix().startswith("common/source/postgres_"):
        heavy.discard("psycopg")  # source_database.py imports them where it is asked for
    early = {name.partition(".")[0] for name, now in imported(path) if now}
    assert not early & heavy


def test_what_a_run_with_nothing_to_do_imports_is_not_heavy():
    early = {
        other
        for name in ["daily_report", *_loaded("daily_report")]
        for other, now in imported(MODULES[name])
        if now
    }
    assert not {name.partition(".")[0] for name in early} & set(HEAVY)
    # What only a run with something to do needs is imported by that run.
    later = ("common.delivery.message_batch.", "common.report.compose", "common.runner.per_", "ssl")
    assert not [name for name in early if name.startswith((*later, "common.runner.estimate"))]


def _loaded(name: str) -> set[str]:
    """The modules that importing a module loads."""
    seen: set[str] = set()
    left = [name]
    while left:
        for other, now in imported(MODULES[left.pop()]):
            if now and other in MODULES and other not in seen:
                seen.add(other)
                left.append(other)
    return seen


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_files_stay_small(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST


ROOM_NAMES = sorted({path.parent for path in FILES if path.parts[len(JOBS.parts)] == "common"})


@pytest.mark.parametrize("room", ROOM_NAMES, ids=lambda room: room.name)
def test_a_room_of_common_can_be_read_in_one_sitting(room):
    inside = [path for path in FILES if path.parent == room]
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in inside) <= 2_400


def test_common_grows_no_further():
    inside = [path for path in FILES if path.relative_to(JOBS).parts[0] == "common"]
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in inside) <= 24_000


def test_jobs_have_no_code_that_changes_where_python_looks_for_modules():
    # The operator's scripts stand one folder deeper than the jobs; the door and the launcher see to
    # it that the folder of jobs is the last place where Python looks.
    allowed = {JOBS / "common/__init__.py", JOBS / "common/runner/launch.py"}
    changes = re.compile(r"sys\.path(?:\.(?:append|insert|extend|pop|remove|sort)| *=|\[)")
    for path in (path for path in FILES if path.parent != JOBS / "ops" and path not in allowed):
        assert not changes.search(path.read_text(encoding="utf-8")), path


# The noun that never stands alone: a message batch is both words, and batching is making chunks.
ALONE = re.compile(r"\bbatch(?:es)?\b|(?<=_)batch(?:es)?\b|\bbatch(?:es)?(?=_)", re.IGNORECASE)
ALLOWED = re.compile(
    r"message[\s_-]*(?:\#\s*|\*\s*)?batch(?:es)?"
    r"|messages(?:[./]|\s+)batches|/v1/messages/batches|msgbatch_\w*"
    r"|(?:tier|service_tier)\W{1,6}batch|batch_\d\w*|[\"'](?:message_)?batch[\"']"
    r"|\| batch \||batch``|always both words"
    r"|claude-batch-jobs|claude batch jobs|batch jobs"
    r"|\w*(?:beta|types|resources)\.\w*batch\w*|\bbatch(?:es)?[./-](?:retrieve|results|cancel|list)",
    re.IGNORECASE,
)


def alone(text: str) -> list[str]:
    """Every place where the noun stands alone, with a few words around it."""
    rest = ALLOWED.sub(lambda found: "~" * len(found[0]), text)
    return [text[max(0, hit.start() - 30) : hit.end() + 20] for hit in ALONE.finditer(rest)]


def words_of(path: Path) -> str:
    """A file's text; of Python without the strings that are not documentation: those are data."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return text
    kept = [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type in (tokenize.NAME, tokenize.COMMENT)
        or (token.type == tokenize.STRING and token.string.startswith('"""'))
    ]
    return "\n".join(kept)


def test_the_rule_about_batches_knows_right_from_wrong():
    assert not alone("a message batch, message_batch, --message-batch, batching, MessageBatches")
    assert not alone("client.messages.batches.create, message\nbatches")
    for wrong in ("the batch", "batch_size", "a batches table", "one_batch", "Batch of records"):
        assert alone(wrong), wrong


DOCUMENTS = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("*.sh"), *REPOSITORY.glob("*.example")]
SCRIPTS = [*JOBS.rglob("*.sh"), *JOBS.rglob("*.sql")]


@pytest.mark.parametrize("path", [*FILES, *DOCUMENTS, *SCRIPTS], ids=lambda path: path.name)
def test_a_batch_is_a_message_batch(path):
    assert not alone(words_of(path))
