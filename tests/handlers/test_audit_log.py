"""/api/v1/organizations/{id}/audit-log: who changed what, listed and exported."""

import csv
import io
import json

from stack_client import problem
from stack_organizations import accept, code, create, ident, invite, join

ENTRY = {"id", "created_at", "actor_type", "actor_id", "action", "target_type", "target_id", "details", "request_id", "address"}


def entries(who, path, query=""):
    """All of it, by pages."""
    found, after = [], ""
    while after is not None:
        page = who.get(f"{path}/audit-log?limit=7{query}{after}")
        found += page["data"]
        after = f"&after={page['next_cursor']}" if page["next_cursor"] else None
    return found


def test_each_change_is_written_with_who_and_whence(stack, alice, bob):
    path = create(alice)
    accept(bob, invite(stack, alice, path, "bob@example.com"))
    asked = alice.with_headers(X_Forwarded_For="203.0.113.9").ask("PATCH", path, {"settings": {"transfer_numbers": {"manager": "+15550100001"}}})
    alice.expect("PATCH", f"{path}/members/{bob.id}", {"role": "admin"})
    key = bob.post(f"{path}/api-keys", {"name": "robot", "scopes": ["calls:read"]}, expect=201)
    bob.expect("DELETE", f"{path}/api-keys/{key['id']}", expect=204)
    bob.expect("DELETE", f"{path}/members/me", expect=204)
    alice.expect("DELETE", path)
    alice.post(f"{path}/restore")
    log = entries(alice, path)
    assert [(e["action"], e["actor_id"]) for e in reversed(log)] == [
        ("organization.created", alice.id), ("member.added", alice.id), ("invitation.created", alice.id), ("invitation.accepted", bob.id),
        ("member.added", bob.id), ("organization.updated", alice.id), ("member.role_changed", alice.id), ("api_key.created", bob.id),
        ("api_key.revoked", bob.id), ("member.left", bob.id), ("organization.deleted", alice.id), ("organization.restored", alice.id)]
    assert all(set(e) == ENTRY and e["actor_type"] == "user" and e["address"] == "127.0.0.1" for e in log)
    changed = next(e for e in log if e["action"] == "organization.updated")
    assert changed["request_id"] == asked.headers["X-Request-Id"] and changed["details"] == {"changed": ["settings.transfer_numbers"]}
    assert key["key"] not in json.dumps(log) and "15550100001" not in json.dumps(log)


def test_the_do_not_call_list_is_answered_for(stack, alice):
    path, listed = f"/api/v1/organizations/{alice.organization}", "/api/v1/contacts/do-not-call"
    asked = alice.ask("POST", listed, {"phone_number": "+15550100001", "reason": "asked by mail"})
    imported = alice.post("/api/v1/contacts/imports", {}, expect=201)["id"]
    rows = "phone_number,do_not_call\n" + "".join(f"+1555{n:07d},true\n" for n in range(1500))
    assert alice.ask("PUT", f"/api/v1/contacts/imports/{imported}/file", rows.encode(), headers={"Content-Type": "text/csv"}).status_code == 200
    assert alice.ask("DELETE", f"{listed}/+15550000007").status_code == 204
    log = entries(alice, path, "&target_type=do_not_call")
    reason = f"import {imported}"
    assert [(e["action"], e["details"]["count"], e["details"].get("reason")) for e in reversed(log)] == [
        ("do_not_call.added", 1, None), ("do_not_call.added", 1000, reason), ("do_not_call.added", 500, reason), ("do_not_call.removed", 1, None)]
    assert all(e["actor_id"] == alice.id and e["target_id"] == alice.organization for e in log)
    assert log[-1]["details"]["numbers"] == [{"phone_number": "+15550100001", "reason": "asked by mail"}]
    assert log[-1]["request_id"] == asked.headers["X-Request-Id"]
    gone, = log[0]["details"]["numbers"]
    assert (gone["phone_number"], gone["reason"], gone["created_by"]) == ("+15550000007", reason, alice.id) and gone["created_at"].endswith("Z")


