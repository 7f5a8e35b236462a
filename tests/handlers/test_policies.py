"""The policies that applications count on, each tried by the API and by SQL as who may, as another user, and as anon.

Users see and change only what is theirs; public templates are for all who are signed in, private ones for their creators; providers are the
operators'; plans are read by who is signed in; the own profile is read and changed.  Plans have no route of the API yet: by SQL alone.
"""

import pytest
from psycopg import errors

from stack_client import Client, problem, sign_token, user_claims
from stack_routes import body_of, path_of, routes_of

TEMPLATES, ME = "/api/v1/call-templates", "/api/v1/auth/me"
DENIED = "denied"


class People:
    """alice, who made everything; carol, of her organization; bob, a stranger; and anon, with Supabase's public key or with nothing."""

    def __init__(self, stack):
        self.stack = stack
        self.alice, self.bob = stack.user("alice"), stack.user("bob")
        carol = stack.user("carol")
        stack.sql("insert into organization_members (organization_id, user_id, role) values (%s, %s, 'admin')", self.alice.organization, carol.id)
        self.carol = carol.with_headers(X_Organization_Id=self.alice.organization)
        self.carol.claims = {**carol.claims, "app_metadata": {"organization_id": self.alice.organization}}
        secret = stack.secrets["jwt"]
        self.anon = [Client(stack.url, {"Authorization": f"Bearer {sign_token(secret, user_claims('anon', role='anon', sub=None))}"}),
                     Client(stack.url, {"Authorization": f"Bearer {sign_token(secret, user_claims('alice', role='anon'))}"}), stack.anybody()]

    def sees(self, who, query, *args):
        """What a query answers to somebody who comes through Supabase's own clients; DENIED when it may not be asked."""
        role, claims = ("anon", {**user_claims("alice"), "role": "anon"}) if who == "anon" else ("authenticated", getattr(self, who).claims)
        try:
            return self.stack.value(query, *args, role=role, claims=claims)
        except (errors.InsufficientPrivilege, errors.ObjectNotInPrerequisiteState):  # the second: a view that nobody can write
            return DENIED

    def changes(self, who, query, *args):
        """Whether a statement of theirs changes anything."""
        changed = self.sees(who, f"with done as ({query} returning 1) select count(*) from done", *args)
        return changed not in (0, DENIED)


@pytest.fixture
def people(stack):
    """Everybody, and a provider that can say what is ordered."""
    stack.provider("vapi", max_concurrent_calls=0)
    return People(stack)


# ---- templates ---------------------------------------------------------------------------


@pytest.fixture
def templates(people):
    """visibility -> one of alice's templates."""
    body = {"name": "Hers", "targets": [{"provider_type": "vapi", "assistant": "a"}]}
    return {kind: people.alice.post(TEMPLATES, {**body, "visibility": kind}, expect=201)["id"] for kind in ("private", "organization", "public")}


SEEN = {"private": {"alice"}, "organization": {"alice", "carol"}, "public": {"alice", "carol", "bob"}}


@pytest.mark.parametrize("kind", SEEN)
@pytest.mark.parametrize("name", ["alice", "carol", "bob"])
def test_a_template_is_seen_by_whom_it_is_for(people, templates, kind, name):
    who, ident, seen = getattr(people, name), templates[kind], name in SEEN[kind]
    assert who.ask("GET", f"{TEMPLATES}/{ident}").status_code == (200 if seen else 404)
    assert (ident in [t["id"] for t in who.get(TEMPLATES + "?limit=100")["data"]]) == seen
    assert people.sees(name, "select count(*) from call_templates where id = %s", ident) == int(seen)
    order = {"recipient_number": "+15550101234", "template_id": ident}
    assert who.ask("POST", "/api/v1/calls", order).status_code == (201 if seen else 422)
    assert who.ask("PUT", f"{TEMPLATES}/{ident}/favorite").status_code == (204 if seen else 404)
    assert people.sees(name, "select count(*) from template_favorites where template_id = %s", ident) == int(seen)


@pytest.mark.parametrize("kind", SEEN)
def test_anon_sees_no_template(people, templates, kind):
    for who in people.anon:
        for path in (TEMPLATES, f"{TEMPLATES}/{templates[kind]}"):
            problem(who.ask("GET", path), 401)
    assert people.sees("anon", "select count(*) from call_templates") == DENIED


