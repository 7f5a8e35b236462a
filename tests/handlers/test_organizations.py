"""/api/v1/organizations: one's own, settings, the default, deletion with grace; who may do what."""

import json
import threading

import pytest
from stack_client import problem
from stack_organizations import ROLES, ROOT, at_once, code, create, ident, join
from stack_process import wait_until

VIEW = {"id", "name", "status", "is_personal", "role", "is_default", "settings", "deleted_after", "created_at", "updated_at"}
SETTINGS = {"notifications", "transfer_numbers", "calling_hours", "assistant", "max_concurrent_calls"}
ANY = "00000000-0000-4000-8000-000000000001"
# Each route that names an organization: method, path, body, scope.
ROUTES = (
    ("GET", "", None, "organization:read"), ("PATCH", "", {"name": "X"}, "organization:write"),
    ("POST", "/restore", {}, "organization:delete"), ("POST", "/default", {}, "organization:read"),
    ("GET", "/members", None, "members:read"), ("POST", "/members", {"email": "new@example.org", "role": "viewer"}, "members:write"),
    ("PATCH", f"/members/{ANY}", {"role": "viewer"}, "members:write"), ("DELETE", f"/members/{ANY}", None, "members:write"),
    ("GET", "/invitations", None, "members:read"), ("POST", f"/invitations/{ANY}/resend", {}, "members:write"),
    ("DELETE", f"/invitations/{ANY}", None, "members:write"), ("GET", "/api-keys", None, "keys:read"),
    ("POST", "/api-keys", {"name": "x", "scopes": ["calls:read"]}, "keys:write"), ("GET", f"/api-keys/{ANY}", None, "keys:read"),
    ("POST", f"/api-keys/{ANY}/rotate", {}, "keys:write"), ("DELETE", f"/api-keys/{ANY}", None, "keys:write"),
    ("GET", "/audit-log", None, "audit:read"), ("GET", "/audit-log/export", None, "audit:read"),
    ("DELETE", "/members/me", None, "members:read"), ("DELETE", "", None, "organization:delete"))


def test_a_person_has_a_personal_one_and_makes_more(alice):
    assert [(o["is_personal"], o["role"], o["is_default"]) for o in alice.get(ROOT)["data"]] == [(True, "owner", True)]
    made = alice.post(ROOT, {"name": "Work", "settings": {"max_concurrent_calls": 2}}, expect=201)
    assert set(made) == VIEW and set(made["settings"]) == SETTINGS
    assert (made["name"], made["role"], made["is_default"], made["settings"]["max_concurrent_calls"]) == ("Work", "owner", False, 2)
    assert {o["name"] for o in alice.get(ROOT)["data"]} == {"Work", "alice@example.com"}
    page = alice.get(f"{ROOT}?limit=1")
    rest = alice.get(f"{ROOT}?limit=1&after={page['next_cursor']}")
    assert {o["id"] for o in page["data"] + rest["data"]} == {made["id"], alice.organization} and not rest["next_cursor"]
    assert alice.get(f"{ROOT}/{made['id']}") == made


def test_the_organization_in_the_path_is_the_active_one(stack, alice, bob):
    path = create(alice)
    assert alice.get(path)["id"] == ident(path)
    assert code(alice.with_headers(X_Organization_Id=alice.organization), "GET", path)[0] in (403, 404)
    assert code(bob, "GET", path) == (404, "organization_not_found")
    assert code(stack.api_key(alice), "GET", path) == (404, "organization_not_found")
    key = stack.api_key(ident(path), ("organization:read",))
    assert key.get(path)["role"] is None and [o["id"] for o in key.get(ROOT)["data"]] == [ident(path)]
    assert code(key, "POST", ROOT, {"name": "X"}) == (403, "person_needed")
    assert code(stack.anybody(), "GET", path) == (401, "unauthenticated")


