"""Every route of every program against ids of another organization, and against everybody who may not ask.

What the programs say of themselves (--describe) drives these tests; tests/model_routes.py holds what a machine cannot know.
A route that comes later is tried as soon as its program is in nginx/programs, or fails by saying what is missing.
"""

import re
import time
import uuid

import pytest

import model_routes
from model_auth_v1 import HALF, SESSION, session, with_token
from model_routes import GIVEN, LAST, OPEN, SHARED, THINGS, Tenant, missing, sample
from stack_client import Client, problem, sign_token, user_claims
from stack_routes import routes_of
from stack_rows import KEPT, TARGETS

BODY_METHODS = ("POST", "PUT", "PATCH")
# Tables that are about nobody, or that a request may write for whoever asks.
NOBODYS = ("webhook_counts", *KEPT)


@pytest.fixture
def routes(stack):
    """All routes of all programs."""
    found = routes_of(stack)
    assert len(found) >= 17
    return sorted(found, key=lambda r: (place(r), r["method"] == "DELETE"))


@pytest.fixture
def tenants(stack):
    """alice's organization, who asks; and bob's, who has one of everything."""
    stack.provider("vapi")
    return Tenant(stack, "alice").make_all(), Tenant(stack, "bob").make_all()


def place(route):
    """Where a route stands in the order of trials."""
    key = (route["method"], route["path"])
    return LAST.index(key) + 1 if key in LAST else 0


def named(route):
    return f"{route['method']} {route['path']}"


def for_people(routes):
    """Those that ask who one is, and act for him or his organization."""
    return [r for r in routes if r["access"] in ("api", "person")]


def for_operators(routes):
    """Those that look at all organizations."""
    return [r for r in routes if r["access"] == "operator"]


def ids_of(fields, place=()):
    """(path to the field, field) of each field that holds an id, in arrays and objects too."""
    for field in fields:
        if field["type"] == "uuid" or field["name"].endswith("_id"):
            yield (*place, field["name"]), field
        yield from ids_of(field.get("fields") or [], (*place, field["name"]))


def holding(field, where, value, tenant):
    """An object, or an array of one, with everything that is required and that value at its place."""
    inner = next(f for f in field["fields"] if f["name"] == where[0])
    held = {f["name"]: sample(f, tenant) for f in field["fields"] if f["required"]}
    held[where[0]] = value if len(where) == 1 else holding(inner, where[1:], value, tenant)
    return [held] if field["type"] == "array" else held


def request_of(route, tenant, given=None):
    """(path, query, body) with everything that is required, things of the tenant's; given: {path to a field: its value}."""
    extra = {(name,): value for name, value in GIVEN.get((route["method"], route["path"]), {}).items()}
    given, path, query, body = {**extra, **(given or {})}, route["path"], {}, {}
    wanted = {where[0] for where in given}
    for field in route["fields"]:
        name = field["name"]
        if not field["required"] and name not in wanted:
            continue
        value = given[(name,)] if (name,) in given else sample(field, tenant)
        for where, inner in ((w, v) for w, v in given.items() if w[0] == name and len(w) > 1):
            value = holding(field, where[1:], inner, tenant)
        if field["in"] == "path":
            path = path.replace("{" + name + "}", value)
        elif field["in"] == "query":
            query[name] = value
        else:
            body[name] = value
    assert "{" not in path, f"{named(route)}: a parameter of the path is no field"
    return path, query, body


def ask(who, route, tenant, given=None):
    """The request, with a body where the method has one."""
    path, query, body = request_of(route, tenant, given)
    answer = who.ask(route["method"], path, body if route["method"] in BODY_METHODS else None, params=query)
    if answer.status_code == 400 and answer.json()["code"] == "bad_fields":
        missing(f"{named(route)} refuses the values that it was given: add better ones to SAMPLES: {answer.json()['errors']}")
    return answer


# ---- what belongs to somebody ----------------------------------------------------------


def all_of(stack, tenant):
    """All rows that have anything to do with a tenant, as the database holds them."""
    marks = [tenant.organization, tenant.person.id, tenant.word, *(i for ids in tenant.things.values() for i in ids)]
    tables = stack.sql("""select format('%%I.%%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and not c.relispartition and n.nspname in ('public', 'auth', 'hookswitch_auth')
          and c.relname <> all (%s) order by 1""", list(NOBODYS))
    query = " union all ".join(f"select '{t.name}' as t, x::text as r from {t.name} x" for t in tables)
    return sorted(map(tuple, stack.sql(f"select t, r from ({query}) x where r ~ %s", "|".join(map(re.escape, marks)))))


