"""Templates as clients see them: who sees which, what may be written, sharing, favourites, copies, and those that assistants are made from."""

import uuid

import pytest

from stack_client import Client, problem

ROOT = "/api/v1/call-templates"
STOCK = "/api/v1/templates"
WHO = {"variables": [{"name": "who", "required": True}]}


@pytest.fixture
def write(stack, alice):
    """Writes a template of alice's: write(visibility="private")."""
    stack.provider("vapi")

    def one(by=alice, expect=201, **fields):
        return by.post(ROOT, {"name": "Reminder", "targets": [{"provider_type": "vapi", "assistant": "test-assistant", "caller_number": "number-1"}],
                              **fields}, expect=expect)
    return one


@pytest.fixture
def people(stack, alice, bob):
    """Who asks, by what he is to alice's organization."""
    carol = stack.user("carol")
    stack.sql("insert into organization_members (organization_id, user_id, role) values (%s, %s, 'member')", alice.organization, carol.id)
    there = carol.with_headers(X_Organization_Id=alice.organization)
    there.claims = {**carol.claims, "app_metadata": {"organization_id": alice.organization}}
    there.organization = alice.organization
    return {"creator": alice, "colleague": there, "key": stack.api_key(alice.organization), "stranger": bob,
            "strangers key": stack.api_key(bob.organization)}


def ids(page):
    """Of a list."""
    return [t["id"] for t in page["data"]]


def order(who, template, expect=201, **fields):
    """A call with it."""
    return who.post("/api/v1/calls", {"recipient_number": "+15551234567", "template_id": template, "scheduled_time": "2099-01-01T00:00:00Z",
                                      **fields}, expect=expect)


def seen_by(stack, people, template):
    """Who sees a template; by id, in lists, by SQL, and to order with it, all of them say the same."""
    found = set()
    for name, who in people.items():
        shown = who.ask("GET", f"{ROOT}/{template}").status_code == 200
        listed = template in ids(who.get(ROOT + "?limit=100"))
        ordered = who.ask("POST", "/api/v1/calls", {"recipient_number": "+15551234567", "template_id": template,
                                                    "scheduled_time": "2099-01-01T00:00:00Z"})
        assert ordered.status_code == 201 or problem(ordered, 422, "template_not_found"), ordered.text
        by_sql = shown
        if who.claims:
            by_sql = bool(stack.count("call_templates", "true") and stack.value(
                "select count(*) from call_templates where id = %s", template, role="authenticated", claims=who.claims))
        assert shown == listed == by_sql == (ordered.status_code == 201), (name, shown, listed, by_sql, ordered.text)
        if shown:
            found.add(name)
    return found


# ---- who sees which ------------------------------------------------------------------


@pytest.mark.parametrize("visibility, by, who", [
    ("private", "creator", {"creator"}),
    ("private", "key", {"creator", "colleague", "key"}),
    ("organization", "creator", {"creator", "colleague", "key"}),
    ("public", "creator", {"creator", "colleague", "key", "stranger", "strangers key"})])
def test_a_template_is_seen_and_used_by_whom_it_is_for(stack, write, people, visibility, by, who):
    template = write(by=people[by], visibility=visibility)
    assert (template["visibility"], template["is_public"], template["editable"]) == (visibility, visibility == "public", True)
    assert seen_by(stack, people, template["id"]) == who
    problem(stack.anybody().ask("GET", f"{ROOT}/{template['id']}"), 401, "unauthenticated")
    for name in set(people) - who:
        for method, path, body in (("GET", "", None), ("PATCH", "", {"name": "x"}), ("DELETE", "", None), ("POST", "/copy", {}),
                                   ("GET", "/shares", None), ("POST", "/shares", {"email": "x@example.com"})):
            problem(people[name].ask(method, f"{ROOT}/{template['id']}{path}", body), 404, "call_template_not_found")