@pytest.mark.parametrize("method, rest, body, scope", ROUTES)
def test_each_route_is_for_the_roles_that_have_its_scope_and_not_for_strangers(stack, alice, bob, method, rest, body, scope):
    path = create(alice)
    may = {r.role for r in stack.sql("select role from role_scopes() where scope = %s", scope)}
    assert code(bob, method, path + rest, body) == (404, "organization_not_found")
    assert code(stack.api_key(ident(path), ("calls:read",)), method, path + rest, body) == (403, "scope_missing")
    for role in reversed(ROLES):
        who = join(stack, path, f"a-{role}", role)
        answer = who.ask(method, path + rest, body)
        if role in may:
            assert answer.status_code < 400 or answer.json()["code"] != "role_missing", (role, answer.text)
        else:
            problem(answer, 403, "role_missing")


# ---- settings -----------------------------------------------------------------


def test_settings_are_replaced_one_by_one_and_cleared_by_null(alice):
    path = create(alice)
    hours = {"start": "09:00", "end": "17:30", "timezone": "Europe/Berlin", "days": [1, 2, 3, 4, 5]}
    got = alice.expect("PATCH", path, {"name": "New", "settings": {
        "calling_hours": hours, "max_concurrent_calls": 4, "transfer_numbers": {"dispatch": "+15550100001", "manager": "+15550100002"},
        "notifications": {"email": {"enabled": True, "addresses": ["ops@example.org"]}}}})
    assert got["name"] == "New" and got["settings"]["calling_hours"] == hours and got["settings"]["max_concurrent_calls"] == 4
    assert got["settings"]["notifications"]["sms"] == {"enabled": False, "numbers": []}
    got = alice.expect("PATCH", path, {"settings": {"transfer_numbers": {"emergency": "+15550100003"}, "max_concurrent_calls": None}})
    assert got["settings"]["transfer_numbers"] == {"emergency": "+15550100003"}
    assert got["settings"]["max_concurrent_calls"] is None and got["settings"]["calling_hours"] == hours
    got = alice.expect("PATCH", path, {"settings": {"calling_hours": None}})
    assert got["settings"]["calling_hours"] is None and got["settings"]["notifications"]["email"]["enabled"] is True
    assert alice.get(path) == got


def test_who_answers_new_numbers_is_a_setting(stack, alice, bob):
    path, mine = f"{ROOT}/{alice.organization}", alice.post("/api/v1/assistants", {"name": "Night desk"}, expect=201)["id"]
    theirs = bob.post("/api/v1/assistants", {"name": "Night desk"}, expect=201)["id"]
    wish = {"template": "receptionist", "variable_values": {"business_description": "We grow.", "opening_hours": "always"}, "default_id": mine}
    got = alice.expect("PATCH", path, {"settings": {"assistant": wish}})
    assert got["settings"]["assistant"] == wish == alice.get(path)["settings"]["assistant"]
    assert stack.value("select assistant_default(%s)::text", alice.organization) == mine
    problem(alice.ask("PATCH", path, {"settings": {"assistant": {"default_id": theirs}}}), 404, "assistant_not_found")
    problem(alice.ask("PATCH", path, {"settings": {"assistant": {"template": "none"}}}), 404, "assistant_template_not_found")
    problem(alice.ask("POST", ROOT, {"name": "X", "settings": {"assistant": {"default_id": mine}}}), 400, "bad_fields")
    assert alice.get(path) == got
    assert alice.expect("PATCH", path, {"settings": {"assistant": None}})["settings"]["assistant"] is None
    made = alice.post(ROOT, {"name": "Elm Street", "settings": {"assistant": {k: v for k, v in wish.items() if k != "default_id"}}}, expect=201)
    assert made["settings"]["assistant"]["template"] == "receptionist"
    spoken = stack.value("select system_prompt from assistants where id = %s", stack.value("select assistant_default(%s)", made["id"]))
    assert "Elm Street" in spoken and "We grow." in spoken


