"""Faults in the order of the loop's steps, as code to run before a job.

They test the tests: a search for lost records has to find what these lose.
"""

from __future__ import annotations

# The run uses an answer and never stores it.
NEVER_STORED = """
from common.ledger.ledger import Ledger
Ledger.answered = lambda *given: None
"""
# The run marks records as done before it has their answer.
DONE_TOO_SOON = """
from common.ledger.ledger import Ledger
from common.ledger.states import Ending, RequestStatus
intend_first = Ledger.intend
def intend(self, intents):
    intents = list(intents)
    intend_first(self, intents)
    self.apply(
        Ending(
            request_id=intent.request_id,
            status=RequestStatus.ANSWERED,
            done=dict.fromkeys(intent.record_ids),
        )
        for intent in intents
    )
Ledger.intend = intend
"""
# The run does not look for the requests that a killed run left in flight.
NEVER_RECOVERED = """
from common.ledger.ledger import Ledger
Ledger.recover = lambda self: (0, [])
"""