def test_others_see_a_public_template_but_not_whose_it_is(write, alice, bob):
    template = write(visibility="public", params=WHO, first_message="Hello {{who}}")
    seen = bob.get(f"{ROOT}/{template['id']}")
    hidden = {"organization_id": None, "created_by": None, "editable": False,
              "targets": [{"provider_type": "vapi", "assistant": "test-assistant", "caller_number": None}]}
    assert seen == {**template, **hidden}
    for method, path, body in (("PATCH", "", {"name": "x"}), ("DELETE", "", None), ("GET", "/shares", None),
                               ("POST", "/shares", {"email": "x@example.com"})):
        problem(bob.ask(method, f"{ROOT}/{template['id']}{path}", body), 403, "template_read_only")
    assert alice.get(f"{ROOT}/{template['id']}") == template


def test_what_was_public_is_private_again(stack, write, people, alice, bob):
    template = write(visibility="public")["id"]
    call = order(bob, template)["id"]
    assert bob.ask("PUT", f"{ROOT}/{template}/favorite").status_code == 204
    assert ids(bob.get(ROOT + "?favorite=true")) == [template]
    changed = alice.expect("PATCH", f"{ROOT}/{template}", {"visibility": "private"})
    assert (changed["visibility"], changed["is_public"]) == ("private", False)
    assert seen_by(stack, people, template) == {"creator"}
    assert bob.get(ROOT + "?favorite=true")["data"] == []
    assert stack.value("select count(*) from template_favorites", role="authenticated", claims=bob.claims) == 0
    # What was accepted before goes on: it is dialled, and reaches its end.
    bob.post(f"/api/v1/calls/{call}/reschedule", {"scheduled_time": "2020-01-01T00:00:00Z"})
    stack.drain_of(call)
    assert stack.call(call).status == "completed"
    refused = problem(bob.ask("POST", f"/api/v1/calls/{call}/retry", {}), 422, "template_not_found")
    assert refused["errors"][0]["field"] == "template_id"


def test_only_who_made_a_template_makes_it_private(write, people):
    template = write()["id"]
    for name in ("colleague", "key"):
        problem(people[name].ask("PATCH", f"{ROOT}/{template}", {"visibility": "private"}), 403, "template_read_only")
        assert people[name].expect("PATCH", f"{ROOT}/{template}", {"name": name})["name"] == name
    assert people["creator"].expect("PATCH", f"{ROOT}/{template}", {"visibility": "private"})["visibility"] == "private"


def test_by_sql_both_names_of_being_public_say_the_same(stack, people, alice):
    stack.provider("vapi")
    template = stack.insert("call_templates", name="By SQL", organization_id=alice.organization, created_by=alice.id, assistant_id="test-assistant")
    assert seen_by(stack, people, template) == {"creator"}
    stack.sql("update call_templates set is_public = true where id = %s", template)
    assert alice.get(f"{ROOT}/{template}")["visibility"] == "public"
    assert seen_by(stack, people, template) == set(people)


# ---- sharing --------------------------------------------------------------------------


def test_a_private_template_is_shared_and_taken_back(stack, write, people, alice, bob):
    template = write(visibility="private")["id"]
    path = f"{ROOT}/{template}/shares"
    expected = {"creator"}
    shares = []
    for body, gains in (({"user_id": people["colleague"].id}, {"colleague"}), ({"email": "BOB@example.com"}, {"stranger"}),
                        ({"with_organization_id": bob.organization}, {"strangers key"})):
        shares.append(alice.post(path, body, expect=201))
        assert alice.post(path, body, expect=201) == shares[-1]
        expected |= gains
        assert seen_by(stack, people, template) == expected
    assert alice.get(path)["data"] == shares
    assert shares[1]["email"] == "bob@example.com"
    problem(bob.ask("PATCH", f"{ROOT}/{template}", {"name": "mine"}), 403, "template_read_only")
    problem(bob.ask("GET", path), 403, "template_read_only")
    for share, losers in zip(reversed(shares), ({"strangers key"}, {"stranger"}, {"colleague"}), strict=True):
        assert alice.ask("DELETE", f"{path}/{share['id']}").status_code == 204
        problem(alice.ask("DELETE", f"{path}/{share['id']}"), 404, "share_not_found")
        expected -= losers
        assert seen_by(stack, people, template) == expected


