"""Phone numbers under operators' hands: how they are given by themselves, all of them, the log, and what does not fit together."""

import uuid

import pytest
from psycopg.types.json import Jsonb
from stack_client import problem
from stack_operators import ADMIN, operator

NUMBERS = f"{ADMIN}/numbers"
POLICY = f"{NUMBERS}/policy"


@pytest.fixture
def olga(stack):
    """An operator."""
    return operator(stack)


def number(stack, organization, status="active", **more):
    """A number that was bought."""
    more = {"phone_number": f"+1555{uuid.uuid4().int % 10**7:07}", "provider_sid": f"PN{uuid.uuid4().hex}", "origin": "automatic", **more}
    return str(stack.value(f"""insert into phone_numbers (organization_id, status, {', '.join(more)})
        values (%s, %s, {', '.join(['%s'] * len(more))}) returning id""", organization, status, *more.values()))


def test_the_policy_is_read_and_changed_and_stands_in_the_audit_log(stack, olga):
    before = olga.get(POLICY)
    assert (before["enabled"], before["share_percent"], before["organizations"], before["ready"]) == (False, 100, [], False)
    known, other = str(uuid.uuid4()), str(uuid.uuid4())
    changed = olga.expect("PATCH", POLICY, {"enabled": True, "share_percent": 10, "organizations": [known, other, known], "grace_days": 7, "near_owner": True})
    assert (changed["enabled"], changed["share_percent"], changed["organizations"]) == (True, 10, sorted([known, other]))
    assert olga.get(POLICY) == changed and changed["paused_days"] == before["paused_days"]
    assert stack.value("select count(*) from workflow_runs where workflow = 'provision-catchup'") == 1, "who it opens the door to is looked for"
    log = [e for e in olga.get(f"{ADMIN}/audit-log")["data"] if e["action"] == "number_policy.updated"]
    assert log[0]["details"]["changed"]["enabled"] == {"from": False, "to": True} and log[0]["actor_id"] == olga.id
    assert olga.expect("PATCH", POLICY, {"enabled": True}) == changed, "what is so already changes nothing"
    assert len([e for e in olga.get(f"{ADMIN}/audit-log")["data"] if e["action"] == "number_policy.updated"]) == len(log)
    slug = stack.value("select slug from templates where is_active limit 1")
    assert olga.expect("PATCH", POLICY, {"template_slug": slug})["template_slug"] == slug
    assert olga.expect("PATCH", POLICY, {"template_slug": None})["template_slug"] is None
    assert olga.expect("PATCH", POLICY, {"enabled": False, "organizations": []})["organizations"] == []


@pytest.mark.parametrize("bad, status, code", [
    ({"share_percent": 101}, 400, "bad_fields"), ({"number_type": "satellite"}, 400, "bad_fields"), ({"organizations": ["x"]}, 400, "bad_fields"),
    ({"grace_days": -1}, 400, "bad_fields"), ({"country_code": "us"}, 422, "country_invalid"),
    ({"template_slug": "no-such"}, 404, "assistant_template_not_found")])
def test_a_policy_that_cannot_be_is_refused(stack, olga, bad, status, code):
    before = olga.get(POLICY)
    problem(olga.ask("PATCH", POLICY, bad), status, code)
    assert olga.get(POLICY) == before


def test_all_numbers_are_found_by_status_and_organization(stack, olga, alice):
    ours = [number(stack, alice.organization), number(stack, alice.organization, "paused", wanted="paused", pause_reason="canceled")]
    theirs = number(stack, stack.user("numbered").organization)
    assert {n["id"] for n in olga.get(NUMBERS)["data"]} >= {*ours, theirs}
    of_alice = olga.get(f"{NUMBERS}?organization_id={alice.organization}")["data"]
    assert [n["id"] for n in of_alice] == ours[::-1], "the newest first"
    assert [n["id"] for n in olga.get(f"{NUMBERS}?organization_id={alice.organization}&status=paused")["data"]] == [ours[1]]
    assert (of_alice[0]["pause_reason"], of_alice[0]["origin"], of_alice[0]["tried"]) == ("canceled", "automatic", 0)
    first = olga.get(f"{NUMBERS}?organization_id={alice.organization}&limit=1")
    assert [n["id"] for n in olga.get(f"{NUMBERS}?organization_id={alice.organization}&after={first['next_cursor']}")["data"]] == [ours[0]]
    problem(alice.ask("GET", NUMBERS), 403, "operator_needed")


