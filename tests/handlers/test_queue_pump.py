"""The pump: order, limits, times, many at once; retries, fail-over, and why it did nothing."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from stack import wait_until


def dialled(stack):
    """The numbers in the order in which the telephones rang."""
    return [dial["number"] for dial in stack.sandbox.dials()["order"]]


def numbers_of(stack, calls):
    """The numbers of calls, in their order."""
    return [stack.call(call).to_number for call in calls]


def statuses(stack, calls):
    """How often each end was met."""
    return dict(Counter(stack.call(call).status for call in calls))


# ---- order -------------------------------------------------------------------


def test_first_come_first_served(stack):
    stack.provider("vapi", max_concurrent_calls=1)
    stack.template()
    calls = stack.schedule(6) + stack.schedule(6, stack.user("bob"))
    stack.drain()
    assert dialled(stack) == numbers_of(stack, calls)
    stack.invariants()


def test_a_smaller_priority_is_sooner_and_equals_keep_their_order(stack, alice):
    stack.provider("vapi", max_concurrent_calls=1)
    template = stack.template()
    priorities = [5, 0, 9, 5, 0, 1000, 1, 5]
    calls = [stack.schedule(1, alice, template, priority=p)[0] for p in priorities]
    stack.drain()
    order = sorted(range(len(calls)), key=lambda i: (priorities[i], i))
    assert dialled(stack) == numbers_of(stack, [calls[i] for i in order])


def test_a_provider_with_a_smaller_priority_is_asked_first_until_it_is_full(stack):
    first = stack.provider("vapi", priority=1, max_concurrent_calls=3)
    second = stack.provider("synthflow", priority=2, max_concurrent_calls=3)
    stack.template()
    stack.sandbox.settings(durations={"in_progress": 600})
    stack.schedule(5)
    assert stack.pump()["accepted"] == 5
    live = dict(stack.sql("select provider_id::text, count(*) from call_assignments where state = 'accepted' group by 1"))
    assert live == {first: 3, second: 2}


# ---- limits --------------------------------------------------------------------


def test_never_more_than_ten_live_and_all_twenty_five_done(stack):
    stack.provider("vapi")
    stack.template()
    calls = stack.schedule(25)
    stack.drain()
    assert stack.sandbox.dials()["max_live"]["vapi"] <= 10
    assert statuses(stack, calls) == {"completed": 25}
    assert dialled(stack)[:10] == numbers_of(stack, calls)[:10]
    stack.invariants()


def test_an_organization_at_its_cap_waits_and_holds_up_nobody_else(stack, alice, bob):
    stack.provider("vapi")
    template = stack.template()
    stack.sql("update organizations set max_concurrent_calls = 2 where id = %s", alice.organization)
    stack.sandbox.settings(durations={"in_progress": 600})
    alices, bobs = stack.schedule(10, alice, template, priority=0), stack.schedule(3, bob, template)
    assert stack.pump()["claimed"] == 5
    idle = stack.pump()
    assert (idle["claimed"], idle["waiting"], idle["message"]) == (0, {"organization_capacity": 1},
                                                                   "Maximum concurrent calls reached.")
    live = [str(a.call_id) for a in stack.sql("select call_id from call_assignments where state = 'accepted'")]
    assert sorted(live) == sorted(alices[:2] + bobs)
    assert alice.get(f"/api/v1/calls/{alices[2]}")["admission"] == "organization_capacity"
    assert alice.get(f"/api/v1/calls/{alices[0]}")["admission"] == "admitted"


def test_starts_per_second_are_kept(stack):
    stack.provider("vapi", starts_per_second=5, max_concurrent_calls=100)
    stack.template()
    stack.schedule(16)
    stack.drain()
    # Counted where they are claimed: when a telephone rings after that is the network's and the provider's affair.
    claims = [row[0].timestamp() for row in stack.sql("select created_at from call_assignments order by 1")]
    assert len(claims) == 16 and claims[-1] - claims[0] > 2.8
    assert max(sum(1 for t in claims if begin <= t < begin + 0.95) for begin in claims) <= 5


def test_a_do_not_call_number_is_canceled_and_never_rings(stack, alice, bob):
    stack.provider("vapi")
    template = stack.template()
    mine, = stack.schedule(1, alice, template)
    number = stack.call(mine).to_number
    other = bob.post("/api/v1/calls", {"recipient_number": number, "template_id": template}, expect=201)["id"]
    stack.sql("insert into do_not_call (organization_id, phone_number) values (%s, %s)", alice.organization, number)
    stack.drain()
    assert (stack.call(mine).status, stack.call(mine).ended_reason) == ("canceled", "do_not_call")
    assert stack.call(other).status == "completed"
    assert stack.sandbox.dials()["dials"] == 1
    stack.invariants()


def test_outside_its_calling_hours_an_organization_waits(stack, alice):
    stack.provider("vapi")
    stack.template()
    call, = stack.schedule(1, alice)
    tomorrow = (datetime.now(timezone.utc).isoweekday() % 7) + 1
    for hours, reason in [('{"start":"00:00","end":"24:00","timezone":"UTC","days":[%d]}' % tomorrow, "calling_hours"),
                          ('{"start":"nine","end":"five"}', "calling_hours_unreadable"),
                          ('{"start":"00:00","end":"24:00","timezone":"Nowhere/Else"}', "calling_hours_unreadable")]:
        stack.sql("update organizations set settings = jsonb_build_object('calling_hours', %s::jsonb)", hours)
        assert stack.pump()["waiting"] == {reason: 1}
        assert stack.queued(call).admission == reason
    stack.sql("""update organizations set settings = '{"calling_hours":{"start":"00:00","end":"24:00"}}'""")
    stack.drain()
    assert stack.call(call).status == "completed"


# ---- times ---------------------------------------------------------------------


def test_a_scheduled_call_never_rings_before_its_second(stack, alice):
    stack.provider("vapi", max_concurrent_calls=1)
    template = stack.template()
    begin = datetime.now(timezone.utc).replace(microsecond=0)
    at = {}
    for seconds in (2, 3, 3, 4):
        when = begin + timedelta(seconds=seconds)
        call, = stack.schedule(1, alice, template, scheduled_time=when.isoformat())
        at[stack.call(call).to_number] = when.timestamp()
    now, = stack.schedule(1, alice, template)
    stack.drain()
    rang = {dial["number"]: dial["at"] for dial in stack.sandbox.dials()["order"]}
    assert rang.pop(stack.call(now).to_number) and set(rang) == set(at)
    for number, when in at.items():
        assert rang[number] >= when
    assert [n for n in dialled(stack) if n in at] == sorted(at, key=lambda n: (at[n], list(at).index(n)))
    stack.invariants()


def test_a_call_whose_time_is_over_expires_and_never_rings(stack, alice):
    stack.provider("vapi", is_active=True, max_concurrent_calls=0)
    stack.template()
    call, = stack.schedule(1, alice, expires_at=(datetime.now(timezone.utc) + timedelta(hours=1)).isoformat())
    assert stack.pump()["waiting"] == {"provider_capacity": 1}
    stack.sql("update call_queue set due_at = now() - interval '2 seconds', expires_at = now() - interval '1 second'")
    assert stack.pump()["expired"] == 1
    assert stack.call(call).status == "expired"
    assert stack.value("select type from events where subject_id = %s", call) == "call.expired"


def test_a_backlog_of_calls_whose_time_is_over_is_worked_off_in_one_turn(stack, alice):
    stack.provider("vapi", max_concurrent_calls=0)
    stack.template()
    stack.schedule(1100, alice)
    stack.sql("update call_queue set due_at = now() - interval '2 hours', expires_at = now() - interval '1 hour'")
    assert stack.pump()["expired"] == 1100
    assert stack.count("calls", "status <> 'expired'") == 0
    assert stack.count("usage_entries") == 0
    stack.invariants()


# ---- many at once ------------------------------------------------------------------


@pytest.mark.parametrize("pumps", [2, 8])
def test_pumps_at_once_dial_each_call_once(stack, full, pumps):
    stack.provider("vapi", priority=1)
    stack.provider("synthflow", priority=1)
    stack.template()
    calls = stack.schedule(400 if full else 80)
    start = threading.Barrier(pumps)

    def turns(_):
        start.wait(60)
        while not stack_is_over():
            stack.pump()

    def stack_is_over():
        with stack.connect() as db:
            return db.execute("select not exists (select from calls where finished_at is null)").fetchone()[0]

    with ThreadPoolExecutor(pumps) as pool:
        list(pool.map(turns, range(pumps)))
    stack.drain()
    dials = stack.sandbox.dials()
    assert set(dials["by_assignment"].values()) == {1} and dials["dials"] == dials["attempts"] == len(calls)
    assert max(dials["max_live"].values()) <= 10
    assert statuses(stack, calls) == {"completed": len(calls)}
    stack.invariants()


def test_waiting_pumps_and_callers_at_once_lose_nothing(stack, alice):
    stack.provider("vapi")
    template = stack.template()
    with stack.pumping():
        others = [stack.pump_begin(wait=3600, env={"HOOKSWITCH_RUN_DIR": stack.folder / f"host{n}"}) for n in range(2)]
        with ThreadPoolExecutor(4) as pool:
            calls = sum(pool.map(lambda n: stack.schedule(10, stack.user(f"user{n}"), template), range(4)), [])
        wait_until(stack.all_over, what="the end of all calls")
    assert all(pump.alive for pump in others)
    assert statuses(stack, calls) == {"completed": 40}
    stack.invariants()


# ---- again, and elsewhere ------------------------------------------------------------


def test_a_person_not_reached_is_tried_again_with_longer_waits_up_to_the_last_attempt(stack, alice):
    stack.sandbox.settings(number_outcomes=True)
    stack.provider("vapi")
    template = stack.template()
    busy = alice.post("/api/v1/calls", {"recipient_number": "+15550100001", "template_id": template, "max_attempts": 3},
                      expect=201)["id"]
    stack.drain()
    row = stack.call(busy)
    assert (row.status, row.ended_reason, row.attempts) == ("failed", "customer-busy", 3)
    retries = stack.sql("select * from call_retries where call_id = %s order by attempt", busy)
    assert [(r.attempt, r.reason, r.end_class) for r in retries] == [(1, "customer-busy", "retry_later"),
                                                                    (2, "customer-busy", "retry_later")]
    assert retries[1].delay_seconds > 1.5 * retries[0].delay_seconds
    assert [a.outcome for a in stack.attempts(busy)] == ["retry", "retry", "retry"]
    assert [r["reason"] for r in alice.get(f"/api/v1/calls/{busy}")["retries"]] == ["customer-busy"] * 2
    assert stack.value("select quantity from usage_entries where call_id = %s and kind = 'calls'", busy) == 1
    stack.invariants()


@pytest.mark.parametrize("digits,status", [("0003", "failed"), ("0009", "completed"), ("0010", "completed"),
                                           ("0006", "failed"), ("0013", "failed"), ("0008", "failed")])
def test_what_an_end_means(stack, alice, digits, status):
    stack.sandbox.settings(number_outcomes=True)
    stack.provider("vapi")
    template = stack.template()
    call = alice.post("/api/v1/calls", {"recipient_number": "+1555010" + digits, "template_id": template,
                                        "max_attempts": 1}, expect=201)["id"]
    stack.drain()
    assert stack.call(call).status == status
    stack.invariants()


def test_a_voicemail_is_an_end_where_the_template_accepts_it(stack, alice):
    stack.sandbox.settings(number_outcomes=True)
    stack.provider("vapi")
    template = stack.template(params={"voicemail": "accept"})
    call = alice.post("/api/v1/calls", {"recipient_number": "+15550100003", "template_id": template}, expect=201)["id"]
    stack.drain()
    assert (stack.call(call).status, stack.call(call).attempts) == ("completed", 1)


def test_an_end_reason_that_is_in_no_list_is_kept_counted_and_not_tried_again(stack):
    stack.provider("vapi")
    stack.template()
    stack.sandbox.rule({"outcome": "busy", "end_reason": "customer-was-abducted"}, provider="vapi", operation="create")
    calls = stack.schedule(2)
    stack.drain()
    assert [(stack.call(c).status, stack.call(c).ended_reason, stack.call(c).attempts) for c in calls] == \
        [("failed", "customer-was-abducted", 1)] * 2
    assert stack.sql("select provider_type, reason, seen from end_reasons_unlisted") == \
        [("vapi", "customer-was-abducted", 2)]
    stack.invariants()


@pytest.mark.parametrize("action", [{"status": 429}, {"status": 402}, {"status": 401}, {"status": 403},
                                    {"concurrency": "429"}, {"concurrency": "400"}, {"concurrency": "ended"},
                                    {"concurrency": "blocked-ended"}],
                         ids=lambda a: str(next(iter(a.values()))))
def test_a_provider_that_refuses_for_its_own_reasons_rests_and_the_next_one_calls(stack, action):
    resting = stack.provider("vapi", priority=1, cool_seconds=600)
    stack.provider("synthflow", priority=2)
    stack.template()
    stack.sandbox.rule(action, provider="vapi", operation="create")
    calls = stack.schedule(6)
    stack.drain()
    assert statuses(stack, calls) == {"completed": 6}
    assert {stack.call(c).provider_type for c in calls} == {"synthflow"}
    assert {stack.call(c).attempts for c in calls} == {1}
    row = stack.sql("select * from call_service_providers where id = %s", resting)[0]
    assert row.failures > 0 and row.cooling_until > datetime.now(timezone.utc)
    assert {dial["provider"] for dial in stack.sandbox.dials()["order"]} == {"synthflow"}
    stack.invariants()


# ---- why nothing -------------------------------------------------------------------


def test_the_summary_says_why_nothing_was_done(stack):
    provider = stack.provider("vapi", max_concurrent_calls=1)
    assert (stack.pump()["message"], stack.pump()["waiting"]) == ("No calls to process.", {})
    stack.template()
    stack.sandbox.settings(durations={"in_progress": 600})
    calls = stack.schedule(3)
    first = stack.pump()
    assert (first["claimed"], first["accepted"], first["message"]) == (1, 1, "Calls were dialled.")
    assert [(r["success"], r["call_id"]) for r in first["results"]] == [(True, calls[0])]
    full = stack.pump()
    assert (full["claimed"], full["message"], full["waiting"]) == (0, "Maximum concurrent calls reached.",
                                                                   {"provider_capacity": 1})
    stack.sql("update call_service_providers set max_concurrent_calls = 9, cooling_until = now() + interval '1 hour'")
    assert stack.pump()["waiting"] == {"provider_cooling": 1}
    stack.sql("update call_service_providers set is_draining = true where id = %s", provider)
    assert stack.pump()["waiting"] == {"no_provider": 1}
    assert stack.queued(calls[1]).admission == "no_provider"


def test_what_waits_longest_is_dialled_as_soon_as_a_line_is_free(stack):
    stack.provider("vapi", max_concurrent_calls=1)
    stack.template()
    stack.sandbox.rule({"stuck": True}, provider="vapi", operation="create", times=1)
    first, second = stack.schedule(2)
    with stack.pumping():
        wait_until(lambda: stack.call(first).progress == "in-progress", what="the first talk")
        assert stack.call(second).status == "queued"
        stack.user("alice").post(f"/api/v1/calls/{first}/cancel")
        wait_until(stack.all_over, what="the end of all calls")
    assert stack.call(second).status == "completed"
    assert stack.sandbox.dials()["max_live"]["vapi"] == 1
