"""What a person sees: the page in a real browser."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from monitor.alerts.sentence import new_york, quantity
from monitor.page.state import STILL_SECONDS
from monitor.results import BLIND, SEGMENTS
from monitor.sinks.http import HttpServer
from tests.chain.parts import free_port
from tests.page.browsing import PHONE, chromium, drawn, faults, looking
from tests.page.made import TAIL, Market, alarm, many, serving
from tests.sinks.made import TICK, index_row, ingested, step, transition

STALE_WITHIN_SECONDS = 5.0
SLACK_SECONDS = 3.0
TAIL_SOFR = "Repo tail SOFR: 217 bp, critical since 2019-09-17 08:00 New York (threshold 80 bp)."


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def address(server: HttpServer, rest: str = "") -> str:
    return f"http://127.0.0.1:{server.port}/{rest}"


def crunched() -> Market:
    market = Market()
    market.crunch()
    return market


def calm(market: Market, at: int = -60) -> None:
    tick = TICK + at
    market.wrote(
        step(TAIL.name, 3.0, 0, tick=tick, score=0.01, row="benchmark"),
        until=tick, index=[index_row(tick=tick, stress_index=0.01, regime="calm", level_treasury=0, blind_repo=False)],
    )  # fmt: skip


class TestWhatIsShown:
    def test_the_first_paint_needs_no_push(self, browser: Browser) -> None:
        with serving(crunched()) as server, ExitStack() as closing:
            context = browser.new_context()
            closing.callback(context.close)
            context.add_init_script("window.WebSocket = class {}")
            page = context.new_page()
            page.goto(address(server))
            expect(page.locator("#regime")).to_have_text("elevated")
            expect(page.locator("#fires")).to_contain_text(TAIL_SOFR)

    def test_the_crunch_appears_as_it_happens(self, browser: Browser) -> None:
        market = Market()
        calm(market)
        with serving(market) as server, looking(browser, address(server)) as page:
            expect(page.locator("#regime")).to_have_text("calm")
            expect(page.locator("#fires")).to_have_text("Nothing fires.")
            assert page.title().startswith("SYNTHETIC ● calm 0.01 ")
            drawn(page)
            market.crunch()
            expect(page.locator("#regime")).to_have_text("elevated")
            expect(page.locator("#regime-box")).to_have_class("regime elevated")
            expect(page.locator("#since")).to_have_text("since 08:00, 0 s")
            expect(page.locator("#fires li")).to_contain_text(f"◆ critical{TAIL_SOFR}what to do")
            expect(page.locator("#told li")).to_contain_text("◆ critical")
            expect(page.locator("#segments li").nth(SEGMENTS.index("repo"))).to_contain_text("Repo tail SOFR: 217 bp")
            row = page.locator("#table tbody tr").filter(has_text="Repo tail")
            expect(row).to_contain_text("217 bp")
            expect(row).to_contain_text("◆ critical")
            expect(page).to_have_title(re.compile("SYNTHETIC ◐ elevated 0.12"))
            expect(page.locator("#index-chart")).to_have_attribute("aria-label", re.compile("now 0.12, elevated"))
            page.wait_for_function("document.querySelectorAll('#index-chart .point').length === 1")  # the alert's mark

    def test_blind_is_not_calm(self, browser: Browser) -> None:
        market = crunched()
        market.wrote(
            step(TAIL.name, 217.0, 2, blind=True, tick=TICK + 60),
            until=TICK + 60, index=[index_row(tick=TICK + 60, repo=None)], alarms=[alarm(blind_since=TICK + 60)],
            transitions=[transition(tick=TICK + 60, after=BLIND)],
        )  # fmt: skip
        with serving(market) as server, looking(browser, address(server)) as page:
            repo = page.locator("#segments li").nth(SEGMENTS.index("repo"))
            expect(repo).to_have_class("blind")
            expect(repo).to_contain_text("◌ blind")
            expect(page.locator("#fires li")).to_contain_text("no sound data since 2019-09-17 08:01 New York")
            expect(page.locator("#fires li")).to_contain_text("It was critical.")
            expect(page.locator("#table tbody tr").first).to_contain_text("◌ blind")
            unseen = page.locator("#segments li").nth(SEGMENTS.index("cds"))
            expect(unseen).to_contain_text("not seen")

    def test_a_gap_of_the_index_is_a_gap_in_both_charts(self, browser: Browser) -> None:
        market = crunched()
        for at, index in ((60, None), (120, 0.2)):
            market.wrote(until=TICK + at, index=[index_row(tick=TICK + at, stress_index=index)])
        with serving(market) as server, looking(browser, address(server)) as page:
            drawn(page)
            for chart in ("index", "parts"):
                shapes = page.evaluate(f"document.getElementById('{chart}-chart').layout.shapes")
                (gap,) = [each for each in shapes if each["type"] == "rect" and each.get("opacity") == 0.25]
                assert (gap["x0"], gap["x1"]) == ("2019-09-17 08:01:00", "2019-09-17 08:02:00")

    def test_what_cannot_be_trusted_says_so(self, browser: Browser) -> None:
        market = Market(is_synthetic=False, not_ready="catching up: repo.rates/3")
        with serving(market) as server, looking(browser, address(server)) as page:
            expect(page.locator("#regime")).to_have_text("unknown")
            expect(page.locator("#trust")).to_contain_text("Not ready: catching up: repo.rates/3.")
            expect(page).to_have_title(re.compile("^NOT READY"))
            expect(page.locator("#synthetic")).to_be_hidden()
            expect(page.locator("#fires")).to_have_text("Nothing is known yet.")
            market.not_ready = None
            expect(page.locator("#trust")).to_contain_text("nothing can be said. That is not calm.")
            market.crunch()
            expect(page.locator("#trust")).to_contain_text("Only 55 % of the market is seen")
            market.is_over = True
            expect(page.locator("#trust")).to_contain_text("The story is over")
            assert not page.title().startswith("SYNTHETIC")

    def test_old_events_are_said_to_be_old(self, browser: Browser) -> None:
        market = crunched()
        market.sink.ingested(ingested(1, last_event_us=1_000_000 * TICK))
        with serving(market) as server, looking(browser, address(server)) as page:
            expect(page.locator("#facts")).to_contain_text(re.compile(r"09-17 08:00:00 \d+ s old"))
            market.now += 3_900
            expect(page.locator("#trust")).to_contain_text("The newest event is 1 h 5 min old")
            expect(page.locator("body")).to_have_class("is-still")
            expect(page).to_have_title(re.compile("OLD, was 0.12"))
            market.sources = {"desk": "backing_off", "other": "up"}
            expect(page.locator("#trust")).to_contain_text("Not connected: desk (backing_off).")

    def test_a_main_loop_that_stands_still_is_not_shown_as_live(self, browser: Browser) -> None:
        market = crunched()
        with serving(market) as server, looking(browser, address(server)) as page:
            market.turned_at = time.monotonic() - STILL_SECONDS - 1
            expect(page.locator("#trust")).to_contain_text("The monitor stands still: nothing was computed for 1")
            expect(page.locator("body")).to_have_class("is-still")
            assert "grayscale" in page.evaluate("getComputedStyle(document.querySelector('main')).filter")
            market.turned_at = time.monotonic() + 60
            expect(page.locator("body")).not_to_have_class("is-still")

    def test_synthetic_data_says_so(self, browser: Browser) -> None:
        with serving(crunched()) as server, looking(browser, address(server)) as page:
            expect(page.locator("#synthetic")).to_be_visible()
            expect(page.locator("#synthetic")).to_contain_text("every event is made up")

    def test_a_name_of_a_feed_is_text_wherever_it_stands(self, browser: Browser) -> None:
        evil = "<b>x</b><img src=x onerror=document.title='taken'>"
        market = Market()
        market.wrote(
            step(TAIL.name, 99.0, 2, instrument=evil, score=0.9, row="benchmark"),
            index=[index_row()], alarms=[alarm(labels={"instrument": evil})],
            transitions=[transition(labels={"instrument": evil}, sentence=f"Repo tail {evil}: 99 bp.")],
        )  # fmt: skip
        with serving(market) as server, looking(browser, address(server)) as page:
            drawn(page)
            expect(page.locator("#table tbody td.where")).to_have_text(evil)
            page.locator("#table tbody button").click()
            expect(page.locator("#detail-title")).to_contain_text(evil)
            page.keyboard.press("Escape")
            page.locator("#index-chart .point").hover(force=True)
            expect(page.locator("#index-chart .hovertext")).to_contain_text("<b>x</b>")
            assert page.locator("img").count() == 0
            assert "taken" not in page.title()

    def test_many_of_one_kind_are_one_line_and_lead_to_the_table(self, browser: Browser) -> None:
        market = Market()
        names = [f"I{at}" for at in range(30)]
        market.wrote(
            *[step(TAIL.name, 90.0 + at, 2, instrument=name, score=at / 100, row="benchmark")
              for at, name in enumerate(names)],
            index=[index_row()], alarms=[alarm(labels={"instrument": name}) for name in names],
        )  # fmt: skip
        with serving(market) as server, looking(browser, address(server)) as page:
            line = page.locator("#fires li")
            expect(line).to_have_count(1)
            expect(line).to_contain_text("Repo tail I29: 119 bp")
            line.get_by_role("button", name="and 29 more").click()
            expect(page.locator("#filter")).to_have_value("repo_tail_bp critical")
            expect(page.locator("#shown")).to_have_text("30 of 30")


class TestNumbersAndMoments:
    NUMBERS = (
        0.0, -0.0, 0.04, 0.05, 0.25, 0.449, 0.45, 1.0, 1.05, 9.94, 9.96, 10.0, 217.4, 5162.0, 1234.5, -3.21,
        0.0251, 1e6,
    )  # fmt: skip

    def test_a_quantity_is_that_of_the_sentences(self, browser: Browser) -> None:
        pairs = [(number, unit) for number in self.NUMBERS for unit in ("bp", "32nds", "ratio", "days", "zscore", "")]
        with serving(Market()) as server, looking(browser, address(server)) as page:
            shown = page.evaluate(
                "async (pairs) => { const { quantity } = await import('/static/words.js');"
                " return pairs.map(([number, unit]) => quantity(number, unit)); }",
                pairs,
            )
        wanted = [quantity(number, unit) for number, unit in pairs]
        assert dict(zip(pairs, shown, strict=True)) == dict(zip(pairs, wanted, strict=True))

    def test_new_york_time_over_its_changes(self, browser: Browser) -> None:
        ticks = [
            *range(TICK, TICK + 400 * 86_400, 5_000_001),
            1_572_760_799,
            1_572_760_800,
            1_583_650_799,
            1_583_650_800,
        ]
        with serving(Market()) as server, looking(browser, address(server)) as page:
            shown = page.evaluate(
                "async (ticks) => { const { newYork } = await import('/static/words.js'); return ticks.map(newYork); }",
                ticks,
            )
        assert [each[:16] for each in shown] == [new_york(tick) for tick in ticks]


class TestTheTable:
    def test_it_is_filtered_by_typing_and_sorted_and_the_address_says_so(self, browser: Browser) -> None:
        market, steps = many(250)
        market.wrote(*steps, step("repo_volume_busd", 7.0, None, instrument="ZZ"))
        with serving(market) as server:
            with looking(browser, address(server)) as page:
                expect(page.locator("#shown")).to_have_text("100 of 251")
                page.get_by_role("button", name="Show all 251").click()
                expect(page.locator("#table tbody tr")).to_have_count(251)
                page.keyboard.press("/")
                expect(page.locator("#filter")).to_be_focused()
                page.keyboard.type("tail i24")
                expect(page.locator("#shown")).to_have_text("11 of 11 that match, of 251")
                page.get_by_role("button", name="Where").click()
                expect(page.locator("#table tbody tr").first).to_contain_text("I24")
                page.get_by_role("button", name="Value").click()
                expect(page.locator("#table tbody tr").first).to_contain_text("I249")
                expect(page.locator("th[aria-sort=descending]")).to_contain_text("Value")
                there = page.url
            with looking(browser, there) as page:
                expect(page.locator("#filter")).to_have_value("tail i24")
                expect(page.locator("#table tbody tr").first).to_contain_text("I249")

    def test_what_has_ended_stays_nowhere(self, browser: Browser) -> None:
        market = crunched()
        with serving(market) as server, looking(browser, address(server, "#open=repo_tail_bp%7CSOFR%7C")) as page:
            expect(page.locator("#detail-now")).to_contain_text("critical")
            page.locator("#table tbody tr").first.evaluate(
                "(row) => row.dispatchEvent(new Event('pointermove', {bubbles: true}))"
            )
            market.wrote(
                step(TAIL.name, None, None, is_over=True, tick=TICK + 60, value_date=None), until=TICK + 60,
                index=[index_row(tick=TICK + 60)],
            )  # fmt: skip
            expect(page.locator("#detail-now")).to_contain_text("No longer there")
            expect(page.locator("#table tbody tr").filter(has_text="Repo tail")).to_have_count(0)
            expect(page.locator("#fires")).to_have_text("Nothing fires.")
        assert market.sink.series(TAIL.name, ("SOFR", "")) == []

    def test_an_address_that_makes_no_sense_does_no_harm(self, browser: Browser) -> None:
        with (
            serving(crunched()) as server,
            looking(browser, address(server, "#sort=__proto__&open=nix&filter=%")) as page,
        ):
            expect(page.locator("#regime")).to_have_text("elevated")
            expect(page.locator("#shown")).to_contain_text("of 0")

    def test_what_gets_bad_comes_to_the_top(self, browser: Browser) -> None:
        market, steps = many(250)
        market.wrote(*steps)
        with serving(market) as server, looking(browser, address(server)) as page:
            row = page.locator("#table tbody tr").filter(has_text="I249")
            expect(page.locator("#shown")).to_have_text("100 of 250")
            expect(row).to_have_count(0)
            market.wrote(step(TAIL.name, 99.0, 2, instrument="I249", tick=TICK + 1), until=TICK + 1)
            expect(page.locator("#table tbody tr").first).to_contain_text("I249")
            expect(row).to_have_class("critical")

    def test_a_row_opens_its_history_with_thresholds_and_the_address_opens_it_again(self, browser: Browser) -> None:
        market = crunched()
        for at, value in ((60, 150.0), (120, 90.0)):
            market.crunch(at, value)
        with serving(market) as server:
            with looking(browser, address(server)) as page:
                page.get_by_role("button", name="Repo tail").click()
                self.is_open(page)
                there = page.url
                page.keyboard.press("Escape")
                expect(page.locator("#detail")).to_be_hidden()
                expect(page).not_to_have_url(re.compile("open"))
            with looking(browser, there) as page:
                self.is_open(page)
                market.crunch(180, 999.0)
                expect(page.locator("#detail-now")).to_contain_text("999 bp")
                expect(page.locator("#detail-chart")).to_have_attribute("aria-label", re.compile("now 999 bp"))

    @staticmethod
    def is_open(page: Page) -> None:
        expect(page.locator("#detail-title")).to_have_text("Repo tail SOFR")
        expect(page.locator("#detail-now")).to_contain_text("◆ 90 bp for 2019-09-16, critical since")
        expect(page.locator("#detail-thresholds")).to_contain_text("critical80 bp")
        expect(page.locator("#detail-thresholds")).to_contain_text("warning40 bp25 bp")
        expect(page.locator("#detail-chart")).to_have_attribute(
            "aria-label", re.compile("from 90 bp to 217 bp, now 90 bp")
        )
        expect(page.locator("#detail-chart .main-svg").first).to_be_visible()
        expect(page.locator("#detail-links a").first).to_have_attribute("href", "/runbooks/RepoTailBp")


@contextmanager
def between(browser: Browser, url: str, route: Callable[[WebSocketRoute], None]) -> Iterator[Page]:
    """The page at an address, with somebody between it and the server's push."""
    context = browser.new_context()
    page = context.new_page()
    page.route_web_socket("**/ws*", route)
    page.goto(url)
    yield page
    context.close()


