"""Strangers: by the API, by SQL as Supabase's clients come in, by naming a partition."""

import uuid

import psycopg
import pytest
from psycopg import errors

from stack_client import Client, problem, sign_token, user_claims


@pytest.fixture
def call(stack, alice):
    """A call of alice's that is over, with all that belongs to it."""
    stack.provider("vapi")
    template = stack.template(organization_id=alice.organization)
    ident, = stack.schedule(1, alice, template)
    stack.drain()
    row = stack.call(ident)
    common = {"call_id": ident, "call_created_at": row.created_at, "organization_id": alice.organization}
    stack.insert("call_actions", action_type="note", **common)
    stack.insert("call_feedback", rating=5, **common)
    stack.insert("call_retries", attempt=1, delay_seconds=1, retry_at=row.created_at, **common)
    stack.sql("insert into do_not_call (organization_id, phone_number) values (%s, '+15550000000')", alice.organization)
    stack.sql("""insert into subscriptions (organization_id, plan_id) select %s, id from subscription_plans
                  where name = 'free'""", alice.organization)
    return ident


def denied(stack, query, *args, role="authenticated", claims=None, kinds=(errors.InsufficientPrivilege,)):
    """The query is refused."""
    with pytest.raises(kinds):
        stack.sql(query, *args, role=role, claims=claims)


# ---- the API -----------------------------------------------------------------


def test_a_stranger_finds_nothing_by_the_api(stack, alice, bob, call):
    assert bob.get("/api/v1/calls")["data"] == []
    assert bob.get("/api/v1/calls/stats")["total"] == 0
    assert bob.get("/api/v1/calls/queue")["queued"] == 0
    for path in ("", "/transcript", "/actions", "/recording"):
        assert alice.get(f"/api/v1/calls/{call}{path}")
        assert bob.get(f"/api/v1/calls/{call}{path}", expect=404)["code"] == "call_not_found"
    before = stack.call(call)
    for path, body in (("cancel", {}), ("retry", {}), ("reschedule", {"scheduled_time": "2099-01-01T00:00:00Z"})):
        assert bob.post(f"/api/v1/calls/{call}/{path}", body, expect=404)["code"] == "call_not_found"
    assert stack.call(call) == before and stack.count("calls") == 1


def test_a_stranger_cannot_use_anothers_template(stack, bob, call):
    template = str(stack.call(call).template_id)
    refused = bob.post("/api/v1/calls", {"recipient_number": "+15550001234", "template_id": template}, expect=422)
    assert refused["code"] == "template_not_found"


def test_naming_a_strangers_organization_opens_nothing(stack, alice, bob, call):
    for who in (bob.with_headers(X_Organization_Id=alice.organization),
                bob.with_headers(X_Organization_Id=str(uuid.uuid4())), bob.with_headers(X_Organization_Id="x"),
                bob.with_headers(X_Organization_Id="' or 1=1"),
                Client(stack.url, {"Authorization": "Bearer " + stack.token(
                    "bob", app_metadata={"organization_id": alice.organization})})):
        assert who.get("/api/v1/calls", expect=404)["code"] == "organization_not_found"
    metadata = Client(stack.url, {"Authorization": "Bearer " + stack.token(
        "bob", user_metadata={"organization_id": alice.organization, "role": "service_role"})})
    assert metadata.get("/api/v1/calls")["data"] == []


def test_a_member_of_two_organizations_chooses_by_header(stack, alice, bob, call):
    stack.sql("insert into organization_members (organization_id, user_id) values (%s, %s)", alice.organization, bob.id)
    guest = bob.with_headers(X_Organization_Id=alice.organization)
    assert [c["id"] for c in guest.get("/api/v1/calls")["data"]] == [call]
    assert bob.get("/api/v1/calls")["data"] == []
    stack.sql("delete from organization_members where organization_id = %s and user_id = %s", alice.organization, bob.id)
    assert guest.get("/api/v1/calls", expect=404)["code"] == "organization_not_found"


def test_a_disabled_organization_is_closed(stack, alice, call):
    key = stack.api_key(alice)
    stack.sql("update organizations set status = 'disabled' where id = %s", alice.organization)
    assert key.get("/api/v1/calls", expect=403)["code"] == "organization_inactive"
    named = alice.with_headers(X_Organization_Id=alice.organization)
    assert named.get("/api/v1/calls", expect=403)["code"] == "organization_inactive"


