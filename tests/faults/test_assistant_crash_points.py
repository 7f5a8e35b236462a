"""kill -9 of workflow-pump at each named point while it brings assistants to Vapi: in the end each is there once, as it shall be, or gone."""

import pytest
from stack import Stack, build_dir
from stack_process import wait_until

from faulty import crash_points

# It looks by a step of its own, so that the points of the engine's looks are not come by.
POINTS = [name for name in crash_points()
          if name.startswith("work_") and not name.startswith(("work_schedule", "work_renewed", "work_look"))]
SETTINGS = {"HOOKSWITCH_WORK_LEASE_SECONDS": 1}
AT_ONCE = 3


@pytest.fixture(scope="module")
def crashing(tmp_path_factory):
    """A stack from the build with crash points."""
    with Stack(tmp_path_factory.mktemp("assistants"), build=build_dir("HOOKSWITCH_CRASH_BUILD_DIR"), settings=SETTINGS,
               start=("status",)) as stack:
        stack.reset()
        stack.provider("vapi")
        yield stack


def due(stack):
    """What waits for another try is due now, and what was sent was sent long enough ago for the list to be believed."""
    stack.sql("update workflow_steps set due_at = now() where due_at > now()")
    stack.sql("update workflow_steps set sent_at = sent_at - interval '1 minute' where sent_at is not null")
    stack.sql("update workflow_runs set due_at = now() where state = 'ready' and due_at > now()")


def wish(stack, organization):
    """Something for each step: new ones, of which some answers are lost, a change of one that is there, and one that goes."""
    for action in ({"answer": "reset"}, {"status": 500}, None):
        made = stack.value("select to_jsonb(public.assistant_make(%s, null, '{\"name\":\"A\",\"system_prompt\":\"Be brief.\"}'))", organization)
        if action:
            stack.sandbox.rule(action, provider="vapi", operation="assistant_create", type=made["id"], times=1)
    stack.sql("""update assistants set system_prompt = system_prompt || ' Please.'
                  where id in (select id from assistants where status = 'active' order by created_at limit 2)""")
    stack.sql("""select public.assistant_drop(a) from assistants a
                  where id in (select id from assistants where status = 'active' order by created_at limit 1)""")


def waiting(stack):
    """How many runs are not over."""
    return stack.count("workflow_runs", "state <> 'done'")


def test_a_death_at_each_point_leaves_each_assistant_once_and_as_it_shall_be(crashing):
    stack = crashing
    organization = stack.insert("organizations", name="Elm Street Dental")

    def dies(point, once):
        if waiting(stack) < AT_ONCE and stack.count("assistants", "deleted_at is null") < 80:
            wish(stack, organization)
        due(stack)
        stack.work(expect=None, env={"HOOKSWITCH_CRASH_POINT": point, "HOOKSWITCH_CRASH_ONCE": once, "HOOKSWITCH_WORK_BATCH": 2})
        return once.exists()

    for point in POINTS:
        once = stack.folder / f"once-{point}"
        wait_until(lambda p=point, o=once: dies(p, o), what=f"a death at {point}")

    def over():
        due(stack)
        stack.work(wait=1)
        return waiting(stack) == 0

    wait_until(over, what="all assistants being as they shall be")
    there = {a["id"]: a for a in stack.sandbox.vapi()["assistants"]}
    ours = stack.sql("select vapi_assistant_id, system_prompt, status, run_id from assistants where deleted_at is null")
    assert {r.vapi_assistant_id for r in ours} == set(there) and len(ours) >= AT_ONCE
    assert {(r.status, r.run_id) for r in ours} == {("active", None)}
    assert all(there[r.vapi_assistant_id]["model"]["messages"][0]["content"] == r.system_prompt for r in ours)
    assert set(stack.sandbox.vapi()["created"].values()) == {1}
