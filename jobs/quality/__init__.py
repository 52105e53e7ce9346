"""Whether answers are right: a look before money is spent, a measure, a person's corrections.

trial.py       --try N: some records, what comes back, what changed, what all would cost:
               sample (which records), asking, shares (of each), changes, forecast, trial_text
evaluation.py  --eval FILE: the answers against expected values
"""
