"""Calls that come in, from the telephone to the ledger: who takes them, what is kept, whose they are."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from stack import wait_until
from stack_client import problem
from stack_hooks import Hooks, recorded
from stack_inbound import Line, secret
from stack_process import at_once

PERSON = "+15558880009"


@pytest.fixture
def line(stack, alice):
    """A number of alice's of which Vapi asks who takes its calls."""
    return Line(stack, alice)


@pytest.fixture
def hooks(stack):
    """Sends webhooks."""
    return Hooks(stack)


def answers(stack, ident):
    """What Vapi was answered about a call, each time that it asked."""
    return [json.loads(w["answer"]) for w in stack.sandbox.webhooks(call_id=ident, type="assistant-request")]


def ended(stack, line, ident):
    """Our row of a call once it is over."""
    wait_until(lambda: line.call(ident) and line.call(ident).finished_at, what="the call's end")
    return line.call(ident)


def ledger(stack, call):
    """What stands in the ledger."""
    return [(u.kind, float(u.quantity)) for u in stack.sql("select kind, quantity from usage_entries where call_id = %s order by kind", call.id)]


def event(line, ident, kind, **more):
    """A message of Vapi about a call to a number, made by hand."""
    message = recorded(kind)
    call = {**message.get("call", {}), "id": ident, "type": "inboundPhoneCall", "phoneNumberId": line.voice_id, "customer": {"number": "+15558880077"}}
    for name in ("name", "assistantOverrides"):
        call.pop(name, None)
    message.update(call=call, phoneNumber={"id": line.voice_id, "number": line.number}, customer=call["customer"], **more)
    return {"message": message}


# ---- answered, recorded, ended ----------------------------------------------------------


@pytest.mark.parametrize("linked", [False, True])
def test_a_call_is_taken_kept_ended_and_counted(stack, alice, bob, linked):
    line = Line(stack, alice, linked=linked)
    ident = line.ring("+15558880077", talk_seconds=75)
    call = ended(stack, line, ident)
    assert answers(stack, ident) == ([] if linked else [{"assistantId": line.vapi_assistant}])
    assert (call.direction, call.status, call.progress, call.attempts) == ("inbound", "completed", "ended", 1)
    assert (call.from_number, call.to_number, call.duration_seconds) == ("+15558880077", line.number, 75)
    assert (str(call.phone_number_id), str(call.assistant_id), call.vapi_call_id) == (line.id, line.assistant, ident)
    assert ledger(stack, call) == [("calls", 1), ("seconds", 75)]

    shown, = alice.get("/api/v1/calls?direction=inbound")["data"]
    assert (shown["id"], shown["phone_number_id"], shown["assistant_id"]) == (str(call.id), line.id, line.assistant)
    assert alice.get("/api/v1/calls?direction=outbound")["data"] == []
    assert "Hello" in alice.get(f"/api/v1/calls/{call.id}/transcript")["transcript"]
    assert alice.get(f"/api/v1/calls/{call.id}/recording")["url"]
    assert bob.get("/api/v1/calls")["data"] == []
    problem(bob.ask("GET", f"/api/v1/calls/{call.id}"), 404, "call_not_found")
    assert "inbound" in alice.ask("GET", "/api/v1/calls/export?direction=inbound&format=csv").text
    assert alice.get("/api/v1/calls/analytics?group_by=direction")["groups"][0]["key"] == "inbound"
    assert stack.pump()["claimed"] == 0 and stack.sandbox.dials()["dials"] == 0
    stack.invariants()


def test_who_called_is_found_among_the_contacts(stack, alice, line):
    contact = alice.post("/api/v1/contacts", {"phone_number": "+15558880077", "name": "Pat"}, expect=201)
    call = ended(stack, line, line.ring("+15558880077"))
    assert [c["id"] for c in alice.get(f"/api/v1/contacts/{contact['id']}/calls")["data"]] == [str(call.id)]
    assert ended(stack, line, stack.sandbox.vapi_call(line.number, None)).from_number is None


