"""What a feed's own numbers say: nothing is lost because of a number, and what is counted is true."""

from __future__ import annotations

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from monitor.sources.websocket.numbers import GRACE_SECONDS, LOG_EVERY_SECONDS, REMEMBERED, UNNUMBERED, Numbers


def event(number: object, content: str = "") -> bytes:
    return f'{{"n":{number},"c":"{content}"}}'.encode()


def looked_at(numbers: Numbers, *found: int, content: str = "", now: float = 0.0) -> list[bool]:
    payloads = [event(number, content) for number in found]
    return [wanted for payload in payloads for wanted in numbers.wanted(payload, [payload], now)]


def counted(numbers: Numbers) -> tuple[int, int, int]:
    counts = numbers.counts
    return counts["missing"], counts["repeated"], counts["out_of_order"]


def settled(numbers: Numbers) -> tuple[int, int, int]:
    numbers.settle(1e9)
    return counted(numbers)


@pytest.mark.parametrize(
    ("path", "payload", "number"),
    [
        ("n", b'{"n":7}', 7),
        ("n", b'{"x":{"n":1},"n":"0012"}', 12),
        ("head.seq", b'{"head":{"a":[1],"seq":3},"seq":4}', 3),
        ("head.seq", b'{"head":5}', None),
        ("n", b'{"n":true}', None),
        ("n", b'{"n":1.5}', None),
        ("n", b'{"n":"1e3"}', None),
        ("n", b'{"n":null}', None),
        ("n", b'{"type":"heartbeat"}', None),
        ("n", b"[1]", None),
        ("n", b"\xff", None),
        ("n", b'{"n":7', None),
        ("n", b"", None),
        ("class", b'{"class":7}', 7),
        ("a b", b'{"a b":7}', 7),
    ],
)
def test_where_a_number_stands(path: str, payload: bytes, number: int | None) -> None:
    assert Numbers("f", path).number_of(payload) == number


def test_what_is_passed_over_is_missing_after_a_while_and_not_before() -> None:
    numbers = Numbers("f", "n")
    assert looked_at(numbers, 5, 6, 10) == [True] * 3
    numbers.settle(GRACE_SECONDS - 0.1)
    assert counted(numbers) == (0, 0, 0)
    numbers.settle(GRACE_SECONDS)
    numbers.settle(GRACE_SECONDS * 9)
    assert counted(numbers) == (3, 0, 0)


def test_what_comes_late_is_handed_over_and_not_missing() -> None:
    numbers = Numbers("f", "n")
    assert looked_at(numbers, 1, 4, 3, 2, 5) == [True] * 5
    assert settled(numbers) == (0, 0, 2)


def test_what_comes_after_it_was_given_up_is_handed_over_once() -> None:
    numbers = Numbers("f", "n")
    looked_at(numbers, 1, 4)
    assert settled(numbers) == (2, 0, 0)
    assert looked_at(numbers, 2, 2) == [True, False]
    assert settled(numbers) == (2, 1, 1)


def test_repeats_are_dropped_and_a_jump_is_missing() -> None:
    numbers = Numbers("f", "n")
    looked_at(numbers, 1, 2, 3)
    assert looked_at(numbers, 2, 3, 6) == [False, False, True]
    assert settled(numbers) == (2, 2, 0)


def test_other_contents_say_that_the_feed_numbers_anew() -> None:
    numbers = Numbers("f", "n")
    looked_at(numbers, *range(1, 100))
    with structlog.testing.capture_logs() as log:
        assert looked_at(numbers, *range(1, 100), content="the next day") == [True] * 99
    assert settled(numbers) == (0, 0, 0)
    assert [(each["newest"], each["now"]) for each in log] == [(99, 1)]


def test_a_number_from_before_all_that_is_known_is_a_new_numbering() -> None:
    numbers = Numbers("f", "n")
    looked_at(numbers, *range(90, 101))
    assert looked_at(numbers, *range(1, 105), content="new") == [True] * 104
    assert settled(numbers) == (0, 0, 0)


def test_a_new_numbering_gives_up_what_was_passed_over() -> None:
    numbers = Numbers("f", "n")
    looked_at(numbers, 1, 5)
    looked_at(numbers, *range(6, REMEMBERED + 10))
    assert looked_at(numbers, 1, 2, content="new") == [True, True]
    assert counted(numbers) == (3, 0, 0)


def test_one_number_that_fits_nowhere_changes_nothing() -> None:
    numbers = Numbers("f", "n")
    looked_at(numbers, *range(100, 200))
    assert looked_at(numbers, 10**17, 200, -5, 201, 150, 202, content="a slip") == [True] * 6
    assert looked_at(numbers, 203, 203) == [True, False]
    assert settled(numbers) == (0, 1, 0)


def test_a_jump_that_the_next_message_confirms_is_missing() -> None:
    numbers = Numbers("f", "n")
    assert looked_at(numbers, 1, 2, 10**6, 10**6 + 3) == [True] * 4
    assert settled(numbers) == (10**6 - 3 + 2, 0, 0)
    assert looked_at(numbers, 10**6, 10**6 + 3) == [False] * 2


