"""The runbooks: what to do about each alert, as Markdown for the docs and for the page that the monitor serves.

A page is made of three things: a text written by hand (`texts/`), the figures of the carried history
(`figures.json`), and the facts of its alert, which come as plain data, so that a page always has the thresholds that
are in force where it is read.
"""

from __future__ import annotations

from monitor.runbooks.library import Library, Page
from monitor.runbooks.places import DOCS, SERVED, Place

__all__ = ["DOCS", "SERVED", "Library", "Page", "Place"]