def test_a_call_that_nobody_answered_costs_nothing_and_is_not_dialled_again(stack, line):
    for outcome in ("no-answer", "busy", "start-fault", "not-connected", "no-credit"):
        call = ended(stack, line, line.ring(outcome=outcome, statuses=["ringing", "ended"]))
        assert (call.status, ledger(stack, call)) == ("failed", []), outcome
    stack.sql("update call_queue set updated_at = now() - interval '1 hour', due_at = now() - interval '1 hour'")
    assert stack.pump()["claimed"] == 0
    assert stack.count("call_retries") == 0 and stack.count("call_queue", "status = 'queued'") == 0


def test_a_live_call_holds_a_line_and_is_hung_up(stack, alice, bob, line):
    ident = line.ring(stuck=True)
    wait_until(lambda: line.call(ident) and line.call(ident).progress == "in-progress", what="a live call")
    call = line.call(ident)
    assert stack.value("select free from providers_free()") == 999
    assert alice.get("/api/v1/calls/queue")["in_progress"] == 1
    problem(bob.ask("POST", f"/api/v1/calls/{call.id}/cancel"), 404, "call_not_found")
    alice.post(f"/api/v1/calls/{call.id}/cancel")
    with stack.pumping():
        wait_until(lambda: line.call(ident).finished_at, what="the end of the call")
    assert (line.call(ident).status, line.call(ident).ended_reason) == ("canceled", "manually-canceled")
    assert stack.value("select free from providers_free()") == 1000
    stack.invariants()


def test_a_call_whose_events_are_lost_is_looked_up(stack, alice):
    line = Line(stack, alice, linked=True)
    stack.sql("update call_service_providers set silence_seconds = 0.2")
    stack.sandbox.rule({"lose": ["status-update:in-progress", "status-update:ended", "end-of-call-report"]}, provider="vapi", operation="webhook")
    ident = line.ring(talk_seconds=75)
    with stack.pumping():
        wait_until(lambda: line.call(ident) and line.call(ident).finished_at, what="the end of the call")
    assert (line.call(ident).status, ledger(stack, line.call(ident))) == ("completed", [("calls", 1), ("seconds", 75)])
    stack.invariants()


# ---- who takes it ---------------------------------------------------------------------------


SORRY = "Sorry, this number cannot take your call right now."


@pytest.mark.parametrize("columns,said", [
    ({"forward_to": PERSON}, "assistant"), ({"forward_to": PERSON, "forward_when": "always"}, "person"),
    ({"status": "paused", "wanted": "paused"}, "nobody"), ({"wanted": "released"}, "nobody"),
    ({"status": "paused", "wanted": "paused", "forward_to": PERSON}, "person"),
    ({"status": "paused", "forward_to": PERSON, "forward_when": "never"}, "nobody"),
    ({"assistant_id": None}, "nobody"), ({"assistant_id": None, "forward_to": PERSON}, "person")])
def test_our_row_says_who_takes_it(stack, line, columns, said):
    line.change(**columns)
    call = ended(stack, line, line.ring())
    expected = {"assistant": ({"assistantId": line.vapi_assistant}, "completed", "assistant-ended-call"),
                "person": ({"destination": {"type": "number", "number": PERSON}}, "completed", "assistant-request-returned-forwarding-phone-number"),
                "nobody": ({"error": SORRY}, "failed", "assistant-request-returned-error")}[said]
    assert (answers(stack, call.provider_call_id), call.status, call.ended_reason) == ([expected[0]], *expected[1:])
    assert bool(ledger(stack, call)) == (said != "nobody")
    stack.invariants()


def test_no_more_are_taken_than_the_plan_has_left(stack, alice, line):
    plan = stack.insert("subscription_plans", name="inbound-three", price=10, call_limit=3, limit_mode="hard")
    stack.sql("update subscriptions set plan_id = %s where organization_id = %s and current", plan, alice.organization)
    with stack.sandbox.holding("before", provider="vapi", operation="webhook", type="assistant-request"):
        idents = [line.ring(stuck=True) for _ in range(12)]
        wait_until(lambda: stack.sandbox.held() == 12, what="all twelve")
    wait_until(lambda: all(answers(stack, i) for i in idents), what="all answers")
    said = [answers(stack, i)[0] for i in idents]
    assert [("assistantId" in s) for s in said].count(True) == 3 and said.count({"error": SORRY}) == 9
    line.change(forward_to=PERSON)
    ident = line.ring()
    wait_until(lambda: answers(stack, ident), what="the answer")
    assert answers(stack, ident) == [{"destination": {"type": "number", "number": PERSON}}]
    stack.sql("update subscriptions set status = 'canceled' where organization_id = %s and current", alice.organization)
    line.change(forward_to=None)
    assert ended(stack, line, line.ring()).status == "failed"
    stack.sandbox.reset()


