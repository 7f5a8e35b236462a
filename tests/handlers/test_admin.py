"""The program admin: who is an operator, people and organizations, and the log of what operators did."""

import pytest
from accounts import AUTH, PASSWORD, app_code, person
from stack import Stack
from stack_client import problem, user_id
from stack_operators import ADMIN, CLAIM, bearer, operator
from stack_routes import body_of, path_of, routes_of

LISTED = "listed@example.com"


@pytest.fixture(scope="module")
def stack_of_file(tmp_path_factory):
    """An installation that names operators by id and by address."""
    settings = {"HOOKSWITCH_OPERATORS": f"{user_id('nora').upper()}, Listed@example.com"}
    with Stack(tmp_path_factory.mktemp("stack"), settings=settings) as running:
        yield running


@pytest.fixture
def olga(stack):
    """An operator."""
    return operator(stack)


def may(who, path=f"{ADMIN}/queue"):
    """Whether somebody gets through, or the error's code."""
    answer = who.ask("GET", path)
    return "yes" if answer.status_code == 200 else answer.json()["code"]


# ---- who is an operator ----------------------------------------------------------------


def test_nobody_but_operators_gets_anywhere(stack, alice):
    member = stack.user("member")
    stack.sql("insert into organization_members (organization_id, user_id, role) values (%s, %s, 'admin')", alice.organization, member.id)
    routes = routes_of(stack, ["admin"])
    assert len(routes) >= 30 and {r["access"] for r in routes} == {"operator"}
    askers = (alice, member.with_headers(X_Organization_Id=alice.organization), stack.api_key(alice.organization),
              alice.with_headers(X_API_Key=stack.key(alice.organization), Authorization=None))
    before = stack.sql("select count(*) from audit_log")
    for route in routes:
        path, body = path_of(route), body_of(route["fields"]) if route["method"] in ("POST", "PUT", "PATCH") else None
        for who in askers:
            problem(who.ask(route["method"], path, body), 403, "operator_needed")
        problem(stack.anybody().ask(route["method"], path, body), 401, "unauthenticated")
    assert stack.sql("select count(*) from audit_log") == before


@pytest.mark.parametrize("claims", [
    {"app_metadata": {"hookswitch_operator": value}} for value in ("true", "on", 1, False, None, [True], {"value": True})
] + [{"user_metadata": {"hookswitch_operator": True}}, {"hookswitch_operator": True}, {"app_metadata": [True]},
     {"user_metadata": {"app_metadata": {"hookswitch_operator": True}}}, {"app_metadata": {"role": "hookswitch_operator"}}], ids=str)
def test_no_other_claim_makes_an_operator(stack, claims):
    assert may(bearer(stack, "mallory", **claims)) == "operator_needed"


def test_the_claim_makes_one_and_so_does_the_list_in_the_settings(stack):
    assert may(stack.user("olga", **CLAIM)) == "yes"
    assert may(stack.user("nora")) == "yes"
    assert may(stack.user("other", email="x@example.com")) == "operator_needed"


def test_an_operator_is_one_whatever_organization_he_names_or_has_lost(stack, alice, olga):
    assert may(olga.with_headers(X_Organization_Id=alice.organization)) == "yes"
    assert may(olga.with_headers(X_Organization_Id="nonsense")) == "yes"
    assert may(bearer(stack, "olga", app_metadata={"hookswitch_operator": True, "organization_id": alice.organization})) == "yes"
    stack.sql("update organizations set status = 'disabled' where personal_of = %s", olga.id)
    assert may(olga) == "yes"


def test_a_listed_address_counts_when_it_is_confirmed(stack):
    stack.anybody().post(f"{AUTH}/signup", {"email": LISTED, "password": PASSWORD}, expect=202)
    ident = stack.value("select id from auth.users where email = %s", LISTED)
    stack.sql("update user_profiles set status = 'active' where id = %s", ident)
    token = bearer(stack, "x", sub=str(ident), email=LISTED, user_metadata={"email_verified": True})
    assert may(token) == "operator_needed"
    stack.sql("update auth.users set email_confirmed_at = now() where id = %s", ident)
    assert may(token) == "yes"
    assert may(bearer(stack, "y", sub=str(ident), email="someone-else@example.com")) == "yes"
    stack.sql("update auth.users set email = 'moved@example.com' where id = %s", ident)
    assert may(token) == "operator_needed"


