"""Assistants as clients see them, and how each is brought to Vapi once, whatever becomes of the requests."""

import pytest
from stack_client import problem

ROOT = "/api/v1/assistants"
RILEY = {"name": "Riley", "system_prompt": "You are Riley. Be brief.", "first_message": "Elm Street Dental, Riley speaking.",
         "end_call_message": "Goodbye!", "end_call_phrases": ["bye now"], "voicemail_message": "Please call back.", "model_temperature": 0.3,
         "voice_provider": "vapi", "voice_id": "Elliot", "voice_settings": {"speed": 1.1}, "background_sound": "off", "max_duration_seconds": 900}
LOST = [{"answer": "reset"}, {"answer": "cut"}, {"answer": "html"}, {"answer": "empty"}, {"answer": "missing-id"}, {"status": 500, "accept": True}]


@pytest.fixture(name="alice")
def _alice(stack):
    """Somebody in an installation with an account at Vapi."""
    stack.provider("vapi")
    return stack.user("alice")


def at_vapi(stack):
    """What Vapi has."""
    return stack.sandbox.vapi()["assistants"]


def due(stack):
    """What waits for another try is due now."""
    stack.sql("update workflow_runs set due_at = now() where due_at is not null")
    stack.sql("update workflow_steps set due_at = now() where due_at is not null")


def long_ago(stack):
    """What was sent was sent a minute earlier than it was."""
    stack.sql("update workflow_steps set sent_at = sent_at - interval '1 minute' where sent_at is not null")


def once_more(stack, **env):
    """Another turn, at once."""
    due(stack)
    stack.work(env=env)


def brought(stack, who, **wish):
    """An assistant that is at Vapi."""
    made = who.post(ROOT, {**RILEY, **wish}, expect=201)
    stack.work()
    found = who.get(f"{ROOT}/{made['id']}")
    assert (found["status"], found["last_error"]) == ("active", None)
    return found


def row(stack, ident):
    """Its row."""
    only, = stack.sql("select * from assistants where id = %s", ident)
    return only


# ---- made, changed, removed ----------------------------------------------------------


def test_an_assistant_is_made_at_vapi_as_it_is_here(stack, alice):
    made = alice.post(ROOT, RILEY, expect=201)
    assert {**made, **RILEY} == made and made["status"] == "pending" and made["vapi_assistant_id"] is None
    stack.work()
    there, = at_vapi(stack)
    found = alice.get(f"{ROOT}/{made['id']}")
    assert (found["status"], found["vapi_assistant_id"], bool(found["synced_at"])) == ("active", there["id"], True)
    assert {k: there[k] for k in ("name", "firstMessage", "endCallMessage", "endCallPhrases", "voicemailMessage", "backgroundSound",
                                  "maxDurationSeconds", "metadata")} == {
        "name": "Riley", "firstMessage": RILEY["first_message"], "endCallMessage": "Goodbye!", "endCallPhrases": ["bye now"],
        "voicemailMessage": "Please call back.", "backgroundSound": "off", "maxDurationSeconds": 900,
        "metadata": {"assistant_id": made["id"], "organizationId": alice.organization}}
    assert there["model"] == {"provider": "openai", "model": "gpt-4o-mini", "temperature": 0.3,
                              "messages": [{"role": "system", "content": RILEY["system_prompt"]}]}
    assert there["voice"] == {"provider": "vapi", "voiceId": "Elliot", "speed": 1.1}
    assert there["transcriber"] == {"provider": "deepgram", "model": "nova-2", "language": "en"}
    assert there["server"]["url"].endswith(f"/api/webhooks/vapi/{alice.organization}") and there["server"]["backoffPlan"]["maxRetries"] == 10
    assert there["server"]["headers"]["X-Vapi-Secret"].startswith(alice.organization + ".")
    assert "end-of-call-report" in there["serverMessages"] and "transcript" not in there["serverMessages"]
    assert stack.work()["claimed"] == 0 and row(stack, made["id"]).run_id is None


