"""How every route of every program behaves, whatever it does: generated from what the programs say (--describe)."""

import json
import re
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from stack import TOP, Stack
from stack_client import problem
from stack_operators import CLAIM
from stack_routes import FOR_PEOPLE, METHODS, UUID, asker, body_of, methods_of, path_of, routes_of

PAGE = "https://app.example.com"
ROLES = ("viewer", "member", "admin", "owner")
TABLE = re.compile(r"<!-- routes.*?<!-- end of routes -->", re.S)


@pytest.fixture(scope="module")
def stack_of_file(tmp_path_factory):
    """Programs that pages of one origin may call."""
    with Stack(tmp_path_factory.mktemp("stack"), settings={"HOOKSWITCH_CORS_ORIGINS": PAGE}) as running:
        yield running


@pytest.fixture
def routes(stack):
    """All routes of all programs."""
    found = routes_of(stack)
    assert len(found) >= 17
    return found


@pytest.fixture
def alice(stack):
    """A person who may ask everything, operators' routes too."""
    return stack.user("alice", **CLAIM)


@pytest.fixture
def team(stack, alice):
    """An organization of alice's with a member in each role: role -> who."""
    ident = stack.insert("organizations", name="Team")
    people = {}
    for role in ROLES:
        who = alice if role == "owner" else stack.user(role)
        stack.sql("insert into organization_members (organization_id, user_id, role) values (%s, %s, %s)", ident, who.id, role)
        people[role] = who.with_headers(X_Organization_Id=ident)
        people[role].organization = ident
    return people


def filled(route, who):
    """The path, with the organization of who asks."""
    return path_of(route, organization_id=who.organization)


def refused(route, answer, status, code=None):
    """The answer is a refusal, in the one shape unless the program has its own."""
    if route["own_errors"]:
        assert answer.status_code == status, (route["path"], answer.status_code, answer.text)
        return answer.json()
    return problem(answer, status, code)


# ---- methods ---------------------------------------------------------------------


def test_each_path_tells_its_methods_and_refuses_the_others(stack, routes, alice):
    for rows in methods_of(routes):
        path, has = filled(rows[0], alice), {r["method"] for r in rows}
        allow = [m for one in METHODS if one in has for m in ((one, "HEAD") if one == "GET" else (one,))] + ["OPTIONS"]
        answer = stack.anybody().ask("OPTIONS", path)
        assert (answer.status_code, answer.content) == (204, b""), path
        assert answer.headers["Allow"] == ", ".join(allow), path
        for method in {*METHODS, "HEAD", "BREW"} - set(allow):
            answer = alice.ask(method, path)
            assert answer.status_code == 405 and answer.headers["Allow"] == ", ".join(allow), (method, path)
            if method != "HEAD":
                refused(rows[0], answer, 405, "method_not_allowed")


def test_head_is_get_without_a_body(stack, routes, alice):
    for route in (r for r in routes if r["method"] == "GET"):
        who, path = asker(stack, route, alice), filled(route, alice)
        head, get = who.ask("HEAD", path), who.ask("GET", path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        for name in ("Content-Type", "Cache-Control", "Allow", "WWW-Authenticate", "Content-Disposition"):
            assert head.headers.get(name) == get.headers.get(name), (path, name)
        assert ("ETag" in head.headers) == ("ETag" in get.headers), path


# ---- ETags ------------------------------------------------------------------------


def test_an_answer_that_one_has_is_not_sent_again(stack, routes, alice):
    same = 0
    for route in (r for r in routes if r["method"] == "GET"):
        who, path = asker(stack, route, alice), filled(route, alice)
        first = who.ask("GET", path)
        tagged = first.status_code == 200 and first.headers["Content-Type"] == "application/json"
        assert tagged == bool(re.fullmatch(r'(W/)?"[\w-]{22}"', first.headers.get("ETag", ""))), (path, first.headers)
        again = who.ask("GET", path, headers={"If-None-Match": f'"x", {first.headers.get("ETag", "")}'})
        if tagged and who.ask("GET", path).content == first.content:
            same += 1
            assert (again.status_code, again.content) == (304, b""), path
            assert again.headers["ETag"].removeprefix("W/") == first.headers["ETag"].removeprefix("W/")
        else:
            assert again.status_code == first.status_code, path
    assert same >= 3


def conditional(routes):
    """Routes that change what the GET of the same path shows."""
    gets = {(r["program"], r["path"]) for r in routes if r["method"] == "GET"}
    return [r for r in routes if r["method"] in ("PUT", "PATCH", "DELETE") and (r["program"], r["path"]) in gets
            and r["access"] in FOR_PEOPLE and not r["own_errors"]]


def test_a_change_to_what_was_not_seen_is_refused(stack, routes, alice):
    """A GET that is answered 404 answers here, too; nothing is changed in any case."""
    for route in conditional(routes):
        path = filled(route, alice)
        before = alice.ask("GET", path)
        answer = alice.ask(route["method"], path, body_of(route["fields"]) if route["method"] != "DELETE" else None,
                           headers={"If-Match": '"another"'})
        if before.status_code == 200:
            problem(answer, 412, "precondition_failed")
            assert alice.ask("GET", path).content == before.content, path
        else:
            refused(route, answer, before.status_code)


def test_of_many_who_saw_the_same_one_changes_it(routes, alice):
    path = f"/api/v1/organizations/{alice.organization}"
    if not any(r["method"] == "PATCH" and r["path"] == "/api/v1/organizations/{organization_id}" for r in routes):
        pytest.skip("no program changes organizations")
    for _ in range(5):
        seen = alice.ask("GET", path).headers["ETag"]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: alice.with_headers(If_Match=seen).ask("PATCH", path, {"name": f"Name {n}"}),  # noqa: B023
                                    range(8)))
        won = [a for a in answers if a.status_code == 200]
        assert sorted(a.status_code for a in answers) == [200] + [412] * 7
        assert alice.get(path)["name"] == won[0].json()["name"]


