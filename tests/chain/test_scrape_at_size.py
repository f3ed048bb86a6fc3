"""A page of 50,000 series, read by the parser that will read it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from monitor.generate.rules import JOB
from monitor.sinks.http import HttpServer, metrics_app
from tests.bench.scrape import full_sink
from tests.chain.parts import HOST, Prometheus, until
from tests.prometheus.tools import need

SERIES: Final = 50_000
LINT_FINDINGS: Final = 3
"""What promtool ends with where it has read all, and does not like a name."""


def test_prometheus_scrapes_all_of_it(tmp_path: Path) -> None:
    sink = full_sink(SERIES)
    server = HttpServer(metrics_app(sink.page, lambda: None), HOST, 0)
    server.start()
    try:
        with Prometheus(tmp_path / "prometheus", {JOB: f"{HOST}:{server.port}"}) as prometheus:
            until(lambda: bool(prometheus.query("up == 1")), "it is scraped")
            [samples] = prometheus.query("scrape_samples_scraped")
            assert int(samples["value"][1]) >= SERIES
            [count] = prometheus.query('count({__name__=~"market_.*"})')
            assert int(count["value"][1]) >= SERIES
            [value] = prometheus.query('market_made_up_3_bp{instrument="UST-1000",window="30m"}')
            assert float(value["value"][1]) == 1_000 * 0.37
            [level] = prometheus.query('market_signal_level{signal="made_up_3_bp",instrument="UST-1000"}')
            assert level["value"][1] == "1"
    finally:
        server.stop(2)


def test_promtool_reads_all_of_it() -> None:
    program = need("promtool")
    page = full_sink(SERIES).page()[0]
    told = subprocess.run([program, "check", "metrics"], input=page, capture_output=True, check=False, timeout=120)
    assert told.returncode in {0, LINT_FINDINGS}, told.stderr.decode()[-2_000:]
    cut = subprocess.run(
        [program, "check", "metrics"], input=page[:-7], capture_output=True, check=False, timeout=120
    )  # and it does say so where something is wrong
    assert cut.returncode not in {0, LINT_FINDINGS}
