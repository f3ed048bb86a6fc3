"""New corporate bonds: what issuers pay to place them, how they are taken, and how much is still to come.

Every module here that has a function `signals` adds to the catalogue: a new signal is a new file.
"""
