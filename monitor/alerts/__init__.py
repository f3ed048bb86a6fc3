"""Levels and alerts: the one evaluator, in event time, so a replay raises what the live run raised."""
