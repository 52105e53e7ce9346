"""Names that a job must not have: those of other modules, and those of the operator's scripts.

A run never takes a job for a module that is called like it (jobs/common/__init__.py sees to that).
But whoever reads `import queue`, or types `./run_job.sh status`, must not have to know that.
"""

from __future__ import annotations

import re
import sys
from importlib.machinery import PathFinder

from common.settings import ROOT

ROOMS = ("common", "ops", "pages", "quality", "standin", "wrappers")
# What `--setup --with …` installs may come later than the job.
EXTRAS = frozenset(
    "amqp async_timeout billiard celery click click_didyoumean click_plugins click_repl dateutil"
    " kombu packaging prompt_toolkit psycopg psycopg_binary redis six tzlocal vine wcwidth".split()
)
is_name = re.compile(r"[a-z][a-z0-9_]*").fullmatch


def taken(name: str) -> str:
    """Why no job may have this name; "" where it may."""
    if not is_name(name):
        return f"{name!r} is no name of a job: small letters, digits and _, like its file's"
    if name in ROOMS:
        return f"called like jobs/{name}/, which every job needs: call the job something else"
    if (ROOT / "jobs" / "ops" / f"{name}.py").is_file():
        what = f"./run_job.sh {name} is the operator's command of that name"
    elif name in sys.stdlib_module_names:
        what = "a module of Python's is called so"
    elif name in EXTRAS or _is_installed(name):
        what = "a package that jobs depend on is called so"
    else:
        return ""
    return f"{what}: call the job something else"


def _is_installed(name: str) -> bool:
    """Whether an installed package has a module of this name."""
    places = [place for place in sys.path if place.endswith(("site-packages", "dist-packages"))]
    return PathFinder.find_spec(name, places) is not None