def test_one_is_made_from_a_template(stack, alice):
    values = {"business_name": "Elm Street Dental", "business_description": "Dentists.", "opening_hours": "nine to five"}
    wrong = problem(alice.ask("POST", ROOT, {"template": "receptionist", "variable_values": {}}), 422, "variable_missing")
    assert wrong["errors"][0]["field"] == "variable_values.business_name"
    made = alice.post(ROOT, {"template": "receptionist", "variable_values": values, "name": "Front desk"}, expect=201)
    assert made["name"] == "Front desk" and "Elm Street Dental" in made["system_prompt"] and made["variable_values"]["opening_hours"] == "nine to five"
    stack.work()
    there, = at_vapi(stack)
    assert there["name"] == "Front desk" and "Elm Street Dental" in there["model"]["messages"][0]["content"]
    assert "{{" not in str(there)


def test_a_change_is_brought_and_what_is_cleared_is_cleared_there(stack, alice):
    made = brought(stack, alice)
    changed = alice.expect("PATCH", f"{ROOT}/{made['id']}", {"first_message": "Hi.", "end_call_message": None, "end_call_phrases": None})
    assert changed["status"] == "pending" and changed["end_call_phrases"] == []
    alice.expect("PATCH", f"{ROOT}/{made['id']}", {"description": "for nobody but us"})
    stack.work()
    there, = at_vapi(stack)
    assert (there["firstMessage"], there["endCallMessage"], there["endCallPhrases"], there["name"]) == ("Hi.", "", [], "Riley")
    assert stack.sandbox.vapi()["requests"] == {"assistant_create": 1, "assistant_update": 1}
    alice.expect("PATCH", f"{ROOT}/{made['id']}", {"description": "still"})
    stack.work()
    assert alice.get(f"{ROOT}/{made['id']}")["status"] == "active"
    assert stack.sandbox.vapi()["requests"]["assistant_update"] == 1


def test_one_that_is_removed_is_removed_at_vapi(stack, alice):
    made, other = brought(stack, alice), brought(stack, alice, name="Other")
    alice.expect("DELETE", f"{ROOT}/{made['id']}", expect=204)
    problem(alice.ask("GET", f"{ROOT}/{made['id']}"), 404, "assistant_not_found")
    assert [a["id"] for a in alice.get(ROOT)["data"]] == [other["id"]]
    stack.work()
    assert [a["name"] for a in at_vapi(stack)] == ["Other"] and row(stack, made["id"]).status == "deleted"


def test_one_that_a_number_has_is_removed_only_by_force(stack, alice):
    made = brought(stack, alice)
    number = stack.insert("phone_numbers", organization_id=alice.organization, phone_number="+15550100099", assistant_id=made["id"])
    problem(alice.ask("DELETE", f"{ROOT}/{made['id']}"), 409, "assistant_in_use")
    alice.expect("DELETE", f"{ROOT}/{made['id']}?force=true", expect=204)
    assert stack.value("select assistant_id from phone_numbers where id = %s", number) is None


def test_one_that_was_made_by_hand_is_left_alone(stack, alice):
    ident = stack.insert("assistants", organization_id=alice.organization, name="By hand", vapi_assistant_id="hand-1")
    shown = alice.get(f"{ROOT}/{ident}")
    assert (shown["status"], shown["by_hand"]) == ("active", True)
    problem(alice.ask("PATCH", f"{ROOT}/{ident}", {"name": "x"}), 409, "assistant_by_hand")
    problem(alice.ask("POST", f"{ROOT}/{ident}/sync"), 409, "assistant_by_hand")
    alice.expect("DELETE", f"{ROOT}/{ident}", expect=204)
    assert stack.work()["claimed"] == 0 and stack.sandbox.vapi()["requests"] == {}


def test_a_viewer_reads_and_a_stranger_sees_nothing(stack, alice):
    made, bob = brought(stack, alice), stack.user("bob")
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/sync")):
        problem(bob.ask(method, f"{ROOT}/{made['id']}{path}", {} if method == "PATCH" else None), 404, "assistant_not_found")
    reader = stack.api_key(alice, ["assistants:read"])
    assert reader.get(f"{ROOT}/{made['id']}")["name"] == "Riley"
    problem(reader.ask("POST", ROOT, RILEY), 403, "scope_missing")