def test_of_two_callers_at_once_one_is_taken_when_one_is_left(stack, alice, line):
    plan = stack.insert("subscription_plans", name="inbound-one", price=10, call_limit=1, limit_mode="hard")
    stack.sql("update subscriptions set plan_id = %s where organization_id = %s and current", plan, alice.organization)

    def ask(db, ident):
        report = {"status": "ringing", "inbound": {"number_id": line.voice_id, "number": line.number}}
        return db.execute("select reply from webhook_ask('vapi', %s, 'inbound', %s, 'assistant-request', null, %s, '{}', %s, 'ask')",
                          (alice.organization, ident, ident, json.dumps(report))).fetchone()[0]

    with stack.connect() as first, stack.connect() as second, ThreadPoolExecutor() as pool:
        assert json.loads(ask(first, "one")) == {"assistantId": line.vapi_assistant}
        other = pool.submit(ask, second, "two")
        wait_until(lambda: other.done() or stack.value("select exists (select from pg_locks where pid = %s and not granted)", second.info.backend_pid),
                   what="the second caller to wait")
        first.commit()
        assert other.result(60) is None


def test_who_asks_again_hears_the_same_and_a_call_is_one(stack, hooks, alice, line):
    body = event(line, "again", "assistant-request")
    assert hooks.vapi(alice.organization, body, secret(stack, alice)) == {"assistantId": line.vapi_assistant}
    line.change(status="paused")
    told = at_once(*[lambda n=n: hooks.vapi(alice.organization, event(line, "again", "assistant-request", timestamp=n), secret(stack, alice)) for n in range(8)])
    assert told == [{"assistantId": line.vapi_assistant}] * 8
    assert stack.count("calls") == stack.count("call_queue") == stack.count("call_assignments") == 1
    assert hooks.states() == ["applied"]


def test_when_the_database_fails_the_caller_is_told_so_and_the_call_is_kept_later(stack, hooks, alice, line):
    stack.sql("""create function public.test_fail() returns trigger language plpgsql as $f$ begin raise exception 'no room'; end $f$""")
    stack.sql("create trigger test_fail before insert on webhook_event_keys for each row execute function public.test_fail()")
    try:
        assert hooks.vapi(alice.organization, event(line, "fails", "assistant-request"), secret(stack, alice)) == {"error": SORRY}
        assert hooks.send("vapi", alice.organization, event(line, "fails", "status-update.ringing"), secret(stack, alice)).status_code == 500
    finally:
        stack.sql("drop function public.test_fail() cascade")
    assert stack.count("calls") == 0
    hooks.vapi(alice.organization, event(line, "fails", "end-of-call-report"), secret(stack, alice))
    assert line.call("fails").status == "completed"


def test_in_call_questions_are_still_refused_and_kept(stack, hooks, alice, line):
    hooks.vapi(alice.organization, event(line, "asks", "assistant-request"), secret(stack, alice))
    assert "error" in hooks.vapi(alice.organization, event(line, "asks", "transfer-destination-request"), secret(stack, alice))
    result, = hooks.vapi(alice.organization, event(line, "asks", "tool-calls"), secret(stack, alice))["results"]
    assert "error" in result
    assert hooks.states() == ["applied", "kept", "kept"]


# ---- whose it is ---------------------------------------------------------------------------------


def test_forged_tokens_and_those_of_others_move_nothing(stack, hooks, alice, bob, line):
    mine, theirs = secret(stack, alice)["X-Vapi-Secret"], secret(stack, bob)["X-Vapi-Secret"]
    kinds = ("assistant-request", "status-update.ringing", "end-of-call-report")
    forged = mine.split(".")[0] + "." + theirs.split(".")[1]
    for kind, bad in itertools.product(kinds, (theirs, forged, mine[:-1], mine + "0", mine.upper(), "")):
        problem(hooks.send("vapi", alice.organization, event(line, "forged", kind), {"X-Vapi-Secret": bad}), 401, "signature_invalid")
    assert stack.count("webhook_events") == stack.count("calls") == 0
    # Bob may tell of his own calls, and of nobody else's number.
    for kind in kinds:
        told = hooks.vapi(bob.organization, event(line, "foreign", kind), secret(stack, bob))
        assert told == ({"error": SORRY} if kind == "assistant-request" else {})
    assert hooks.states() == ["foreign_call"] * 3 and stack.count("calls") == 0
    live = event(line, "live", "status-update.in-progress")
    hooks.vapi(alice.organization, live, secret(stack, alice))
    for kind in kinds:
        hooks.vapi(bob.organization, event(line, "live", kind), secret(stack, bob))
    assert (line.call("live").status, line.call("live").progress) == ("in-progress", "in-progress")
    hooks.vapi(alice.organization, event(line, "live", "end-of-call-report"), secret(stack, alice))
    assert line.call("live").status == "completed"


