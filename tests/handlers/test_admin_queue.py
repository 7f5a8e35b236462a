"""Operators look after what waits, hangs or failed, and see what was used; numbers and words of people stay out of it."""

import csv
import io

import pytest
from stack_client import problem
from stack_operators import ADMIN, attempt, dead_letter, event, operator
from stack_process import wait_until

QUEUE = f"{ADMIN}/queue"


@pytest.fixture
def olga(stack):
    """An operator."""
    return operator(stack)


@pytest.fixture
def vapi(stack):
    """A provider, and a template that it can say."""
    stack.template()
    return stack.provider("vapi", silence_seconds=3600)


def later(stack, who, n=1):
    """Calls that wait for another century, with words in them that are nobody's business."""
    return stack.schedule(n, who, scheduled_time="2099-01-01T00:00:00Z", recipient_name="Ann Secret", metadata={"note": "private-note"})


def test_the_queue_of_all_tenants_at_a_glance(stack, olga, alice, bob, vapi):
    call, _ = later(stack, alice, 2)
    later(stack, bob)
    stack.sql("update call_queue set status = 'in-progress' where id = %s", call)
    attempt(stack, call, vapi)
    event(stack, alice.organization)
    event(stack, alice.organization, state="foreign_call", report=None)
    dead_letter(stack, alice.organization)
    stack.sql("insert into end_reasons_unlisted (provider_type, reason) values ('vapi', 'odd')")
    seen = olga.get(QUEUE)
    assert seen["calls"] == {"ready": 0, "later": 2, "in_progress": 1} and seen["oldest_due_at"] is None
    assert [(o["organization_id"], o["waiting"], o["in_progress"]) for o in seen["organizations"]] == sorted(
        [(alice.organization, 1, 1), (bob.organization, 1, 0)], key=lambda o: -o[2])
    assert (seen["attempts"], seen["stuck"], seen["dead_letters"]) == ({"accepted": 1}, 1, 1)
    assert (seen["webhooks"], seen["end_reasons_unlisted"]) == ({"failed": 1, "foreign_call": 1}, 1)
    assert [r["reason"] for r in olga.get(f"{QUEUE}/end-reasons")["data"]] == ["odd"]


def test_nothing_that_people_said_or_were_called_by_is_shown(stack, olga, alice, vapi):
    call, = later(stack, alice)
    number = stack.call(call).to_number
    attempt(stack, call, vapi, detail=f"{number} is not reachable")
    event(stack, alice.organization, body=f'{{"customer":"{number}"}}', apply_error=f"P0001 {number} is odd")
    dead_letter(stack, alice.organization)
    texts = [olga.ask("GET", path).text for path in (
        QUEUE, f"{QUEUE}/attempts?kind=live", f"{QUEUE}/webhooks", f"{ADMIN}/runs", f"{ADMIN}/usage", f"{ADMIN}/usage/export",
        f"{ADMIN}/organizations/{alice.organization}", f"{ADMIN}/people/{alice.id}", f"{ADMIN}/audit-log")]
    texts.append(olga.ask("POST", f"{QUEUE}/calls/{call}/cancel", {}).text)
    for text in texts:
        assert not [word for word in (number, number[1:], "Ann Secret", "private-note") if word in text], text
    assert "P0001 # is odd" in texts[2]


def test_a_silent_attempt_is_found_and_looked_up(stack, olga, alice, vapi):
    """The provider knows nothing of it: what the look finds is what became of it."""
    with stack.pumping(), stack.sandbox.holding("before", provider="vapi", operation="webhook"):
        call, = stack.schedule(1, alice)
        wait_until(lambda: stack.call(call).provider_call_id, what="the acceptance")
        ident = str(stack.attempts(call)[0].id)
        assert olga.get(f"{QUEUE}/attempts")["data"] == []
        stack.sql("update call_assignments set updated_at = now() - interval '10 minutes' where id = %s", ident)
        assert [a["id"] for a in olga.get(f"{QUEUE}/attempts")["data"]] == [ident]
        assert olga.get(f"{QUEUE}/attempts?seconds=3600")["data"] == []
        wait_until(lambda: stack.sandbox.calls(provider="vapi")[0]["status"] == "ended", what="the end at the provider")
        olga.post(f"{QUEUE}/attempts/{ident}/look")
        wait_until(lambda: stack.call(call).finished_at, what="the end that was looked up")
    assert stack.call(call).status == "completed"
    wait_until(stack.all_over, what="the report")
    problem(olga.ask("POST", f"{QUEUE}/attempts/{ident}/look", {}), 409, "attempt_over")
    problem(olga.ask("POST", f"{QUEUE}/attempts/{stack.value('select gen_random_uuid()')}/look", {}), 404, "attempt_not_found")


def test_unknown_attempts_have_a_list_of_their_own(stack, olga, alice, vapi):
    first, second = later(stack, alice, 2)
    unknown = attempt(stack, first, vapi, state="unknown", accepted_at=None, provider_call_id=None, reason="timeout")
    live = attempt(stack, second, vapi)
    assert [(a["id"], a["reason"]) for a in olga.get(f"{QUEUE}/attempts?kind=unknown")["data"]] == [(unknown, "timeout")]
    assert {a["id"] for a in olga.get(f"{QUEUE}/attempts?kind=live")["data"]} == {unknown, live}
    assert [a["id"] for a in olga.get(f"{QUEUE}/attempts?kind=stuck")["data"]] == [live]
    assert olga.get(f"{ADMIN}/providers/{vapi}/health")["unknown"] == 1


