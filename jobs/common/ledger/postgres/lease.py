"""The right of one process to write the ledger of a job in PostgreSQL: a row with a fence number.

A pooler may give each transaction another session, so that a lock of the session protects nothing.
A lease ends by the database's clock, and is renewed while its run lives. Each transaction renews it
too, and checks the fence: a run that was frozen while another one took its place commits nothing.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from contextlib import suppress
from pathlib import Path

from common.process import exits
from common.process.exits import JobExit
from common.process.files import open_ours
from common.process.lock import hold_byte
from common.process.postgres import BEGIN, Connection

SECONDS = 60
RENEWED_EACH = 15.0
SILENCE = 45.0  # seconds after which a server that says nothing is gone: all statements are short
_KEPT = 4  # tokens: of runs that died while they took the lease
_UNTIL = f"clock_timestamp() + interval '{SECONDS} seconds'"
_TAKE = f"""
    insert into leases as held (job, holder, token, fence, locked_until)
    values (:job, :holder, :token, 1, {_UNTIL})
    on conflict (job) do update set holder = excluded.holder, token = excluded.token,
        fence = held.fence + 1, locked_until = excluded.locked_until
    where held.locked_until <= clock_timestamp() or held.token = any(:ours)
    returning fence
"""
# What waits inside a transaction for longer lost its connection, or will say all of it again. What
# is committed survives the server's death, whatever its settings are for others.
DURABLE_BEGIN = (
    f"{BEGIN}; set local idle_in_transaction_session_timeout = '30s';"
    " select set_config('synchronous_commit', 'on', true)"
    " where current_setting('synchronous_commit') = 'off'"
)


class Lease:
    """Held from when it is made until it is closed."""

    def __init__(self, address: str, job: str, state: Path, connection: Connection) -> None:
        """Take it over `connection`.

        `state` is the folder of this installation, which knows by a file there whose run died: its
        lease is free at once, any other one when it has ended. Raises JobExit (75) where another
        run has it, and psycopg.Error.
        """
        self._job = job
        self._address = address
        self._name = connection.name
        self._lost = threading.Event()
        self._closed = threading.Event()
        self._path = state / f"{job}.lease"
        # Held as long as this process lives: so the kernel knows whether the one before is dead.
        self._descriptor = open_ours(self._path, os.O_RDWR | os.O_CREAT)
        try:
            if not hold_byte(self._descriptor):
                raise self._refused(f"another run of this installation, which holds {self._path},")
            self.fence = self._take(connection)
        except BaseException:
            os.close(self._descriptor)
            raise
        self._renewal = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._renewal.start()

    def _take(self, connection: Connection) -> int:
        from psycopg.errors import LockNotAvailable

        token = secrets.token_hex(16)
        before = self._tokens()
        # Before it is in the database, so that no death in between makes the next run wait.
        self._write_down([*before[1 - _KEPT :], token])
        values = {
            "job": self._job,
            "holder": f"{socket.gethostname()} pid {os.getpid()}",
            "token": token,
            "ours": [*before, token],
        }
        while True:
            connection.raw.execute(DURABLE_BEGIN)
            row = None
            with suppress(LockNotAvailable):  # its holder is in the middle of a transaction
                row = connection.execute(_TAKE, values).fetchone()
            connection.raw.execute("commit")
            if row:
                self._write_down([token])
                return int(row[0])
            held = connection.execute(
                "select holder from leases where job = ? and locked_until > clock_timestamp()",
                (self._job,),
            ).fetchone()
            if held:
                self._write_down(before)
                raise self._refused(held[0])

    def _refused(self, holder: str) -> JobExit:
        held = f"already running: {holder} holds the ledger of {self._job} in {self._name}"
        return JobExit(exits.NOT_NOW, f"{held}: nothing done")

    def _tokens(self) -> list[str]:
        """Those of dead runs of this installation; none from a file that was copied."""
        words = os.pread(self._descriptor, 4096, 0).decode("ascii", "replace").split()
        return words[1:] if words and words[0] == self._place() else []

    def _write_down(self, tokens: list[str]) -> None:
        words = " ".join([self._place(), *tokens])
        os.pwrite(self._descriptor, f"{words:<255}\n".encode(), 0)
        os.fsync(self._descriptor)

    def _place(self) -> str:
        return f"{os.fstat(self._descriptor).st_ino}@{socket.gethostname()}"

    def begin(self, connection: Connection) -> int:
        """Begin a transaction that only the holder can commit: the number of commits with it.

        Raises JobExit (69) where the lease is another run's, and psycopg.Error.
        """
        cursor = connection.raw.execute(
            f"{DURABLE_BEGIN}; {self._renew(', commits = commits + 1')}"
        )
        while cursor.nextset():
            pass
        row = cursor.fetchone()
        if row is None:
            self._lost.set()
        self.check()
        assert row is not None
        return int(row[0])

    def _renew(self, more: str = "") -> str:
        return (
            f"update leases set locked_until = {_UNTIL}{more}"
            f" where job = '{self._job}' and fence = {self.fence} returning commits"
        )

    def check(self) -> None:
        """Raises JobExit (69) where it is known that the lease is another run's."""
        if self._lost.is_set():
            taken = f"{self._name}: another run has taken over the ledger of {self._job}"
            why = f"this one was not heard of for {SECONDS} s"
            raise JobExit(exits.UNREACHABLE, f"{taken}, since {why}: nothing more is done here")

    def _keep(self) -> None:
        """Renew it until it is closed or lost."""
        connection: Connection | None = None
        while not self._closed.wait(RENEWED_EACH):
            # Whatever is wrong shows in the run's own transactions, too, and is told there.
            with suppress(Exception):
                connection = connection or Connection(
                    self._address, "LEDGER_DB", f"{self._job}/lease", silence=SILENCE
                )
                if connection.lost:
                    connection.reconnect(0)
                if connection.execute(self._renew()).fetchone() is None:
                    self._lost.set()
                    break
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def close(self, connection: Connection) -> None:
        """Give it back, so that the next run need not wait for its end."""
        self._closed.set()
        with suppress(Exception):  # it ends by itself
            if not self._lost.is_set():
                free = "update leases set locked_until = clock_timestamp()"
                connection.execute(f"{free} where job = ? and fence = ?", (self._job, self.fence))
        self._renewal.join(1.0)
        os.close(self._descriptor)
