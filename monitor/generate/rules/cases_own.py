"""The unit tests of the alerts on the monitor itself: by hand, with every word that is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.generate.rules.cases import Fires, Phase, Story, Values, selector
from monitor.generate.rules.own import JOB, OwnAlert, own_alerts
from monitor.links import PIPELINE
from monitor.sinks import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.generate.facts import Facts

Said = tuple[str, dict[str, str], str]
"""Severity, labels besides, and the summary."""

_MONITOR: Final = {"instance": "a:9464", "job": JOB}
_OTHER: Final = {"instance": "b:9464", "job": JOB}


class _Telling:
    """A story of one alert."""

    def __init__(self, alert: OwnAlert, facts: Facts, name: str) -> None:
        self._alert, self._links = alert, facts.links
        self.story = Story(name)

    def series(self, metric: str, values: Values, target: Mapping[str, str] = _MONITOR, **labels: str) -> _Telling:
        """Add a series."""
        self.story.series[selector(metric, {**labels, **target})] = values
        return self

    def look(self, step: int, *said: Said) -> _Telling:
        """Say what fires at a scrape: nothing unless something is said."""
        self.story.looks.append((step, self._alert.name, [self._fires(*each) for each in said]))
        return self

    def _fires(self, severity: str, labels: dict[str, str], summary: str) -> Fires:
        return Fires(
            {"severity": severity, "segment": "monitor", "notify": str(self._alert.notify), **labels},
            {
                "summary": summary,
                "description": self._alert.tells,
                "runbook_url": self._links.runbook(self._alert.name),
                "dashboard_url": self._links.board(PIPELINE),
            },
        )


_SINCE: Final = 1_568_635_200  # 2019-09-16 12:00 UTC


class _Teller:
    """Begins stories."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._alerts = {alert.name: alert for alert in own_alerts(facts)}

    def of(self, alert: str, what: str) -> _Telling:
        """A story of an alert."""
        return _Telling(self._alerts[alert], self.facts, f"{alert}: {what}")


def own_stories(facts: Facts) -> list[Story]:
    """At least one of each alert that there is."""
    teller = _Teller(facts)
    told = [make(teller) for make in _STORIES]
    return [each.story for each in told if each is not None]


def _watchdog(teller: _Teller) -> _Telling:
    says: Said = ("none", {}, "Alerts arrive: this one always fires.")
    told = teller.of("Watchdog", "always, with data and without")
    return told.series("up", [(4, 1), (12, None)]).look(0, says).look(15, says)


def _down(teller: _Teller) -> _Telling:
    says: Said = ("critical", {}, "The monitor does not answer: none of 1 is up.")
    told = teller.of("MonitorDown", "a missed scrape; down for five minutes; back")
    told.series("up", [(4, 1), (1, 0), (5, 1), (10, 0), (6, 1)])
    return told.look(4).look(5).look(12, says).look(19, says).look(24)


def _one_of_two_down(teller: _Teller) -> _Telling:
    says: Said = ("warning", _OTHER, "The monitor at b:9464 does not answer; 1 of 2 are up.")
    told = teller.of("MonitorDown", "one of two is down; back")
    told.series("up", [(20, 1)]).series("up", [(2, 1), (8, 0), (10, 1)], _OTHER)
    return told.look(1).look(5, says).look(14)


def _absent(teller: _Teller) -> _Telling:
    says: Said = ("critical", {}, "No monitor is scraped: the job stress-monitor has no target.")
    there: Values = [(3, 1), (1, None), (3, 1), (8, None), (6, 1)]
    told = teller.of("MonitorAbsent", "a gap of one scrape; no target; back")
    told.series(metrics.RESUMED.scraped, there).series("up", there)
    return told.look(3).look(5).look(11, says).look(20)


def _never_started(teller: _Teller) -> _Telling:
    says: Said = ("critical", {}, "No monitor is scraped: the job stress-monitor has no target.")
    told = teller.of("MonitorAbsent", "never started, or not in the settings of Prometheus")
    return told.series("up", [(10, 1)], {"instance": "x", "job": "alertmanager"}).look(1).look(4, says)