def test_a_call_of_anybody_is_canceled(stack, olga, alice, vapi):
    call, = later(stack, alice)
    done = olga.post(f"{QUEUE}/calls/{call}/cancel")
    assert (done["id"], done["organization_id"], done["status"]) == (call, alice.organization, "canceled")
    problem(olga.ask("POST", f"{QUEUE}/calls/{call}/cancel", {}), 409, "call_ended")
    problem(olga.ask("POST", f"{QUEUE}/calls/{vapi}/cancel", {}), 404, "call_not_found")
    entry = alice.get(f"/api/v1/organizations/{alice.organization}/audit-log")["data"][0]
    assert (entry["action"], entry["actor_type"], entry["actor_id"], entry["target_id"]) == ("call.canceled", "operator", olga.id, call)
    with stack.pumping():
        live, = stack.schedule(1, alice, recipient_number="+15552000020")
        wait_until(lambda: stack.call(live).progress == "in-progress", what="a talk that never ends")
        assert olga.post(f"{QUEUE}/calls/{live}/cancel")["cancel_requested_at"]
        wait_until(stack.all_over, what="the end of the call")
    assert stack.call(live).status == "canceled"
    stack.invariants()


def test_events_that_failed_are_applied_again_and_those_of_others_never(stack, olga, alice, vapi):
    call, = later(stack, alice)
    stack.sql("update call_queue set status = 'in-progress' where id = %s", call)
    stack.sql("update calls set status = 'in-progress' where id = %s", call)
    ident = attempt(stack, call, vapi)
    failed = event(stack, alice.organization, assignment_id=ident)
    foreign = event(stack, alice.organization, state="foreign_call", report=None, assignment_id=ident)
    assert [str(e["id"]) for e in olga.get(f"{QUEUE}/webhooks")["data"]] == [failed]
    assert [str(e["id"]) for e in olga.get(f"{QUEUE}/webhooks?state=foreign_call")["data"]] == [foreign]
    assert olga.post(f"{QUEUE}/webhooks/{failed}/apply")["state"] == "applied"
    assert stack.attempts(call)[0].progress == "ringing"
    for over in (failed, foreign):
        problem(olga.ask("POST", f"{QUEUE}/webhooks/{over}/apply", {}), 409, "webhook_event_over")
    problem(olga.ask("POST", f"{QUEUE}/webhooks/999999999/apply", {}), 404, "webhook_event_not_found")


def test_dead_letters_go_on_or_are_given_up(stack, olga, alice):
    first, second = dead_letter(stack, alice.organization, "mail:one/two"), dead_letter(stack, alice.organization)
    assert {r["id"] for r in olga.get(f"{ADMIN}/runs?state=failed")["data"]} == {first, second}
    path = f"{ADMIN}/runs/mail%3Aone"
    problem(olga.ask("GET", path), 404, "workflow_run_not_found")
    assert olga.get(f"{ADMIN}/runs/{second}")["last_error"] == "send: refused"
    assert olga.post(f"{ADMIN}/runs/{second}/redrive")["state"] == "ready"
    problem(olga.ask("POST", f"{ADMIN}/runs/{second}/redrive", {}), 409, "workflow_run_not_failed")
    assert olga.post(f"{ADMIN}/runs/{second}/cancel")["state"] == "canceled"
    problem(olga.ask("POST", f"{ADMIN}/runs/{second}/cancel", {}), 409, "workflow_run_over")
    log = olga.get(f"{ADMIN}/audit-log")["data"]
    assert [(e["action"], e["details"]) for e in log] == [("run.canceled", {"run_id": second}), ("run.redriven", {"run_id": second})]


def test_what_was_used_by_page_and_as_a_table(stack, olga, alice, bob, vapi, full):
    stack.schedule(3, alice)
    stack.drain()
    stack.sql("update organizations set name = '=cmd(),\"x\"' where id = %s", bob.organization)
    others = 5000 if full else 600
    stack.sql("insert into organizations (name) select 'Many ' || n from generate_series(1, %s) n", others)
    pages, after = [], ""
    while after is not None:
        page = olga.get(f"{ADMIN}/usage?limit=100{after and '&after=' + after}")
        pages, after = pages + page["data"], page["next_cursor"]
    assert len(pages) == len({row["organization_id"] for row in pages}) == stack.count("organizations")
    mine = next(row for row in pages if row["organization_id"] == alice.organization)
    seconds = stack.value("select sum(quantity)::int from usage_entries where kind = 'seconds'")
    assert (mine["calls"], mine["seconds"]) == (3, seconds) and sum(row["calls"] for row in pages) == 3
    answer = olga.ask("GET", f"{ADMIN}/usage/export")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["organization_id"] for row in table] == [row["organization_id"] for row in pages]
    assert [int(row["calls"]) for row in table] == [row["calls"] for row in pages]
    assert next(row for row in table if row["organization_id"] == bob.organization)["name"] == "'=cmd(),\"x\""
    none = olga.get(f"{ADMIN}/usage?from=2000-01-01T00:00:00Z&to=2000-02-01T00:00:00Z&limit=100")["data"]
    assert sum(row["calls"] for row in none) == 0
