"""Vapi's events in every order: lost, five times, reversed, before the POST was recorded; one final row."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import pytest

from stack import wait_until

TALK = 61
LOST = {"lose": True}


def told_time(seconds):
    """A time of the sandbox's as it tells it to others: in milliseconds."""
    return seconds and datetime.fromisoformat(
        datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds"))


def final_row(stack, ident, seen):
    """All that the call's end left behind, without what differs from call to call.  seen: the sandbox's own view."""
    call, queue, attempt = stack.call(ident), stack.queued(ident), stack.attempts(ident)[-1]
    transcript = stack.sql("select transcript_text, summary, extracted_data, jsonb_array_length(transcript_segments) as n"
                           " from call_transcripts where call_id = %s", ident)
    recording = stack.sql("select replace(recording_url, %s, '') as mono, replace(stereo_recording_url, %s, '') as stereo,"
                          " duration_seconds from call_recordings where call_id = %s", seen["id"], seen["id"], ident)

    return {
        "call": [call.status, call.progress, call.ended_reason, call.end_class, call.attempts, call.duration_seconds,
                 float(call.total_cost_cents), call.provider_type, call.provider_call_id == seen["id"], call.last_error],
        "times": [call.started_at == told_time(seen["started"]), call.ended_at == told_time(seen["ended"])],
        "queue": [queue.status, queue.attempts, queue.retry_count, queue.call_id == seen["id"], queue.last_error,
                  queue.ready, queue.admission],
        "attempt": [attempt.attempt, attempt.state, attempt.progress, attempt.outcome, attempt.reason, attempt.end_class,
                    attempt.duration_seconds, attempt.final, attempt.next_look_at],
        "ledger": [(u.kind, float(u.quantity)) for u in stack.sql(
            "select kind, quantity from usage_entries where call_id = %s order by kind", ident)],
        "told": [(e.type, e.status, e.seconds) for e in stack.sql(
            "select type, data ->> 'status' as status, data ->> 'duration_seconds' as seconds from events"
            " where subject_id = %s", ident)],
        "transcript": [tuple(t) for t in transcript], "recording": [tuple(r) for r in recording]}


def same(rows):
    """All rows are one; answers it."""
    by_text = {}
    for key, row in rows.items():
        by_text.setdefault(json.dumps(row, sort_keys=True), []).append(key)
    assert len(by_text) == 1, "\n".join(f"{len(keys)} times, such as {keys[0]}: {text}" for text, keys in by_text.items())
    return json.loads(next(iter(by_text)))


@pytest.fixture
def ended_calls(stack):
    """ended_calls(n): n calls that were dialled and are over at Vapi, of which nothing was told yet: the sandbox's
    view of each by our id.  posted: whether the answer to the POST was recorded."""
    def make(n, posted=True, outcome="completed"):
        # Nothing is looked up meanwhile: only events move these calls.
        stack.provider("vapi", max_concurrent_calls=1000, silence_seconds=3600, report_grace_seconds=3600,
                       timeout_ms=100000)
        stack.template()
        stack.sandbox.settings(talk_seconds=TALK)
        stack.sandbox.rule(LOST, provider="vapi", operation="webhook")
        stack.sandbox.rule({"outcome": outcome, **({} if posted else {"answer": "hang", "accept": True})},
                           provider="vapi", operation="create")
        calls = stack.schedule(n)
        pump = stack.pump_begin(wait=3600)
        states = ("accepted",) if posted else ("sent",)
        wait_until(lambda: stack.count("call_assignments", "state = any(%s)", list(states)) == n, what="the dials")
        wait_until(lambda: sum(c["finished"] for c in stack.sandbox.calls()) == n, what="the ends of all calls")
        if posted:
            stack.pump_end(pump)
        else:
            stack.pumps.remove(pump)
            pump.kill()
        mark = {str(a.id): str(a.call_id) for a in stack.sql("select id, call_id from call_assignments")}
        assert set(mark.values()) == set(calls)
        return {mark[seen["assignment_id"]]: seen for seen in stack.sandbox.calls()}
    return make


def resend_all(stack, calls, orders, times=1):
    """The events of each call in its order, several calls at once."""
    def one(pair):
        (ident, seen), order = pair
        sent = stack.sandbox.resend(call_id=seen["id"], order=list(order), times=times)
        assert set(sent["statuses"]) == {200}, (ident, sent)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, zip(calls.items(), orders)))


