"""Calls from an organization's numbers: to try them, and never from one that is paused."""

from stack_client import problem
from test_phone_numbers import OWN, ROOT, bought, brought, proved, ready  # noqa: F401 (ready: a fixture)


def test_one_is_called_from_a_number_by_its_assistant(stack, alice):
    own = proved(stack, alice)
    number = alice.post(ROOT, expect=202)["id"]
    problem(alice.ask("POST", f"{ROOT}/{number}/test", {"verified_number_id": own}), 409, "number_not_active")
    there = brought(stack, alice, number)
    call = alice.post(f"{ROOT}/{number}/test", {"verified_number_id": own}, expect=202)
    assert (call["recipient_number"], call["caller_number_id"], call["from_number"]) == (OWN, number, there["phone_number"])
    stack.pump()
    dialled, = stack.sandbox.dials()["order"]
    assert (dialled["provider"], dialled["number"]) == ("vapi", OWN)
    asked = stack.value("select array[assistant, caller_number] from call_assignments")
    assert asked == [stack.value("select vapi_assistant_id from assistants where id = %s", there["assistant_id"]), there["voice_number_id"]]
    assert alice.get(f"/api/v1/calls/{call['id']}")["status"] in ("in-progress", "completed")
    usage = alice.get(f"{ROOT}/{number}/usage")
    assert (usage["calls_in"], usage["calls_out"], usage["messages_in"]) == (0, 1, 0)


def test_an_assistant_calls_from_a_number_of_its_organization(stack, alice):
    own, number = proved(stack, alice), alice.post(ROOT, expect=202)["id"]
    there = brought(stack, alice, number)
    other = alice.post("/api/v1/assistants", {"name": "Night desk", "system_prompt": "You answer at night."}, expect=201)["id"]
    path = f"/api/v1/assistants/{other}/test"
    problem(alice.ask("POST", path, {"verified_number_id": own}), 409, "assistant_not_ready")
    stack.work()
    call = alice.post(path, {"verified_number_id": own}, expect=202)
    assert (call["recipient_number"], call["caller_number_id"], call["from_number"]) == (OWN, number, there["phone_number"])
    stack.pump()
    asked = stack.value("select array[assistant, caller_number] from call_assignments")
    assert asked == [stack.value("select vapi_assistant_id from assistants where id = %s", other), there["voice_number_id"]]
    problem(stack.api_key(alice, ["assistants:write"]).ask("POST", path, {"verified_number_id": own}), 403, "scope_missing")


def test_a_number_that_was_paused_calls_nobody(stack, alice):
    own, number = proved(stack, alice), bought(stack, alice, status="paused")
    problem(alice.ask("POST", f"{ROOT}/{number}/test", {"verified_number_id": own}), 409, "number_not_active")
    order = {"recipient_number": OWN, "template_id": stack.template(), "caller_number_id": number}
    problem(alice.ask("POST", "/api/v1/calls", order), 422, "caller_number_not_found")


# ---- nothing to ask ------------------------------------------------------------------------------