def _not_a_monitor(teller: _Teller) -> _Telling:
    says: Said = ("critical", {}, "No monitor is scraped: what answers for the job stress-monitor evaluates no signal.")
    told = teller.of("MonitorAbsent", "something else answers; what is down is not absent")
    return told.series("up", [(10, 1), (10, 0)]).look(1).look(4, says).look(15)


def _stages(teller: _Teller) -> _Telling:
    says: Said = (
        "critical", {}, "No monitor is scraped: what answers for the job stress-monitor evaluates no signal."
    )  # fmt: skip
    told = teller.of("MonitorAbsent", "of two stages that which evaluates goes down, and the one that seals answers")
    told.series("up", [(20, 1)]).series(metrics.READY.scraped, [(20, 1)])
    told.series("up", [(5, 1), (10, 0), (5, 1)], _OTHER)
    told.series(metrics.RESUMED.scraped, [(5, 1), (10, None), (5, 1)], _OTHER)
    return told.look(4).look(9, says).look(14, says).look(19)


def _restarting(teller: _Teller) -> _Telling:
    says: Said = ("warning", {}, "The monitor was started 3 times within 15 minutes.")
    told = teller.of("MonitorRestarting", "twice; three times; not any more")
    starts: Values = [(4, 100), (1, None), (4, 220), (1, None), (4, 340), (1, None), (5, 460), (1, None), (30, 460)]
    return told.series("process_start_time_seconds", starts).look(12).look(16, says).look(20, says).look(40)


def _not_ready(teller: _Teller) -> _Telling:
    rest = ", source feeds is connecting, 1200 messages wait."
    warning: Said = ("warning", {}, f"The monitor has not been ready for 5 minutes{rest}")
    critical: Said = ("critical", {}, f"The monitor has not been ready for 30 minutes{rest}")
    told = teller.of("MonitorNotReady", "catches up in three minutes; not for long, with a missed scrape; ready again")
    told.series(metrics.READY.scraped, [(4, 1), (6, 0), (2, 1), (8, 0), (1, None), (9, 0), (1, None), (56, 0), (8, 1)])
    told.series(metrics.SOURCE_UP.scraped, [(95, 0)], source="feeds")
    told.series(metrics.SOURCE_STATE.scraped, [(95, 1)], source="feeds", state="connecting")
    told.series(metrics.SOURCE_STATE.scraped, [(95, 0)], source="feeds", state="up")
    told.series(metrics.LAG.scraped, [(95, 1200)], topic="repo.rates", partition="0")
    return told.look(9).look(22).look(26, warning).look(30, warning).look(80, critical, warning).look(91)


def _watermark_stands(teller: _Teller) -> _Telling:
    says: Said = (
        "critical", {"stands": "watermark", "stream": "treasury"},
        "About 600 events of treasury came in 5 minutes, and its watermark stands at 1970-01-01 00:26 UTC.",
    )  # fmt: skip
    told = teller.of("MonitorStuck", "events arrive and the watermark stands, with a missed scrape; it moves again")
    told.series(metrics.READY.scraped, [(60, 1)])
    told.series(metrics.EVENTS.scraped, "0+60x35 stale 2220+60x20", stream="treasury")
    told.series(metrics.LAST_EVENT.scraped, "1002+30x35 stale 2112+30x20", stream="treasury")
    told.series(metrics.WATERMARK.scraped, "1000+30x19 1570x15 stale 1570x3 2200+30x16", stream="treasury")
    told.series(metrics.EVENTS.scraped, "5000x60", stream="cds")
    told.series(metrics.LAST_EVENT.scraped, "1000x60", stream="cds")
    told.series(metrics.WATERMARK.scraped, "998x60", stream="cds")
    return told.look(20).look(27).look(33, says).look(36, says).look(38, says).look(45)


