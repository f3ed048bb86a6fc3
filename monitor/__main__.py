"""`python -m monitor` is `stress-monitor`."""

from monitor.cli import main

main()
