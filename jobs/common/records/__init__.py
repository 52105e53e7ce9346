"""Which records a run takes up, in which chunks: days, selection, packing."""
