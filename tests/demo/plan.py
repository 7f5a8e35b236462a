"""plan.py - the demonstration's plan: everybody begins with the free one, so one that lets it make its calls is bought at the
sandbox's Stripe, as people do in a browser; what is used of it, and what was paid, is told at the end."""

import sys
import time

import requests

BILLING = "/api/v1/billing"
BOUGHT, GREATER = "basic", "business"
PATIENCE = 30

# What a Stripe that is gone was told and has sold.
FORGET = ("""update checkout_sessions set status = 'expired' where status = 'open'""",
          """update subscriptions set current = false, status = 'canceled', ended_at = now()
              where origin = 'stripe' and status not in ('canceled', 'incomplete_expired')""",
          """update subscription_plans set stripe_price_id = null where stripe_price_id is not null""",
          """delete from plan_prices where provider = 'stripe'""",
          """delete from invoices where provider = 'stripe'""",
          """delete from billing_meters where provider = 'stripe'""",
          """update organizations set stripe_customer_id = null, stripe_subscription_id = null where stripe_customer_id is not null""",
          """select subscription_default(o.id) from organizations o
              where not exists (select from subscriptions s where s.organization_id = o.id and s.current)""")


def forget(db, settings, organization):
    """The sandbox's Stripe keeps nothing when it is stopped: a new one does not know our customer."""
    customer, = db.execute("select stripe_customer_id from organizations where id = %s", (organization,)).fetchone()
    if customer and requests.get(f"{settings['STRIPE_BASE_URL']}/v1/customers/{customer}", timeout=30,
                                 headers={"Authorization": f"Bearer {settings['STRIPE_SECRET_KEY']}"}).status_code == 404:
        with db.transaction():
            for statement in FORGET:
                db.execute(statement)


def named(api, name):
    """The id of a plan on sale."""
    return next(plan["id"] for plan in api.ask("GET", f"{BILLING}/plans")["data"] if plan["name"] == name)


def buy(api):
    """Unless something was bought already: a page where it is paid for, its button pressed, and Stripe's word that it was."""
    if api.ask("GET", BILLING)["subscription"]["origin"] != "manual":
        return
    print(f"==> buying the plan {BOUGHT} (POST {api.url}{BILLING}/checkout)", flush=True)
    page = api.ask("POST", f"{BILLING}/checkout", json={"plan_id": named(api, BOUGHT)})
    print(f"    paying at {page['url']}", flush=True)
    requests.post(page["url"], {"do": "pay"}, timeout=30, allow_redirects=False).raise_for_status()
    until = time.monotonic() + PATIENCE
    while not api.ask("GET", f"{BILLING}/checkout/{page['id']}")["active"]:
        if time.monotonic() > until:
            sys.exit(f"demo: Stripe did not tell within {PATIENCE} s that it was paid: see ./dev logs stripe-webhook and workflow-pump")
        time.sleep(0.02)


def part(used, limit):
    """How much of what."""
    return f"{used} of {limit}" if limit is not None else f"{used}"


def show(api, email):
    """The plan, what was used of it in the present period, and what was paid."""
    now, invoices = api.ask("GET", BILLING), api.ask("GET", f"{BILLING}/invoices")["data"]
    used = now["usage"]
    print(f"{email} has the plan {now['plan']['name']} (GET {api.url}{BILLING}): {part(used['calls'], used['call_limit'])} calls and "
          f"{part(used['minutes'], used['minutes_limit'])} minutes are used.")
    for invoice in invoices[:1]:
        print(f"Its invoice {invoice['number']} is {invoice['status']} (GET {api.url}{BILLING}/invoices): "
              f"{invoice['amount_paid'] / 100:.2f} {invoice['currency'].upper()}.")