def test_an_address_counts_neither_of_a_token_alone_nor_where_none_is_confirmed(stack):
    claims = {"email": LISTED, "email_verified": True, "user_metadata": {"email_verified": True}}
    assert may(bearer(stack, "stranger", **claims)) == "operator_needed", "there is no such account here"
    ann = person(stack, LISTED)
    assert may(ann) == "yes"
    with stack.other_settings("admin", HOOKSWITCH_SIGNUP_CONFIRM="off"):
        assert may(ann) == "operator_needed", "anybody could have signed up under it"
        assert may(stack.user("nora")) == "yes" and may(stack.user("olga", **CLAIM)) == "yes"
    assert may(ann) == "yes"


def test_what_the_account_says_now_counts_not_what_a_token_said(stack):
    ann = person(stack)
    assert may(ann) == "operator_needed"
    stack.sql("""update auth.users set raw_app_meta_data = raw_app_meta_data || '{"hookswitch_operator":true}' where id = %s""", ann.id)
    assert may(ann) == "operator_needed"
    ann.refresh()
    assert may(ann) == "yes"
    stack.sql("update auth.users set raw_app_meta_data = raw_app_meta_data - 'hookswitch_operator' where id = %s", ann.id)
    assert may(ann) == "operator_needed"


def test_half_a_session_and_one_that_has_ended_open_nothing(stack):
    ann = person(stack, LISTED)
    assert may(ann) == "yes"
    secret = ann.post(f"{AUTH}/totp", {"password": PASSWORD}, expect=201)["secret"]
    ann.post(f"{AUTH}/totp/verify", {"code": app_code(secret)})
    half = stack.value("insert into hookswitch_auth.sessions (user_id, expires_at) values (%s, '2099-01-01') returning id", ann.id)
    assert may(bearer(stack, "z", sub=ann.id, email=LISTED, session_id=str(half), aal="aal2")) == "totp_needed"
    stack.sql("update hookswitch_auth.sessions set aal = 'aal2' where id = %s", half)
    assert may(bearer(stack, "z", sub=ann.id, email=LISTED, session_id=str(half))) == "yes"
    stack.sql("update hookswitch_auth.sessions set revoked_at = now() where id = %s", half)
    assert may(bearer(stack, "z", sub=ann.id, email=LISTED, session_id=str(half))) == "session_revoked"


# ---- people --------------------------------------------------------------------------------


def test_people_are_found_and_shown_with_what_they_belong_to(stack, olga, alice, bob):
    stack.sql("update user_profiles set first_name = 'Alice', last_name = 'Smith' where id = %s", alice.id)
    for q in ("ALICE@", "ce smi", alice.id[:8]):
        assert [p["id"] for p in olga.get(f"{ADMIN}/people", params={"q": q})["data"]] == [alice.id], q
    assert {p["id"] for p in olga.get(f"{ADMIN}/people")["data"]} == {olga.id, alice.id, bob.id}
    assert olga.get(f"{ADMIN}/people?status=inactive")["data"] == []
    one = olga.get(f"{ADMIN}/people/{alice.id}")
    assert [(m["organization_id"], m["role"], m["is_personal"]) for m in one["memberships"]] == [(alice.organization, "owner", True)]
    assert one["sessions"] == 0 and one["totp_enabled"] is False and "phone_number" not in one
    problem(olga.ask("GET", f"{ADMIN}/people/{stack.value('select gen_random_uuid()')}"), 404, "user_not_found")


def test_a_person_who_is_disabled_is_out_at_once(stack, olga):
    ann = person(stack)
    key = stack.api_key(ann.get(f"{AUTH}/me")["organization_id"])
    assert olga.get(f"{ADMIN}/people/{ann.id}")["sessions"] == 1
    closed = olga.post(f"{ADMIN}/people/{ann.id}/disable")
    assert (closed["status"], closed["sessions"]) == ("inactive", 0)
    problem(ann.ask("GET", "/api/v1/calls"), 401, "session_revoked")
    problem(bearer(stack, "t", sub=ann.id).ask("GET", "/api/v1/calls"), 403, "account_inactive")
    problem(stack.anybody().ask("POST", f"{AUTH}/signin", {"email": ann.email, "password": PASSWORD}), 403)
    ann.refresh(expect=401)
    assert key.ask("GET", "/api/v1/calls").status_code == 200, "keys are the organization's"
    assert olga.post(f"{ADMIN}/people/{ann.id}/disable")["status"] == "inactive"
    assert olga.post(f"{ADMIN}/people/{ann.id}/enable")["status"] == "active"
    assert "access_token" in stack.anybody().post(f"{AUTH}/signin", {"email": ann.email, "password": PASSWORD})
    problem(olga.ask("POST", f"{ADMIN}/people/{olga.id}/disable"), 409, "operator_self")


