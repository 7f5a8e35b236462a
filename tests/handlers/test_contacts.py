"""/api/v1/contacts and its do-not-call list, as a client sees them."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from stack_client import problem
from stack_process import wait_until

ROOT = "/api/v1/contacts"
LIST = ROOT + "/do-not-call"


@pytest.fixture
def ann(stack, alice):
    """A contact of alice's."""
    return alice.post(ROOT, {"phone_number": stack.number(), "name": "Ann", "email": "ann@example.com", "tags": ["vip"],
                             "custom_fields": {"level": 3}}, expect=201)


def test_a_contact_is_made_found_changed_and_removed(alice, ann):
    path = f"{ROOT}/{ann['id']}"
    assert alice.get(path) == ann
    assert alice.get(f"{ROOT}?q=an")["data"] == [ann] and alice.get(f"{ROOT}?tag=vip")["data"] == [ann]
    assert alice.get(f"{ROOT}?q=bob")["data"] == [] and alice.get(f"{ROOT}?tag=v")["data"] == []
    changed = alice.expect("PATCH", path, {"name": None, "custom_fields": {"level": None, "town": "Ulm"}})
    assert (changed["name"], changed["custom_fields"], changed["email"]) == (None, {"town": "Ulm"}, "ann@example.com")
    assert alice.get(path) == changed
    assert alice.ask("DELETE", path).status_code == 204
    problem(alice.ask("GET", path), 404, "contact_not_found")
    problem(alice.ask("DELETE", path), 404, "contact_not_found")


def test_a_number_has_one_contact_also_when_many_ask_at_once(stack, alice, ann):
    answer = problem(alice.ask("POST", ROOT, {"phone_number": ann["phone_number"]}), 409, "contact_exists")
    assert ann["id"] in answer["detail"]
    body = {"phone_number": stack.number()}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: alice.with_headers().ask("POST", ROOT, body), range(6)))
    assert sorted(a.status_code for a in answers) == [201] + [409] * 5
    problem(alice.ask("PATCH", f"{ROOT}/{ann['id']}", body), 409, "contact_exists")


def test_what_cannot_stand_in_a_contact_is_named(stack, alice):
    for fields, name in (({"tags": ["a;b"]}, "tags"), ({"tags": [{}]}, "tags"), ({"custom_fields": {"a": [1]}}, "custom_fields.a"),
                         ({"custom_fields": {"a" * 101: 1}}, "custom_fields." + "a" * 100)):
        found = problem(alice.ask("POST", ROOT, {"phone_number": stack.number(), **fields}), 422)
        assert found["errors"][0]["field"] == name and found["code"] in ("tags_invalid", "custom_fields_invalid"), found
    assert alice.get(ROOT)["data"] == []


def test_viewers_read_and_members_write(stack, alice, ann):
    viewer = stack.user("vera")
    stack.sql("insert into organization_members (organization_id, user_id, role) values (%s, %s, 'viewer')", alice.organization, viewer.id)
    viewer = viewer.with_headers(X_Organization_Id=alice.organization)
    assert viewer.get(ROOT)["data"] == [ann]
    problem(viewer.ask("POST", ROOT, {"phone_number": stack.number()}), 403, "role_missing")
    reader = stack.api_key(alice.organization, ("contacts:read",))
    assert reader.get(f"{ROOT}/{ann['id']}") == ann
    problem(reader.ask("PATCH", f"{ROOT}/{ann['id']}", {"name": "x"}), 403, "scope_missing")


def test_a_contact_tells_of_its_calls(stack, alice, ann):
    stack.provider("vapi")
    made = stack.schedule(3, alice, stack.template(), recipient_number=ann["phone_number"])
    stack.insert("calls", organization_id=alice.organization, direction="inbound", status="completed", finished_at="now", from_number=ann["phone_number"])
    stack.drain()
    seen = alice.get(f"{ROOT}/{ann['id']}/calls?limit=2")
    rest = alice.get(f"{ROOT}/{ann['id']}/calls?limit=2&after={seen['next_cursor']}")
    assert [c["direction"] for c in seen["data"] + rest["data"]] == ["inbound"] + ["outbound"] * 3 and rest["next_cursor"] is None
    assert {c["id"] for c in seen["data"] + rest["data"]} > set(map(str, made))
    found = alice.get(f"{ROOT}/{ann['id']}")
    assert found["call_count"] == 4 and found["last_call_at"] == seen["data"][0]["created_at"]