def test_the_token_of_inbound_calls_moves_no_outbound_one(stack, hooks, alice, line):
    stack.template()
    stack.sandbox.rule({"lose": True}, provider="vapi", operation="webhook")
    stack.sandbox.rule({"stuck": True}, provider="vapi", operation="create")
    call, = stack.schedule(1, alice)
    assert stack.pump()["accepted"] == 1
    attempt, = stack.attempts(call)
    for kind in ("status-update.in-progress", "end-of-call-report", "assistant-request"):
        hooks.vapi(alice.organization, event(line, attempt.provider_call_id, kind), secret(stack, alice))
    assert set(hooks.states()) == {"foreign_call"} and stack.call(call).status == "in-progress"
    assert stack.count("calls") == 1
    # Nor does a call's token make an inbound one.
    hooks.vapi(alice.organization, event(line, "another", "status-update.ringing"), hooks.token(attempt.id))
    assert stack.count("calls") == 1
    stack.sandbox.reset()


def test_an_unknown_number_waits_for_its_row(stack, hooks, alice, line):
    stack.sql("update phone_numbers set voice_number_id = null, phone_number = '+15558889999' where id = %s", line.id)
    assert hooks.vapi(alice.organization, event(line, "early", "assistant-request"), secret(stack, alice)) == {"error": SORRY}
    hooks.vapi(alice.organization, event(line, "early", "end-of-call-report"), secret(stack, alice))
    assert hooks.states() == ["waiting"] * 2 and stack.count("calls") == 0
    line.change(voice_number_id=line.voice_id)
    with stack.pumping():
        wait_until(lambda: line.call("early") and line.call("early").finished_at, what="the call")
    assert line.call("early").status == "completed"


def test_what_an_organization_signs_by_itself_makes_no_call(stack, hooks, alice, line):
    stack.insert("webhook_secrets", organization_id=alice.organization, provider="vapi", kind="bearer", config={}, secret="alices own")
    own = {"Authorization": "Bearer alices own"}
    assert hooks.vapi(alice.organization, event(line, "own", "assistant-request"), own) == {"error": SORRY}
    hooks.vapi(alice.organization, event(line, "own", "end-of-call-report"), own)
    assert hooks.states() == ["waiting"] * 2 and stack.count("calls") == 0


# ---- in any order, at once ------------------------------------------------------------------------------


def test_events_in_any_order_and_at_once_make_one_row(stack, hooks, alice, line):
    kinds = ("assistant-request", "status-update.ringing", "status-update.in-progress", "status-update.ended", "end-of-call-report")
    rows = {}
    for n, order in enumerate(itertools.islice(itertools.permutations(kinds), 0, None, 13)):
        ident = f"order-{n}"
        for kind in order:
            hooks.vapi(alice.organization, event(line, ident, kind), secret(stack, alice))
        rows[order] = ident
    for n in range(6):
        ident = f"race-{n}"
        at_once(*[lambda k=k, i=ident: hooks.vapi(alice.organization, event(line, i, k), secret(stack, alice)) for k in kinds * 2])
        rows[ident] = ident
    ends = {json.dumps([[str(v) for v in (c.status, c.progress, c.ended_reason, c.duration_seconds, c.started_at, c.ended_at, c.attempts, c.from_number)],
                        ledger(stack, c)]) for c in (line.call(i) for i in rows.values())}
    assert len(ends) == 1 and '"completed"' in next(iter(ends))
    assert stack.count("calls") == len(rows) and stack.count("usage_entries") == 2 * len(rows)
    stack.invariants()
