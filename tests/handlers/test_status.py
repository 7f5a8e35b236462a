"""Health, readiness and numbers for Prometheus; through FastCGI and through plain CGI."""

import re

from stack import BOTH_WAYS, wait_until
from stack_client import Client, problem
from stack_hooks import Hooks, vapi_event

pytestmark = BOTH_WAYS

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)+)\})? (-?[0-9.e+]+)')


def metrics(stack):
    """All samples: {(name, labels): value}; each line must be one that Prometheus reads."""
    answer = stack.anybody().ask("GET", "/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found, types = {}, {}
    for line in answer.text.rstrip("\n").split("\n"):
        if line.startswith("#"):
            word, name, rest = line[2:].split(" ", 2)
            assert word in ("HELP", "TYPE") and rest
            if word == "TYPE":
                assert rest in ("counter", "gauge", "histogram") and name not in types
                types[name] = rest
            continue
        parts = SAMPLE.fullmatch(line)
        assert parts, line
        name, labels, value = parts.groups()
        family = name if name in types else re.sub("_(bucket|sum|count)$", "", name)
        assert family in types and name.startswith("hookswitch_"), line
        assert (types[family] == "histogram") == (family != name), line
        assert (types[family] == "counter") == family.endswith("_total"), line
        key = (name[len("hookswitch_"):], *sorted(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', labels or "")))
        assert key not in found, line
        found[key] = float(value)
    return found


def test_the_programs_live_and_are_ready(stack):
    assert stack.anybody().get("/healthz") == {"status": "ok"}
    assert stack.anybody().get("/readyz") == {"status": "ready"}


def test_without_a_database_they_live_and_are_not_ready(stack):
    good = stack.url_of("hookswitch_app")
    stack.settings_write(DATABASE_URL="postgresql:///none?host=/none")
    try:
        if not stack.cgi:
            stack.start_program("status")
        assert stack.anybody().get("/healthz") == {"status": "ok"}
        for path in ("/readyz", "/metrics"):
            answer = stack.anybody().ask("GET", path)
            problem(answer, 503, "unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
    finally:
        stack.settings_write(DATABASE_URL=good)
        if not stack.cgi:
            stack.start_program("status")


def test_a_database_of_an_older_version_is_not_ready(stack):
    newest = stack.value("select name from hookswitch.migrations order by name desc limit 1")
    stack.sql("update hookswitch.migrations set name = 'away' where name = %s", newest)
    try:
        assert stack.anybody().get("/readyz", expect=503)["code"] == "unavailable"
    finally:
        stack.sql("update hookswitch.migrations set name = %s where name = 'away'", newest)
    assert stack.anybody().get("/readyz") == {"status": "ready"}


def test_numbers_tell_of_queue_attempts_outcomes_webhooks_and_turns(stack, alice):
    assert metrics(stack)["queue_depth", ("state", "ready")] == 0
    stack.provider("vapi", name='V "1" \\ \n two', max_concurrent_calls=2, silence_seconds=3600)
    stack.template()
    stack.sandbox.rule({"stuck": True}, provider="vapi", operation="create")
    stack.schedule(5, alice)
    stack.schedule(2, alice, scheduled_time="2099-01-01T00:00:00Z")
    stack.pump()
    found = metrics(stack)
    assert found["queue_depth", ("state", "ready")] == 3 and found["queue_depth", ("state", "future")] == 2
    assert found[("queue_age_seconds",)] >= 0
    assert found["assignments_live", ("provider", r'V \"1\" \\ \n two'), ("state", "accepted")] == 2
    assert found["provider_cooling", ("provider", r'V \"1\" \\ \n two')] == 0
    assert found["pump_total", ("what", "turns")] >= 1
    dialled = {key: n for key, n in found.items() if key[0] == "dials_total"}
    assert sum(dialled.values()) >= 2, dialled

    stack.sandbox.clear_rules()
    for call in stack.sandbox.calls():
        alice.post(f"/api/v1/calls/{stack.value('select call_id from call_assignments where provider_call_id = %s', call['id'])}/cancel")
    stack.sql("delete from call_queue where scheduled_time > now() + interval '1 year'")
    stack.sql("delete from calls where scheduled_time > now() + interval '1 year'")
    Hooks(stack).vapi(alice.organization, vapi_event("end-of-call-report", "unknown-call"))
    stack.drain()
    found = metrics(stack)
    assert found["queue_depth", ("state", "ready")] == 0
    assert not any(key[0] == "assignments_live" for key in found)
    assert any(key[0] == "webhooks_total" and ("provider", "vapi") in key for key in found)


def test_a_turn_that_waits_is_counted_while_it_waits(stack, alice):
    """A turn takes a minute or more: what it does shows at once, and once."""
    stack.provider("vapi")
    stack.template()

    def counted(before=None):
        found = metrics(stack)
        return [found.get(("pump_total", ("what", what)), 0) - (before[i] if before else 0)
                for i, what in enumerate(("turns", "claimed"))]

    before = counted()
    with stack.pumping() as pump:
        wait_until(lambda: counted(before) == [1, 0], what="the count of the turn")
        stack.schedule(3, alice)
        wait_until(lambda: counted(before) == [1, 3], what="the count of what was claimed")
        wait_until(stack.all_over, what="the end of all calls")
        assert pump.alive
    assert counted(before) == [1, 3]


def test_an_unlisted_end_reason_shows_up_in_the_numbers(stack):
    stack.provider("vapi")
    stack.template()
    stack.sandbox.rule({"outcome": "busy", "end_reason": "customer-was-abducted"}, provider="vapi", operation="create")
    stack.schedule(1)
    stack.drain()
    assert metrics(stack)["end_reasons_unlisted_total", ("provider", "vapi"), ("reason", "customer-was-abducted")] == 1


def test_numbers_are_for_loopback_or_the_internal_token(stack):
    wrong = Client(stack.url, {"Authorization": "Bearer wrong"})
    problem(wrong.ask("GET", "/metrics"), 401, "token_invalid")
    good = Client(stack.url, {"Authorization": f"Bearer {stack.secrets['internal']}"})
    assert good.ask("GET", "/metrics").status_code == 200


def test_numbers_hold_nothing_of_anybodys_content(stack, alice):
    stack.provider("vapi")
    template = stack.template()
    call = alice.post("/api/v1/calls", {"recipient_number": "+15554443322", "template_id": template,
                                        "recipient_name": "Ann Secret", "metadata": {"note": "private"}}, expect=201)
    stack.drain()
    text = stack.anybody().ask("GET", "/metrics").text
    for word in ("5554443322", "Ann", "Secret", "private", call["id"], alice.organization, stack.keys["vapi"]):
        assert word not in text
