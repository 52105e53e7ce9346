"""What a job imports: the definition of a job, the type of a record, and the function that runs it."""

from common.database import Record
from common.job import Job
from common.runner import run

__all__ = ["Job", "Record", "run"]