def _late_only(teller: _Teller) -> _Telling:
    told = teller.of("MonitorStuck", "all that comes is late, or of one moment; and a watermark while catching up")
    told.series(metrics.READY.scraped, [(60, 1)])
    told.series(metrics.EVENTS.scraped, "0+60x60", stream="repo")
    told.series(metrics.LAST_EVENT.scraped, "1000x60", stream="repo")
    told.series(metrics.WATERMARK.scraped, "998x60", stream="repo")
    return told.look(20).look(50)


def _catching_up(teller: _Teller) -> _Telling:
    told = teller.of("MonitorStuck", "while sources catch up ticks wait, and MonitorNotReady tells it")
    told.series(metrics.READY.scraped, [(60, 0)])
    told.series(metrics.EVENTS.scraped, "0+60x60", stream="repo")
    told.series(metrics.LAST_EVENT.scraped, "1000+30x60", stream="repo")
    told.series(metrics.WATERMARK.scraped, "998x60", stream="repo")
    return told.look(20).look(50)


def _nothing_taken(teller: _Teller) -> _Telling:
    says: Said = (
        "critical", {"stands": "intake", "topic": "cds.quotes"},
        "500 messages of cds.quotes or more wait, and none of any topic was taken in 5 minutes.",
    )  # fmt: skip
    told = teller.of("MonitorStuck", "messages wait and none is taken; they are taken again")
    told.series(metrics.LAG.scraped, "0x9 500x24 stale 500x5 0x9", topic="cds.quotes", partition="1")
    told.series(metrics.EVENTS.scraped, "0+50x9 450x24 stale 450x5 500+50x8", stream="cds")
    told.series(metrics.REJECTED.scraped, "0x49", stream="cds", reason="not_json")
    return told.look(8).look(18).look(30, says).look(35, says).look(46)


def _loop_stands(teller: _Teller) -> _Telling:
    at = _MONITOR["instance"]
    says: Said = (
        "critical",
        {"stands": "loop", "instance": at},
        f"The monitor at {at} answers, and has done nothing for more than 2 minutes: what it shows is of then.",
    )
    told = teller.of("MonitorStuck", "the program turns; stands, with a missed scrape; turns again")
    told.series(metrics.TURNS.scraped, "0+600x9 5400x14 stale 5400x5 6000+600x9")
    return told.look(8).look(12).look(17, says).look(24, says).look(27, says).look(38)


def _blind(teller: _Teller) -> _Telling | None:
    seen = " since 2019-09-16 12:00 UTC: 2 of 3 label sets of its headline signals have no sound data"
    says, away = (
        ("warning", {"segment": "repo"}, f"The segment repo is blind{more}; levels stay as they were.")
        for more in (seen, "")
    )
    headlines = [each.name for each in teller.facts.signals if each.segment == "repo" and each.headline]
    if not headlines:
        return None
    [first, *_] = headlines
    told = teller.of("SegmentBlind", "a missed scrape, the monitor down for seven minutes, sound again")
    phases: list[Phase] = [(2, 0), (4, 1), (1, None), (3, 1), (14, None), (3, 1), (6, 0)]
    up: list[Phase] = [(count, value if value is None else 1) for count, value in phases]
    sound: list[Phase] = [(n, v and 0) for n, v in up]
    told.series(metrics.RESUMED.scraped, up)
    told.series(metrics.SEGMENT_BLIND.scraped, phases, segment="repo")
    told.series(metrics.SEGMENT_BLIND.scraped, sound, segment="cds")
    since: list[Phase] = [(count, _SINCE if value else None) for count, value in phases]
    for number, blind in enumerate((phases, phases, sound)):
        told.series(metrics.SIGNAL_BLIND.scraped, blind, signal=first, instrument=f"i{number}")
        if blind is phases:
            told.series(
                metrics.SIGNAL_BLIND_SINCE.scraped, [(n, v and v + 60 * number) for n, v in since],
                signal=first, instrument=f"i{number}",
            )  # fmt: skip
    return told.look(1).look(2).look(5, says).look(6, away).look(8, says).look(23, away).look(25, says).look(31)