@pytest.mark.parametrize("wish,field", [
    ({"name": "x" * 41}, "name"), ({"end_call_message": "x" * 1001}, "end_call_message"), ({"end_call_phrases": ["x"]}, "end_call_phrases"),
    ({"max_duration_seconds": 9}, "max_duration_seconds"), ({"model_temperature": 2.5}, "model_temperature"), ({"model_provider": "me"}, "model_provider"),
    ({"voice_provider": "elevenlabs"}, "voice_provider"), ({"run_id": "x"}, "run_id")])
def test_what_vapi_would_refuse_is_refused_here(alice, wish, field):
    wrong = problem(alice.ask("POST", ROOT, {**RILEY, **wish}), 400, "bad_fields")
    assert wrong["errors"][0]["field"].startswith(field)


# ---- faults -------------------------------------------------------------------------------


@pytest.mark.parametrize("action", LOST)
def test_one_whose_answer_is_lost_is_found_and_not_made_twice(stack, alice, action):
    made = alice.post(ROOT, RILEY, expect=201)
    stack.sandbox.rule(action, provider="vapi", operation="assistant_create", type=made["id"], times=1)
    stack.work()
    assert row(stack, made["id"]).vapi_assistant_id is None
    once_more(stack)
    there, = at_vapi(stack)
    assert stack.sandbox.vapi()["created"] == {made["id"]: 1}
    assert alice.get(f"{ROOT}/{made['id']}")["vapi_assistant_id"] == there["id"]
    assert alice.get(f"{ROOT}/{made['id']}")["status"] == "active"


def test_one_that_was_not_made_is_made_when_that_is_certain(stack, alice):
    made = alice.post(ROOT, RILEY, expect=201)
    stack.sandbox.rule({"status": 500}, provider="vapi", operation="assistant_create", times=1)
    stack.work()
    once_more(stack)
    assert at_vapi(stack) == [] and stack.sandbox.vapi()["requests"] == {"assistant_create": 1, "assistant_list": 1}
    long_ago(stack)
    once_more(stack)
    assert len(at_vapi(stack)) == 1 and alice.get(f"{ROOT}/{made['id']}")["status"] == "active"


def test_what_the_list_does_not_show_yet_is_waited_for(stack, alice):
    stack.sandbox.settings(list_lag=600)
    made = alice.post(ROOT, RILEY, expect=201)
    stack.sandbox.rule({"answer": "reset"}, provider="vapi", operation="assistant_create", times=1)
    stack.work()
    for action in ({}, {"status": 500}, {"status": 401}, {"answer": "html"}, {"answer": "reset"}, {"answer": "array"}):
        if action:
            stack.sandbox.rule(action, provider="vapi", operation="assistant_list", times=1)
        once_more(stack)
    assert stack.sandbox.vapi()["created"] == {made["id"]: 1}
    assert row(stack, made["id"]).vapi_assistant_id is None


def test_what_vapi_refuses_for_good_is_told_and_can_be_mended(stack, alice):
    made = alice.post(ROOT, {**RILEY, "voice_provider": "cartesia", "voice_settings": {}}, expect=201)
    stack.sandbox.rule({"status": 400, "body": {"message": ["voice.voiceId must be known"], "error": "Bad Request", "statusCode": 400}},
                       provider="vapi", operation="assistant_create", times=1)
    stack.work()
    shown = alice.get(f"{ROOT}/{made['id']}")
    assert (shown["status"], shown["last_error"], shown["vapi_assistant_id"]) == ("failed", "vapi_400", None)
    assert stack.work()["claimed"] == 0
    again = alice.expect("POST", f"{ROOT}/{made['id']}/sync", expect=202)
    assert (again["status"], again["last_error"]) == ("pending", None)
    stack.work()
    assert alice.get(f"{ROOT}/{made['id']}")["status"] == "active" and len(at_vapi(stack)) == 1


