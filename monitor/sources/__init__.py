"""Where events come from: one file a source, protocol only; nothing here knows what a signal is."""