def _blind_for_long(teller: _Teller) -> _Telling | None:
    says = "The segment repo is blind; levels stay as they were."
    if not any(each.segment == "repo" and each.headline for each in teller.facts.signals):
        return None
    told = teller.of("SegmentBlind", "for forty minutes, with a missed scrape; sound again")
    told.series(metrics.RESUMED.scraped, [(2, 1), (60, 1), (1, None), (20, 1), (6, 1)])
    told.series(metrics.SEGMENT_BLIND.scraped, [(2, 0), (60, 1), (1, None), (20, 1), (6, 0)], segment="repo")
    warning, critical = (_said(severity, says) for severity in ("warning", "critical"))
    return told.look(60, warning).look(64, critical, warning).look(80, critical, warning).look(88)


def _said(severity: str, summary: str) -> Said:
    return severity, {"segment": "repo"}, summary


def _rejects(teller: _Teller) -> _Telling:
    repo = {"stream": "repo"}

    def says(part: str, count: int) -> str:
        most = f"most of them (about {count}) as not_json"
        return f"{part} of the events of repo were refused in the last 5 minutes, {most}."

    told = teller.of("RejectsHigh", "none; 5 %, with a missed scrape; half of them; a handful of another stream; none")
    told.series(metrics.EVENTS.scraped, "0+90x29 stale 2790+90x29", stream="repo")
    told.series(
        metrics.REJECTED.scraped, "0x10 5+5x14 165+90x3 stale 615+90x9 1425x19", stream="repo", reason="not_json"
    )
    told.series(metrics.REJECTED.scraped, "0x60", stream="repo", reason="bad_date")
    told.series(metrics.EVENTS.scraped, "0+1x60", stream="cds")
    told.series(metrics.REJECTED.scraped, "0x10 9x49", stream="cds", reason="not_json")
    told.look(8).look(22, ("warning", repo, says("5.263%", 50)))
    told.look(38, ("critical", repo, says("50%", 900)), ("warning", repo, says("50%", 900)))
    return told.look(56)


def _lag(teller: _Teller) -> _Telling:
    def says(severity: str, count: int, minutes: int) -> Said:
        wait = f"{count} messages of treasury.quotes wait, and their number has only grown for {minutes} minutes."
        return severity, {"topic": "treasury.quotes"}, wait

    told = teller.of("ConsumerLagGrowing", "grows, with a missed scrape; grows for long; taken")
    told.series(metrics.LAG.scraped, "0+100x39 stale 4100+100x39 0x19", topic="treasury.quotes", partition="0")
    told.series(metrics.LAG.scraped, "50x39 stale 50x60", topic="treasury.quotes", partition="1")
    told.look(9).look(14, says("warning", 1450, 10)).look(40, says("warning", 3950, 10)).look(
        41, says("warning", 4150, 10)
    )
    return told.look(72, says("critical", 7250, 40), says("warning", 7250, 10)).look(86)


def _bursts(teller: _Teller) -> _Telling:
    told = teller.of("ConsumerLagGrowing", "bursts that are taken, and what waits and does not grow")
    told.series(metrics.LAG.scraped, " ".join(["5000-1000x4"] * 10), topic="treasury.quotes", partition="0")
    told.series(metrics.LAG.scraped, "3000x50", topic="repo.rates", partition="0")
    return told.look(12).look(25).look(40).look(48)


def _skew(teller: _Teller) -> _Telling:
    says: Said = ("warning", {"clock": "monitor"}, "The clocks of the monitor and of Prometheus are 4.0 s apart.")
    told = teller.of("ClockSkew", "right; four seconds fast, with a missed scrape; right again")
    told.series(metrics.CLOCK.scraped, "0+30x10 334+30x8 stale 634+30x10 960+30x9")
    told.series(metrics.CLOCK_INFO.scraped, "1x18 stale 1x20", clock=metrics.WALL)
    return told.look(8).look(12).look(17, says).look(20, says).look(30, says).look(40)