def test_an_api_key_opens_what_its_scopes_say_in_its_organization(stack, alice, bob, call):
    reader, writer = stack.api_key(alice, ["calls:read"]), stack.api_key(alice, ["calls:write"])
    assert [c["id"] for c in reader.get("/api/v1/calls")["data"]] == [call]
    assert reader.post(f"/api/v1/calls/{call}/retry", expect=403)["code"] == "scope_missing"
    assert writer.get("/api/v1/calls", expect=403)["code"] == "scope_missing"
    assert writer.post(f"/api/v1/calls/{call}/retry", expect=201)["user_id"] is None
    assert stack.api_key(bob).get(f"/api/v1/calls/{call}", expect=404)["code"] == "call_not_found"

    other = reader.with_headers(X_Organization_Id=bob.organization)
    assert other.get("/api/v1/calls", expect=403)["code"] == "organization_mismatch"
    assert reader.with_headers(X_Organization_Id=alice.organization).get("/api/v1/calls")["data"]
    plain = Client(stack.url, {"X-API-Key": stack.key(alice.organization)})
    assert plain.get("/api/v1/calls")["data"]
    for columns in ({"revoked_at": "2020-01-01"}, {"expires_at": "2020-01-01"}):
        assert stack.api_key(alice, **columns).get("/api/v1/calls", expect=401)["code"] == "api_key_invalid"


def test_an_unknown_key_learns_nothing_about_fields(stack):
    who = Client(stack.url, {"Authorization": "Bearer hsk_" + "x" * 40})
    problem(who.ask("POST", "/api/v1/calls", {"x": 1}), 401, "api_key_invalid")


def test_a_service_token_names_the_organization_it_acts_for(stack, alice, call):
    token = sign_token(stack.secrets["jwt"], user_claims("service", role="service_role", sub=None))
    service = Client(stack.url, {"Authorization": f"Bearer {token}"})
    service.get("/api/v1/calls", expect=400)
    named = service.with_headers(X_Organization_Id=alice.organization)
    assert [c["id"] for c in named.get("/api/v1/calls")["data"]] == [call]


# ---- SQL, as PostgREST lets people in ------------------------------------------


def test_a_stranger_finds_nothing_by_sql_in_any_table_or_view(stack, alice, bob, call):
    columns = stack.sql("""select p.table_name, array_agg(quote_ident(p.column_name)) as names
        from information_schema.column_privileges p
       where p.table_schema = 'public' and p.grantee = 'authenticated' and p.privilege_type = 'SELECT'
       group by 1 order by 1""")
    assert len(columns) > 20
    seen = {}
    for table in columns:
        query = f"select count(*) from (select {', '.join(table.names)} from public.{table.table_name}) x"
        seen[table.table_name] = [stack.value(query, role="authenticated", claims=who)
                                  for who in (alice.claims, bob.claims, {"role": "authenticated"})]
    own_rows = {"calls", "call_queue", "call_assignments", "call_retries", "call_transcripts", "call_recordings",
                "call_actions", "call_feedback", "usage_entries", "subscriptions", "call_history",
                "user_call_history", "user_call_usage", "daily_usage", "user_subscriptions"}
    assert own_rows <= set(seen)
    for table in own_rows:
        own = 1 if table in ("subscriptions", "user_subscriptions") else 0  # each organization has one from its beginning
        assert seen[table][0] > own and seen[table][1:] == [own, 0], (table, seen[table])
    shared = {"subscription_plans", "templates", "voice_options"}
    for table, (_, bobs, nobodys) in seen.items():
        if table not in shared:
            assert nobodys == 0, (table, nobodys)
            assert bobs == 0 or table in ("organizations", "organization_members", "user_profiles", "profiles", "users", "subscriptions",
                                           "user_subscriptions"), table


def test_a_stranger_finds_nothing_by_naming_a_partition(stack, alice, bob, call):
    partitions = stack.sql("""select n.nspname || '.' || c.relname as name from pg_class c
        join pg_namespace n on n.oid = c.relnamespace where c.relispartition and c.relkind = 'r'""")
    assert len(partitions) >= 6 and all(p.name.startswith("parts.") for p in partitions)
    for partition in partitions:
        for role in ("authenticated", "anon", "service_role", "hookswitch_api"):
            for who in (alice, bob):
                denied(stack, f"select count(*) from {partition.name}", role=role, claims=who.claims)
    # Even with a grant by mistake, rows stay hidden: row security holds for each partition by itself.
    with stack.connect() as db:
        for partition in partitions:
            db.execute(f"grant select on {partition.name} to authenticated")
        db.execute("grant usage on schema parts to authenticated")
        db.execute("set local role authenticated")
        for partition in partitions:
            assert db.execute(f"select count(*) from {partition.name}").fetchone()[0] == 0
        db.rollback()


def test_a_claim_cannot_choose_a_strangers_organization(stack, alice, bob, call):
    for forged in ({**bob.claims, "app_metadata": {"organization_id": alice.organization}},
                   {**bob.claims, "user_metadata": {"organization_id": alice.organization}},
                   {**bob.claims, "organization_id": alice.organization}):
        assert stack.value("select count(*) from calls", role="authenticated", claims=forged) == 0
    with stack.identity("authenticated", bob.claims) as db:
        db.execute("select set_config('hookswitch.organization_id', %s, true)", (alice.organization,))
        assert db.execute("select count(*) from calls").fetchone()[0] == 0


