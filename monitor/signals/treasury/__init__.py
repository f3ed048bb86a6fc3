"""Treasury liquidity: what it costs to trade an issue at once, how much can be traded, and how orderly prices are.

Every module here that has a function `signals` adds to the catalogue: a new signal is a new file. Prices are integers
of 1e-9 of a point and times of a microsecond, so a mean over time is a quotient of two integers.
"""