def test_a_template_is_changed_by_nobody_who_has_only_been_shown_it(stack, people, templates):
    before = stack.sql("select * from call_templates order by id")
    for name, kind in (("bob", "private"), ("bob", "organization"), ("bob", "public"), ("carol", "private")):
        who, path = getattr(people, name), f"{TEMPLATES}/{templates[kind]}"
        for method, body in (("PATCH", {"name": "Mine"}), ("DELETE", None)):
            assert who.ask(method, path, body).status_code in (403, 404), (name, kind, method)
    for who in people.anon:
        problem(who.ask("PATCH", f"{TEMPLATES}/{templates['public']}", {"name": "Mine"}), 401)
    for name in ("alice", "carol", "bob", "anon"):
        assert not people.changes(name, "update call_templates set name = 'Mine'")
        assert not people.changes(name, "delete from call_templates")
    assert stack.sql("select * from call_templates order by id") == before


def test_a_public_template_that_becomes_private_is_seen_no_more(people, templates):
    ident = templates["public"]
    people.alice.expect("PATCH", f"{TEMPLATES}/{ident}", {"visibility": "private"})
    for name in ("bob", "carol"):
        problem(getattr(people, name).ask("GET", f"{TEMPLATES}/{ident}"), 404)
        assert people.sees(name, "select count(*) from call_templates where id = %s", ident) == 0
    assert people.sees("alice", "select count(*) from call_templates where id = %s", ident) == 1


# ---- one's own --------------------------------------------------------------------------------


def test_the_own_profile_is_read_and_changed_and_no_others(stack, people):
    new = {"first_name": "Alicia", "last_name": "Liddell", "phone_number": "+15550101111", "address": {"zip": "97301"},
           "preferences": {"theme": "dark"}, "city": "Salem", "state": "OR"}
    changed = people.alice.expect("PATCH", ME, new)
    assert {k: changed[k] for k in new} == new and changed == people.alice.get(ME)
    assert people.alice.expect("PATCH", ME, {"city": None})["city"] is None, "null clears"
    for name in ("bob", "carol"):
        found = getattr(people, name).get(ME)
        assert (found["id"], found["first_name"]) == (getattr(people, name).id, None)
    for body in ({"status": "inactive"}, {"email": "x@example.com"}, {"id": people.bob.id}, {"paddle_customer_id": "ctm_1"},
                 {"phone_number": "5551234"}, {"first_name": "x" * 101}, {"address": "here"}):
        problem(people.alice.ask("PATCH", ME, body), 400, "bad_fields")
    for who in people.anon:
        for method, body in (("GET", None), ("PATCH", {"city": "Nowhere"})):
            problem(who.ask(method, ME, body), 401)
    problem(stack.api_key(people.alice).ask("GET", ME), 403, "person_needed")

    for table in ("user_profiles", "profiles"):
        assert people.sees("alice", f"select first_name from {table}") == "Alicia"
        assert people.sees("bob", f"select count(*) from {table} where id = %s", people.alice.id) == 0
        assert people.sees("anon", f"select count(*) from {table}") == DENIED
        assert people.changes("alice", f"update {table} set city = 'Portland' where id = %s", people.alice.id)
        for name in ("bob", "carol", "anon"):
            assert not people.changes(name, f"update {table} set city = 'Nowhere' where id = %s", people.alice.id)
    assert people.alice.get(ME)["city"] == "Portland"


def test_a_person_who_comes_for_the_first_time_has_a_profile_to_change(stack):
    new = Client(stack.url, {"Authorization": f"Bearer {stack.token('newcomer')}"})
    assert new.expect("PATCH", ME, {"first_name": "New"})["first_name"] == "New"


OWN = ["/api/v1/calls/{call}", "/api/v1/calls/{call}/transcript", "/api/v1/calls/{call}/actions"]
TABLES = ["calls", "call_queue", "call_history", "user_call_history", "call_transcripts", "user_call_usage", "usage_entries", "subscriptions",
          "user_subscriptions", "call_feedback", "daily_usage"]