def test_a_contacts_calls_are_found_by_an_index(stack, alice):
    stack.sql("""insert into calls (organization_id, to_number, status, finished_at, created_at)
        select %s, '+1555' || (1000000 + n), 'completed', now(), now() - n * interval '1 second' from generate_series(1, 5000) n""", alice.organization)
    stack.sql("analyze calls")
    plan = "\n".join(row[0] for row in stack.sql("""explain select * from calls c where c.organization_id = %s and c.direction = 'outbound'
        and c.to_number = '+15551000777' order by c.created_at desc, c.id desc limit 21""", alice.organization))
    assert re.search(r"Index Scan using calls_\w+to_number\w+ on calls_2", plan), plan


# ---- who is not called -------------------------------------------------------------------


def test_a_number_on_the_list_is_not_called(stack, alice, bob, ann):
    stack.provider("vapi")
    template, number = stack.template(), ann["phone_number"]
    waiting, = stack.schedule(1, alice, template, recipient_number=number)
    later, = stack.schedule(1, alice, template, recipient_number=number, scheduled_time="2099-01-01T00:00:00Z")
    listed = alice.post(LIST, {"phone_number": number, "reason": "asked"}, expect=201)
    assert listed["created_by"] == alice.id and alice.get(LIST)["data"] == [listed]
    assert alice.get(f"{ROOT}/{ann['id']}")["do_not_call"] is True
    order = {"recipient_number": number, "template_id": template}
    found = problem(alice.ask("POST", "/api/v1/calls", order), 422, "number_do_not_call")
    assert [e["field"] for e in found["errors"]] == ["recipient_number"]
    found = problem(alice.ask("POST", "/api/v1/calls/batch", {"calls": [{**order, "recipient_number": stack.number()}, order]}), 422, "number_do_not_call")
    assert [e["field"] for e in found["errors"]] == ["calls.1.recipient_number"]
    stack.sql("update call_queue set due_at = now(), ready = true where id = %s", later)
    stack.drain()
    for call in (waiting, later):
        assert (stack.call(call).status, stack.call(call).ended_reason) == ("canceled", "do_not_call")
        assert stack.attempts(call) == []
    theirs = stack.schedule(1, bob, template, recipient_number=number)
    stack.drain()
    assert stack.call(theirs[0]).status == "completed"
    assert alice.ask("DELETE", f"{LIST}/{number}").status_code == 204
    problem(alice.ask("DELETE", f"{LIST}/{number}"), 404, "number_not_listed")
    assert alice.get(f"{ROOT}/{ann['id']}")["do_not_call"] is False
    alice.post("/api/v1/calls", order, expect=201)


def test_a_number_that_is_listed_while_a_claim_is_under_way_waits_for_it(stack, alice):
    """Two sessions: what is listed before a claim is seen by it; what comes during a claim is listed after it, and the call is not sent."""
    stack.provider("vapi")
    number = stack.number()
    call, = stack.schedule(1, alice, stack.template(), recipient_number=number)
    with stack.connect() as claiming:
        claimed = claiming.execute("select calls_claim(1, 'test', 30)").fetchone()[0]
        assert claimed["claimed"] == 1
        adding = threading.Thread(target=alice.with_headers().post, args=(LIST, {"phone_number": number}), kwargs={"expect": 201})
        adding.start()
        wait_until(lambda: stack.value("select exists (select from pg_locks where not granted)"), what="the list waits for the claim")
        assert stack.count("do_not_call") == 0
        claiming.commit()
        adding.join(60)
    assert stack.count("do_not_call") == 1
    assignment = claimed["dials"][0]
    assert stack.value("select calls_sent(array[%s]::uuid[], array[%s]::bigint[], 1000, 30)", assignment["assignment_id"], assignment["fence"]) == []
    assert (stack.call(call).status, stack.call(call).ended_reason) == ("canceled", "do_not_call")
    with stack.connect() as listing, stack.connect(autocommit=True) as claiming:
        second = stack.number()
        other, = stack.schedule(1, alice, str(stack.value("select id from call_templates limit 1")), recipient_number=second)
        listing.execute("insert into do_not_call (organization_id, phone_number) values (%s, %s)", (alice.organization, second))
        with ThreadPoolExecutor(1) as pool:
            claim = pool.submit(lambda: claiming.execute("select calls_claim(1, 'test', 30)").fetchone()[0])
            wait_until(lambda: stack.value("select exists (select from pg_locks where not granted)"), what="the claim waits for the list")
            listing.commit()
            assert claim.result(60)["claimed"] == 0
    assert stack.call(other).ended_reason == "do_not_call"