def test_a_new_numbering_is_seen_though_every_second_message_of_it_is_lost() -> None:
    numbers = Numbers("f", "n")
    looked_at(numbers, *range(1, 101))
    assert looked_at(numbers, *range(1, 100, 2), content="new") == [True] * 50
    assert settled(numbers) == (49, 0, 0)


def test_what_comes_again_of_the_numbering_before_is_dropped() -> None:
    numbers = Numbers("f", "n")
    looked_at(numbers, *range(1, 101))
    looked_at(numbers, 1, 2, content="new")
    assert looked_at(numbers, 99, 100) == [False] * 2
    assert looked_at(numbers, 3, content="new") == [True]
    assert settled(numbers) == (0, 2, 0)


def test_a_number_that_was_never_passed_over_is_not_out_of_order() -> None:
    numbers = Numbers("f", "n")
    assert looked_at(numbers, 10, 11, 4, 12) == [True] * 4
    assert settled(numbers) == (0, 0, 0)


def test_a_feed_without_numbers_where_they_should_be_is_said_once() -> None:
    numbers = Numbers("f", "head.n")
    with structlog.testing.capture_logs() as log:
        looked_at(numbers, *range(UNNUMBERED - 1))
        assert log == []
        looked_at(numbers, *range(2 * UNNUMBERED))
    assert [each["sequence"] for each in log] == ["head.n"]


def test_what_has_no_number_is_handed_over_and_not_looked_at() -> None:
    numbers = Numbers("f", "n")
    assert numbers.wanted(b"", [b'{"n":1}', b"garbage", b"garbage", b'{"n":2}'], 0) == [True] * 4
    assert settled(numbers) == (0, 0, 0)


def test_the_numbers_of_frames() -> None:
    numbers = Numbers("f", "n", "frame")
    first, second = [b"heartbeat", b'{"n":1}', b'{"n":1}'], [b'{"n":3}', b'{"n":3}']
    assert numbers.wanted(b"1", first, 0) == [True] * 3
    assert numbers.wanted(b"3", second, 0) == [True] * 2
    assert numbers.wanted(b"3", second, 0) == [False] * 2
    assert settled(numbers) == (1, 1, 0)


def test_the_log_says_what_is_missing_now_and_then() -> None:
    numbers = Numbers("f", "n")
    with structlog.testing.capture_logs() as log:
        for at in range(100):
            looked_at(numbers, 2 * at, now=at / 100)
        numbers.settle(100.0)
        looked_at(numbers, 1_000, now=100.0)
        numbers.settle(100.0 + LOG_EVERY_SECONDS - 0.1)
        assert len(log) == 1
        numbers.settle(100.0 + GRACE_SECONDS + LOG_EVERY_SECONDS)
    assert [(each["first"], each["last"], each["missing"]) for each in log] == [(1, 197, 99), (199, 999, 801)]


def test_memory_is_bounded() -> None:
    numbers = Numbers("f", "n")
    for at in range(0, 3 * 50_000, 3):
        looked_at(numbers, at, now=at / 1_000)
        numbers.settle(at / 1_000)
    assert len(numbers._contents) <= 2 * REMEMBERED
    assert len(numbers._gaps) <= 2 * REMEMBERED
    assert len(numbers._pending) <= 5_000
    looked_at(numbers, 10**17, 10**17 + 1)
    assert settled(numbers)[0] == 10**17 - 50_000


@given(st.data())
def test_of_any_disorder_loss_and_repetition_each_is_counted_once(data: st.DataObject) -> None:
    """A feed of n messages: some are lost, some come again, and all may be out of place by a few."""
    n = data.draw(st.integers(2, 60))
    lost = data.draw(st.sets(st.integers(1, n - 2), max_size=n - 2)) if n > 2 else set()
    kept = [number for number in range(n) if number not in lost]
    twice = data.draw(st.lists(st.sampled_from(kept), max_size=10))
    places = [(number + data.draw(st.integers(0, 5)), number) for number in [*kept, *twice]]
    sent = [0, *(number for _, number in sorted(places) if number), n]  # the first and the last are in their places
    sent = [number for at, number in enumerate(sent) if number or not at]
    numbers = Numbers("f", "n")
    wanted = looked_at(numbers, *sent)
    handed = [number for number, is_wanted in zip(sent, wanted, strict=True) if is_wanted]
    assert sorted(handed) == sorted({*kept, n} | {0}), "each once, and none is lost"
    newest, late = -1, 0
    for number in handed:
        late += number < newest
        newest = max(newest, number)
    assert settled(numbers) == (len(lost), len(sent) - len(handed), late)


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("ab")), max_size=80))
def test_whatever_the_numbers_say_only_true_repeats_are_dropped(sent: list[tuple[int, str]]) -> None:
    numbers = Numbers("f", "n")
    seen: set[tuple[int, str]] = set()
    for number, content in sent:
        (is_wanted,) = looked_at(numbers, number, content=content)
        assert is_wanted or (number, content) in seen
        seen.add((number, content))
