"""Text messages: each is sent once by Twilio, never to a number on the do-not-call list, and none is repeated unseen."""

import pytest
from stack_process import wait_until

TO, TEXT = "+15550100077", "80 % of this month's minutes are used."


def send(stack, ident="s1", to=TO, text=TEXT, organization=None):
    """Ask for a text; answers whether it is a new one."""
    return stack.value("select public.sms_send(%s, %s, %s, %s::uuid)", ident, to, text, organization)


def view(stack, ident="s1"):
    """The run that the text is."""
    return stack.value("select public.work_run_view(%s)", f"sms:{ident}")


def step(stack, ident="s1"):
    """What became of sending it."""
    only, = view(stack, ident)["steps"]
    return only


def due(stack):
    """What waits for another try is due now."""
    stack.sql("update workflow_runs set due_at = now() where due_at is not null")
    stack.sql("update workflow_steps set due_at = now() where due_at is not null")


def once_more(stack, **env):
    """Another turn, at once."""
    due(stack)
    stack.work(env=env)


# ---- sent --------------------------------------------------------------------


def test_a_text_is_sent_by_twilio(stack):
    assert send(stack) is True
    stack.work()
    text, = stack.sandbox.texts()
    assert (text["to"], text["body"], text["from"], text["account"]) == (TO, TEXT, "+15550109999", "AC1")
    assert view(stack)["state"] == "done"
    assert step(stack)["result"] == {"id": text["sid"], "status": "queued"}


def test_asking_twice_sends_once(stack):
    assert [send(stack), send(stack), send(stack, text="Other words.")] == [True, False, False]
    stack.work()
    assert [t["body"] for t in stack.sandbox.texts()] == [TEXT]


def test_numbers_and_words_stand_in_no_log_and_no_result(stack):
    stack.sandbox.rule({"answer": "reset"}, provider="twilio", times=1)
    send(stack)
    stack.work()
    once_more(stack)
    assert view(stack)["state"] == "done"
    logs = (stack.folder / "work.log").read_text()
    assert "workflow=sms" in logs
    assert "5550100077" not in logs and "minutes are used" not in logs
    assert not stack.value("select exists (select from workflow_steps s where s::text ~ '5550100077|minutes are used')")


# ---- not sent ------------------------------------------------------------------


def test_a_number_on_the_do_not_call_list_is_not_texted(stack):
    organization = stack.user("alice").organization
    other = stack.user("bob").organization
    stack.sql("insert into do_not_call (organization_id, phone_number) values (%s, %s)", organization, TO)
    send(stack, "listed", organization=organization)
    send(stack, "other", organization=other)
    stack.work()
    assert step(stack, "listed")["result"] == {"skipped": "do_not_call"}
    assert view(stack, "listed")["state"] == view(stack, "other")["state"] == "done"
    text, = stack.sandbox.texts()
    assert step(stack, "other")["result"]["id"] == text["sid"]


def test_a_number_that_is_listed_meanwhile_is_not_texted_later(stack):
    organization = stack.user("alice").organization
    stack.sandbox.rule({"status": 429}, provider="twilio", times=1)
    send(stack, organization=organization)
    stack.work()
    assert step(stack)["state"] == "retry"
    stack.sql("insert into do_not_call (organization_id, phone_number) values (%s, %s)", organization, TO)
    once_more(stack)
    assert step(stack)["result"] == {"skipped": "do_not_call"} and stack.sandbox.texts() == []


@pytest.mark.parametrize("missing", ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_SMS_FROM"])
def test_texts_wait_while_twilio_is_not_configured(stack, missing):
    send(stack)
    done = stack.work(env={missing: ""})
    assert done["claimed"] == 0 and done["message"].endswith("wait for settings.")
    assert view(stack)["state"] == "ready" and stack.sandbox.texts() == []
    stack.work()
    assert view(stack)["state"] == "done" and len(stack.sandbox.texts()) == 1


def test_whom_twilio_does_not_text_is_not_asked_about_again(stack):
    stack.sandbox.settings(twilio_opted_out=[TO])
    send(stack)
    stack.work()
    assert (view(stack)["state"], step(stack)["reason"]) == ("failed", "twilio_21610")
    assert stack.work()["claimed"] == 0 and stack.sandbox.texts() == []


def test_what_an_administrator_must_mend_is_waited_for(stack):
    send(stack)
    stack.work(env={"TWILIO_AUTH_TOKEN": "bad"})
    assert (step(stack)["state"], step(stack)["reason"]) == ("retry", "twilio_20003")
    assert stack.value("select due_at - now() between '4 minutes' and '6 minutes' from workflow_runs")
    once_more(stack, TWILIO_BASE_URL="http://127.0.0.1:1")
    assert (step(stack)["state"], step(stack)["reason"]) == ("retry", "connect_failed")
    once_more(stack)
    assert view(stack)["state"] == "done" and len(stack.sandbox.texts()) == 1


# ---- perhaps sent --------------------------------------------------------------


@pytest.mark.parametrize("action", [{"answer": "reset"}, {"answer": "cut"}, {"answer": "html"}, {"answer": "empty"},
                                    {"status": 500, "accept": True}])
def test_a_text_whose_answer_is_lost_is_found_and_not_repeated(stack, action):
    stack.sandbox.rule(action, provider="twilio", times=1)
    send(stack)
    stack.work()
    assert step(stack)["state"] == "unknown"
    once_more(stack)
    text, = stack.sandbox.texts()
    assert (view(stack)["state"], step(stack)["result"]["id"]) == ("done", text["sid"])
    assert step(stack)["attempts"] == 1


def test_a_text_that_was_not_sent_is_sent_again_when_that_is_certain(stack):
    stack.sandbox.rule({"status": 500}, provider="twilio", times=1)
    send(stack)
    stack.work()
    once_more(stack)
    assert (step(stack)["state"], step(stack)["reason"]) == ("unknown", "not_listed_yet")
    assert stack.sandbox.texts() == []
    once_more(stack, HOOKSWITCH_SMS_LOOK_SECONDS="0")
    wait_until(lambda: stack.work(env={"HOOKSWITCH_SMS_LOOK_SECONDS": "0"}) and view(stack)["state"] == "done")
    assert len(stack.sandbox.texts()) == 1 and step(stack)["attempts"] == 2


def test_a_look_that_proves_nothing_repeats_nothing(stack):
    stack.sandbox.rule({"answer": "reset"}, provider="twilio", times=1)
    send(stack)
    stack.work()
    for action in ({"status": 500}, {"status": 401}, {"answer": "html"}, {"answer": "reset"}):
        stack.sandbox.rule(action, provider="twilio", operation="list", times=1)
        once_more(stack, HOOKSWITCH_SMS_LOOK_SECONDS="0")
        assert step(stack)["state"] == "unknown", action
    once_more(stack)
    assert view(stack)["state"] == "done" and len(stack.sandbox.texts()) == 1


def test_another_text_to_the_same_number_is_not_taken_for_it(stack):
    send(stack, "first")
    stack.work()
    first, = stack.sandbox.texts()
    stack.sandbox.rule({"status": 500}, provider="twilio", times=1)
    send(stack, "second", text="Others.")
    stack.work()
    once_more(stack, HOOKSWITCH_SMS_LOOK_SECONDS="0")
    wait_until(lambda: stack.work(env={"HOOKSWITCH_SMS_LOOK_SECONDS": "0"}) and view(stack, "second")["state"] == "done")
    assert [t["body"] for t in stack.sandbox.texts()] == [TEXT, "Others."]
    assert step(stack, "second")["result"]["id"] != first["sid"]