@pytest.mark.parametrize("settings, status, field", [
    ({"max_concurrent_calls": -1}, 400, "settings.max_concurrent_calls"),
    ({"transfer_numbers": {"dispatch": "555"}}, 400, "settings.transfer_numbers.dispatch"),
    ({"transfer_numbers": {"boss": "+15550100001"}}, 400, "settings.transfer_numbers.boss"),
    ({"calling_hours": {"start": "09:00", "end": "17:00"}}, 400, "settings.calling_hours.timezone"),
    ({"colour": "red"}, 400, "settings.colour"),
    ({"assistant": {"colour": "red"}}, 400, "settings.assistant.colour"),
    ({"assistant": {"default_id": "x"}}, 400, "settings.assistant.default_id"),
    ({"assistant": {"template": "receptionist", "variable_values": {"opening_hours": "always"}}}, 422,
     "settings.assistant.variable_values.business_description"),
    ({"assistant": {"variable_values": {"x": "y"}}}, 422, "settings.assistant.variable_values"),
    ({"calling_hours": {"start": "25:00", "end": "26:00", "timezone": "UTC"}}, 422, "settings.calling_hours.start"),
    ({"calling_hours": {"start": "09:00", "end": "17:00", "timezone": "Mars"}}, 422, "settings.calling_hours.timezone"),
    ({"calling_hours": {"start": "17:00", "end": "09:00", "timezone": "UTC"}}, 422, "settings.calling_hours.end"),
    ({"calling_hours": {"start": "09:00", "end": "17:00", "timezone": "UTC", "days": [0]}}, 422, "settings.calling_hours.days.0"),
    ({"notifications": {"sms": {"numbers": ["+15550100001", "x"]}}}, 422, "settings.notifications.sms.numbers.1"),
    ({"notifications": {"email": {"addresses": ["nobody"]}}}, 422, "settings.notifications.email.addresses.0")])
def test_a_wrong_setting_is_named(alice, settings, status, field):
    path = create(alice)
    before = alice.get(path)
    for method, where in (("PATCH", path), ("POST", ROOT)):
        body = problem(alice.ask(method, where, {"name": "X", "settings": settings}), status)
        assert [e["field"] for e in body["errors"]] == [field], body
    assert alice.get(path) == before and len(alice.get(ROOT)["data"]) == 2


def test_the_pump_keeps_to_the_cap_and_the_hours_that_the_api_took(stack, alice):
    stack.provider("vapi")
    stack.sandbox.settings(durations={"in_progress": 600})
    alice.expect("PATCH", f"{ROOT}/{alice.organization}", {"settings": {"max_concurrent_calls": 2}})
    calls = stack.schedule(4, alice, stack.template())
    stack.pump()
    assert sorted(stack.queued(c).status for c in calls) == ["in-progress", "in-progress", "queued", "queued"]
    alice.expect("PATCH", f"{ROOT}/{alice.organization}", {"settings": {"max_concurrent_calls": None, "calling_hours": {
        "start": "00:00", "end": "24:00", "timezone": "UTC",
        "days": [int(stack.value("select extract(isodow from (now() + interval '3 days') at time zone 'UTC')"))]}}})
    stack.pump()
    assert {stack.queued(c).admission for c in calls if stack.queued(c).status == "queued"} == {"calling_hours"}
    alice.expect("PATCH", f"{ROOT}/{alice.organization}", {"settings": {"calling_hours": {
        "start": "00:00", "end": "24:00", "timezone": "America/New_York"}}})
    stack.pump()
    assert {stack.queued(c).status for c in calls} == {"in-progress"}


# ---- the default -----------------------------------------------------------------


def test_any_member_chooses_his_default(stack, alice):
    path = create(alice)
    who = join(stack, path, "viewer", "viewer")
    assert who.post(f"{path}/default")["is_default"] is True
    assert who.get("/api/v1/calls/stats")["total"] == 0
    assert {o["id"]: o["is_default"] for o in who.get(ROOT)["data"]} == {ident(path): True, who.organization: False}
    assert alice.expect("PATCH", path, {"is_default": True})["is_default"] is True
    assert at_once(*[(alice, "POST", f"{p}/default", {}) for p in (path, f"{ROOT}/{alice.organization}") * 4]) == [(200, "")] * 8
    assert stack.count("organization_members", "user_id = %s and is_default", alice.id) == 1


# ---- deletion ----------------------------------------------------------------------


def test_the_personal_one_is_not_deleted(alice):
    assert code(alice, "DELETE", f"{ROOT}/{alice.organization}") == (409, "organization_personal")