def test_a_share_names_one_who_can_be_named(write, alice, bob):
    path = f"{ROOT}/{write()['id']}/shares"
    for body, status, code in (({}, 422, "share_recipient_invalid"),
                               ({"email": "a@example.com", "with_organization_id": bob.organization}, 422, "share_recipient_invalid"),
                               ({"user_id": bob.id}, 404, "member_not_found"), ({"user_id": str(uuid.uuid4())}, 404, "member_not_found"),
                               ({"with_organization_id": str(uuid.uuid4())}, 404, "organization_not_found"), ({"email": "x"}, 400, "bad_fields")):
        problem(alice.ask("POST", path, body), status, code)
    # Whether somebody has an address is told to nobody.
    known, unknown = (alice.post(path, {"email": f"{name}@example.com"}, expect=201) for name in ("bob", "nobody"))
    assert {k: v for k, v in known.items() if k not in ("id", "email", "created_at")} == \
        {k: v for k, v in unknown.items() if k not in ("id", "email", "created_at")}


def test_an_address_must_be_proved_to_see_what_was_shared_with_it(stack, write, alice):
    template = write(visibility="private")["id"]
    alice.post(f"{ROOT}/{template}/shares", {"email": "eve@example.com"}, expect=201)
    eve = stack.user("eve")
    stack.sql("insert into auth.users (id, email) values (%s, 'eve@example.com')", eve.id)
    assert eve.ask("GET", f"{ROOT}/{template}").status_code == 404
    stack.sql("update auth.users set email_confirmed_at = now() where id = %s", eve.id)
    assert eve.get(f"{ROOT}/{template}")["id"] == template
    # A token that claims another's address is not believed against the account.
    mallory = Client(stack.url, {"Authorization": f"Bearer {stack.token('mallory', user_metadata={'email': 'eve@example.com'})}"})
    assert mallory.ask("GET", f"{ROOT}/{template}").status_code == 404


# ---- writing ----------------------------------------------------------------------------


def test_a_template_is_written_changed_and_read(write, alice):
    wish = {"name": "Dentist", "description": "Reminds of a cleaning.", "category": "reminders", "tags": ["dental", "en"],
            "params": {"variables": [{"name": "who", "required": True, "type": "text", "max_length": 40, "example": "Ann"},
                                     {"name": "day", "type": "date", "default": "2099-12-31"}], "voicemail": "accept"},
            "params_order": ["day", "who"], "first_message": "Hello {{who}}!", "system_prompt": "Remind of {{ day }}.",
            "model_provider": "anthropic", "model_name": "claude"}
    made = write(**wish)
    assert {k: made[k] for k in wish} == wish
    assert (made["visibility"], made["organization_id"], made["created_by"]) == ("organization", alice.organization, alice.id)
    path = f"{ROOT}/{made['id']}"
    assert alice.get(path) == made
    changed = alice.expect("PATCH", path, {"name": "Other", "description": None, "tags": ["a", "a", " b "], "system_prompt": None,
                                           "targets": [{"provider_type": "synthflow", "assistant": "model-1", "caller_number": "+15550009999"}]})
    assert changed == {**made, "name": "Other", "description": None, "tags": ["a", "b"], "system_prompt": None, "updated_at": changed["updated_at"],
                       "targets": [{"provider_type": "synthflow", "assistant": "model-1", "caller_number": "+15550009999"}]}
    # Another set of variables comes in its own order; the texts must still fit.
    problem(alice.ask("PATCH", path, {"params": {"variables": [{"name": "x"}]}}), 422, "variable_undeclared")
    changed = alice.expect("PATCH", path, {"params": {"variables": [{"name": "x"}, {"name": "who"}]}})
    assert changed["params_order"] == ["x", "who"] and changed["params"]["variables"][1] == {"name": "who"}
    assert alice.ask("PATCH", path, {"name": "y"}, headers={"If-Match": '"stale"'}).status_code == 412


