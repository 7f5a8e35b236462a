"""Calls ordered and worked by SQL alone, as tests/data/service-integration shows it; the pump does the dialling."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from stack_client import user_id
from stack_rows import HERE

EXAMPLES = HERE / "data" / "service-integration"
DUE_NOW = "update call_queue set scheduled_time = now(), due_at = now() where id = %s"


def example(name, **placeholders):
    """The text of one example with its placeholders filled in."""
    text = next(EXAMPLES.glob(f"{name}-*.sql")).read_text()
    for placeholder, value in placeholders.items():
        assert placeholder in text
        text = text.replace(placeholder, value)
    return text


@pytest.fixture(params=[None, "service_role"], ids=["owner", "service_role"])
def scheduled(request, stack):
    """The first three examples, as somebody: (how to run SQL as that one, the call's id)."""
    def run(text):
        return stack.sql(text.replace("%", "%%"), role=request.param)

    stack.sandbox_reset(vapi_keys=["your_vapi_key"], synthflow_keys=["your_synthflow_key"])
    template = stack.template()
    run(example(1))
    run(example(2))
    call = run(example(3, user_uuid=user_id("john"), template_uuid=template))[0].schedule_call
    return run, str(call)


def test_a_call_scheduled_by_sql_is_dialled_when_its_time_has_come(stack, scheduled):
    run, call = scheduled
    row = stack.queued(call)
    assert (row.recipient_name, row.recipient_number, row.recipient_email, row.priority) == \
        ("John Doe", "+15551234567", "john@example.com", 3)
    assert (row.custom_variables, row.metadata) == ({"company_name": "Acme Inc"}, {"source": "web_app"})
    assert 3500 < (row.scheduled_time - row.created_at).total_seconds() < 3700
    assert run(example(4)) == []
    assert stack.pump()["claimed"] == 0

    stack.sql(DUE_NOW, call)
    attempt, = run(example(4))
    assert stack.attempts(call)[0].id == attempt[0] and stack.queued(call).status == "in-progress"
    assert run(example(4)) == []
    stack.drain()

    assert stack.call(call).status == "completed"
    assert stack.sandbox.dials()["by_assignment"] == {str(attempt[0]): 1}
    seen, = stack.sandbox.calls()
    assert (seen["provider"], seen["number"]) == ("vapi", "+15551234567")
    at_vapi = requests.get(f"{stack.sandbox.vapi_url}/call/{seen['id']}", timeout=30,
                           headers={"Authorization": "Bearer your_vapi_key"}).json()
    assert at_vapi["assistantOverrides"]["variableValues"]["company_name"] == "Acme Inc"
    stack.invariants()


def test_the_pump_needs_no_example_to_dial_what_is_due(stack, scheduled):
    _, call = scheduled
    stack.sql(DUE_NOW, call)
    stack.drain()
    assert stack.call(call).status == "completed"
    stack.invariants()


def test_keys_written_by_hand_are_sealed_at_the_next_turn_and_still_open(stack, scheduled):
    _, call = scheduled
    assert stack.value("select api_key from call_service_providers where provider_type = 'vapi'") == "your_vapi_key"
    assert stack.pump()["sealed"] == 4
    for row in stack.sql("select api_key, api_secret, api_credentials::text as both from call_service_providers"):
        assert row.api_key.startswith("sealed:") and row.api_secret.startswith("sealed:")
        assert "your_" not in row.both
    assert stack.pump()["sealed"] == 0
    stack.sql(DUE_NOW, call)
    stack.drain()
    assert stack.call(call).status == "completed"


def test_availability_rows_are_shown_and_never_counted_on(stack, scheduled):
    run, call = scheduled
    stack.sql("update provider_availability set current_calls = 10, available_slots = 0, status = 'offline'")
    stack.sql(DUE_NOW, call)
    assert len(run(example(4))) == 1
    stack.drain()
    assert stack.call(call).status == "completed"


def test_the_last_example_by_many_at_once_assigns_each_call_once(stack, scheduled):
    run, call = scheduled
    template = stack.queued(call).template_id
    calls = [call] + [str(stack.value("select schedule_call(%s, %s, 'A', %s)", user_id("john"), template, stack.number()))
                      for _ in range(11)]
    stack.sql("update call_queue set scheduled_time = now(), due_at = now() where id = any(%s)", calls)
    start = threading.Barrier(6)

    def work(_):
        start.wait(30)
        return [row for _ in range(4) for row in run(example(4))]

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert stack.value("select max(n) from (select count(*) as n from call_assignments group by call_id) x") == 1
    assert stack.value("select max(n) from (select count(*) as n from call_assignments group by provider_id) x") <= 10
    stack.sql("update call_service_providers set starts_per_second = 1000")
    stack.drain()
    assert {stack.call(c).status for c in calls} == {"completed"}
    stack.invariants()


def test_a_live_call_can_be_ended_by_sql_and_is_not_dialled_again(stack, scheduled):
    run, call = scheduled
    stack.sandbox.settings(durations={"in_progress": 600})
    stack.sql(DUE_NOW, call)
    stack.pump()
    assert run(f"select complete_call('{call}', 61, 'Hello.', 'https://example.com/a.wav')")[0][0] is True
    row = stack.call(call)
    assert (row.status, row.duration_seconds) == ("completed", 61)
    assert stack.value("select transcript_text from call_transcripts where call_id = %s", call) == "Hello."
    assert run(f"select complete_call('{call}')")[0][0] is False
    assert run(f"select handle_failed_call('{call}', 'busy')")[0][0] is False
    assert stack.pump()["claimed"] == 0
    stack.invariants()


def test_a_live_call_that_failed_by_sql_is_dialled_later_until_its_attempts_are_used_up(stack, scheduled):
    run, call = scheduled
    stack.sandbox.settings(durations={"in_progress": 600})
    stack.sql("update call_queue set max_attempts = 2 where id = %s", call)
    for n in (1, 2):
        stack.sql(DUE_NOW, call)
        stack.pump()
        assert stack.queued(call).status == "in-progress"
        assert run(f"select handle_failed_call('{call}', 'line dead')")[0][0] is True
        assert stack.queued(call).attempts == n
    assert stack.queued(call).status == stack.call(call).status == "failed"
    assert stack.call(call).ended_reason == "line dead"
    retry, = stack.sql("select * from call_retries where call_id = %s", call)
    assert retry.reason == "line dead" and retry.delay_seconds > 100
    stack.invariants()


def test_a_row_put_into_the_queue_by_hand_becomes_a_call(stack, scheduled):
    run, call = scheduled
    organization, template = stack.queued(call).organization_id, stack.queued(call).template_id
    row, = run(f"""insert into call_queue (organization_id, recipient_number, expires_at, template_id)
                   values ('{organization}', '+15550107777', now() + interval '1 hour', '{template}') returning id""")
    stack.drain_of(row.id)
    assert stack.call(row.id).status == "completed"