def words_of(stack, tenant):
    """Every id, number and word that tells of a tenant and of nobody else."""
    text = " ".join(row for _, row in all_of(stack, tenant))
    found = set(re.findall(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|\+1555\d{7}", text)) | {tenant.word, tenant.organization}
    shared = {str(r[0]) for r in stack.sql("""select id from call_service_providers union all select id from voice_options
        union all select id from subscription_plans""")} | {number for _, number in TARGETS.values()}
    return found - shared


def silent(answer, words, what):
    """Nothing of the other is in an answer, its headers included."""
    text = answer.text + str(answer.headers)
    found = [word for word in words if word in text]
    assert not found, f"{what} tells of another organization: {found[:3]} in {text[:1000]}"


def same(first, second):
    """Two refusals are in the same words."""
    body = [{k: v for k, v in a.json().items() if k != "request_id"} for a in (first, second)]
    return first.status_code == second.status_code and body[0] == body[1]


# ---- foreign ids ---------------------------------------------------------------------------


def test_an_id_of_another_organization_is_as_good_as_none(stack, routes, tenants):
    alice, bob = tenants
    before, words, tried = all_of(stack, bob), words_of(stack, bob), 0
    for route in for_people(routes):
        for where, field in ids_of(route["fields"]):
            name = field["name"]
            if name in SHARED:
                continue
            if name not in THINGS:
                missing(f"{named(route)}: the field {name} names something: add how a tenant's own is made to THINGS")
            for who in (alice.person, alice.key):
                for ident in bob.ids(name):
                    tried += 1
                    answer = ask(who, route, alice, {where: ident})
                    what = f"{named(route)} with {name} of another organization"
                    silent(answer, words - ({ident} if field["in"] != "path" else set()), what)
                    if field["in"] == "query" and answer.status_code == 200:
                        continue
                    if who is alice.key and answer.status_code == 403 and answer.json()["code"] == "person_needed":
                        continue
                    code = problem(answer, 404 if field["in"] == "path" else 422 if answer.status_code == 422 else 404)["code"]
                    assert code == THINGS[name][1], f"{what}: {code}"
                    stranger = ask(who, route, alice, {where: str(uuid.uuid4())})
                    assert same(answer, stranger), f"{what} is told from one that does not exist: {answer.text} {stranger.text}"
        assert all_of(stack, bob) == before, f"{named(route)}: something of another organization was changed"
    assert tried > 30


def test_ones_own_ids_are_found(stack, routes, tenants):
    """What the refusals above are worth: with the same requests their owner gets through."""
    _, bob = tenants
    for route in for_people(routes):
        for where, field in ids_of(route["fields"]):
            if field["name"] in SHARED:
                continue
            bob.things.clear()
            answers = [ask(bob.person, route, bob, {where: ident}) for ident in bob.ids(field["name"])]
            codes = [a.json()["code"] if a.status_code >= 400 else "" for a in answers]
            assert any(code not in (THINGS[field["name"]][1], "bad_fields", "not_found", "role_missing") for code in codes), \
                f"{named(route)} with one's own {field['name']}: {[a.text for a in answers]}"


def test_an_answer_holds_nothing_of_another_organization(stack, routes, tenants):
    alice, bob = tenants
    before, words = all_of(stack, bob), words_of(stack, bob)
    for route in for_people(routes):
        for who in (alice.person, alice.key):
            silent(ask(who, route, alice), words, named(route))
    assert all_of(stack, bob) == before


def test_naming_another_organization_opens_nothing(stack, routes, tenants):
    alice, bob = tenants
    before, words = all_of(stack, bob), words_of(stack, bob)
    claimed = Client(stack.url, {"Authorization": "Bearer " + stack.token(
        "alice", app_metadata={"organization_id": bob.organization})})
    for route in (r for r in routes if r["access"] == "api"):
        in_path = "{organization_id}" in route["path"]
        for who, status, code in (
                (alice.person.with_headers(X_Organization_Id=bob.organization),
                 *((403, "organization_mismatch") if in_path else (404, "organization_not_found"))),
                (alice.key.with_headers(X_Organization_Id=bob.organization), 403, "organization_mismatch"),
                *([] if in_path else [(claimed, 404, "organization_not_found")])):
            answer = ask(who, route, alice)
            silent(answer, words, named(route))
            problem(answer, status, code)
    assert all_of(stack, bob) == before


# ---- who may ask -----------------------------------------------------------------------------


def test_who_is_not_known_gets_nothing_from_any_route(stack, routes, tenants):
    _, bob = tenants
    before, words = all_of(stack, bob), words_of(stack, bob)
    secret = stack.secrets["jwt"]
    strangers = {
        "unauthenticated": [{}, {"Authorization": "Basic Ym9iOmJvYg=="}, {"X-Organization-Id": bob.organization}],
        "token_expired": [{"Authorization": "Bearer " + sign_token(secret, user_claims("bob", exp=int(time.time()) - 3600))}],
        "token_invalid": [{"Authorization": "Bearer " + sign_token("not the secret", user_claims("bob"))},
                          {"Authorization": "Bearer " + sign_token(secret, user_claims("bob", role="hookswitch_pump"))}],
        "api_key_invalid": [{"Authorization": f"Bearer {stack.key(bob.organization, revoked_at='2020-01-01')}"},
                            {"X-API-Key": stack.key(bob.organization, expires_at="2020-01-01")},
                            {"X-API-Key": "hsk_" + "x" * 40}]}
    before = all_of(stack, bob)
    for route in for_people(routes):
        for code, headers in ((code, h) for code, all_ in strangers.items() for h in all_):
            answer = ask(Client(stack.url, headers), route, bob)
            silent(answer, words, named(route))
            if code == "api_key_invalid" and route["access"] == "person":
                problem(answer, 403, "person_needed")
                continue
            assert problem(answer, 401)["code"] == code, f"{named(route)} for {headers}: {answer.text}"
    assert all_of(stack, bob) == before


def test_inner_routes_are_for_no_customer(stack, routes, tenants):
    alice, bob = tenants
    words = words_of(stack, alice)
    for route in (r for r in routes if r["access"] in ("local", "internal")):
        for who in (bob.person, bob.key):
            answer = ask(who, route, bob)
            silent(answer, words, named(route))
            problem(answer, 401)


def test_operators_routes_are_for_no_customer(stack, routes, tenants):
    """Whatever role he has, whatever he names: not with his own things, and not with another's."""
    alice, bob = tenants
    askers = [alice.person, alice.key, *(alice.member(role) for role in ("viewer", "member", "admin", "owner"))]
    # A request is counted for whoever asks.
    def left():
        return [row for row in all_of(stack, bob) if row[0] != "public.rate_buckets"]
    for tenant in tenants:
        sample({"name": "event_id", "type": "int"}, tenant)
    before, words = left(), words_of(stack, bob)
    assert len(for_operators(routes)) >= 30
    for route in for_operators(routes):
        for who, things in ((who, things) for who in askers for things in (alice, bob)):
            answer = ask(who, route, things)
            assert problem(answer, 403)["code"] == "operator_needed", named(route)
            silent(answer, words, named(route))
        problem(ask(stack.anybody(), route, bob), 401, "unauthenticated")
        for role in ("service_role", "hookswitch_operator"):
            problem(ask(Client(stack.url, {"Authorization": "Bearer " + stack.token("bob", role=role)}), route, bob), *(
                (403, "operator_needed") if role == "service_role" else (401, "token_invalid")))
    assert left() == before


def test_routes_that_are_open_to_all_tell_of_nobody(stack, routes, tenants):
    alice, bob = tenants
    before, words = all_of(stack, bob), words_of(stack, bob)
    for route in (r for r in routes if r["access"] not in ("api", "person", "operator", "local", "internal")):
        key = (route["method"], route["path"])
        if key not in OPEN:
            missing(f"{named(route)} is open to everybody: add why that is safe, and what a stranger tries there, to OPEN")
        attempts = OPEN[key][1]
        if not attempts and list(ids_of(route["fields"])):
            missing(f"{named(route)} is open to everybody and takes ids: add attempts with another's ids to OPEN")
        for answer, statuses in attempts(alice, bob) if attempts else [(ask(stack.anybody(), route, alice), range(200, 500))]:
            assert answer.status_code in statuses, f"{named(route)}: {answer.status_code} {answer.text}"
            silent(answer, words, named(route))
        now = all_of(stack, bob)
        assert set(before) <= set(now), f"{named(route)} changed something of another organization"
        assert all(alice.organization in row for _, row in set(now) - set(before)), named(route)
    gone = set(OPEN) - {(r["method"], r["path"]) for r in routes}
    assert not gone, f"OPEN of tests/model_routes.py names routes that are gone: {gone}"


def test_half_a_session_opens_only_the_way_to_the_second_factor(stack, routes, tenants):
    """Its claims say that it is whole: what counts is what the database knows."""
    _, bob = tenants
    stack.sql("update hookswitch_auth.factors set verified_at = now() where id = %s", bob.ids("factor_id")[0])
    half = {"session_id": session(bob), "aal": "aal2"}
    whole = session(bob, aal="aal2")
    # A request is counted for whoever it says it is.
    def left():
        return [row for row in all_of(stack, bob) if row[0] != "public.rate_buckets"]
    words, before = words_of(stack, bob), left()
    for route in for_people(routes):
        answer = ask(with_token(bob, **half), route, bob)
        assert problem(answer, 403)["code"] == "totp_needed", named(route)
        silent(answer, words, named(route))
    assert left() == before
    assert {key for key, (why, _) in OPEN.items() if why == SESSION} == set(HALF)
    for (method, path), (body, *wanted) in HALF.items():
        answer = with_token(bob, session_id=session(bob), aal="aal2").ask(method, path.format(factor_id=bob.ids("factor_id")[0]), body)
        assert [answer.status_code, answer.headers.get("X-Sb-Error-Code")] == wanted, f"{method} {path}: {answer.text}"
    assert stack.value("select revoked_at is null from hookswitch_auth.sessions where id = %s", whole), "another session was ended"
    assert stack.value("select count(*) from hookswitch_auth.factors where user_id = %s and verified_at is not null", bob.person.id) == 1


def test_a_key_opens_only_what_its_scopes_say(stack, routes, tenants):
    alice, bob = tenants
    scopes = {r["scope"] for r in routes if r["access"] == "api"} | {r[0] for r in stack.sql("select scope from role_scopes()")}
    every, none = stack.api_key(bob.organization, sorted(scopes)), stack.api_key(bob.organization, [])
    before = all_of(stack, bob)
    for route in for_people(routes):
        if route["access"] == "person":
            for who in (bob.key, every):
                assert problem(ask(who, route, bob), 403)["code"] == "person_needed", named(route)
            continue
        for who in (stack.api_key(bob.organization, sorted(scopes - {route["scope"]})), none):
            before = all_of(stack, bob)
            assert problem(ask(who, route, bob), 403)["code"] == "scope_missing", named(route)
            now = [row for row in all_of(stack, bob) if row not in before]
            assert all(table == "public.api_keys" for table, _ in now), f"{named(route)} did something: {now}"
        answer = ask(stack.api_key(alice.organization, [route["scope"]]), route, alice)
        assert answer.status_code not in (401, 403) or answer.json()["code"] in ("person_needed", "rights_exceeded"), \
            f"{named(route)} with a key of that scope: {answer.text}"


@pytest.mark.parametrize("role", ["viewer", "member", "admin", "owner"])
def test_a_member_may_do_what_his_role_says(stack, routes, tenants, role):
    _, bob = tenants
    who = bob.member(role)
    allowed = {r[0] for r in stack.sql("select scope from role_scopes() where role = %s", role)}
    unknown = {r["scope"] for r in routes if r["access"] == "api"} - {r[0] for r in stack.sql("select scope from role_scopes()")}
    assert not unknown, f"scopes that no role has: {unknown} (sql/functions/15_roles.sql)"
    for route in (r for r in routes if r["access"] == "api"):
        before = all_of(stack, bob)
        answer = ask(who, route, bob)
        code = answer.json().get("code") if answer.status_code >= 400 else None
        if route["scope"] in allowed:
            assert answer.status_code < 500 and code not in ("role_missing", "scope_missing", "unauthenticated", "organization_not_found"), \
                f"{named(route)} as {role}: {answer.text}"
        else:
            assert problem(answer, 403)["code"] == "role_missing", f"{named(route)} as {role}: {answer.text}"
            assert all_of(stack, bob) == before, f"{named(route)} as {role} did something"


def test_all_that_the_tables_name_is_asked_for(routes):
    """A row about a field that no route has any more goes."""
    fields = {field["name"] for route in routes for _, field in ids_of(route["fields"])}
    gone = (set(THINGS) | set(SHARED)) - fields
    assert not gone, f"THINGS or SHARED of tests/model_routes.py name fields that no route has: {gone}"
    assert set(model_routes.LAST) <= {(r["method"], r["path"]) for r in routes}