def test_what_a_template_cannot_be_is_named(stack, write, alice, bob):
    stack.insert("phone_numbers", organization_id=bob.organization, phone_number="+15550107777", voice_number_id="bobs-number")
    stack.insert("assistants", organization_id=bob.organization, name="B", vapi_assistant_id="bobs-assistant")
    vapi = {"provider_type": "vapi", "assistant": "a"}
    for fields, code, field in (
            ({"first_message": "Hello {{who}}"}, "variable_undeclared", "first_message"),
            ({"params": WHO, "system_prompt": "{{who}} {{whom}}"}, "variable_undeclared", "system_prompt"),
            ({"params": WHO, "first_message": "{{who | upcase}}"}, "template_text_invalid", "first_message"),
            ({"first_message": "{% if x %}"}, "template_text_invalid", "first_message"),
            ({"params": {"variables": [{"name": "a"}, {"name": "a"}]}}, "template_params_invalid", "params.variables.1.name"),
            ({"params": {"variables": [{"name": "a b"}]}}, "template_params_invalid", "params.variables.0.name"),
            ({"params": {"variables": [{"name": "n", "type": "number", "default": "x"}]}}, "template_params_invalid", "params.variables.0.default"),
            ({"params": WHO, "params_order": ["whom"]}, "template_params_invalid", "params_order"),
            ({"targets": [vapi, vapi]}, "target_duplicate", "targets.1.provider_type"),
            ({"targets": [{**vapi, "assistant": "two words"}]}, "target_invalid", "targets.0.assistant"),
            ({"targets": [{"provider_type": "synthflow", "assistant": "m", "caller_number": "5550001"}]}, "target_invalid", "targets.0.caller_number"),
            ({"targets": [{**vapi, "caller_number": "bobs-number"}]}, "caller_number_not_found", "targets.0.caller_number"),
            ({"targets": [{**vapi, "assistant": "bobs-assistant"}]}, "target_invalid", "targets.0.assistant")):
        body = write(expect=422, **fields)
        assert (body["code"], body["errors"][0]["field"]) == (code, field), (fields, body)
    assert "{{whom}}" in write(expect=422, params=WHO, first_message="{{whom}}")["detail"]
    for fields, field in (({"params": {"variable": []}}, "params.variable"), ({"tags": [1]}, "tags.0"), ({"visibility": "secret"}, "visibility"),
                          ({"targets": [{"provider_type": "other", "assistant": "a"}]}, "targets.0.provider_type"), ({"is_public": True}, "is_public")):
        body = write(expect=400, **fields)
        assert [e["field"] for e in body["errors"]] == [field], (fields, body)
    assert stack.count("call_templates") == 0
    assert alice.get(ROOT) == {"data": [], "next_cursor": None}


def test_templates_are_found_by_category_tag_name_and_whose_they_are(write, alice, bob):
    one = write(name="Dentist 100%", category="reminders", tags=["dental", "en"])["id"]
    two = write(name="Sales", category="sales", tags=["en"], visibility="private")["id"]
    three = write(by=bob, name="Bob's", category="sales", visibility="public")["id"]
    assert ids(alice.get(ROOT)) == [three, two, one]
    for query, found in (("category=reminders", [one]), ("tag=en", [two, one]), ("category=sales&tag=en", [two]), ("search=DENT", [one]),
                         ("search=0%25", [one]), ("search=_", []), ("visibility=private", [two]), ("visibility=public", [three]),
                         ("editable=true", [two, one]), ("editable=false", [three]), ("category=none", [])):
        assert ids(alice.get(f"{ROOT}?{query}")) == found, query
    page = alice.get(ROOT + "?limit=2")
    assert ids(page) == [three, two] and ids(alice.get(f"{ROOT}?limit=2&after={page['next_cursor']}")) == [one]
    assert alice.get(ROOT + "/categories") == {"data": [{"category": "reminders", "templates": 1}, {"category": "sales", "templates": 2}],
                                               "next_cursor": None}
    assert bob.get(ROOT + "/categories") ["data"] == [{"category": "sales", "templates": 1}]


