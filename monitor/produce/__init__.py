"""Publishes a scenario, a carried history or files, to Kafka or to files.

`feeds` hand over events in the order of arrival, chunk by chunk; `shift` moves them in time; `kafka` and `files` are
where they go; `run` does it, at a pace, until all is out or somebody stops it.
"""
