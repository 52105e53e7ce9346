"""Does Claude take the schema of each job? Asked for free, by counting the tokens of a request.

The request is that of a run, but about no record: nobody's words travel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from common.claude.faults import Fault, is_refused_for_the_job, must_be_fault
from common.claude.models_api import Model
from common.claude.request import ask_about
from common.job import Job
from common.process.exits import JobExit
from ops.examination.installation import Installation
from ops.examination.lines import Line, fail
from ops.examination.scripts import Unusable, job_of

_SECONDS = 30


def check(
    installation: Installation, key: str, url: str, model: Model, names: Iterable[str]
) -> Iterator[Line]:
    """The jobs that would be refused, whatever the record."""
    import asyncio

    for name in filter(None, names):
        try:
            job = job_of(installation.root / "jobs" / f"{name}.py")
            if job.reports_of:
                continue  # it asks about no record, and its schema is ours
            fault = asyncio.run(_refused(key, url, model, job))
        except (Unusable, JobExit, TypeError, ValueError, KeyError):
            continue  # another check tells of it
        if fault and is_refused_for_the_job(fault):
            text = f"Claude refuses its requests, whatever the record: {fault.reason}"
            yield fail(f"job {name}", text, f"mend jobs/{name}.py")


async def _refused(key: str, url: str, model: Model, job: Job) -> Fault | None:
    import asyncio

    from common.claude.api import connect, count_tokens

    client = connect(key, url).first
    try:
        async with asyncio.timeout(_SECONDS):
            await count_tokens(client, ask_about(job, model, []))
    except Exception as error:
        return must_be_fault(error)
    finally:
        await client.close()
    return None
