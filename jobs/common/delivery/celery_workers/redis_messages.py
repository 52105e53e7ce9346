"""Redis, by way of Celery: the messages that tell workers which request is to be sent.

A message is the id of a request. It may be lost, or come twice: the queue in PostgreSQL knows.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from common.process import exits
from common.process.exits import JobExit
from common.process.log import one_line
from common.process.redaction import redacted
from common.settings import Settings

if TYPE_CHECKING:
    from celery import Celery

TASK = "claude_batch_jobs.send"
DEFAULT_URL = "redis://127.0.0.1:6379/0"
DEFAULT_QUEUE = "claude-batch-jobs"
_VISIBLE = 3600  # seconds after which Redis delivers a message anew; one request takes minutes
# A Redis that has gone silent holds up a run for three times as long, and one that is told to stop
# has JOB_KILL_AFTER for all.
_SOCKET = {"socket_timeout": 5, "socket_connect_timeout": 5, "socket_keepalive": True}


def url_of(settings: Settings) -> str:
    """Where Redis is. Raises JobExit (78) for another kind of address."""
    url = settings.get("CELERY_BROKER_URL", DEFAULT_URL)
    if re.match(r"rediss?://", url):
        return url
    kind = redacted(url.partition("://")[0][:20])
    raise JobExit(exits.SETTINGS, f"CELERY_BROKER_URL={kind}…: must begin with redis(s)://")


def queue_of(settings: Settings, asked: str = "") -> str:
    """The name of the queue. Raises JobExit (2, 78) for one that is none."""
    name = asked or settings.get("CELERY_QUEUE", DEFAULT_QUEUE)
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", name):
        return name
    code, said = (exits.USAGE, "--queue") if asked else (exits.SETTINGS, "CELERY_QUEUE")
    raise JobExit(code, f"{said} {name[:60]!r}: a name has letters, digits, _ . and - alone")


def application(url: str, queue: str, mark: str) -> Celery:
    """Celery, set up so that what breaks on its side costs time alone; `mark` is the queue's.

    Raises JobExit (78) where Celery is not installed.
    """
    try:
        from celery import Celery
        from redis import Redis  # noqa: F401  Celery would miss it late, and in other words
    except ImportError as error:
        remedy = "./run_job.sh --setup --with celery --with postgres"
        raise JobExit(exits.SETTINGS, f"Celery is not installed: {remedy}") from error
    app = Celery("claude-batch-jobs", broker=url, set_as_current=False)
    app.conf.update(
        # Ids alone, as JSON; what becomes of a request stands in PostgreSQL.
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        task_ignore_result=True,
        result_backend=None,
        task_default_queue=queue,
        # Acknowledged once it is done. A message that is lost all the same is published anew.
        task_acks_late=True,
        task_acks_on_failure=True,
        task_acks_on_timeout=True,
        task_reject_on_worker_lost=False,
        worker_prefetch_multiplier=1,
        worker_disable_rate_limits=True,
        # A call that was paid for is not given up for a lost connection to Redis.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Nobody gives up on Redis.
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,
        broker_connection_timeout=10,
        task_publish_retry=False,
        broker_transport_options={
            "visibility_timeout": _VISIBLE,
            "health_check_interval": 25,
            # Redis can be shared: with other programs, and with other installations.
            "global_keyprefix": f"claude-batch-jobs:{mark}:",
            **_SOCKET,
        },
        result_backend_transport_options={"visibility_timeout": _VISIBLE},
        visibility_timeout=_VISIBLE,
        # What nobody uses cannot break.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        task_send_sent_event=False,
        # Our own log has one line per request, and no arguments.
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    if url.startswith("rediss://"):
        app.conf.broker_use_ssl = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    return app


class Publisher:
    """Publishes ids, on a connection that is made anew where it fails."""

    def __init__(self, app: Celery, queue: str) -> None:
        self._app = app
        self._queue = queue
        self._connection: Any = None

    def publish(self, request_ids: Sequence[str]) -> tuple[int, str]:
        """Publish these in their order: how many were, and why no more, "" where all were."""
        done, why = 0, ""
        for _ in range(2):  # what was lost with Redis' memory is found out at the first try
            try:
                producer = self._producer()
                for request_id in request_ids[done:]:
                    self._app.send_task(
                        TASK,
                        (request_id,),
                        queue=self._queue,
                        producer=producer,
                        ignore_result=True,
                        retry=False,
                    )
                    done += 1
            except Exception as error:  # redis-py's, kombu's, the system's: all of them mean this
                why = redacted(one_line(str(error))) or type(error).__name__
                self.close()
            else:
                return done, ""
        return done, why

    def waiting(self) -> int | None:
        """How many messages wait in Redis; None where it does not say."""
        try:
            return int(self._producer().channel.client.llen(self._queue))
        except Exception:  # as above
            self.close()
            return None

    def _producer(self) -> Any:
        if self._connection is None:
            self._connection = self._app.connection_for_write()
            self._connection.connect()
        return self._app.amqp.Producer(self._connection.default_channel)

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.release()
            except Exception:  # it is broken: that is why it is closed
                return