def _played(teller: _Teller) -> _Telling:
    told = teller.of("ClockSkew", "what is played has its own clock")
    told.series(metrics.CLOCK.scraped, "1000000+300x40")
    return told.series(metrics.CLOCK_INFO.scraped, [(40, 1)], clock="feed").look(10).look(30)


def _ahead(teller: _Teller) -> _Telling:
    def says(count: int) -> Said:
        return "warning", {"clock": "producer", "stream": "repo"}, (
            f"About {count} events of repo were refused in 5 minutes, for they were ahead of their arrival: the "
            "clock of their producer, or of this host, is wrong."
        )  # fmt: skip

    told = teller.of("ClockSkew", "events ahead of their arrival, with a missed scrape; a few of them; none")
    told.series(metrics.REJECTED.scraped, "0x4 20x4 stale 20x20", stream="repo", reason="ahead_of_arrival")
    told.series(metrics.REJECTED.scraped, "0x4 9x26", stream="cds", reason="ahead_of_arrival")
    # Where the window ends with a missed scrape Prometheus counts on as it went.
    return told.look(3).look(9, says(20)).look(10, says(22)).look(12, says(20)).look(18)


def _series_dropped(teller: _Teller) -> _Telling:
    def says(count: int) -> Said:
        return "warning", {"signal": "cds_spread_bp"}, (
            "Not all of cds_spread_bp is shown: it has more than the 5000 label sets that are exported, and "
            f"{count} steps were left out."
        )  # fmt: skip

    told = teller.of("SeriesDropped", "none; some, with a missed scrape; a restart")
    told.series(metrics.SERIES_LIMIT.scraped, [(24, 5000)])
    told.series(
        metrics.SERIES_DROPPED.scraped, [(4, None), (6, 7), (1, None), (5, 12), (6, None)], signal="cds_spread_bp"
    )
    return told.look(2).look(6, says(7)).look(10, says(7)).look(12, says(12)).look(20)


def _state(teller: _Teller) -> _Telling:
    warning: Said = ("warning", {}, "The state of the monitor could not be written for a minute.")
    critical: Said = ("critical", {}, "The state of the monitor could not be written for 15 minutes.")
    told = teller.of("StateNotWritable", "once; for long, with a missed scrape; again")
    told.series(metrics.STATE_WRITABLE.scraped, [(4, 1), (1, 0), (3, 1), (6, 0), (1, None), (35, 0), (8, 1)])
    return told.look(5).look(9).look(13, warning).look(14, warning).look(45, critical, warning).look(55)


def _outbox(teller: _Teller) -> _Telling:
    def says(count: int) -> Said:
        return "warning", {"sink": "alerts"}, f"About {count} messages of alerts were lost in 10 minutes."

    told = teller.of("OutboxDropping", "the first drops; none; more, with a missed scrape; none")
    told.series(metrics.OUTBOX_DROPPED.scraped, [(4, None), (26, 3), (1, None), (40, 5)], sink="alerts")
    told.series(metrics.OUTBOX_DROPPED.scraped, [(70, 0)], sink="signals")
    return told.look(2).look(6, says(3)).look(28).look(33, says(2)).look(60)


def _feed_missing(teller: _Teller) -> _Telling:
    said: Said = "warning", {"source": "desk"}, "About 12 messages of the feed desk never came, in 10 minutes."
    told = teller.of("FeedMissing", "a few; many, with a missed scrape; none; another feed that misses none")
    told.series(metrics.FEED_MISSING.scraped, [(4, 0), (26, 3), (1, None), (40, 15)], source="desk")
    told.series(metrics.FEED_MISSING.scraped, [(70, 0)], source="other")
    return told.look(6).look(28).look(33, said).look(60)


_STORIES: Final = (
    _watchdog, _down, _one_of_two_down, _absent, _never_started, _not_a_monitor, _stages, _restarting, _not_ready,
    _watermark_stands, _late_only, _catching_up, _nothing_taken, _loop_stands, _blind, _blind_for_long, _rejects,
    _feed_missing, _lag, _bursts, _skew, _played, _ahead, _series_dropped, _state, _outbox,
)  # fmt: skip
