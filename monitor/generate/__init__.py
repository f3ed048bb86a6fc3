"""What is generated from the catalogue: a fact stands in one place, and the files made from it are checked in CI.

`files` makes them all; nothing is imported here, for the command line wants the listing alone.
"""
