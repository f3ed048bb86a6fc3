"""Recordings: what feeds brought, as it came, in files that survive a kill. See docs/recording.md."""
