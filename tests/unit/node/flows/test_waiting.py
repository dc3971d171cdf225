from __future__ import annotations

from interfirm.node.flows.waiting import Wait, Waiting

NOTARY = Wait(on="notary", who="notary", since_ms=1_000)
PERSON = Wait(on="person", who="sign", since_ms=2_000, item="b-3")


def two() -> Waiting:
    """One flow waits for a notary, another for a person."""
    made = Waiting()
    made.put("a", "exercise", NOTARY)
    made.put("b", "respond", PERSON)
    return made


def test_waits_are_counted_by_kind_and_by_what_they_wait_on() -> None:
    waiting = two()
    waiting.put("c", "exercise", NOTARY.replace(since_ms=500))
    assert waiting.counts["exercise", "notary"] == 2
    assert waiting.counts["respond", "person"] == 1


def test_a_flow_waits_for_one_thing_at_a_time() -> None:
    waiting = two()
    waiting.put("a", "exercise", PERSON)
    assert waiting.counts["exercise", "notary"] == 0
    assert waiting.of("a") == PERSON
    assert [flow for flow, _ in waiting.flows("person")] == ["b", "a"]


def test_a_flow_that_ended_waits_no_more() -> None:
    waiting = two()
    waiting.remove("a")
    waiting.remove("a")
    assert waiting.of("a") is None
    assert waiting.counts["exercise", "notary"] == 0
    assert not waiting.is_busy, "a person's thinking is no work of others"


def test_the_longest_wait_for_a_notary_is_known() -> None:
    waiting = two()
    waiting.put("c", "exercise", NOTARY.replace(since_ms=500))
    assert waiting.notary_since_ms == 500
    waiting.remove("c")
    assert waiting.notary_since_ms == 1_000
    waiting.clear()
    assert waiting.notary_since_ms is None
    assert not waiting.is_busy