def test_a_number_is_given_back_whoever_has_it(stack, olga, alice):
    ident = number(stack, alice.organization)
    answer = olga.post(f"{NUMBERS}/{ident}/release")
    assert (answer["wanted"], answer["release_reason"]) == ("released", "operator") and answer["run_id"]
    assert olga.post(f"{NUMBERS}/{ident}/release")["run_id"] == answer["run_id"], "twice is once"
    over = number(stack, alice.organization, "failed", wanted="active")
    assert olga.post(f"{NUMBERS}/{over}/release")["status"] == "failed", "what is over stays what it is"
    entries = [e for e in olga.get(f"{ADMIN}/audit-log")["data"] if e["action"] == "number.released"]
    assert [e["target_id"] for e in entries] == [ident]
    problem(olga.ask("POST", f"{NUMBERS}/{uuid.uuid4()}/release"), 404, "number_not_found")


def test_the_log_and_the_differences_are_read(stack, olga, alice):
    ident = number(stack, alice.organization)
    stack.sql("select number_log(%s, 'release', 'noted', %s)", alice.organization, Jsonb({"phone_number_id": ident, "reason": "grace_over"}))
    lines = olga.get(f"{NUMBERS}/log?organization_id={alice.organization}")["data"]
    assert lines[0]["reason"] == "grace_over" and lines[-1]["trigger_action"] == "insert", "from the sign-up on"
    assert [line["status"] for line in olga.get(f"{NUMBERS}/log?phone_number_id={ident}")["data"]] == ["noted"]
    assert olga.get(f"{NUMBERS}/log?organization_id={alice.organization}&status=failed")["data"] == []
    stack.sql("""insert into number_differences (provider, kind, external_id, phone_number, resolved_at) values
        ('twilio', 'orphan', 'PN_o', '+15550109999', null), ('vapi', 'drift', 'v_1', null, now())""")
    assert [d["external_id"] for d in olga.get(f"{NUMBERS}/differences?kind=orphan")["data"]] == ["PN_o"]
    assert "v_1" in [d["external_id"] for d in olga.get(f"{NUMBERS}/differences?state=resolved")["data"]]
    assert {"PN_o", "v_1"} <= {d["external_id"] for d in olga.get(f"{NUMBERS}/differences?state=all")["data"]}


def test_a_plan_says_how_many_numbers_and_not_less_while_somebody_pays(stack, olga, alice):
    made = olga.post(f"{ADMIN}/plans", {"name": "Lines", "price_cents": 4900, "number_limit": 3}, expect=201)
    path = f"{ADMIN}/plans/{made['id']}"
    assert made["number_limit"] == 3
    assert {p["name"]: p["number_limit"] for p in alice.get("/api/v1/billing/plans")["data"]}["Lines"] == 3
    assert olga.expect("PATCH", path, {"number_limit": 2})["number_limit"] == 2, "nobody has it"
    stack.sql("insert into subscriptions (organization_id, plan_id, origin, external_id) values (%s, %s, 'stripe', 'sub_lines')", alice.organization, made["id"])
    problem(olga.ask("PATCH", path, {"number_limit": 1}), 409, "plan_in_use")
    assert olga.expect("PATCH", path, {"number_limit": 4})["number_limit"] == 4
    assert olga.expect("PATCH", path, {"number_limit": None})["number_limit"] is None
    problem(olga.ask("PATCH", path, {"number_limit": 1000}), 409, "plan_in_use")