def test_a_category_is_renamed_in_all_that_one_may_change(write, people, alice, bob):
    one, two = write(category="old")["id"], write(category="old", visibility="private")["id"]
    three = write(by=bob, category="old", visibility="public")["id"]
    path, body = ROOT + "/categories/rename", {"from": "old", "to": "new"}
    assert people["colleague"].post(path, body) == {"category": "new", "templates": 1}
    assert [alice.get(f"{ROOT}/{t}")["category"] for t in (one, two, three)] == ["new", "old", "old"]
    assert alice.post(path, body) == {"category": "new", "templates": 1}
    assert alice.get(ROOT + "/categories")["data"] == [{"category": "new", "templates": 2}, {"category": "old", "templates": 1}]
    problem(alice.ask("POST", path, body), 404, "category_not_found")


def test_a_deleted_template_is_gone_but_for_the_calls_that_were_ordered_with_it(stack, write, people, alice):
    template = write()["id"]
    call = order(alice, template)["id"]
    alice.ask("PUT", f"{ROOT}/{template}/favorite")
    assert alice.ask("DELETE", f"{ROOT}/{template}").status_code == 204
    problem(alice.ask("DELETE", f"{ROOT}/{template}"), 404, "call_template_not_found")
    assert seen_by(stack, people, template) == set()
    assert alice.get(ROOT + "?favorite=true")["data"] == []
    alice.post(f"/api/v1/calls/{call}/reschedule", {"scheduled_time": "2020-01-01T00:00:00Z"})
    stack.drain()
    assert stack.call(call).status == "completed" and str(stack.call(call).template_id) == template
    stack.invariants()


# ---- favourites and copies ------------------------------------------------------------------


def test_favourites_are_a_persons_own(write, people, alice):
    one, two = write()["id"], write(visibility="public")["id"]
    carol, bob = people["colleague"], people["stranger"]
    for who, template in ((alice, one), (alice, one), (carol, two), (bob, two)):
        assert who.ask("PUT", f"{ROOT}/{template}/favorite").status_code == 204
    assert [ids(who.get(ROOT + "?favorite=true")) for who in (alice, carol, bob)] == [[one], [two], [two]]
    assert ids(alice.get(ROOT + "?favorite=false")) == [two]
    assert alice.get(f"{ROOT}/{one}")["favorite"] and not carol.get(f"{ROOT}/{one}")["favorite"]
    for _ in range(2):
        assert alice.ask("DELETE", f"{ROOT}/{one}/favorite").status_code == 204
    assert alice.get(ROOT + "?favorite=true")["data"] == [] and ids(carol.get(ROOT + "?favorite=true")) == [two]
    for method in ("PUT", "DELETE"):
        problem(people["key"].ask(method, f"{ROOT}/{one}/favorite"), 403, "person_needed")
        problem(bob.ask(method, f"{ROOT}/{one}/favorite"), 404, "call_template_not_found")


def test_a_copy_is_ones_own(write, alice, bob):
    template = write(visibility="public", category="c", tags=["t"], params=WHO, first_message="Hello {{who}}")
    path = f"{ROOT}/{template['id']}/copy"
    copy = bob.post(path, {"name": "Mine"}, expect=201)
    same = ("category", "tags", "params", "params_order", "first_message")
    assert {k: copy[k] for k in same} == {k: template[k] for k in same}
    assert (copy["name"], copy["visibility"], copy["organization_id"], copy["created_by"]) == ("Mine", "organization", bob.organization, bob.id)
    assert copy["targets"] == [{"provider_type": "vapi", "assistant": "test-assistant", "caller_number": None}]
    assert alice.post(path, {"visibility": "private"}, expect=201)["targets"] == template["targets"]
    alice.ask("DELETE", f"{ROOT}/{template['id']}")
    assert bob.expect("PATCH", f"{ROOT}/{copy['id']}", {"first_message": "Hi {{who}}"})["first_message"] == "Hi {{who}}"
    problem(bob.ask("POST", path, {}), 404, "call_template_not_found")


