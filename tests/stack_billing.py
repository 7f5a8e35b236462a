"""Money in a stack's tests: plans, somebody who pays at the sandbox's Stripe, and what is done there meanwhile."""

from contextlib import contextmanager

from stack_process import Process, wait_until

ROOT = "/api/v1/billing"
CHECKOUT = ROOT + "/checkout"


def tells(stack):
    """From now on the sandbox's Stripe sends its events here."""
    stack.sandbox.settings(stripe_webhook_url=f"{stack.url}/api/webhooks/stripe", stripe_webhook_secret=stack.secrets["stripe"])


@contextmanager
def working(stack):
    """While this lasts workflow-pump waits and does what comes in, as it does behind a timer."""
    pump = Process("workflow-pump", [stack.build / "handlers" / "workflow-pump", "--once", "--wait", "3600"], stack.folder / "work.log", stack.environment())
    try:
        yield
    finally:
        status = pump.stop()
    assert status == 0, f"workflow-pump ended with {status}: {pump.text()[-3000:]}"


def plan(stack, name):
    """The id of one of the plans that every installation has."""
    return str(stack.value("select id from subscription_plans where name = %s", name))


def made_plan(stack, name, price, rank, **columns):
    """A plan of the test's own; forget_plans ends it."""
    return stack.insert("subscription_plans", name="test " + name, price=price, rank=rank, **columns)


def forget_plans(stack):
    """Plans as a fresh installation has them, free for who pays for nothing, and nothing made for them."""
    stack.sql("delete from subscription_plans where name like 'test %%'")
    stack.sql("update subscription_plans set stripe_price_id = null, trial_days = 0, price = case name when 'basic' then 29 when 'business' then 99 "
              "when 'enterprise' then 499 else 0 end, minutes_limit = case name when 'free' then 60 when 'basic' then 1000 when 'business' then 5000 end, "
              "overage_cents = case name when 'basic' then 6 when 'business' then 4 end, on_sale = true, is_default = false")
    stack.sql("update subscription_plans set is_default = true where name = 'free'")


def stripe(stack, path, method="GET", expect=200, **form):
    """What Stripe itself says to somebody with the account's key; brackets of names are written with __."""
    form = {name.replace("__", "[") + "]" * name.count("__"): value for name, value in form.items()}
    answer = stack.sandbox.http.request(method, f"{stack.sandbox.stripe_url}/v1/{path}", timeout=60, **{"params" if method == "GET" else "data": form},
                                        headers={"Authorization": f"Bearer {stack.keys['stripe']}", "Stripe-Version": "2026-10-28.endive"})
    assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
    return answer.json()


def customer_of(stack, who):
    """Stripe's id of somebody's organization."""
    return stack.value("select stripe_customer_id from organizations where id = %s", who.organization)


def charged(stack, who):
    """What he was charged, one after the other."""
    found = stripe(stack, "charges", customer=customer_of(stack, who), limit=100)["data"]
    return [c["amount"] for c in reversed(found) if c["status"] == "succeeded"]


def asked(stack, method, path):
    """How often something was asked at Stripe, and not only answered again."""
    return len([r for r in stack.sandbox.stripe_requests(method=method) if r["path"] == path and not r["replayed"] and r["status"] == 200])


def checkout(who, plan_id, **more):
    """A page where somebody pays."""
    return who.post(CHECKOUT, {"plan_id": plan_id, **more}, expect=201)


def session(stack, made):
    """Stripe's id of it."""
    return stack.value("select external_id from checkout_sessions where id = %s", made["id"])


def pay(stack, made, **how):
    """He pays; Stripe tells by webhooks, and runs take it in."""
    return stack.sandbox.stripe_do("checkout", session(stack, made), **{"pay": True, "method": "card", **how})


def settled(stack):
    """All that Stripe told is taken in."""
    assert stack.sandbox.idle()
    wait_until(lambda: not stack.count("workflow_runs", "workflow like 'stripe-%%' and (state = 'working' or state = 'ready' and due_at < now() + interval '1 hour')"), what="the end of Stripe's events")


def subscribe(stack, who, plan_id):
    """Somebody has a plan that he pays for; answers Stripe's id of the subscription."""
    made = checkout(who, plan_id)
    pay(stack, made)
    with working(stack):
        wait_until(lambda: who.get(f"{CHECKOUT}/{made['id']}")["active"], what="an active subscription")
        settled(stack)
    return stack.value("select external_id from subscriptions where organization_id = %s and current", who.organization)
