"""Each way in which a provider can fail, against both: the call is completed in the end and was dialled once."""

import pytest
from stack import Stack

from faulty import QUICK, keep_pumping

# Name, action of the sandbox, and whether the person's telephone rang for that request.
FAULTS = {
    "hangs before accepting": ({"answer": "hang", "accept": False}, False),
    "hangs after accepting": ({"answer": "hang", "accept": True}, True),
    "resets before accepting": ({"answer": "reset", "accept": False}, False),
    "resets after accepting": ({"answer": "reset", "accept": True}, True),
    "429": ({"status": 429}, False),
    "429 with Retry-After": ({"status": 429, "headers": {"Retry-After": "1"}}, False),
    "500": ({"status": 500}, False),
    "500 after accepting": ({"status": 500, "accept": True}, True),
    "401": ({"status": 401}, False),
    "402": ({"status": 402}, False),
    "cut-off JSON": ({"answer": "cut", "accept": True}, True),
    "half the JSON, well delivered": ({"answer": "cut-complete", "accept": True}, True),
    "cut off before accepting": ({"answer": "cut", "accept": False}, False),
    "an answer of 10 MB": ({"answer": "huge", "accept": True}, True),
    "HTML": ({"answer": "html", "accept": True}, True),
    "an array for an object": ({"answer": "array", "accept": True}, True),
    "a number for an id": ({"answer": "number-id", "accept": True}, True),
    "no id": ({"answer": "missing-id", "accept": True}, True),
    "an empty answer": ({"answer": "empty", "accept": True}, True),
}
LIMITS = {
    "201 with concurrencyBlocked": {"concurrency": "blocked"},
    "201 with concurrencyBlocked, ended": {"concurrency": "blocked-ended"},
    "ended later for the limit": {"concurrency": "ended"},
    "400 about concurrency": {"concurrency": "400"},
    "429 about concurrency": {"concurrency": "429"},
}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One stack for all faults."""
    with Stack(tmp_path_factory.mktemp("faults"), settings=QUICK) as stack:
        yield stack


@pytest.fixture
def stack(running):
    """The same, as new."""
    running.reset()
    return running


def run_with(stack, kind, action):
    """Three calls at one provider; its first request meets the fault."""
    stack.provider(kind)
    template = stack.template((kind,))
    stack.sandbox.rule(action, provider=kind, operation="create", times=1)
    calls = stack.schedule(3, template=template)
    keep_pumping(stack, stack.all_over)
    stack.invariants()
    assert [stack.call(c).status for c in calls] == ["completed"] * 3
    return [a for c in calls for a in stack.attempts(c)]


@pytest.mark.parametrize("kind", ["vapi", "synthflow"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_provider_that_fails_in_this_way_costs_no_call_and_doubles_none(stack, fault, kind):
    action, rang = FAULTS[fault]
    attempts = run_with(stack, kind, action)
    assert len(attempts) == (3 if rang else 4), [(a.state, a.reason) for a in attempts]
    assert stack.sandbox.dials()["dials"] == 3


@pytest.mark.parametrize("limit", LIMITS)
def test_each_way_of_saying_concurrency_limit_is_understood(stack, limit):
    attempts = run_with(stack, "vapi", LIMITS[limit])
    assert len(attempts) == (3 if limit == "201 with concurrencyBlocked" else 4)
    # It was nobody's try: a call that met the limit may still be dialled as often as before.
    assert stack.count("call_queue", "attempts <> 1") == 0


def test_the_other_provider_is_asked_at_once_when_one_refuses_for_its_own_reasons(stack):
    tired = stack.provider("vapi", priority=1)
    stack.provider("synthflow", priority=2)
    template = stack.template()
    stack.sandbox.rule({"status": 429, "headers": {"Retry-After": "3600"}}, provider="vapi", operation="create")
    calls = stack.schedule(5, template=template)
    keep_pumping(stack, stack.all_over)
    stack.invariants()
    assert {stack.call(c).provider_type for c in calls} == {"synthflow"}
    assert stack.value("select cooling_until > now() + interval '50 minutes' from call_service_providers where id = %s", tired)
    refused = stack.count("call_assignments", "state = 'refused'")
    assert 1 <= refused <= 5, "a provider that rests is not asked again"


def test_a_provider_that_rests_is_tried_with_one_call_and_is_well_again(stack):
    provider = stack.provider("vapi", cool_seconds=0.1, max_concurrent_calls=3)
    template = stack.template(("vapi",))
    stack.sandbox.rule({"status": 429}, provider="vapi", operation="create", times=6)
    stack.schedule(6, template=template)
    keep_pumping(stack, stack.all_over)
    stack.invariants()
    row = stack.sql("select failures, cooling_until, last_error from call_service_providers where id = %s", provider)[0]
    assert (row.failures, row.cooling_until) == (0, None)
    assert row.last_error
    # Three lines were free and met a refusal at once; from then on each attempt begins when the one before is answered, up to the
    # one that is accepted.
    tries = stack.sql("select created_at, state, coalesce(accepted_at, finished_at) as answered from call_assignments order by created_at")
    assert [a.state for a in tries] == ["refused"] * 6 + ["ended"] * 6
    for first, then in zip(tries[2:7], tries[3:8]):
        assert then.created_at > first.answered, tries


def test_a_provider_with_a_long_call_goes_on_dialling_after_one_refusal(stack):
    provider = stack.provider("vapi", max_concurrent_calls=2)
    template = stack.template(("vapi",))
    long = stack.number()
    stack.sandbox.rule({"stuck": True}, provider="vapi", operation="create", number=long)
    talking, = stack.schedule(1, template=template, recipient_number=long)
    assert stack.pump()["accepted"] == 1
    calls = stack.schedule(3, template=template)
    assert stack.pump(env={"VAPI_BASE_URL": "http://127.0.0.1:9"})["refused"] >= 1
    assert stack.value("select failures from call_service_providers where id = %s", provider) >= 1
    keep_pumping(stack, lambda: all(stack.call(c).finished_at for c in calls))
    assert [stack.call(c).status for c in calls] == ["completed"] * 3
    assert [a.state for a in stack.attempts(talking)] == ["accepted"]
    assert stack.value("select failures from call_service_providers where id = %s", provider) == 0


def test_a_call_that_names_a_bad_number_fails_with_its_reason_and_the_provider_goes_on(stack):
    stack.provider("vapi")
    template = stack.template(("vapi",))
    bad = stack.number()
    stack.sandbox.rule({"status": 400, "body": {"message": ["customer.number must be a valid phone number"], "error": "Bad Request",
                                                "statusCode": 400}}, provider="vapi", number=bad)
    first, *others = stack.schedule(1, template=template, recipient_number=bad) + stack.schedule(2, template=template)
    keep_pumping(stack, stack.all_over)
    stack.invariants()
    assert (stack.call(first).status, stack.call(first).ended_reason) == ("failed", "http_400")
    assert len(stack.attempts(first)) == 1
    assert [stack.call(c).status for c in others] == ["completed"] * 2


def test_an_outcome_that_is_never_settled_fails_and_is_not_dialled_again(stack):
    stack.provider("vapi", unknown_patience_seconds=2)
    template = stack.template(("vapi",))
    stack.sandbox.rule({"answer": "hang", "accept": True}, provider="vapi", operation="create", times=1)
    stack.sandbox.rule({"status": 500}, provider="vapi", operation="list")
    stack.sandbox.settings(webhooks=False)
    call = stack.schedule(1, template=template)[0]
    keep_pumping(stack, stack.all_over)
    assert (stack.call(call).status, stack.call(call).ended_reason) == ("failed", "outcome_unknown")
    assert stack.sandbox.dials()["dials"] == 1
    assert stack.count("call_assignments") == 1


def test_a_call_that_shows_up_late_in_the_list_is_not_dialled_twice(stack):
    stack.provider("vapi", absence_after_seconds=5, absence_gap_seconds=0.2)
    template = stack.template(("vapi",))
    stack.sandbox.settings(list_lag=1.5, webhooks=False)
    stack.sandbox.rule({"answer": "hang", "accept": True}, provider="vapi", operation="create", times=1)
    call = stack.schedule(1, template=template)[0]
    keep_pumping(stack, stack.all_over)
    stack.invariants()
    assert stack.call(call).status == "completed"
    assert stack.sandbox.dials()["dials"] == 1


@pytest.mark.parametrize("kind", ["vapi", "synthflow"])
def test_calls_end_without_any_webhook(stack, kind):
    stack.provider(kind, silence_seconds=0.3)
    template = stack.template((kind,))
    stack.sandbox.settings(webhooks=False)
    calls = stack.schedule(4, template=template)
    keep_pumping(stack, stack.all_over)
    stack.invariants()
    assert [stack.call(c).status for c in calls] == ["completed"] * 4
    assert stack.count("call_transcripts") == 4


def test_a_provider_at_which_nobody_listens_is_passed_over(stack):
    stack.provider("vapi", priority=1)
    stack.provider("synthflow", priority=2)
    template = stack.template()
    calls = stack.schedule(3, template=template)
    keep_pumping(stack, stack.all_over, env={"VAPI_BASE_URL": "http://127.0.0.1:9"})
    stack.invariants()
    assert {stack.call(c).provider_type for c in calls} == {"synthflow"}
    assert stack.count("call_assignments", "state = 'refused' and reason = 'connect_failed'") >= 1