def test_what_operators_do_is_written_down(stack, olga, alice):
    olga.post(f"{ADMIN}/people/{alice.id}/disable")
    olga.post(f"{ADMIN}/people/{alice.id}/enable")
    olga.post(f"{ADMIN}/organizations/{alice.organization}/disable")
    olga.post(f"{ADMIN}/organizations/{alice.organization}/enable")
    log = olga.get(f"{ADMIN}/audit-log")["data"]
    assert [(e["action"], e["organization_id"]) for e in log] == [
        ("organization.status_changed", alice.organization), ("organization.status_changed", alice.organization),
        ("person.enabled", None), ("person.disabled", None)]
    assert {(e["actor_type"], e["actor_id"]) for e in log} == {("operator", olga.id)} and all(e["request_id"] for e in log)
    assert len(olga.get(f"{ADMIN}/audit-log?action=person.enabled")["data"]) == 1
    own = alice.get(f"/api/v1/organizations/{alice.organization}/audit-log")["data"]
    assert [e["actor_type"] for e in own[:2]] == ["operator", "operator"] and "person.enabled" not in {e["action"] for e in own}


def test_an_operators_key_of_idempotency_is_his_own(stack, olga, alice):
    keyed = olga.with_headers(Idempotency_Key="once")
    made = keyed.post(f"{ADMIN}/providers", {"name": "Made", "provider_type": "vapi"}, expect=201)
    assert keyed.post(f"{ADMIN}/providers", {"name": "Made", "provider_type": "vapi"}, expect=201) == made
    assert stack.count("call_service_providers") == 1
    nora = stack.user("nora").with_headers(Idempotency_Key="once")
    assert nora.post(f"{ADMIN}/providers", {"name": "Other", "provider_type": "vapi"}, expect=201)["id"] != made["id"]


# ---- organizations ------------------------------------------------------------------------


def test_an_organization_that_is_disabled_is_shut_at_once(stack, olga, alice):
    stack.provider("vapi")
    template = stack.template()
    calls = stack.schedule(3, alice, template)
    path = f"{ADMIN}/organizations/{alice.organization}"
    seen = olga.get(path)
    assert (seen["status"], seen["calls_waiting"], seen["calls_live"], seen["member_count"]) == ("active", 3, 0, 1)
    assert olga.post(f"{path}/disable")["status"] == "disabled"
    problem(alice.ask("GET", "/api/v1/calls"), 403, "organization_inactive")
    problem(stack.api_key(alice.organization).ask("GET", "/api/v1/calls"), 403, "organization_inactive")
    assert stack.pump()["claimed"] == 0 and stack.sandbox.dials()["attempts"] == 0
    assert {stack.queued(c).status for c in calls} == {"queued"}, "they wait"
    bob = stack.user("bob")
    other = stack.schedule(1, bob, template)
    stack.drain_of(*other)
    assert {stack.queued(c).status for c in calls} == {"queued"}, "others are dialled meanwhile"
    assert olga.post(f"{path}/enable")["status"] == "active"
    stack.drain()
    assert {stack.call(c).status for c in calls} == {"completed"}
    stack.invariants()
    used = {row["organization_id"]: row for row in olga.get(f"{ADMIN}/usage")["data"]}
    assert used[alice.organization]["calls"] == 3 and used[bob.organization]["calls"] == 1
    assert olga.get(path)["usage"]["calls"] == 3


def test_organizations_are_found(olga, alice, bob):
    for q in (alice.organization[:8], "ALICE@"):
        assert [o["id"] for o in olga.get(f"{ADMIN}/organizations", params={"q": q})["data"]] == [alice.organization], q
    assert {o["id"] for o in olga.get(f"{ADMIN}/organizations?status=active")["data"]} >= {alice.organization, bob.organization}
