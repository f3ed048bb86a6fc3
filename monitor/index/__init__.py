"""Scores, segments, the stress index and its regime: how far it has gone, in one number with its parts and bounds."""
