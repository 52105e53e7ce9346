"""The reports that were written, as data: what the next report and other jobs read of them."""
