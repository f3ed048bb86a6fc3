"""Credit default swaps: what protection on a name, a basket of names or an index costs, and how much is traded.

Every module here that has a function `signals` adds to the catalogue: a new signal is a new file.
"""
