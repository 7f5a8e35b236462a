"""How often and how long, in /metrics: programs, trips to the database, steps of workflows, those whom they ask, and numbers."""

import re
from pathlib import Path

import pytest
from stack import wait_until
from stack_client import problem
from test_status import metrics

CALLS = (("method", "GET"), ("route", "/api/v1/calls"))


def written(stack, program="calls"):
    """The figures once a program has written down all that it gathered: it does at its end."""
    stack.stop_program(program)
    stack.start_program(program)
    return metrics(stack)


def grown(stack, before, *key):
    return metrics(stack).get(key, 0) - before.get(key, 0)


def buckets(found, family, *labels):
    """The numbers of a histogram's buckets, in the order of their bounds."""
    ends = {key: n for key, n in found.items() if key[0] == f"{family}_bucket" and set(labels) <= set(key[1:])}
    bound = {key: float(dict(key[1:])["le"].replace("+Inf", "inf")) for key in ends}
    return [ends[key] for key in sorted(ends, key=bound.get)]


# ---- programs and the database ----------------------------------------------------


def test_requests_and_trips_to_the_database_are_timed(stack, alice):
    before = written(stack)
    for _ in range(3):
        alice.get("/api/v1/calls")
    alice.get("/api/v1/calls?limit=0", expect=400)
    found = written(stack)
    assert grown(stack, before, "request_seconds_count", *CALLS) == 4
    assert grown(stack, before, "requests_total", *CALLS, ("status", "2xx")) == 3
    assert grown(stack, before, "requests_total", *CALLS, ("status", "4xx")) == 1
    assert grown(stack, before, "query_seconds_count", ("query", "call_list")) == 3
    assert found[("request_seconds_sum", *CALLS)] > before.get(("request_seconds_sum", *CALLS), 0)
    ends = buckets(found, "request_seconds", *CALLS)
    assert len(ends) == 14 and ends == sorted(ends) and ends[-1] == found[("request_seconds_count", *CALLS)]


def test_what_strangers_make_up_does_not_fill_the_figures(stack, alice):
    for i in range(5):
        alice.ask("GET", f"/api/v1/calls/nothing/like/that/{i}")
        alice.ask("DELETE", f"/api/v1/calls?x={i}")
    alice.get("/api/v1/calls")
    routes = {(dict(key[1:])["method"], dict(key[1:])["route"]) for key in written(stack) if key[0] == "requests_total"}
    assert ("GET", "/api/v1/calls") in routes and ("DELETE", "/api/v1/calls") not in routes
    assert not any("nothing" in route for _, route in routes)


def test_health_is_not_counted_and_asks_no_database(stack):
    before = metrics(stack)
    stack.anybody().get("/healthz")
    stack.anybody().get("/readyz")
    ready = (("method", "GET"), ("route", "/readyz"))
    wait_until(lambda: grown(stack, before, "request_seconds_count", *ready) == 1, what="the figures of /readyz")
    assert not any(("route", "/healthz") in key for key in metrics(stack))


def test_figures_are_written_once_nothing_comes_for_a_moment(stack, alice):
    before = written(stack)
    alice.get("/api/v1/calls")
    wait_until(lambda: grown(stack, before, "request_seconds_count", *CALLS) == 1, what="the figures of the request")


def test_a_database_that_lets_nobody_in_is_counted_once_it_does(stack, alice):
    """What could not be written down is kept until it can be."""
    name = stack.value("select current_database()")
    before = written(stack)  # and it is connected to nothing yet
    with stack.connect(dbname="postgres") as other:
        other.execute(f'alter database "{name}" with allow_connections false')
    try:
        problem(alice.ask("GET", "/api/v1/calls"), 503, "unavailable")
    finally:
        with stack.connect(dbname="postgres") as other:
            other.execute(f'alter database "{name}" with allow_connections true')
    alice.get("/api/v1/calls")
    written(stack)
    assert grown(stack, before, "database_connect_failures_total") >= 1
    assert grown(stack, before, "requests_total", *CALLS, ("status", "5xx")) == 1