def test_what_belongs_to_somebody_is_seen_and_changed_by_nobody_else(stack, people):
    template = stack.template()
    ident = stack.schedule(1, people.alice, template)[0]
    stack.sql("insert into subscriptions (organization_id, user_id, plan_id) select %s, %s, id from subscription_plans where name = 'free'",
              people.alice.organization, people.alice.id)
    stack.sql("update call_service_providers set max_concurrent_calls = 1")
    stack.drain_of(ident)
    made = stack.call(ident).created_at
    stack.insert("call_feedback", call_id=ident, call_created_at=made, organization_id=people.alice.organization, user_id=people.alice.id, rating=5)
    for path in OWN:
        path = path.format(call=ident)
        assert people.alice.get(path) and people.carol.get(path), "an organization's calls are its members'"
        problem(people.bob.ask("GET", path), 404, "call_not_found")
        for who in people.anon:
            problem(who.ask("GET", path), 401)
    for method, path in (("POST", f"/api/v1/calls/{ident}/retry"), ("POST", f"/api/v1/calls/{ident}/cancel")):
        problem(people.bob.ask(method, path, {}), 404, "call_not_found")
    columns = {t.table_name: ", ".join(t.names) for t in stack.sql("""select table_name, array_agg(quote_ident(column_name)) as names
        from information_schema.column_privileges where table_schema = 'public' and grantee = 'authenticated' and privilege_type = 'SELECT' group by 1""")}
    for table in TABLES:
        query = f"select count(*) from (select {columns[table]} from {table}) x"
        own = 1 if table in ("subscriptions", "user_subscriptions") else 0  # each organization has one from its beginning
        assert [people.sees(name, query) for name in ("bob", "anon")] == [own, DENIED], table
        assert people.sees("alice", query) > 0, table
        key = columns[table].split(", ", maxsplit=1)[0]
        for name in ("alice", "carol", "bob", "anon"):
            assert not people.changes(name, f"update {table} set {key} = {key}"), (name, table)
            assert not people.changes(name, f"delete from {table}"), (name, table)


def test_anyone_who_is_signed_in_adds_to_the_queue_for_himself(stack, people):
    template = stack.template()
    query = "select count(schedule_call(%s, %s, 'x', '+15550101234'))"
    assert people.sees("bob", query, people.bob.id, template) == 1
    assert people.sees("anon", query, people.bob.id, template) == DENIED
    with pytest.raises(errors.Error) as refused:
        people.sees("bob", query, people.alice.id, template)
    assert refused.value.sqlstate == "PT403"
    for who in people.anon:
        problem(who.ask("POST", "/api/v1/calls", {"recipient_number": "+15550101234", "template_id": template}), 401)


# ---- providers, plans ----------------------------------------------------------------------------


def test_providers_are_for_operators_alone(stack, people):
    for table in ("call_service_providers", "provider_availability"):
        for name in ("alice", "bob", "anon"):
            assert people.sees(name, f"select count(*) from {table}") == DENIED
            for query in (f"update {table} set updated_at = now()", f"delete from {table}"):
                assert not people.changes(name, query)
        for role in ("hookswitch_operator", "service_role"):
            assert stack.value(f"select count(*) from {table}", role=role) >= 0
        with pytest.raises(errors.InsufficientPrivilege):
            stack.sql(f"select 1 from {table}", role="hookswitch_api")
    assert stack.value("select count(*) from call_service_providers", role="hookswitch_operator") == 1
    key = stack.api_key(people.alice)
    for route in (r for r in routes_of(stack) if r["access"] == "operator"):
        body = body_of(route["fields"]) if route["method"] in ("POST", "PUT", "PATCH") else None
        for who, status in ((people.alice, 403), (people.bob, 403), (key, 403), *((who, 401) for who in people.anon)):
            assert who.ask(route["method"], path_of(route), body).status_code == status, (route["method"], route["path"])
    assert stack.count("call_service_providers") == 1


def test_plans_are_read_by_who_is_signed_in_and_changed_by_nobody(people):
    query = "select string_agg(name, ' ' order by price) from subscription_plans"
    assert [people.sees(name, query) for name in ("alice", "bob", "anon")] == ["free basic business enterprise"] * 2 + [DENIED]
    for name in ("alice", "bob", "anon"):
        for change in ("update subscription_plans set price = 0", "delete from subscription_plans"):
            assert not people.changes(name, change)
