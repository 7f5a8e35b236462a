"""sql/migrate on a database in which there is something already."""

import uuid

from test_migrate import database, files, pytestmark  # noqa: F401  pylint: disable=unused-import


def before(database, files, migration):
    """The tables as they were before a migration, with the functions that their triggers need."""
    for file in (f for f in (files / "migrations").iterdir() if f.name >= migration):
        file.unlink()
    for file in (f for f in (files / "functions").iterdir() if f.name != "10_shared.sql"):
        file.unlink()
    (files / "functions" / "99_rights.sql").write_text("")
    database.migrate(files)


def test_organizations_with_calls_get_a_plan_and_keep_what_they_used(database, files):
    """Who was there before plans were: the free plan from his own beginning, and a ledger of whole minutes."""
    before(database, files, "0019")
    database.query("""insert into public.organizations (name, created_at) values ('old', '2026-01-31T10:00:00Z'), ('given', '2026-02-01T00:00:00Z')""")
    database.query("""insert into public.subscriptions (organization_id, plan_id, tier_type)
                      select o.id, p.id, p.name from public.organizations o, public.subscription_plans p where o.name = 'given' and p.name = 'business'""")
    database.query("""with c as (insert into public.calls (organization_id, to_number, status)
                                 select o.id, '+15550100100', 'completed' from public.organizations o where o.name = 'old' returning *)
                      insert into public.usage_entries (organization_id, call_id, call_created_at, kind, quantity, occurred_at)
                      select c.organization_id, c.id, c.created_at, k.kind, k.quantity, now() from c, (values ('calls', 1), ('seconds', 61)) k(kind, quantity)""")
    database.migrate()
    plans = """select o.name, p.name, n.may_call, n.period_start <= now() and n.period_end > now(), extract(day from n.period_start at time zone 'UTC') >= 28
                 from public.organizations o cross join lateral public.plan_of(o.id, now()) n join public.subscription_plans p on p.id = n.plan_id order by 1 desc"""
    assert database.query(plans) == [("old", "free", True, True, True), ("given", "business", True, True, False)]
    assert database.query("select count(*) from public.billing_accounts") == [(2,)]
    used = "select s.calls, s.seconds, s.billable_seconds from public.organizations o cross join lateral public.usage_sums_of(o.id, now() - interval '1 hour') s where o.name = 'old'"
    assert database.query(used) == [(1, 61, 120)]
    database.migrate()
    assert database.query(plans)[0][1] == "free" and database.query("select count(*) from public.subscriptions") == [(2,)], "once more changes nothing"
    # What the changelog says to whoever wants no limits.
    database.query("set role hookswitch_pump; update public.subscription_plans set call_limit = null, minutes_limit = null where name = 'free'", owner=True)
    assert database.query("select n.call_limit, n.minutes_limit from public.organizations o cross join lateral public.plan_of(o.id, now()) n where o.name = 'old'") == [
        (None, None)]


def test_who_used_a_template_goes_on_to_when_templates_get_a_visibility(database, files):
    before(database, files, "0014")
    organization, person = "insert into public.organizations (name) values ('o') returning id", uuid.uuid4()
    database.query(f"""with o as ({organization}) insert into public.call_templates (name, organization_id, created_by, is_public)
        select n, case when n ~ 'o' then o.id end, case when n ~ 'c' then '{person}'::uuid end, n ~ 'p' from o, unnest('{{o,oc,ocp,c,p,x}}'::text[]) n""")
    database.migrate()
    assert dict(database.query("select name, visibility from public.call_templates")) == {
        "o": "organization", "oc": "organization", "ocp": "public", "c": "private", "p": "public", "x": "private"}
