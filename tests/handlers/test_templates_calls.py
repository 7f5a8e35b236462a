"""What a template says, as the provider hears it: variables and texts of calls, checked at the door and sent with the dial."""

import pytest

from stack_client import problem

ROOT = "/api/v1/call-templates"
PARAMS = {"variables": [{"name": "who", "required": True, "max_length": 20}, {"name": "city", "default": "Rome"},
                        {"name": "count", "type": "number"}]}
TARGETS = {"vapi": {"assistant": "test-assistant", "caller_number": "number-1"}, "synthflow": {"assistant": "test-model"}}


@pytest.fixture
def write(stack, alice):
    """A template of alice's for one kind of provider, which is there."""
    def one(kind="vapi", **fields):
        stack.provider(kind)
        return alice.post(ROOT, {"name": "T", "targets": [{"provider_type": kind, **TARGETS[kind]}], "params": PARAMS, **fields}, expect=201)["id"]
    return one


def dialled(stack, who, template, **fields):
    """Orders a call, dials it; answers the body that the provider got."""
    call = who.post("/api/v1/calls", {"recipient_number": stack.number(), "template_id": template, **fields}, expect=201)
    stack.drain_of(call["id"])
    assert stack.call(call["id"]).status == "completed", stack.call(call["id"])
    return body_of(stack, call["id"])


def body_of(stack, call):
    """What a call's first attempt was made with."""
    found, = stack.sandbox.calls(assignment_id=str(stack.attempts(call)[0].id))
    return found["body"]


def test_vapi_gets_the_variables_and_what_is_to_be_said(stack, alice, write):
    template = write(first_message="Hello {{who}} in {{city}}!", system_prompt="You speak with {{ who }}.\nBe kind. {{count}} left.", model_name="gpt-x")
    overrides = dialled(stack, alice, template, custom_variables={"who": "Zoë \"Z\" O'Hara", "count": 3})["assistantOverrides"]
    assert overrides["variableValues"] == {"who": "Zoë \"Z\" O'Hara", "city": "Rome", "count": 3}
    assert overrides["firstMessage"] == "Hello Zoë \"Z\" O'Hara in Rome!"
    assert overrides["model"] == {"provider": "openai", "model": "gpt-x", "messages": [
        {"role": "system", "content": "You speak with Zoë \"Z\" O'Hara.\nBe kind. 3 left."}]}


def test_synthflow_gets_the_variables_and_what_is_to_be_said(stack, alice, write):
    body = dialled(stack, alice, write("synthflow", first_message="Hello {{who}}!", system_prompt="Be kind to {{who}}."),
                   custom_variables={"who": "Ann"})
    pairs = {pair["key"]: pair["value"] for pair in body["custom_variables"]}
    assert (pairs["who"], pairs["city"]) == ("Ann", "Rome")
    assert (body["greeting"], body["prompt"]) == ("Hello Ann!", "Be kind to Ann.")


def test_without_texts_the_assistant_says_its_own(stack, alice, write):
    overrides = dialled(stack, alice, write(), custom_variables={"who": "Ann"})["assistantOverrides"]
    assert "firstMessage" not in overrides and "model" not in overrides
    assert overrides["variableValues"] == {"who": "Ann", "city": "Rome"}


def test_a_long_prompt_reaches_the_provider_whole(stack, alice, write):
    prompt = "Sprich über Äpfel und {{who}}. " * 640
    overrides = dialled(stack, alice, write(system_prompt=prompt), custom_variables={"who": "Ann"})["assistantOverrides"]
    assert overrides["model"]["messages"][0]["content"] == prompt.replace("{{who}}", "Ann")


def test_a_call_that_waits_says_what_the_template_says_when_it_is_dialled(stack, alice, write):
    template = write(first_message="Old {{who}}")
    call = alice.post("/api/v1/calls", {"recipient_number": stack.number(), "template_id": template, "custom_variables": {"who": "Ann"},
                                        "scheduled_time": "2099-01-01T00:00:00Z"}, expect=201)["id"]
    alice.expect("PATCH", f"{ROOT}/{template}", {"first_message": "New {{who}}{{more}}", "params": {"variables": [
        {"name": "who"}, {"name": "more", "default": "!"}]}})
    alice.post(f"/api/v1/calls/{call}/reschedule", {"scheduled_time": "2020-01-01T00:00:00Z"})
    stack.drain()
    assert body_of(stack, call)["assistantOverrides"]["firstMessage"] == "New Ann!"


