"""Credit and policy context: published spreads, auctions, and the liquidity that the Federal Reserve provides.

Every module here that has a function `signals` adds to the catalogue: a new signal is a new file.
"""