# ---- steps and those whom they ask -------------------------------------------------


def test_steps_and_the_answers_of_providers_are_timed(stack):
    before = metrics(stack)
    stack.value("select public.mail_send('timed', 'password_changed', 'pat@example.org', '{}')")
    stack.wait_mail("pat@example.org")
    step, asked = (("step", "send"), ("workflow", "mail")), (("operation", "send"), ("system", "resend"))
    assert grown(stack, before, "step_seconds_count", *step) == 1
    assert grown(stack, before, "provider_seconds_count", *asked) == 1
    assert grown(stack, before, "step_outcomes_total", ("outcome", "ok"), *step) == 1
    assert grown(stack, before, "provider_requests_total", ("code", "ok"), *asked) == 1

    stack.sandbox.rule({"status": 500}, provider="resend", times=1)
    stack.value("select public.mail_send('timed2', 'password_changed', 'tim@example.org', '{}')")
    stack.wait_mail("tim@example.org")
    assert grown(stack, before, "provider_seconds_count", *asked) == 3
    assert grown(stack, before, "provider_requests_total", ("code", "ok"), *asked) == 2
    codes = {dict(key[1:])["code"] for key in metrics(stack) if key[0] == "provider_requests_total" and set(asked) < set(key[1:])}
    assert len(codes) == 2, "why it did not, by its code"
    assert grown(stack, before, "step_outcomes_total", ("outcome", "unknown"), *step) == 1


@pytest.mark.parametrize("status,code", [(None, "ok"), (503, "http_503")])
def test_dials_are_timed(stack, alice, status, code):
    stack.provider("vapi")
    stack.template()
    if status:
        stack.sandbox.rule({"status": status}, provider="vapi", operation="create", times=1)
    before = metrics(stack)
    stack.schedule(1, alice)
    stack.drain()
    dial = (("operation", "dial"), ("system", "vapi"))
    assert grown(stack, before, "provider_requests_total", ("code", code), *dial) == 1
    assert grown(stack, before, "provider_seconds_count", *dial) >= 1


# ---- numbers ---------------------------------------------------------------------


def test_numbers_are_counted_by_status(stack, alice):
    before = metrics(stack)
    assert before["numbers", ("status", "active")] == before["number_differences", ("kind", "orphan")] == 0
    stack.insert("phone_numbers", organization_id=alice.organization, phone_number="+15550107001", status="active", origin="automatic")
    found = metrics(stack)
    assert found["numbers", ("status", "active")] == 1 and found["numbers", ("status", "lost")] == 0
    assert "5550107001" not in stack.anybody().ask("GET", "/metrics").text


def test_what_becomes_of_provisioning_is_counted_by_the_engine(stack, alice):
    before = metrics(stack)
    stack.insert("phone_provision_logs", organization_id=alice.organization, trigger_action="insert", status="completed", duration_ms=4000)
    stack.insert("phone_provision_logs", organization_id=alice.organization, trigger_action="insert", status="pending")
    stack.work()
    assert grown(stack, before, "provisioning_total", ("outcome", "completed")) == 1
    assert grown(stack, before, "provisioning_total", ("outcome", "failed")) == 0
    assert grown(stack, before, "provisioning_seconds_sum") == 4
    found = metrics(stack)
    assert found[("provisioning_open",)] == 1 and found[("provisioning_oldest_seconds",)] >= 0
    stack.work()
    assert grown(stack, before, "provisioning_total", ("outcome", "completed")) == 1


# ---- alarms ------------------------------------------------------------------------


def test_each_figure_that_an_alarm_asks_for_is_there(stack):
    """Also before anything happened; Redis' is there only where there is one."""
    rules = (Path(__file__).resolve().parents[2] / "nginx/alerts.yml").read_text()
    asked = {re.sub("_(bucket|sum|count)$", "", name) for name in re.findall(r"hookswitch_[a-z_]+", rules)}
    there = set(re.findall("^# TYPE (\\w+)", stack.anybody().ask("GET", "/metrics").text, re.M))
    assert len(asked) > 20 and asked - there == {"hookswitch_redis_up"}