def events_of(stack, calls):
    """How many events each call has; all have the same ones."""
    kinds = {tuple(seen["events"]) for seen in calls.values()}
    assert len(kinds) == 1, kinds
    return list(kinds.pop())


KINDS = ["status-update:queued", "status-update:ringing", "status-update:in-progress", "status-update:ended",
         "end-of-call-report"]


@pytest.mark.parametrize("posted", [True, False], ids=["after-the-post", "before-the-post-was-recorded"])
def test_every_order_of_the_events_gives_the_same_final_row(stack, ended_calls, posted):
    orders = list(itertools.permutations(range(len(KINDS))))
    calls = ended_calls(len(orders), posted)
    kinds = [kind for kind in events_of(stack, calls) if kind in KINDS]
    assert kinds == KINDS
    places = [events_of(stack, calls).index(kind) for kind in KINDS]
    resend_all(stack, calls, [[places[n] for n in order] for order in orders])
    row = same({order: final_row(stack, ident, seen) for order, (ident, seen) in zip(orders, calls.items())})
    assert row["call"] == ["completed", "ended", "assistant-ended-call", "finished", 1, TALK, 3.96, "vapi", True, None]
    assert row["ledger"] == [["calls", 1.0], ["seconds", float(TALK)]]
    assert row["told"] == [["call.completed", "completed", str(TALK)]]
    assert row["times"] == [True, True] and row["transcript"] and row["recording"]
    assert stack.count("webhook_events", "state not in ('applied', 'ignored', 'kept')") == 0
    stack.invariants()


def test_a_live_call_never_goes_back(stack, ended_calls):
    """All orders of what is told before the end, of calls of which no end was told."""
    orders = list(itertools.permutations(range(3)))
    calls = ended_calls(len(orders))
    resend_all(stack, calls, [[events_of(stack, calls).index(KINDS[n]) for n in order] for order in orders])
    for ident in calls:
        call, attempt = stack.call(ident), stack.attempts(ident)[0]
        assert (call.status, call.progress, attempt.state, attempt.progress) == \
            ("in-progress", "in-progress", "accepted", "in-progress")


def test_events_lost_and_repeated_give_the_same_final_row_as_long_as_the_report_comes(stack, ended_calls):
    """Every choice of the other events, in their order and reversed, each five times."""
    choices = [set(c) for n in range(len(KINDS)) for c in itertools.combinations(KINDS[:-1], n)]
    calls = ended_calls(2 * len(choices))
    kinds = events_of(stack, calls)
    orders = []
    for choice in choices:
        order = [n for n, kind in enumerate(kinds) if kind in choice or kind == KINDS[-1]]
        orders += [order, order[::-1]]
    resend_all(stack, calls, orders, times=5)
    same({tuple(order): final_row(stack, ident, seen) for order, (ident, seen) in zip(orders, calls.items())})
    kept = stack.count("webhook_events")
    assert kept == sum(len(order) for order in orders) == stack.count("webhook_event_keys")
    stack.invariants()


def test_the_same_event_many_times_at_once_is_one_event(stack, ended_calls):
    calls = ended_calls(3)
    kinds = events_of(stack, calls)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: stack.sandbox.resend(order="shuffle" if n % 2 else "original", seed=n), range(16)))
    same({ident: final_row(stack, ident, seen) for ident, seen in calls.items()})
    assert stack.count("webhook_events") == len(kinds) * len(calls)
    stack.invariants()