# ---- pages of other origins ------------------------------------------------------------


def for_pages(route):
    """Whether a page may call it at all."""
    return route["access"] not in ("local", "internal") and not route["raw"]


def test_a_page_may_read_each_answer_that_is_for_pages(stack, routes, alice):
    for route in routes:
        who = asker(stack, route, alice)
        for origin, let_in in ((PAGE, for_pages(route)), ("https://other.example.com", False)):
            for asked in (who, stack.anybody()):
                answer = asked.ask(route["method"], filled(route, alice) + "?surprise=1", headers={"Origin": origin})
                assert answer.headers.get("Access-Control-Allow-Origin") == (origin if let_in else None), route["path"]
                shown = answer.headers.get("Access-Control-Expose-Headers", "")
                assert not let_in or {"ETag", "X-Request-Id", "Retry-After", "Idempotent-Replayed"} <= set(shown.split(", "))
                assert not for_pages(route) or "Origin" in answer.headers["Vary"], route["path"]


def test_a_page_is_told_before_what_it_may_do(stack, routes, alice):
    for route in routes:
        headers = {"Origin": PAGE, "Access-Control-Request-Method": route["method"],
                   "Access-Control-Request-Headers": "authorization,content-type,idempotency-key"}
        answer = stack.anybody().ask("OPTIONS", filled(route, alice), headers=headers)
        assert answer.status_code == 204
        if for_pages(route):
            assert route["method"] in answer.headers["Access-Control-Allow-Methods"].split(", "), route["path"]
            allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
            assert {"authorization", "content-type", "x-api-key", "x-organization-id", "idempotency-key"} <= set(allowed)
            assert answer.headers["Access-Control-Allow-Origin"] == PAGE and answer.headers["Access-Control-Max-Age"]
        else:
            assert "Access-Control-Allow-Headers" not in answer.headers, route["path"]


def test_an_error_of_the_web_server_can_be_read_by_pages(stack):
    answer = stack.anybody().ask("GET", "/nowhere", headers={"Origin": PAGE})
    problem(answer, 404, "not_found")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


# ---- ids and fields ------------------------------------------------------------------------


def test_each_answer_has_an_id_of_its_own(stack, routes, alice):
    ids = set()
    for route in routes:
        for who in (asker(stack, route, alice), stack.anybody()):
            answer = who.ask(route["method"], filled(route, alice) + "?surprise=1", headers={"X-Request-Id": "mine"})
            ident = answer.headers["X-Request-Id"]
            assert re.fullmatch(r"[0-9a-f]{32}", ident) and ident not in ids, (route["path"], ident)
            ids.add(ident)
            if answer.status_code >= 400 and not route["own_errors"]:
                assert answer.json()["request_id"] == ident


def test_unknown_fields_are_named_or_passed_over(stack, routes, alice):
    for route in (r for r in routes if not r["raw"]):
        who, path = asker(stack, route, alice), filled(route, alice)
        body = {"surprise": 1} if route["method"] in ("POST", "PUT", "PATCH") and not route["stream"] else None
        answer = who.ask(route["method"], path + "?surprising=1", body)
        if route["lenient"]:
            assert "surpris" not in answer.text, (path, answer.text)
            continue
        errors = {e["field"]: e["code"] for e in problem(answer, 400, "bad_fields")["errors"]}
        assert errors.get("surprising") == "unknown" and (body is None or errors.get("surprise") == "unknown"), (path, errors)


