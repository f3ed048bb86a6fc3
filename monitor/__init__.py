"""A streaming monitor of liquidity stress in US Treasury, repo and credit markets."""

__version__ = "0.1.0"
