"""Where results go. A sink knows the shapes of `monitor.results` and nothing of how they came about."""