def test_deleted_it_takes_nothing_new_and_can_be_restored(stack, alice):
    stack.provider("vapi")
    path = create(alice)
    here = alice.with_headers(X_Organization_Id=ident(path))
    template = stack.template(organization_id=ident(path))
    order = {"recipient_number": stack.number(), "template_id": str(template)}
    call = here.post("/api/v1/calls", order, expect=201)["id"]
    gone = alice.expect("DELETE", path)
    assert gone["status"] == "canceled" and gone["deleted_after"]
    assert stack.call(call).status == "canceled"
    assert code(here, "POST", "/api/v1/calls", order) == (403, "organization_inactive")
    assert code(alice, "POST", f"{path}/members", {"email": "x@example.org", "role": "viewer"}) == (403, "organization_inactive")
    assert code(alice, "PATCH", path, {"name": "X"}) == (403, "organization_inactive")
    assert code(alice, "DELETE", path) == (409, "organization_deleted")
    assert alice.get(path)["status"] == "canceled"
    back = alice.post(f"{path}/restore")
    assert (back["status"], back["deleted_after"]) == ("active", None)
    assert code(alice, "POST", f"{path}/restore", {}) == (409, "organization_not_deleted")
    assert here.post("/api/v1/calls", order, expect=201)
    assert sorted(at_once((alice, "DELETE", path, None), (alice, "DELETE", path, None))) == [(200, ""), (409, "organization_deleted")]
    assert stack.count("workflow_runs", "workflow = 'organization-delete' and state <> 'canceled'") == 1


def test_no_call_slips_past_a_deletion(stack, alice):
    stack.provider("vapi")
    path = create(alice)
    here = alice.with_headers(X_Organization_Id=ident(path))
    template = stack.template(organization_id=ident(path))
    order = {"recipient_number": stack.number(), "template_id": str(template)}
    got, go = [], threading.Event()

    def enter():
        go.wait()
        got.extend(code(here, "POST", "/api/v1/calls", order) for _ in range(15))

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    go.set()
    alice.expect("DELETE", path)
    for thread in threads:
        thread.join()
    assert set(got) <= {(201, ""), (403, "organization_inactive")} and (403, "organization_inactive") in got
    assert stack.count("call_queue", "organization_id = %s and status = 'queued'", ident(path)) == 0


def test_a_deletion_waits_for_a_call_that_is_being_entered(stack, alice):
    stack.provider("vapi")
    path = create(alice)
    order = {"recipient_number": stack.number(), "template_id": str(stack.template(organization_id=ident(path)))}
    thread = threading.Thread(target=alice.expect, args=("DELETE", path))
    with stack.connect() as db:
        call = db.execute("select call_enter(%s, null, %s)", (ident(path), json.dumps(order))).fetchone()[0]
        thread.start()
        wait_until(lambda: stack.value("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = %s",
                                       stack.database), what="the deletion to wait")
    thread.join()
    assert stack.call(call).status == "canceled" and alice.get(path)["status"] == "canceled"


def test_after_the_grace_the_workflow_removes_all_of_it(stack, alice, bob):
    path = create(alice)
    join(stack, path, "viewer", "viewer")
    key = stack.api_key(ident(path))
    assert key.get("/api/v1/calls")["data"] == []
    alice.expect("DELETE", path)
    stack.sql("update organizations set deleted_after = now() + interval '1 hour' where id = %s", ident(path))
    stack.work()
    assert alice.get(path)["status"] == "canceled"
    stack.sql("update organizations set deleted_after = now() - interval '1 second' where id = %s", ident(path))
    assert code(alice, "POST", f"{path}/restore", {}) == (409, "restore_too_late")
    stack.sql("update workflow_runs set due_at = now() where workflow = 'organization-delete'")
    stack.work()
    assert stack.value("select state from workflow_runs where workflow = 'organization-delete'") == "done"
    assert code(alice, "GET", path) == (404, "organization_not_found")
    assert code(key, "GET", "/api/v1/calls") == (401, "api_key_invalid")
    assert stack.count("audit_log", "organization_id = %s", ident(path)) == 0
    assert [o["id"] for o in alice.get(ROOT)["data"]] == [alice.organization] and bob.get(f"{ROOT}/{bob.organization}")
