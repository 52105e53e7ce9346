"""The shipped crontab under the real cron daemon: a job fails and recovers, two messages arrive.

The test fakes only the daemon's clock (libfaketime). It mounts folders of its own over the
daemon's, and so does not touch the machine's crontabs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rigs.notify_fixtures import Watched, catching
from rigs.wrapper_fixtures import REPOSITORY, until

DAEMON = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /var/spool/cron
mkdir /var/spool/cron/crontabs
chgrp crontab /var/spool/cron/crontabs
chmod 1730 /var/spool/cron/crontabs
mount -t tmpfs tmpfs /etc/cron.d
mount -t tmpfs tmpfs /run
: >/run/empty
mount --bind /run/empty /etc/crontab
printf '#!/bin/sh\\ncat >>"%s"\\n' "$MAIL_FILE" >/run/sendmail
chmod 755 /run/sendmail
[ ! -e /usr/sbin/sendmail ] || mount --bind /run/sendmail /usr/sbin/sendmail
crontab -u root "$CRONTAB"
LD_PRELOAD=$LIBRARY FAKETIME="@$CLOCK x10" cron -f &
daemon=$!
read -r _ || true
kill "$daemon"
"""


def missing() -> str:
    """What this machine lacks for the test, or an empty string."""
    if os.geteuid() != 0:
        return "root"
    for tool in ("cron", "crontab", "unshare"):
        if not shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            return tool
    if not list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")):
        return "libfaketime"
    if subprocess.run(
        ["unshare", "--mount", "mount", "--make-rprivate", "/"], capture_output=True
    ).returncode:
        return "the right to mount"
    return ""


def fire(here: Watched, number: int) -> None:
    """Let cron run the job on the morning of that day, and wait for the end of that run.

    The daemon starts ten of its seconds before 06:17, which take one of ours.
    """
    [library] = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "MAIL_FILE": str(here.root / "cron-mail")}
    env |= {
        "CRONTAB": str(here.root / "crontab"),
        "LIBRARY": str(library),
        "CLOCK": f"2026-03-{number + 1:02} 06:16:50",
    }
    command = ["unshare", "--mount", "--fork", "bash", "-c", DAEMON]
    with subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as daemon:
        try:
            until(lambda: daemon.poll() is not None or len(here.history()) == number, 15)
        finally:
            _, said = daemon.communicate()
    assert daemon.returncode == 0, said.decode()
    until(lambda: not running(here))


def running(here: Watched) -> bool:
    """Whether a notify_on_failure.sh of this installation still runs."""
    mine = f"{here.root}/notify_on_failure.sh"
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mine in path.read_text(errors="replace"):
                return True
        except OSError:
            continue
    return False


def test_the_shipped_crontab_fires_fails_and_recovers_under_the_real_daemon(tmp_path):
    if lack := missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"needs {lack}: apt-get install cron faketime, and root")
        pytest.skip(f"needs {lack}")
    with catching() as catcher:
        here = Watched(tmp_path, catcher)
        settings = catcher.settings("slack", "webhook")
        (here.root / ".env").write_text(
            "".join(f"{name}={value}\n" for name, value in settings.items())
        )
        shipped = (REPOSITORY / "crontab.example").read_text()
        assert "17 6 * * * /opt/claude-batch-jobs/notify_on_failure.sh daily_report\n" in shipped
        (here.root / "crontab").write_text(
            shipped.replace("/opt/claude-batch-jobs", str(here.root))
        )
        here.job("daily_report", "raise SystemExit(int((HERE / 'code').read_text()))")
        for number, code in enumerate((0, 69, 69, 0), start=1):
            (here.root / "code").write_text(str(code))
            fire(here, number)
        assert [(line[2], line[3]) for line in here.history()] == [
            ("daily_report", code) for code in ("0", "69", "69", "0")
        ]
        assert catcher.events() == [("failure", "daily_report"), ("recovery", "daily_report")]
        assert len(catcher.at("slack")) == 2
        if Path("/usr/sbin/sendmail").exists():
            mail = (here.root / "cron-mail").read_text()
            assert (
                mail.count("run_job.sh: daily_report ended with 69") == mail.count("Subject:") == 2
            )