@pytest.mark.parametrize("action", [{"status": 429, "headers": {"Retry-After": "1"}}, {"status": 401}, {"status": 402}, {"status": 404}])
def test_what_passes_or_is_mended_is_tried_again(stack, alice, action):
    made = alice.post(ROOT, RILEY, expect=201)
    stack.sandbox.rule(action, provider="vapi", operation="assistant_create", times=1)
    stack.work()
    assert alice.get(f"{ROOT}/{made['id']}")["status"] == "pending" and at_vapi(stack) == []
    once_more(stack)
    assert alice.get(f"{ROOT}/{made['id']}")["status"] == "active" and stack.sandbox.vapi()["created"] == {made["id"]: 1}


def test_one_that_vapi_has_no_more_is_made_anew(stack, alice):
    made = brought(stack, alice)
    stack.sandbox.reset(vapi_keys=stack.sandbox.settings()["vapi_keys"])
    alice.expect("PATCH", f"{ROOT}/{made['id']}", {"first_message": "Hi."})
    stack.work()
    there, = at_vapi(stack)
    assert there["firstMessage"] == "Hi." and there["id"] != made["vapi_assistant_id"]
    assert alice.get(f"{ROOT}/{made['id']}")["vapi_assistant_id"] == there["id"]


def test_one_that_is_gone_at_vapi_is_removed_all_the_same(stack, alice):
    made = brought(stack, alice)
    stack.sandbox.reset()
    alice.expect("DELETE", f"{ROOT}/{made['id']}", expect=204)
    stack.work()
    assert row(stack, made["id"]).status == "deleted"


@pytest.mark.parametrize("action", [{"answer": "reset"}, {"status": 500}, {"status": 500, "accept": True}, {"status": 429}])
def test_a_change_and_a_removal_survive_faults(stack, alice, action):
    made = brought(stack, alice)
    for operation in ("assistant_update", "assistant_delete"):
        stack.sandbox.rule(action, provider="vapi", operation=operation, times=1)
    alice.expect("PATCH", f"{ROOT}/{made['id']}", {"first_message": "Hi."})
    stack.work()
    once_more(stack)
    assert at_vapi(stack)[0]["firstMessage"] == "Hi." and alice.get(f"{ROOT}/{made['id']}")["status"] == "active"
    alice.expect("DELETE", f"{ROOT}/{made['id']}", expect=204)
    stack.work()
    once_more(stack)
    assert at_vapi(stack) == [] and row(stack, made["id"]).status == "deleted"


def test_one_that_is_deleted_while_nobody_knows_whether_it_was_made_leaves_nothing(stack, alice):
    made = alice.post(ROOT, RILEY, expect=201)
    stack.sandbox.rule({"answer": "reset"}, provider="vapi", operation="assistant_create", times=1)
    stack.work()
    alice.expect("DELETE", f"{ROOT}/{made['id']}", expect=204)
    once_more(stack)
    assert at_vapi(stack) == [] and stack.sandbox.vapi()["created"] == {made["id"]: 1} and row(stack, made["id"]).status == "deleted"


def test_without_an_account_it_waits(stack):
    alice = stack.user("alice")
    made = alice.post(ROOT, RILEY, expect=201)
    stack.work()
    assert alice.get(f"{ROOT}/{made['id']}")["last_error"] == "provider_missing"
    stack.provider("vapi")
    once_more(stack)
    assert alice.get(f"{ROOT}/{made['id']}")["status"] == "active"


def test_neither_keys_nor_tokens_nor_texts_stand_in_logs_and_steps(stack, alice):
    stack.sandbox.rule({"answer": "reset"}, provider="vapi", operation="assistant_create", times=1)
    alice.post(ROOT, RILEY, expect=201)
    stack.work()
    once_more(stack)
    there, = at_vapi(stack)
    secret = there["server"]["headers"]["X-Vapi-Secret"]
    logs = (stack.folder / "work.log").read_text()
    assert "workflow=assistant-sync" in logs
    for word in (secret, "Riley speaking", "sealed:"):
        assert word not in logs
        assert not stack.value("select exists (select from workflow_steps s where strpos(s::text, %s) > 0)", word)
        assert not stack.value("select exists (select from workflow_runs s where strpos(s::text, %s) > 0)", word)