def test_assistants_and_numbers_are_answered_for(stack, alice):
    path, own = f"/api/v1/organizations/{alice.organization}", "+15550100061"
    stack.provider("vapi")
    stack.sql("insert into number_policy (enabled) values (false) on conflict (id) do nothing")
    stack.work()
    made = alice.post("/api/v1/assistants", {"name": "Riley", "system_prompt": "Be brief."}, expect=201)["id"]
    alice.expect("PATCH", f"/api/v1/assistants/{made}", {"first_message": "Hello."})
    other = alice.post("/api/v1/assistants", {"name": "Night desk"}, expect=201)["id"]
    stack.insert("verified_numbers", organization_id=alice.organization, phone_number=own, status="verified")
    asked = alice.ask("POST", "/api/v1/phone-numbers", {"phone_number": "+12125551000", "assistant_id": made})
    number = f"/api/v1/phone-numbers/{asked.json()['id']}"
    stack.work()
    alice.expect("PATCH", number, {"name": "Reception", "forward_to": own, "assistant_id": other})
    alice.expect("PATCH", number, {"name": "Reception"})
    alice.expect("DELETE", number, expect=202)
    stack.work()
    alice.expect("DELETE", f"/api/v1/assistants/{made}", expect=204)
    stack.work()
    log = [e for kind in ("assistant", "number") for e in reversed(entries(alice, path, f"&target_type={kind}"))]
    assert [(e["action"], e["details"].get("name") or e["details"]["phone_number"], e["details"].get("changed")) for e in log] == [
        ("assistant.created", "Riley", None), ("assistant.updated", "Riley", ["first_message"]), ("assistant.created", "Night desk", None),
        ("assistant.deleted", "Riley", None), ("number.bought", "+12125551000", None),
        ("number.updated", "+12125551000", ["assistant_id", "forward_to", "name"]), ("number.released", "+12125551000", None)]
    assert all((e["actor_type"], e["actor_id"]) == ("user", alice.id) for e in log) and own not in json.dumps(log)
    assert (log[4]["request_id"], log[4]["target_id"]) == (asked.headers["X-Request-Id"], asked.json()["id"])
    assert log[6]["details"]["reason"] == "requested"


def test_a_refused_request_leaves_no_entry(stack, alice):
    path = create(alice)
    before = entries(alice, path)
    assert code(alice, "DELETE", f"{path}/members/me")[0] == 409
    assert code(alice, "PATCH", path, {"name": "New", "settings": {"calling_hours": {"start": "1", "end": "2", "timezone": "x"}}})[0] == 400
    assert code(alice, "POST", f"{path}/api-keys", {"name": "x", "scopes": ["no"]})[0] == 422
    assert entries(alice, path) == before


def test_it_is_found_by_filters(stack, alice, bob):
    path = create(alice)
    token = invite(stack, alice, path, "bob@example.com")
    accept(bob, token)
    assert {e["action"] for e in entries(alice, path, "&action=member.added")} == {"member.added"}
    assert {e["action"] for e in entries(alice, path, f"&actor_id={bob.id}")} == {"invitation.accepted", "member.added"}
    assert {e["action"] for e in entries(alice, path, "&target_type=invitation")} == {"invitation.accepted", "invitation.created"}
    assert len(entries(alice, path, f"&target_id={token.split('.')[0]}")) == 2
    newest = entries(alice, path)[0]["created_at"]
    assert entries(alice, path, "&from=2999-01-01T00:00:00Z") == [] == entries(alice, path, "&to=2001-01-01T00:00:00Z")
    assert all(e["created_at"] <= newest for e in entries(alice, path, f"&to={newest}"))
    problem(alice.ask("GET", f"{path}/audit-log?target_type=x"), 400, "bad_fields")
    problem(alice.ask("GET", f"{path}/audit-log?after=x"), 400, "bad_cursor")


def test_the_whole_log_is_exported_by_pages_of_their_own(stack, alice, bob):
    path = create(alice)
    stack.sql("""insert into audit_log (organization_id, actor_type, action, target_type, target_id, details)
                 select %s, 'system', 'member.added', 'member', gen_random_uuid(), jsonb_build_object('n', i, 'text', '=1+"x",' || chr(10))
                   from generate_series(1, 1234) i""", ident(path))
    answer = alice.ask("GET", f"{path}/audit-log/export")
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.split("\n") if line]
    assert len(lines) == 1236 == len({e["id"] for e in lines}) and all(set(e) == ENTRY for e in lines)
    assert [e["created_at"] for e in lines] == sorted((e["created_at"] for e in lines), reverse=True)
    table = alice.ask("GET", f"{path}/audit-log/export?format=csv")
    assert table.headers["Content-Type"] == "text/csv; charset=utf-8" and "audit-log.csv" in table.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(table.text, newline="")))
    assert [r["id"] for r in rows] == [e["id"] for e in lines] and set(rows[0]) == ENTRY
    assert json.loads(rows[0]["details"]) == lines[0]["details"]
    some = alice.ask("GET", f"{path}/audit-log/export?action=organization.created").text
    assert [json.loads(line)["action"] for line in some.split("\n") if line] == ["organization.created"]
    none = alice.ask("GET", f"{path}/audit-log/export?format=csv&to=2001-01-01T00:00:00Z").text
    assert none.startswith("id,created_at,") and none.count("\n") == 1
    assert alice.ask("HEAD", f"{path}/audit-log/export").status_code == 200
    problem(alice.ask("GET", f"{path}/audit-log/export?format=pdf"), 400, "bad_fields")
    assert code(bob, "GET", f"{path}/audit-log/export") == (404, "organization_not_found")
    assert code(join(stack, path, "member", "member"), "GET", f"{path}/audit-log/export") == (403, "role_missing")
    assert stack.api_key(ident(path), ("audit:read",)).ask("GET", f"{path}/audit-log/export").status_code == 200
    assert code(alice, "POST", f"{path}/audit-log", {}) == (405, "method_not_allowed")
    assert code(alice, "DELETE", f"{path}/audit-log") == (405, "method_not_allowed")
