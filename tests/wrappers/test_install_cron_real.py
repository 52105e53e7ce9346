"""--install-cron and --remove-cron with the real `crontab`, on a spool that belongs to the test."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rigs.crontab_fixtures import Crontab

CRONTABS = [
    b"",
    b"MAILTO=me@example.com\n0 3 * * * /usr/bin/backup --all\n",
    b"5 5 * * * date +\\%F >>/tmp/x; cat%one%two\n\n# caf\xe9\n",
]


@pytest.fixture
def here(tmp_path: Path) -> Crontab:
    return Crontab(tmp_path.resolve())


REAL = shutil.which("crontab", path="/usr/bin:/bin")


@pytest.mark.skipif(
    (REAL is None or os.geteuid() != 0) and not os.environ.get("CI"),
    reason="needs Debian's cron, and root for a spool of its own",
)
@pytest.mark.parametrize("before", CRONTABS)
def test_the_real_crontab_takes_the_block_and_gives_everything_back(here, tmp_path, before):
    (tmp_path / "mine").write_bytes(before)
    script = f"""
    set -e
    mount --make-rprivate / && mount -t tmpfs tmpfs /var/spool/cron
    spool=/var/spool/cron/crontabs
    mkdir $spool && chgrp crontab $spool && chmod 1730 $spool
    cd {tmp_path}; crontab mine; crontab -l >first
    {here.root}/run_job.sh --install-cron; crontab -l >second
    {here.root}/run_job.sh --install-cron; crontab -l >third
    {here.root}/run_job.sh --remove-cron; crontab -l >fourth || true
    """
    command = ["unshare", "--mount", "--fork", "bash", "-c", script]
    done = subprocess.run(
        command,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr.replace("no crontab for root\n", "")) == (0, ""), done
    first, second, third, fourth = (
        (tmp_path / name).read_bytes() for name in ("first", "second", "third", "fourth")
    )
    assert first == before == fourth
    assert second == third and second.startswith(before) and b"daily_report\n" in second
