"""Near a cost cap: what requests can cost at most is known better, so that more of them fit."""
