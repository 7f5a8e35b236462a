"""Stripe in a stack's tests: plans with prices there, people who pay, a life of a subscription, and events in any order."""

import json
from contextlib import contextmanager

from stack_hooks import stripe_signature
from stack_client import Client
from stack_process import Process, wait_until

WORKFLOWS = ("stripe-sync", "stripe-surplus", "stripe-expire", "stripe-end", "subscription-sync")
DAY = 86400


def flat(value, name=""):
    """A form as Stripe wants it: {"items": [{"price": "x"}]} is items[0][price]=x."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if inner is None:
        yield name, {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
        return
    for key, one in inner:
        yield from flat(one, f"{name}[{key}]" if name else str(key))


class Shop:
    """What a test does at Stripe, and what of it becomes ours."""

    def __init__(self, stack, told=True, **settings):
        self.stack, self.sandbox = stack, stack.sandbox
        stack.sandbox_reset(stripe_webhook_url=f"{stack.url}/api/webhooks/stripe" if told else None,
                            stripe_webhook_secret=stack.secrets["stripe"], **settings)
        self.prices, self.plans = {}, {}

    def ask(self, method, path, expect=200, **form):
        """One request to Stripe with somebody's own hands."""
        answer = self.sandbox.http.request(method, f"{self.sandbox.stripe_url}/v1/{path}", timeout=60,
                                           headers={"Authorization": "Bearer " + self.stack.keys["stripe"], "Stripe-Version": "2026-10-28.endive"},
                                           **{"params" if method == "GET" else "data": list(flat(form))})
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def plan(self, name, amount, rank, **recurring):
        """A plan of ours with a price at Stripe; answers our id."""
        product = self.ask("POST", "products", name=name)["id"]
        self.prices[name] = self.ask("POST", "prices", product=product, currency="usd", unit_amount=amount,
                                     recurring={"interval": "month", **recurring})["id"]
        self.stack.sql("insert into subscription_plans (name, price, call_limit, minutes_limit, rank, limit_mode) values (%s, %s, 100, 100, %s, 'hard')"
                       " on conflict (name) do nothing", name, amount / 100, rank)
        self.plans[name] = str(self.stack.value("select id from subscription_plans where name = %s", name))
        self.stack.sql("insert into plan_prices (provider, price_id, plan_id) values ('stripe', %s, %s)", self.prices[name], self.plans[name])
        return self.plans[name]

    def customer(self, organization, card="good"):
        """An organization's customer, who can pay."""
        customer = self.ask("POST", "customers", email="owner@example.com", metadata={"organization_id": str(organization)})["id"]
        self.sandbox.stripe_do("customers", customer, card=card)
        self.stack.sql("update organizations set stripe_customer_id = %s where id = %s", customer, organization)
        return customer

    def checkout(self, organization, customer, plan, **data):
        """A page where the customer can pay, as our own checkout makes it; answers its id."""
        session = self.ask("POST", "checkout/sessions", mode="subscription", customer=customer, success_url="https://app.example.com/done",
                           line_items=[{"price": self.prices[plan], "quantity": 1}], metadata={"organization_id": str(organization)},
                           subscription_data={"metadata": {"organization_id": str(organization), "plan_id": self.plans[plan]}, **data})["id"]
        self.stack.sql("insert into checkout_sessions (organization_id, plan_id, external_id) values (%s, %s, %s)", organization, self.plans[plan], session)
        return session

    def pay(self, session, method="card"):
        """The customer pays; answers the subscription."""
        self.sandbox.stripe_do("checkout", session, pay=True, method=method)
        return self.ask("GET", f"checkout/sessions/{session}")["subscription"]

    # ---- events --------------------------------------------------------------

    def events(self):
        """All events so far, oldest first."""
        found, after = [], {}
        while True:
            page = self.ask("GET", "events", limit=100, **after)
            found += page["data"]
            if not page["has_more"]:
                return found[::-1]
            after = {"starting_after": page["data"][-1]["id"]}

    def deliver(self, event):
        """One event, truly signed; 200 whatever becomes of it."""
        body = json.dumps(event).encode()
        answer = Client(self.stack.url, stripe_signature(self.stack.secrets["stripe"], body)).ask("POST", "/api/webhooks/stripe", body)
        assert answer.status_code == 200, answer.text

    # ---- runs ----------------------------------------------------------------

    @contextmanager
    def working(self):
        """While this lasts workflow-pump waits and does what comes in."""
        stack = self.stack
        pump = Process("workflow-pump", [stack.build / "handlers" / "workflow-pump", "--once", "--wait", "3600"], stack.folder / "work.log",
                       stack.environment())
        try:
            yield
        finally:
            status = pump.stop()
        assert status == 0, f"workflow-pump ended with {status}: {pump.text()[-3000:]}"

    def settled(self):
        """Nothing of Stripe's is under way any more; dead letters are an error."""
        def under_way():
            return self.stack.sql("select id, state, step, last_error, (select string_agg(s.step || ' ' || s.state || ' ' || s.reason, ', ') from workflow_steps s where s.run_id = r.id) as steps from workflow_runs r where workflow = any (%s)"
                                  " and state in ('ready', 'working', 'waiting') and due_at < now() + interval '1 day'", list(WORKFLOWS))
        try:
            wait_until(lambda: not under_way(), deadline=10, what="the end of all runs")
        except AssertionError as e:
            raise AssertionError(f"{e}: {under_way()}") from e
        dead = self.stack.sql("select id, last_error from workflow_runs where workflow = any (%s) and state in ('failed', 'canceled')", list(WORKFLOWS))
        assert not dead, dead

    def told(self):
        """The sandbox has delivered all events, and what they started is done."""
        wait_until(lambda: self.sandbox.http.post(f"{self.sandbox.url}/_sandbox/idle?timeout=30", timeout=60).status_code == 200, what="all webhooks")
        self.settled()

    def read(self, kind, ident, why="test"):
        """Have one object read, as an event would."""
        self.stack.sql("select stripe_read(%s, %s, %s, null)", f"{why}:{self.stack.value('select gen_random_uuid()')}", kind, ident)

    # ---- what is ours ----------------------------------------------------------

    def has(self, organization):
        """The current subscription in words: provider, status, plan."""
        return self.stack.value("select concat_ws(' ', s.origin, s.status, coalesce(p.name, 'no plan')) from subscriptions s"
                                " left join subscription_plans p on p.id = s.plan_id where s.organization_id = %s and s.current", organization)

    def rows(self, organization):
        """All rows of money of an organization that come from Stripe, without our ids and the times of reading."""
        return self.stack.value("""with o as (select %s::uuid as id) select jsonb_build_object(
            'subscriptions', (select jsonb_agg(to_jsonb(s) - '{id,read_number,synced_at,updated_at,reconciled_at,past_due_since}'::text[] order by s.external_id)
                                from subscriptions s where s.organization_id = (select id from o) and s.origin <> 'manual'),
            'current', (select jsonb_build_array(s.origin, s.status, s.plan_id, s.external_id) from subscriptions s where s.organization_id = (select id from o) and s.current),
            'invoices', (select jsonb_agg(to_jsonb(i) - '{id,read_number,synced_at,created_at,updated_at}'::text[] order by i.external_id)
                           from invoices i where i.organization_id = (select id from o)),
            'account', (select to_jsonb(b) - '{customer_read,standing_since,updated_at}'::text[] from billing_accounts b where b.organization_id = (select id from o)),
            'organization', (select jsonb_build_array(o.status, o.stripe_customer_id, o.stripe_subscription_id, o.current_period_end)
                               from organizations o where o.id = (select id from o)),
            'events', (select jsonb_agg(jsonb_build_array(e.event_type, e.key, e.amount_cents, e.stripe_invoice_id) order by e.key)
                         from billing_events e where e.organization_id = (select id from o)))""", organization)

    def forget(self, organization):
        """As if no event had ever come."""
        self.stack.sql("""with o as (select %s::uuid as id), a as (delete from subscriptions where organization_id = (select id from o)), b as (delete from invoices where organization_id = (select id from o)),
            c as (delete from billing_events where organization_id = (select id from o)), d as (delete from webhook_event_keys), e as (delete from webhook_events),
            f as (delete from workflow_runs), g as (delete from billing_differences), h as (delete from events where organization_id = (select id from o))
            update billing_accounts set payment_method = null, customer_deleted = false, customer_read = 0, standing = 'good' where organization_id = (select id from o)""",
                       organization)
        self.stack.sql("update organizations set stripe_subscription_id = null, status = 'active' where id = %s", organization)
        self.stack.sql("update checkout_sessions set status = 'open', payment_status = null, external_subscription_id = null, completed_at = null, read_number = 0"
                       " where organization_id = %s", organization)
        self.stack.sql("select subscription_default(%s)", organization)
