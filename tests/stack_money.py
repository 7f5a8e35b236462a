"""The engine with the real workflows of money: workflow-pump, a database, and the sandbox's Stripe.

    with Money(folder) as money:
        money.reset()
        customer = money.customer()
        money.work(lambda: money.over())
"""

import base64
import calendar
import time
import uuid

from psycopg.types.json import Jsonb

from sandbox.client import Process as Sandbox
from stack_process import wait_until
from trial import Trial

EVENT = "hookswitch_overage_seconds"


class Money(Trial):
    """Programs of a build (HOOKSWITCH_CRASH_BUILD_DIR: those that die where they are told)."""

    def __init__(self, folder, admin=None, build="HOOKSWITCH_BUILD_DIR", **settings):
        super().__init__(folder, None, admin, build, **settings)
        self.program = self.program.parents[2] / "handlers" / "workflow-pump"
        self.sandbox, self.reads = Sandbox(folder), 0
        self.settings = {"HOOKSWITCH_SECRET_KEY": "test:" + base64.b64encode(b"k" * 32).decode(), "STRIPE_SECRET_KEY": "sk_test_1",
                         "STRIPE_BASE_URL": f"{self.sandbox.url}/stripe", "RESEND_BASE_URL": self.sandbox.resend_url,
                         "RESEND_API_KEY": "re_1", "MAIL_FROM": "Hookswitch <no-reply@example.com>", "APP_URL": "https://app.example.com",
                         "HOOKSWITCH_BILLING_LATE_MINUTES": 0, **settings}

    def __enter__(self):
        try:
            return super().__enter__()
        except BaseException:
            self.sandbox.stop()
            raise

    def __exit__(self, *what):
        super().__exit__(*what)
        self.sandbox.stop()

    def reset(self, **settings):
        """No rows, no runs; Stripe has nobody, and its clock goes right."""
        self.forget_rows()
        self.sql("delete from subscription_plans where name like 'test-%%'")
        self.sandbox.reset(**settings)

    # ---- Stripe ------------------------------------------------------------

    def stripe(self, method, path, expect=200, key=None, **form):
        """One request to Stripe, as anybody with a key makes it; brackets are written as __."""
        form = {"][".join(name.split("__")).replace("][", "[", 1) + "]" * ("__" in name): value for name, value in form.items()}
        answer = self.sandbox.http.request(
            method, f"{self.sandbox.url}/stripe/v1/{path}", timeout=60, **{"params" if method == "GET" else "data": form},
            headers={"Authorization": "Bearer sk_test_1", "Stripe-Version": "2026-10-28.endive", **({"Idempotency-Key": key} if key else {})})
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def control(self, path, method="POST", **body):
        """What the sandbox is told of Stripe."""
        return self.sandbox._ask(method, f"stripe/{path}" if path else "stripe", **({"json": body} if method == "POST" else {}))

    def seen(self):
        """What the sandbox's Stripe counted."""
        return self.control("", "GET")

    def clock(self, at=None):
        """Stripe's clock is put on, or read."""
        return self.control("clock", to=int(at))["now"] if at else self.control("clock", "GET")["now"]

    # ---- whose money it is ---------------------------------------------------

    def plan(self, name="test-plan", minutes=10, overage=6, price=2900, rank=50):
        """A plan with its prices and its meter at Stripe."""
        ident = self.value("""insert into subscription_plans (name, price, minutes_limit, limit_mode, overage_cents, rank, call_limit, increment_seconds)
            values (%s, %s, %s, 'soft', %s, %s, null, 1) returning id""", name, price / 100, minutes, overage, rank)
        product = self.stripe("POST", "products", name=name)["id"]
        base = self.stripe("POST", "prices", product=product, currency="usd", unit_amount=price, recurring__interval="month")["id"]
        if not (meter := self.value("select meter_id from billing_meters where provider = 'stripe'")):
            meter = self.stripe("POST", "billing/meters", display_name="Further seconds", event_name=EVENT, default_aggregation__formula="sum",
                                customer_mapping__type="by_id", customer_mapping__event_payload_key="stripe_customer_id",
                                value_settings__event_payload_key="value")["id"]
            self.sql("insert into billing_meters (provider, event_name, meter_id) values ('stripe', %s, %s)", EVENT, meter)
        further = self.stripe("POST", "prices", product=product, currency="usd", unit_amount_decimal=f"{overage / 60:.12f}",
                              recurring__interval="month", recurring__usage_type="metered", recurring__meter=meter)["id"]
        for kind, price_id in (("base", base), ("overage", further)):
            self.sql("insert into plan_prices (provider, price_id, plan_id, kind) values ('stripe', %s, %s, %s)", price_id, ident, kind)
        return {"id": ident, "base": base, "overage": further, "included": minutes * 60}

    def organization(self):
        """An organization with an owner who has an address, and a customer at Stripe who can pay."""
        owner, ident = uuid.uuid4(), uuid.uuid4()
        self.sql("insert into user_profiles (id, email) values (%s, %s)", owner, f"owner-{ident}@example.com")
        self.sql("insert into organizations (id, name) values (%s, 'Acme')", ident)
        self.sql("insert into organization_members (organization_id, user_id, role, is_default) values (%s, %s, 'owner', true)", ident, owner)
        customer = self.stripe("POST", "customers", email=f"owner-{ident}@example.com", metadata__organization_id=str(ident))["id"]
        self.control(f"customers/{customer}", card="good")
        self.sql("update organizations set stripe_customer_id = %s where id = %s", customer, ident)
        return {"id": ident, "customer": customer, "mail": f"owner-{ident}@example.com"}

    def subscribe(self, whose, plan):
        """A subscription to the plan, begun now by Stripe's clock, and read."""
        subscription = self.stripe("POST", "subscriptions", customer=whose["customer"], items__0__price=plan["base"], items__1__price=plan["overage"],
                                   metadata__organization_id=str(whose["id"]), metadata__plan_id=str(plan["id"]))["id"]
        self.read("subscription", subscription)
        assert self.value("select status from subscriptions where external_id = %s and current", subscription) == "active"
        return subscription

    # ---- what Stripe says becomes ours -----------------------------------------

    def read(self, kind, ident):
        """Has one object read by the workflow that events start."""
        self.reads += 1
        run = f"stripe:read_{self.reads}"
        self.sql("select work_start(%s, 'stripe-sync', %s)", run,
                 Jsonb({"event": None, "type": "read", "kind": kind, "id": ident, "customer": None, "subscription": None}))
        over = lambda: self.value("select state from workflow_runs where id = %s", run) in ("done", "failed")
        if self.pumps:  # one is at work already
            wait_until(over, what=run)
        else:
            self.work(over)
        assert self.value("select state from workflow_runs where id = %s", run) == "done", self.run(run)

    # ---- calls -----------------------------------------------------------------

    def calls(self, whose, ends):
        """Calls that are over, and their ledger: [(unix time of the end, seconds)].  Each is written as the end of a call writes it."""
        ids = [uuid.uuid4() for _ in ends]
        with self.connect() as db:
            db.execute("""insert into calls (id, organization_id, created_at, direction, status, started_at, ended_at, duration_seconds)
                select e.id, %s, to_timestamp(e.at - e.s), 'outbound', 'completed', to_timestamp(e.at - e.s), to_timestamp(e.at), e.s
                  from unnest(%s::uuid[], %s::double precision[], %s::integer[]) e(id, at, s)""",
                       (whose["id"], ids, [float(e[0]) for e in ends], [e[1] for e in ends]))
            db.execute("select usage_write(c, c.duration_seconds) from calls c where c.id = any (%s)", (ids,))

    def fold(self):
        """What the pump's upkeep does about once a second."""
        while self.value("select usage_fold(1000)"):
            pass


def month_ago(at):
    """A month before (UTC); where that month is shorter, its last day: so its first period ends at that time or a little before."""
    t = time.gmtime(at)
    year, month = (t.tm_year, t.tm_mon - 1) if t.tm_mon > 1 else (t.tm_year - 1, 12)
    return calendar.timegm((year, month, min(t.tm_mday, calendar.monthrange(year, month)[1]), t.tm_hour, t.tm_min, t.tm_sec))