class TestAConnectionThatIsLost:
    def test_it_is_shown_and_comes_back_without_a_reload(self, browser: Browser) -> None:
        port = free_port()
        market = crunched()
        with ExitStack() as first:
            server = first.enter_context(serving(market, port=port))
            with looking(browser, address(server), is_cut_off=True) as page:
                page.evaluate("window.isTheSamePage = true")
                expect(page.locator("#regime")).to_have_text("elevated")
                first.close()
                began = time.monotonic()
                expect(page.locator("#stale")).to_contain_text("Not connected since", timeout=20_000)
                assert time.monotonic() - began < STALE_WITHIN_SECONDS + SLACK_SECONDS
                expect(page.locator("body")).to_have_class("is-stale")
                expect(page).to_have_title(re.compile("NOT CONNECTED, was 0.12"))
                expect(page.locator("#stale")).to_contain_text(re.compile(r"\d\d:\d\d:\d\d on your clock"))
                later = Market()
                calm(later)
                with serving(later, port=port):
                    expect(page.locator("#stale")).to_be_hidden()
                    expect(page.locator("#regime")).to_have_text("calm")
                    expect(page.locator("#fires")).to_have_text("Nothing fires.")
                    later.crunch()
                    expect(page.locator("#regime")).to_have_text("elevated")
                    assert page.evaluate("window.isTheSamePage")

    def test_after_a_short_break_only_what_was_missed_is_told(self, browser: Browser) -> None:
        market = Market()
        calm(market)
        told: list[list[dict[str, Any]]] = []

        def route(client: WebSocketRoute) -> None:
            told.append([])
            server = client.connect_to_server()

            def forward(message: str | bytes) -> None:
                told[-1].append(json.loads(message))
                client.send(message)
                if len(told) == 1 and "set" in told[-1][-1]:
                    client.close()

            server.on_message(forward)

        with serving(market) as server, ExitStack() as closing, looking(browser, address(server)) as other:
            page = closing.enter_context(between(browser, address(server), route))
            expect(page.locator("#regime")).to_have_text("calm")
            market.crunch()
            expect(other.locator("#regime")).to_have_text("elevated")
            expect(page.locator("#regime")).to_have_text("elevated")
            page.wait_for_timeout(6_000)
            expect(page.locator("#stale")).to_be_hidden()
        assert len(told) == 2, "it came back once, and stayed"
        assert not [each for each in told[1] if "state" in each], "the whole was not wanted again"

    def test_after_a_message_that_was_lost_the_whole_is_asked_for(self, browser: Browser) -> None:
        market = Market()
        calm(market)
        lost: list[str | bytes] = []

        def route(client: WebSocketRoute) -> None:
            server = client.connect_to_server()

            def forward(message: str | bytes) -> None:
                if "elevated" in str(message) and not lost:
                    lost.append(message)
                else:
                    client.send(message)

            server.on_message(forward)

        with serving(market) as server, ExitStack() as closing:
            page = closing.enter_context(between(browser, address(server), route))
            expect(page.locator("#regime")).to_have_text("calm")
            market.crunch()
            market.page.sink.ingested(ingested(1, last_event_us=1_000_000 * TICK))
            expect(page.locator("#regime")).to_have_text("elevated")
            expect(page.locator("#fires")).to_contain_text(TAIL_SOFR)
        assert len(lost) == 1

    def test_what_waited_on_its_way_is_not_shown_as_live(self, browser: Browser) -> None:
        """A line that is too slow brings everything, and all of it too late."""
        market = Market()
        calm(market)
        connections: list[int] = []

        def route(client: WebSocketRoute) -> None:
            connections.append(0)
            server = client.connect_to_server()

            def forward(message: str | bytes) -> None:
                told = json.loads(message)
                if len(connections) == 1 and "state" not in told:
                    connections[0] += 1
                    told["at"] -= 1_000 * connections[0]  # each comes a second later than the one before
                client.send(json.dumps(told))

            server.on_message(forward)

        with serving(market) as server, ExitStack() as closing:
            page = closing.enter_context(between(browser, address(server), route))
            ends_at = time.monotonic() + 20
            while len(connections) == 1 and time.monotonic() < ends_at:
                page.wait_for_timeout(100)
            assert len(connections) == 2, "it is connected anew"
            market.crunch()
            expect(page.locator("#regime")).to_have_text("elevated")
            expect(page.locator("#stale")).to_be_hidden()

    def test_a_monitor_that_stands_still_is_as_bad_as_one_that_is_gone(self, browser: Browser, tmp_path: Path) -> None:
        """It is stopped, goes on, is killed, and is started again, as a process."""
        ports = [free_port(), free_port()]
        with ExitStack() as closing:
            monitor = closing.enter_context(process(tmp_path, ports))
            page = closing.enter_context(looking(browser, f"http://127.0.0.1:{ports[1]}/", is_cut_off=True))
            page.evaluate("window.isTheSamePage = true")
            expect(page.locator("#regime")).to_have_text("calm")
            for act, undo in ((signal.SIGSTOP, signal.SIGCONT), (signal.SIGKILL, None)):
                monitor.send_signal(act)
                began = time.monotonic()
                expect(page.locator("#stale")).to_be_visible()
                assert time.monotonic() - began < STALE_WITHIN_SECONDS + SLACK_SECONDS
                if undo:
                    monitor.send_signal(undo)
                else:
                    closing.enter_context(process(tmp_path, ports))
                expect(page.locator("#stale")).to_be_hidden(timeout=60_000)
            expect(page.locator("#regime")).to_have_text("calm")
            assert page.evaluate("window.isTheSamePage")