# ---- roles ------------------------------------------------------------------------------------


def test_each_role_may_do_what_the_table_says(stack, routes, team):
    """A field that is unknown keeps each request from being done: who may ask is told of it, the others of their role."""
    allowed = {(r.role, r.scope) for r in stack.sql("select role, scope from role_scopes()")}
    scoped = [r for r in routes if r["access"] == "api"]
    assert {r["scope"] for r in scoped} <= {scope for _, scope in allowed}, "a scope that no role has"
    for route in scoped:
        for role, who in team.items():
            answer = who.ask(route["method"], filled(route, who) + "?surprise=1")
            if (role, route["scope"]) in allowed:
                refused(route, answer, 400, "bad_fields")
            else:
                refused(route, answer, 403, "role_missing")


def test_each_key_may_do_what_its_scopes_say(stack, routes, team):
    organization = team["owner"].organization
    scopes = {r.scope for r in stack.sql("select distinct scope from role_scopes()")}
    keys = {scope: (stack.api_key(organization, (scope,)), stack.api_key(organization, tuple(scopes - {scope})))
            for scope in scopes}
    for route in (r for r in routes if r["access"] == "api"):
        path = path_of(route, organization_id=organization) + "?surprise=1"
        fitting, other = keys[route["scope"]]
        refused(route, fitting.ask(route["method"], path), 400, "bad_fields")
        refused(route, other.ask(route["method"], path), 403, "scope_missing")
        if "{organization_id}" in route["path"]:
            strange = path_of(route, organization_id=UUID) + "?surprise=1"
            refused(route, fitting.ask(route["method"], strange), 404, "organization_not_found")


def test_what_is_for_a_person_is_for_no_key_and_for_each_role(stack, routes, team):
    key = stack.api_key(team["owner"].organization)
    for route in (r for r in routes if r["access"] == "person" and not r["lenient"]):
        path = filled(route, team["owner"]) + "?surprise=1"
        refused(route, key.ask(route["method"], path), 403, "person_needed")
        for who in team.values():
            refused(route, who.ask(route["method"], path), 400, "bad_fields")


def test_what_is_for_operators_is_for_nobody_else(stack, routes, team, bob):
    for route in (r for r in routes if r["access"] == "operator"):
        path = filled(route, team["owner"]) + "?surprise=1"
        for who in (bob, team["admin"], team["viewer"], stack.api_key(team["owner"].organization)):
            refused(route, who.ask(route["method"], path), 403, "operator_needed")
        refused(route, team["owner"].ask(route["method"], path), 400, "bad_fields")


def test_nobody_and_strangers_get_nowhere(stack, routes, team, bob):
    organization = team["owner"].organization
    for route in (r for r in routes if r["access"] in FOR_PEOPLE):
        path = path_of(route, organization_id=organization) + "?surprise=1"
        refused(route, stack.anybody().ask(route["method"], path), 401, "unauthenticated")
        if route["access"] == "operator":
            refused(route, bob.ask(route["method"], path), 403, "operator_needed")
        elif "{organization_id}" in route["path"]:
            refused(route, bob.ask(route["method"], path), 404, "organization_not_found")
            elsewhere = team["viewer"].with_headers(X_Organization_Id=str(uuid.uuid4()))
            refused(route, elsewhere.ask(route["method"], path), 403, "organization_mismatch")
        elif route["access"] == "api":
            stranger = bob.with_headers(X_Organization_Id=organization)
            refused(route, stranger.ask(route["method"], path), 404, "organization_not_found")


def test_the_manual_says_what_the_programs_and_the_database_say(stack, routes, tmp_path):
    said, copy = "", tmp_path / "roles.md"
    copy.write_text("<!-- routes: made by `make manual` -->\n<!-- end of routes -->\n")
    for name in sorted({r["program"] for r in routes}):
        said += stack.run_program(name, "--describe").stdout
    subprocess.run([TOP / "docs" / "roles-table", copy, TOP / "sql" / "functions" / "15_roles.sql"], input=said, text=True,
                   check=True)
    manual = (TOP / "docs" / "roles.md").read_text()
    assert TABLE.search(manual)[0] == TABLE.search(copy.read_text())[0], "run: make manual"
    for row in stack.sql("select role, scope from role_scopes()"):
        assert f"('{row.role}', '{row.scope}')" in (TOP / "sql" / "functions" / "15_roles.sql").read_text()
    assert json.loads(stack.run_program("calls", "--describe").stdout)["program"] == "calls"
