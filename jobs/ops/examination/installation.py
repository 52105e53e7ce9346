"""The installation that doctor examines: its jobs and settings, with no mistake hiding another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from common.settings import CHANNELS, Settings, general_name, secrets_of


@dataclass(frozen=True)
class Installation:
    """An installation as doctor finds it.

    `jobs` are those that are examined, `all_jobs` those that are there.
    """

    root: Path
    environ: Mapping[str, str]
    dotenv: Mapping[str, str]  # the lines of .env that could be read
    all_jobs: tuple[str, ...]
    jobs: tuple[str, ...]

    def settings(self, job: str) -> Settings:
        """The settings of a job, as a run would find them."""
        given = {name: value for name, value in self.environ.items() if value.strip()}
        return Settings(self.root, job, False, {**self.dotenv, **given})

    def given(self) -> Iterator[tuple[str, str, str]]:
        """Every setting that is set and known: (its name, the general name, its value)."""
        values = self.settings("").values
        others = [job for job in self.all_jobs if job not in self.jobs]
        for name, value in values.items():
            general = general_name(name, self.all_jobs)
            if general and value.strip() and (name == general or not general_name(name, others)):
                yield name, general, value.strip()

    def secrets(self) -> set[str]:
        """What must never be shown."""
        return secrets_of(self.dotenv) | secrets_of(self.environ)

    def has_channel(self) -> bool:
        """Whether anybody is told when a run fails."""
        return any(general in CHANNELS for _, general, _ in self.given())