def test_a_person_cannot_change_what_is_counted_and_paid(stack, alice, call):
    own = {"role": "authenticated", "claims": alice.claims}
    for query in (
            "insert into usage_entries (organization_id, call_id, call_created_at, kind, quantity, occurred_at)"
            f" select organization_id, id, created_at, 'calls', 1, now() from calls where id = '{call}'",
            "update usage_entries set quantity = 0", "delete from usage_entries",
            f"select complete_call('{call}')", f"select handle_failed_call('{call}')",
            "select get_best_available_provider()", "select * from get_next_call_in_queue()",
            f"select assign_call_to_provider('{call}', '{uuid.uuid4()}')",
            "update subscription_plans set price = 0", "update subscriptions set tier_type = 'enterprise'",
            "insert into subscriptions (organization_id) values (gen_random_uuid())",
            "update organizations set max_concurrent_calls = 1000", "update organizations set status = 'active'",
            "update calls set status = 'completed'", "delete from calls", "update call_queue set priority = 0",
            "insert into call_queue (organization_id, recipient_number, expires_at) values"
            f" ('{alice.organization}', '+15550001234', now())",
            "insert into organization_members (organization_id, user_id) select id, gen_random_uuid() from organizations",
            "select * from call_service_providers", "select * from webhook_secrets", "select * from webhook_events",
            "select * from api_keys", "select api_key from call_service_providers", "select * from end_reasons",
            "select total_cost_cents from calls", "select api.call_list()",
            f"select call_enter('{alice.organization}', null, '{{}}')", "select calls_claim(1, 'me', 30)",
            "select webhook_keep('vapi', gen_random_uuid(), 'call', 'k', 't', null, null, '{}', null, 'kept')",
            "select partitions_make()", "truncate calls", "create table public.mine (a int)",
            "select request_identity_token('{}', null, null)"):
        denied(stack, query, **own)
        denied(stack, query, role="anon")
    assert stack.call(call).status == "completed"


def test_all_that_a_person_may_call_is_scheduling_and_harmless_helpers(stack):
    found = {f.name for f in stack.sql("""select p.proname as name from pg_proc p
        join pg_namespace n on n.oid = p.pronamespace
       where n.nspname in ('public', 'api', 'hookswitch') and has_function_privilege('authenticated', p.oid, 'execute')
         and p.prorettype <> 'trigger'::regtype
         and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')""")}
    assert found == {"schedule_call", "current_organization_id", "current_user_id", "call_templates_shared"}


def test_a_person_changes_only_his_own_profile_and_not_his_standing(stack, alice, bob):
    own = {"role": "authenticated", "claims": alice.claims}
    stack.sql("update user_profiles set first_name = 'A'", **own)
    assert stack.sql("select id::text, first_name from user_profiles order by first_name nulls last") == \
        [(alice.id, "A"), (bob.id, None)]
    denied(stack, "update user_profiles set status = 'active', paddle_customer_id = 'x'", **own)
    denied(stack, "update user_profiles set email = 'x'", **own)


def test_a_person_orders_calls_by_sql_for_himself_only(stack, alice, bob, call):
    template = stack.template()
    query = "select schedule_call(%s, %s, 'Ann', '+15550101234')"
    own = stack.value(query, alice.id, template, role="authenticated", claims=alice.claims)
    assert str(stack.call(own).organization_id) == alice.organization
    with pytest.raises(psycopg.Error) as refused:
        stack.value(query, alice.id, template, role="authenticated", claims=bob.claims)
    assert (refused.value.sqlstate, refused.value.diag.message_primary) == ("PT403", "user_mismatch")
    with pytest.raises(psycopg.Error) as refused:
        stack.value("select schedule_call(%s, %s, 'Ann', '+15550101234', p_metadata => jsonb_build_object("
                    "'organization_id', %s::text))", bob.id, template, alice.organization, role="authenticated",
                    claims=bob.claims)
    assert (refused.value.sqlstate, refused.value.diag.message_primary) == ("PT404", "organization_not_found")
    denied(stack, query, alice.id, template, role="anon")
    assert stack.count("calls") == 2


def test_the_programs_roles_bypass_nothing(stack):
    for role in stack.sql("""select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb from pg_roles
                              where rolname like 'hookswitch%' and rolname <> 'hookswitch_owner'"""):
        assert role[1:] == (False, False, False, False), role
    assert stack.value("""select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('public', 'parts') and c.relkind in ('r', 'p')
          and not (c.relrowsecurity and c.relforcerowsecurity) and c.relname <> 'state_moves'""") == 0