@pytest.mark.parametrize("outcome", ["busy", "voicemail", "talk-fault", "forwarded", "no-assistant"])
def test_an_end_of_another_kind_has_one_final_row_too(stack, ended_calls, outcome):
    orders = [lambda n: range(n), lambda n: range(n)[::-1], lambda n: [*range(n)[1:], 0], lambda n: [n - 1, *range(n - 1)]]
    calls = ended_calls(len(orders), outcome=outcome)
    stack.sql("update call_queue set max_attempts = 1")
    n = len(events_of(stack, calls))
    resend_all(stack, calls, [list(order(n)) for order in orders])
    # A call that never rang has no report: the provider is asked.
    stack.sql("update call_assignments set next_look_at = now() where finished_at is null")
    stack.drain()
    stack.sql("update calls set total_cost_cents = coalesce(total_cost_cents, 0)")
    rows = {ident: {**final_row(stack, ident, seen), "times": None} for ident, seen in calls.items()}
    for ident, seen in calls.items():
        assert stack.call(ident).ended_at == told_time(seen["ended"])
    row = same(rows)
    assert row["call"][0] == {"forwarded": "completed"}.get(outcome, "failed")
    stack.invariants()


def test_when_all_webhooks_are_lost_the_provider_is_asked(stack):
    stack.provider("vapi", silence_seconds=0.3)
    stack.template()
    stack.sandbox.rule(LOST, provider="vapi", operation="webhook")
    calls = stack.schedule(5)
    stack.drain()
    assert {stack.call(c).status for c in calls} == {"completed"}
    assert stack.count("webhook_events") == 0 and stack.count("call_transcripts") == 5
    stack.invariants()


@pytest.mark.parametrize("action", [{"copies": 5}, {"order": "reverse"}, {"order": "shuffle", "copies": 3},
                                    {"only": "report"}, {"only": "status"}, {"lose": ["end-of-call-report"]}],
                         ids=lambda a: "-".join(f"{k}-{v}" for k, v in a.items()))
def test_live_calls_whose_webhooks_go_astray_end_well(stack, action):
    stack.provider("vapi", report_grace_seconds=0.3, silence_seconds=1)
    stack.template()
    stack.sandbox.rule(action, provider="vapi", operation="webhook")
    calls = stack.schedule(8)
    stack.drain()
    assert {stack.call(c).status for c in calls} == {"completed"}
    assert stack.count("call_transcripts") == 8
    stack.invariants()


@pytest.mark.parametrize("early", ["first", "all"])
def test_events_that_overtake_the_answer_to_the_post(stack, early):
    stack.provider("vapi")
    stack.template()
    stack.sandbox.rule({"early": early}, provider="vapi", operation="create")
    calls = stack.schedule(8)
    stack.drain()
    assert {(stack.call(c).status, stack.call(c).attempts) for c in calls} == {("completed", 1)}
    assert all(a.control_url for c in calls for a in stack.attempts(c)) or early == "all"
    stack.invariants()


def test_a_webhook_that_could_not_be_kept_comes_again(stack):
    """The program is away while the call lives; Vapi tries again by the plan that it was given."""
    stack.provider("vapi", silence_seconds=3600, report_grace_seconds=3600)
    stack.template()
    stack.sandbox.settings(backoff_scale=0.5)
    stack.stop_program("vapi-webhook")
    call, = stack.schedule(1)
    stack.pump()
    wait_until(lambda: any(w["status"] == 502 for w in stack.sandbox.webhooks()), what="a webhook in vain")
    stack.start_program("vapi-webhook")
    wait_until(lambda: stack.call(call).finished_at, what="the report, once more")
    assert stack.call(call).status == "completed"
    assert stack.call(call).finished_at > datetime(2020, 1, 1, tzinfo=timezone.utc)
