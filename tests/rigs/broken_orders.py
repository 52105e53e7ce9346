"""Wrong orders of the loop's steps, as code to run before a job: whoever looks for losses has to
find them.
"""

from __future__ import annotations

# An answer is used before it is stored.
NEVER_STORED = """
from common.ledger.ledger import Ledger
Ledger.answered = lambda *given: None
"""
# A record is done before its answer is there.
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
# What dead runs left in flight is not taken up.
NEVER_RECOVERED = """
from common.ledger.ledger import Ledger
Ledger.recover = lambda self: (0, [])
"""
