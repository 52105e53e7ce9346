"""Whether answers are right: a look before money is spent, a measure, a person's corrections.

trial.py           --try N: some records, what comes back, what changed, what all would cost:
                   sample (which records), asking, shares (of each), changes, trial_text; forecast
                   (what the rest would cost) by answer_line (how long answers are)
evaluation.py      --eval FILE: the answers against expected values: spreadsheet and labels (what is
                   expected), scores, side_by_side, evaluation_{text,json,page}
second_opinion.py  another model is asked about what is in doubt, and its answer is saved
judging.py         what looks wrong after a run: looks (what outputs look like), unusual (what left
                   its usual range), chances (how likely that is by luck)
fields.py          what each field of an output is, for all of these; terminal.py how they print

What is asked here goes the way of every request, and stands apart (common/ledger/apart.py). The
table of answers in doubt, and a person's corrections: ops/review.py and ops/reviewing/.
"""