# ---- what assistants are made from -------------------------------------------------------------


def all_of_stock(who, query=""):
    """All pages."""
    page, found = {"next_cursor": ""}, []
    while page["next_cursor"] is not None:
        page = who.get(f"{STOCK}?limit=4{query}" + (f"&after={page['next_cursor']}" if page["next_cursor"] else ""))
        found += page["data"]
    return found


def test_every_template_of_the_stock_is_rendered_with_its_examples(alice):
    stock = all_of_stock(alice)
    slugs = [t["slug"] for t in stock]
    assert len(slugs) >= 12 and slugs == sorted(set(slugs)) and {"appointment-reminder", "receptionist", "dispatch-line", "after-hours"} <= set(slugs)
    for template in stock:
        assert alice.get(f"{STOCK}/{template['slug']}") == template
        examples = {v["name"]: v["example"] for v in template["variables"]}
        done = alice.post(f"{STOCK}/{template['slug']}/render", {"variable_values": examples})
        text = done["first_message"] + done["system_prompt"] + done["end_call_message"]
        assert "{{" not in text and done["variable_values"] == examples, template["slug"]
        assert all(str(value) in text for value in examples.values()), template["slug"]
        assert (done["model_provider"], done["model_name"], done["model_temperature"]) == ("openai", "gpt-4o-mini", 0.7)
        assert (done["voice_provider"], done["transcriber_model"], done["max_duration_seconds"]) == ("11labs", "nova-2", 600)
    assert "logDriverCallout" in alice.get(f"{STOCK}/dispatch-line")["functions"]
    assert [t["slug"] for t in all_of_stock(alice, "&category=front-desk")] == ["after-hours", "receptionist"]
    assert [t["slug"] for t in all_of_stock(alice, "&tag=drivers&language=en")] == ["dispatch-line"]
    assert all_of_stock(alice, "&language=fr") == []


def test_values_for_the_stock_are_checked(alice, bob):
    path, good = f"{STOCK}/receptionist/render", {"business_name": "A", "business_description": "B", "opening_hours": "C"}
    for values, code, field in (
            ({}, "variable_missing", "variable_values.business_name"), ({**good, "x": 1}, "variable_unknown", "variable_values.x"),
            ({**good, "address": "{{business_name}}"}, "variable_invalid", "variable_values.address"),
            ({**good, "address": "a\u0007b"}, "variable_invalid", "variable_values.address"),
            ({**good, "address": {"a": 1}}, "variable_invalid", "variable_values.address"),
            ({**good, "address": "x" * 4001}, "variable_invalid", "variable_values.address")):
        body = problem(alice.ask("POST", path, {"variable_values": values}), 422, code)
        assert [e["field"] for e in body["errors"]] == [field], body
    lines = alice.post(path, {"variable_values": {**good, "address": "8 Harbor Road\r\nPortland", "common_questions": "One?\n\tYes."}})
    assert "- Address: 8 Harbor Road\r\nPortland\n" in lines["system_prompt"] and "One?\n\tYes.\n" in lines["system_prompt"]
    problem(bob.ask("POST", path), 422, "variable_missing")
    for slug in ("nothing", "Receptionist", "x" * 100):
        problem(alice.ask("GET", f"{STOCK}/{slug}"), 404, "assistant_template_not_found")
        problem(alice.ask("POST", f"{STOCK}/{slug}/render", {}), 404, "assistant_template_not_found")