class process(ExitStack):  # noqa: N801 - used as a function
    """A monitor that plays a calm day, and serves its page on a port."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        super().__init__()
        self._folder, self._ports = folder, ports

    def __enter__(self) -> Any:
        config = self._folder / "monitor.toml"
        config.write_text(f"[http]\nmetrics_port = {self._ports[0]}\npage_port = {self._ports[1]}\n")
        started = subprocess.Popen(
            [sys.executable, "-m", "monitor", "run", "--config", str(config), "--scenario", "calm", "--state",
             str(self._folder / "state")],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.callback(started.wait)
        self.callback(started.kill)
        assert started.stderr is not None
        self.callback(started.stderr.close)
        address = f"http://127.0.0.1:{self._ports[1]}/"
        while address not in (said := started.stderr.readline()):
            assert said, "it ended before it said where its page is"
        return started


class TestForEveryBody:
    def test_the_keyboard_alone_reaches_everything(self, browser: Browser) -> None:
        with serving(crunched()) as server, looking(browser, address(server)) as page:
            seen: list[str] = []
            for _ in range(60):
                page.keyboard.press("Tab")
                seen.append(
                    page.evaluate("(document.activeElement.id || document.activeElement.textContent || '').trim()")
                )
                if seen[-1] == "Show all" or "as JSON" in seen[-1] or seen[-1] == "alerts":
                    break
            for wanted in ("skip", "fires", "told", "filter", "What", "Since", "Repo tail", "Runbooks"):
                assert any(each.startswith(wanted) for each in seen), (wanted, seen)
            page.get_by_role("button", name="Repo tail").focus()
            page.keyboard.press("Enter")
            expect(page.locator("#detail")).to_be_visible()
            page.keyboard.press("Tab")
            assert page.evaluate("document.getElementById('detail').contains(document.activeElement)")
            page.keyboard.press("Escape")
            expect(page.locator("#detail")).to_be_hidden()
            assert page.evaluate("document.activeElement.textContent") == "Repo tail"

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("size", [(1400, 1000), PHONE], ids=["desk", "phone"])
    def test_axe_finds_nothing_serious(self, browser: Browser, scheme: str, size: tuple[int, int]) -> None:
        market = crunched()
        market.wrote(
            step(TAIL.name, 50.0, 1, blind=True, instrument="GCF"), step(TAIL.name, 50.0, 1, instrument="DVP"),
            index=[index_row(tick=TICK + 1, regime="crisis", capped=True)], until=TICK + 1,
            alarms=[alarm(), alarm(labels={"instrument": "GCF"}, blind_since=TICK),
                    alarm(labels={"instrument": "DVP"}, level=type(alarm().level)(1))],
        )  # fmt: skip
        with serving(market) as server, looking(browser, address(server), size, color_scheme=scheme) as page:
            drawn(page)
            assert faults(page) == []
            page.locator("#table tbody button").first.click()
            page.wait_for_selector("#detail-chart .main-svg")
            assert faults(page) == []

    def test_axe_finds_nothing_serious_on_a_stale_page(self, browser: Browser) -> None:
        with ExitStack() as closing:
            server = closing.enter_context(serving(crunched()))
            with looking(browser, address(server), is_cut_off=True) as page:
                drawn(page)
                closing.close()
                expect(page.locator("#stale")).to_be_visible()
                assert [each for each in faults(page) if "color-contrast" not in each] == [], "what is old is grey"

    def test_on_a_phone_it_is_one_column_and_nothing_is_cut_off(self, browser: Browser) -> None:
        with serving(crunched()) as server, looking(browser, address(server), PHONE, is_mobile=True) as page:
            drawn(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
            boxes = page.evaluate(
                "[...document.querySelectorAll('main > section, #segments li, #fires li, #table tr td, #regime')]"
                ".map((each) => each.getBoundingClientRect()).filter((box) => box.width)"
                ".map((box) => [box.left, box.right])"
            )
            assert len(boxes) > 12
            assert all(left >= 0 and right <= PHONE[0] for left, right in boxes)
            sections = page.evaluate(
                "[...document.querySelectorAll('main > section')]"
                ".map((each) => Math.round(each.getBoundingClientRect().left))"
            )
            assert len(set(sections)) == 1
            sizes = page.evaluate(
                "[...document.querySelectorAll('#fires .said, #table td, #facts dd')]"
                ".map((each) => parseFloat(getComputedStyle(each).fontSize))"
            )
            assert min(sizes) >= 12
            page.locator("#table tbody button").first.click()
            expect(page.locator("#detail")).to_be_in_viewport()
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_what_a_browser_draws_needs_nothing_from_elsewhere(browser: Browser) -> None:
    """Every request goes to this server."""
    with serving(crunched()) as server, ExitStack() as closing:
        context = browser.new_context()
        closing.callback(context.close)
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address(server))
        drawn(page)
        page.locator("#table tbody button").first.click()
        page.wait_for_selector("#detail-chart .main-svg")
        assert len(asked) > 10
        assert {re.sub(r"^(http://[^/]+)/.*", r"\1", each) for each in asked} == {f"http://127.0.0.1:{server.port}"}
        assert json.loads(page.locator("#whole").text_content() or "")["run"]