HOSTILE = [("{{city}}", "variable_invalid"), ("{% render x %}", "variable_invalid"), ("a\u0000b", None), ("a\u0007b", "variable_invalid"),
           ("line\rbreak", "variable_invalid"), ("\u202eevil", "variable_invalid"), ("\u2028", "variable_invalid"), ("x" * 21, "variable_invalid"),
           ({"a": 1}, "variable_invalid"), (["a"], "variable_invalid"), ("", "variable_missing"), (None, "variable_missing")]


def test_lines_reach_the_provider_as_they_were_given(stack, alice, write):
    address = "12 Elm Street\r\n\tSecond floor\nSpringfield"
    template = write(system_prompt="Go to:\n{{address}}\nNow.", params={"variables": [{"name": "address", "required": True}]})
    overrides = dialled(stack, alice, template, custom_variables={"address": address})["assistantOverrides"]
    assert overrides["variableValues"] == {"address": address}
    assert overrides["model"]["messages"][0]["content"] == f"Go to:\n{address}\nNow."


def test_where_nothing_is_declared_nested_values_pass_and_hostile_ones_do_not(stack, alice):
    stack.provider("vapi")
    free = stack.template(kinds=("vapi",))
    values = {"order": {"items": [{"name": "tea\ntwo"}], "paid": True}, "tags": [], "none": None}
    assert dialled(stack, alice, free, custom_variables=values)["assistantOverrides"]["variableValues"] == values
    deep = {"order": {"items": [{"name": "{{secret}}"}]}}
    refused = problem(alice.ask("POST", "/api/v1/calls", {"recipient_number": stack.number(), "template_id": free, "custom_variables": deep}), 422,
                      "variable_invalid")
    assert [e["field"] for e in refused["errors"]] == ["custom_variables.order"]


@pytest.mark.parametrize("value, code", HOSTILE, ids=lambda v: repr(v)[:20])
def test_hostile_values_are_refused_by_name(stack, alice, write, value, code):
    template = write()
    body = {"recipient_number": stack.number(), "template_id": template, "custom_variables": {"who": value}}
    if code is None:
        assert alice.ask("POST", "/api/v1/calls", body).status_code == 400
    else:
        refused = problem(alice.ask("POST", "/api/v1/calls", body), 422, code)
        assert [e["field"] for e in refused["errors"]] == ["custom_variables.who"]
        many = problem(alice.ask("POST", "/api/v1/calls/batch", {"calls": [body]}), 422, code)
        assert [e["field"] for e in many["errors"]] == ["calls.0.custom_variables.who"]
    assert stack.count("calls") == 0 and stack.count("call_queue") == 0


def test_names_that_are_not_declared_are_refused_where_variables_are_declared(stack, alice, write):
    template, free = write(), stack.template(kinds=("vapi",), params={"required": ["who"]})

    def refused(template, **variables):
        body = problem(alice.ask("POST", "/api/v1/calls", {"recipient_number": stack.number(), "template_id": template,
                                                           "custom_variables": variables}), 422)
        return body["code"], body["errors"][0]["field"]

    assert refused(template, who="Ann", whom="Bob") == ("variable_unknown", "custom_variables.whom")
    assert refused(template, city="Rome") == ("variable_missing", "custom_variables.who")
    assert refused(template, who="Ann", count="many") == ("variable_invalid", "custom_variables.count")
    assert refused(free, whom="Bob") == ("variable_missing", "custom_variables.who")
    assert refused(free, who="{{x}}") == ("variable_invalid", "custom_variables.who")
    assert dialled(stack, alice, free, custom_variables={"who": "Ann", "whatever": "else"})["assistantOverrides"]["variableValues"] == {
        "who": "Ann", "whatever": "else"}


def test_by_sql_the_same_is_refused(stack, alice, write):
    template = write()
    query = "select schedule_call(%s, %s, 'Ann', '+15551234567', p_custom_variables => %s::jsonb)"
    for variables, code in (('{}', "variable_missing"), ('{"who":"{{x}}"}', "variable_invalid"), ('{"who":"A","x":1}', "variable_unknown")):
        with pytest.raises(Exception, match=code):
            stack.value(query, alice.id, template, variables, role="authenticated", claims=alice.claims)
    call = stack.value(query, alice.id, template, '{"who":"Ann"}', role="authenticated", claims=alice.claims)
    assert stack.call(call).custom_variables == {"who": "Ann", "city": "Rome"}
