"""Puts refused events back to the topics that they came from."""
