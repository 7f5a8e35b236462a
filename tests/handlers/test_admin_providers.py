"""Providers under operators' hands: made and changed, keys that change while calls are made, drained, paused, asked how they are."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from stack_client import problem
from stack_operators import ADMIN, operator
from stack_process import at_once, wait_until
from stack_rows import SHORT

NEW = "key-new-0123456789abcdef"
PROVIDERS = f"{ADMIN}/providers"


@pytest.fixture
def olga(stack):
    """An operator."""
    return operator(stack)


@pytest.fixture
def vapi(stack):
    """A provider with the key that the sandbox takes."""
    return stack.provider("vapi", max_concurrent_calls=4, timeout_ms=120000)


def ended(stack, calls, status="completed"):
    """Every call has ended so, was dialled once, and nothing of it was lost."""
    assert {stack.call(c).status for c in calls} == {status}
    stack.invariants()


# ---- made, changed, taken away --------------------------------------------------------------


def test_a_provider_is_made_given_a_key_switched_on_and_makes_calls(stack, olga, alice):
    made = olga.post(PROVIDERS, {"name": "Main", "provider_type": "vapi", "priority": 2, **SHORT | {
        "absence_gap_seconds": 1, "absence_after_seconds": 1}}, expect=201)
    path = f"{PROVIDERS}/{made['id']}"
    assert (made["is_active"], made["has_key"], made["priority"], made["base_url"]) == (False, False, 2, None)
    assert made["starts_per_second"] == SHORT["starts_per_second"] and made["cool_seconds"] == SHORT["cool_seconds"]
    problem(olga.ask("GET", f"{path}/check"), 422, "provider_key_refused")
    keyed = olga.expect("PUT", f"{path}/key", {"api_key": stack.keys["vapi"]})
    assert (keyed["has_key"], keyed["key_number"], keyed["key_hint"]) == (True, 2, stack.keys["vapi"][-4:])
    assert keyed["key_fingerprint"] == hashlib.sha256(stack.keys["vapi"].encode()).hexdigest()[:16]
    assert olga.get(f"{path}/check")["result"] == "good"
    template = stack.template()
    order = {"recipient_number": stack.number(), "template_id": template}
    problem(alice.ask("POST", "/api/v1/calls", order), 422, "template_no_target")
    assert olga.post(f"{path}/resume")["is_active"] is True
    calls = stack.schedule(2, alice, template)
    stack.drain()
    ended(stack, calls)
    health = olga.get(f"{path}/health")
    assert (health["state"], health["live"], health["failures"], health["last_hour"]["accepted"]) == ("active", 0, 0, 2)
    assert stack.value("select api_key from call_service_providers").startswith("sealed:")


def test_a_provider_is_changed_listed_and_taken_away(stack, olga, vapi):
    path = f"{PROVIDERS}/{vapi}"
    changed = olga.expect("PATCH", path, {"name": "Other", "max_concurrent_calls": 7, "starts_per_second": None, "timeout_ms": None})
    assert (changed["name"], changed["max_concurrent_calls"], changed["starts_per_second"], changed["timeout_ms"]) == ("Other", 7, None, None)
    assert stack.value("select concurrency_limit from call_service_providers") == 7, "under its other name too"
    tag = olga.ask("GET", path).headers["ETag"]
    olga.expect("PATCH", path, {"priority": 9}, headers={"If-Match": tag})
    problem(olga.ask("PATCH", path, {"priority": 8}, headers={"If-Match": tag}), 412, "precondition_failed")
    problem(olga.ask("PATCH", path, {"base_url": "nonsense"}), 422, "url_invalid")
    problem(olga.ask("PATCH", path, {"api_key": "x" * 20}), 400, "bad_fields")
    for bad in ({"max_concurrent_calls": -1}, {"retry_scale": -0.1}, {"priority": None}, {"timeout_ms": 1}):
        assert olga.ask("PATCH", path, bad).status_code in (200, 400), bad
    assert [p["id"] for p in olga.get(PROVIDERS)["data"]] == [vapi]
    assert olga.ask("DELETE", path).status_code == 204
    problem(olga.ask("GET", path), 404, "provider_not_found")
    problem(olga.ask("DELETE", path), 404, "provider_not_found")


def test_one_with_calls_under_way_is_not_taken_away(stack, olga, alice, vapi):
    stack.template()
    with stack.sandbox.holding("before", operation="create"), stack.pumping():
        calls = stack.schedule(1, alice)
        wait_until(lambda: stack.sandbox.held() == 1, what="a dial under way")
        problem(olga.ask("DELETE", f"{PROVIDERS}/{vapi}"), 409, "provider_in_use")
        stack.sandbox.release()
        wait_until(stack.all_over, what="the end of the call")
    ended(stack, calls)


def test_no_answer_and_no_log_holds_a_key(stack, olga, vapi):
    stack.sandbox.settings(vapi_keys=[stack.keys["vapi"], NEW])
    answers = [olga.ask("PUT", f"{PROVIDERS}/{vapi}/key", {"api_key": NEW}), olga.ask("PUT", f"{PROVIDERS}/{vapi}/key", {"api_key": "bad-" + NEW}),
               olga.ask("PUT", f"{PROVIDERS}/{vapi}/key", {"api_key": NEW, "x": 1}), olga.ask("GET", PROVIDERS), olga.ask("GET", f"{PROVIDERS}/{vapi}"),
               olga.ask("GET", f"{PROVIDERS}/{vapi}/health"), olga.ask("GET", f"{PROVIDERS}/{vapi}/check"), olga.ask("GET", f"{ADMIN}/audit-log")]
    assert [a.status_code for a in answers] == [200, 422, 400, 200, 200, 200, 200, 200]
    rows = json.dumps([str(r) for table in ("call_service_providers", "audit_log", "idempotency_keys") for r in stack.sql(f"select * from {table}")])
    logs = "".join(log.read_text(errors="replace") for log in stack.folder.glob("*.log"))
    for text in (rows, logs, *(a.text for a in answers)):
        assert NEW not in text and "sealed" not in text.replace(stack.value("select api_key from call_service_providers"), ""), text[:2000]
    assert not any("sealed:" in a.text for a in answers)


# ---- keys ------------------------------------------------------------------------------------


def test_a_key_that_the_provider_refuses_leaves_the_old_one(stack, olga, alice, vapi):
    before = olga.get(f"{PROVIDERS}/{vapi}")
    problem(olga.ask("PUT", f"{PROVIDERS}/{vapi}/key", {"api_key": "key-that-nobody-knows"}), 422, "provider_key_refused")
    problem(olga.ask("PUT", f"{PROVIDERS}/{vapi}/key", {"api_key": "key with blanks"}), 422, "provider_key_refused")
    assert olga.get(f"{PROVIDERS}/{vapi}") == before
    stack.template()
    calls = stack.schedule(1, alice)
    stack.drain()
    ended(stack, calls)


@pytest.mark.parametrize("action", [{"status": 500}, {"status": 429}, {"answer": "reset"}, {"answer": "html"}, {"status": 402}, {"answer": "cut"}], ids=str)
def test_an_answer_that_says_nothing_leaves_the_old_key(stack, olga, vapi, action):
    before = olga.get(f"{PROVIDERS}/{vapi}")
    stack.sandbox.settings(vapi_keys=[stack.keys["vapi"], NEW])
    stack.sandbox.rule(action, provider="vapi", operation="list")
    problem(olga.ask("PUT", f"{PROVIDERS}/{vapi}/key", {"api_key": NEW}), 503, "unavailable")
    assert olga.get(f"{PROVIDERS}/{vapi}") == before
    assert olga.get(f"{PROVIDERS}/{vapi}/check")["result"] == "unknown"


def test_a_provider_that_does_not_answer_in_time_leaves_the_old_key(stack, olga):
    ident = stack.provider("synthflow", timeout_ms=200)
    before = olga.get(f"{PROVIDERS}/{ident}")
    stack.sandbox.settings(synthflow_keys=[stack.keys["synthflow"], NEW])
    with stack.sandbox.holding("before", provider="synthflow", operation="assistants"):
        problem(olga.ask("PUT", f"{PROVIDERS}/{ident}/key", {"api_key": NEW}), 503, "unavailable")
    assert olga.get(f"{PROVIDERS}/{ident}") == before
    assert olga.expect("PUT", f"{PROVIDERS}/{ident}/key", {"api_key": NEW})["key_number"] == 2


def test_of_two_who_give_a_key_at_once_one_is_told(stack, olga, vapi):
    stack.sandbox.settings(vapi_keys=[stack.keys["vapi"], NEW, NEW + "2"])
    with stack.sandbox.holding("before", operation="list"):
        def give(key):
            return olga.with_headers().ask("PUT", f"{PROVIDERS}/{vapi}/key", {"api_key": key})

        def let():
            wait_until(lambda: stack.sandbox.held() == 2, what="both keys being tried")
            stack.sandbox.release()
        first, second, _ = at_once(lambda: give(NEW), lambda: give(NEW + "2"), let)
    assert sorted(a.status_code for a in (first, second)) == [200, 409]
    problem(first if first.status_code == 409 else second, 409, "provider_key_changed")
    assert olga.get(f"{PROVIDERS}/{vapi}")["key_number"] == 2


def test_a_key_is_rotated_under_load_and_no_call_is_refused_for_it(stack, olga, alice, vapi):
    """Both keys are good meanwhile, as long as dials with the old one are under way."""
    template = stack.template()
    with stack.pumping():
        calls = stack.schedule(20, alice, template)
        wait_until(lambda: stack.sandbox.dials()["dials"] >= 4, what="dials with the old key")
        with stack.sandbox.holding("before", provider="vapi", operation="create"):
            wait_until(lambda: stack.sandbox.held() == 4, what="dials with the old key under way")
            stack.sandbox.settings(vapi_keys=[stack.keys["vapi"], NEW])
            assert olga.expect("PUT", f"{PROVIDERS}/{vapi}/key", {"api_key": NEW})["key_number"] == 2
        wait_until(lambda: all(stack.call(c).finished_at for c in calls), what="the end of the calls")
        stack.sandbox.settings(vapi_keys=[NEW])
        calls += stack.schedule(10, alice, template)
        wait_until(stack.all_over, what="the end of all calls")
    ended(stack, calls)
    assert stack.count("call_assignments", "state = 'refused'") == 0 and stack.count("call_assignments") == len(calls)
    assert olga.get(f"{PROVIDERS}/{vapi}/health")["failures"] == 0


def test_the_old_key_is_withdrawn_under_dials_that_were_made_with_it(stack, olga, alice, vapi):
    """What was refused with the old key goes again with the new one at once; the provider does not rest."""
    stack.sql("update call_service_providers set cool_seconds = 3600")
    template = stack.template()
    with stack.pumping():
        with stack.sandbox.holding("before", provider="vapi", operation="create"):
            calls = stack.schedule(20, alice, template)
            wait_until(lambda: stack.sandbox.held() == 4, what="dials with the old key under way")
            stack.sandbox.settings(vapi_keys=[stack.keys["vapi"], NEW])
            olga.expect("PUT", f"{PROVIDERS}/{vapi}/key", {"api_key": NEW})
            stack.sandbox.settings(vapi_keys=[NEW])
        wait_until(stack.all_over, what="the end of all calls")
    ended(stack, calls)
    refused = stack.sql("select reason from call_assignments where state = 'refused'")
    assert [r.reason for r in refused] == ["http_401"] * 4
    health = olga.get(f"{PROVIDERS}/{vapi}/health")
    assert (health["failures"], health["cooling_until"], health["last_error"]) == (0, None, None)
    assert {stack.call(c).attempts for c in calls} == {1}, "none has lost an attempt"


def test_the_old_key_is_withdrawn_first_and_the_new_one_ends_the_rest(stack, olga, alice, vapi):
    """The other order: until the new key is there calls wait, and none is lost or dialled twice."""
    stack.sql("update call_service_providers set cool_seconds = 3600")
    template = stack.template()
    stack.sandbox.settings(vapi_keys=[NEW])
    with stack.pumping():
        calls = stack.schedule(20, alice, template)
        wait_until(lambda: olga.get(f"{PROVIDERS}/{vapi}/health")["state"] == "cooling", what="the provider's refusal")
        assert olga.get(f"{PROVIDERS}/{vapi}/health")["cooling_reason"] == "key"
        assert olga.get(f"{PROVIDERS}/{vapi}/check")["result"] == "refused"
        olga.expect("PUT", f"{PROVIDERS}/{vapi}/key", {"api_key": NEW})
        wait_until(stack.all_over, what="the end of all calls")
    ended(stack, calls)
    assert stack.sandbox.dials()["dials"] == len(calls)


def test_a_program_that_dies_while_it_tries_a_key_leaves_the_old_one(stack, olga, vapi):
    path = f"{PROVIDERS}/{vapi}"
    before = olga.get(path)
    stack.sandbox.settings(vapi_keys=[stack.keys["vapi"], NEW])
    with stack.sandbox.holding("before", provider="vapi", operation="list"), ThreadPoolExecutor(1) as pool:
        given = pool.submit(olga.with_headers().ask, "PUT", f"{path}/key", {"api_key": NEW})
        wait_until(lambda: stack.sandbox.held() == 1, what="the key being tried")
        stack.kill_program("admin")
        assert given.result(120).status_code == 502
    stack.start_program("admin")
    assert olga.get(path) == before
    assert olga.expect("PUT", f"{path}/key", {"api_key": NEW})["key_number"] == 2


def test_a_pump_that_dies_with_the_old_key_in_hand_dials_nobody_twice(stack, olga, alice, vapi):
    """Killed while the provider has its dials and their answers are still to come, after the key was rotated and the old one withdrawn."""
    calls = stack.schedule(6, alice, stack.template())
    with stack.sandbox.holding("after", provider="vapi", operation="create"), stack.pumping() as pump:
        wait_until(lambda: stack.sandbox.held() == 4, what="dials that were taken")
        stack.sandbox.settings(vapi_keys=[stack.keys["vapi"], NEW])
        olga.expect("PUT", f"{PROVIDERS}/{vapi}/key", {"api_key": NEW})
        stack.sandbox.settings(vapi_keys=[NEW])
        stack.pumps.remove(pump)
        pump.kill()
    stack.drain()
    ended(stack, calls)
    assert stack.sandbox.dials()["dials"] == len(calls)


# ---- drain, pause ---------------------------------------------------------------------------


def test_a_drained_provider_ends_its_calls_and_new_ones_go_elsewhere(stack, olga, alice, vapi):
    other = stack.provider("synthflow", priority=9, max_concurrent_calls=50)
    stack.sql("update call_service_providers set silence_seconds = 3600")
    template = stack.template()
    with stack.pumping():
        with stack.sandbox.holding("before", provider="vapi", operation="webhook", type="status-update:in-progress"):
            first = stack.schedule(3, alice, template)
            wait_until(lambda: stack.sandbox.held() == 3, what="talks at the first provider")
            assert olga.get(f"{PROVIDERS}/{vapi}/health")["live"] == 3
            assert olga.post(f"{PROVIDERS}/{vapi}/drain")["is_draining"] is True
            second = stack.schedule(5, alice, template)
            wait_until(lambda: all(stack.call(c).finished_at for c in second), what="the calls elsewhere")
            assert {str(a.provider_id) for c in second for a in stack.attempts(c)} == {other}
            health = olga.get(f"{PROVIDERS}/{vapi}/health")
            assert (health["state"], health["live"], health["free"]) == ("draining", 3, 0)
        wait_until(stack.all_over, what="the end of the first calls")
        assert {str(a.provider_id) for c in first for a in stack.attempts(c)} == {vapi}
        assert olga.get(f"{PROVIDERS}/{vapi}/health")["live"] == 0
        olga.post(f"{PROVIDERS}/{vapi}/resume")
        third = stack.schedule(2, alice, template)
        wait_until(stack.all_over, what="the calls after it")
        assert {str(a.provider_id) for c in third for a in stack.attempts(c)} == {vapi}
    ended(stack, first + second + third)


def test_a_paused_provider_takes_nothing_until_it_is_resumed(stack, olga, alice, vapi):
    template = stack.template()
    calls = stack.schedule(3, alice, template)
    assert olga.post(f"{PROVIDERS}/{vapi}/pause")["is_active"] is False
    assert stack.pump()["claimed"] == 0
    assert {stack.queued(c).admission for c in calls} == {"no_provider"}
    assert olga.get(f"{ADMIN}/queue")["waiting"] == {"no_provider": 3}
    assert olga.get(f"{PROVIDERS}/{vapi}/health")["state"] == "paused"
    olga.post(f"{PROVIDERS}/{vapi}/resume")
    stack.drain()
    ended(stack, calls)


def test_what_a_dead_pump_had_claimed_of_a_drained_provider_goes_elsewhere(stack, olga, alice, vapi):
    other = stack.provider("synthflow", priority=9)
    calls = stack.schedule(1, alice, stack.template())
    stack.sql("select calls_claim(10, 'dead', -1)")
    assert [str(a.provider_id) for a in stack.attempts(calls[0])] == [vapi]
    olga.post(f"{PROVIDERS}/{vapi}/drain")
    stack.drain()
    ended(stack, calls)
    assert [(str(a.provider_id), a.state) for a in stack.attempts(calls[0])] == [(vapi, "absent"), (other, "ended")]
