"""The life of subscriptions at Paddle, and the notifications of it.  Its clock is Stripe's."""
from collections import Counter

import paddle_objects as objects
import stripe_calendar as calendar
from stripe_store import subject

MODES = {"prorated_immediately", "prorated_next_billing_period", "full_immediately", "full_next_billing_period", "do_not_bill"}


class Refused(Exception):
    """An answer that is an error in Paddle's shape."""

    def __init__(self, status, code, detail, field=None):
        super().__init__(detail)
        self.status, self.code = status, code
        self.body = {"type": "request_error", "code": code, "detail": detail,
                     "documentation_url": f"https://developer.paddle.com/v1/errors/{'shared' if status == 404 else 'subscriptions'}/{code}",
                     **({"errors": [{"field": field, "message": detail}]} if field else {})}


class Store:
    """All that one account of Paddle holds."""

    def __init__(self, state):
        self.state = state
        self.customers, self.prices, self.subscriptions, self.transactions = {}, {}, {}, {}
        self.notifications, self.requests = [], []

    def now(self):
        """One clock for both."""
        return self.state.stripe.now()

    def get(self, kind, ident):
        """One thing, by its id."""
        found = getattr(self, kind).get(ident)
        if found is None:
            raise Refused(404, "not_found", f"Entity {ident} not found")
        return found

    def tell(self, kind, held, **more):
        """A notification."""
        event = {"event_id": objects.new_id("evt_"), "event_type": kind, "occurred_at": objects.when(self._moment()),
                 "notification_id": objects.new_id("ntf_"), "data": {**objects.shown(held), **more}}
        self.notifications.append(event)
        if self.state.settings["webhooks"] and self.state.sender:
            whom = held.get("customer_id") or held.get("id") or "account"
            self.state.sender.emit(subject(self.state, "paddle", whom), kind, event)

    def _moment(self):
        """Later than all before it, as microseconds are."""
        self._last = max(self.now(), getattr(self, "_last", 0) + 0.00001)
        return self._last

    # ---- what exists ---------------------------------------------------

    def make_customer(self, given):
        """A new customer."""
        held = objects.customer(self.now(), {"email": "owner@example.com", **given})
        self.customers[held["id"]] = held
        self.tell("customer.created", held)
        return held

    def change_customer(self, held, given):
        """A customer is called otherwise, or has another card."""
        held["_card"] = given.get("card", held["_card"])
        told = {k: given[k] for k in ("email", "name", "custom_data", "status") if k in given}
        if told:
            held.update(told, updated_at=objects.when(self.now()))
            self.tell("customer.updated", held)
        return held

    def make_price(self, given):
        """A price, with a product of its own."""
        held = objects.price(self.now(), given, objects.product(self.now(), given.get("product_name", "Plan")))
        self.prices[held["id"]] = held
        return held

    def prices_of(self, items):
        """The prices of a list of items; what is not known is made."""
        return [(self.prices.get(one["price_id"]) or self.make_price({"id": one["price_id"]}), one.get("quantity", 1)) for one in items]

    # ---- the life of a subscription ------------------------------------

    def begin(self, given):
        """Somebody has bought: created, activated or in trial, and paid."""
        customer = self.customers.get(given.get("customer_id"))
        if customer is None:
            customer = self.make_customer({k: v for k, v in {"id": given.get("customer_id"), "email": given.get("email")}.items() if v})
        sub = objects.subscription(self.now(), customer, self.prices_of(given["items"]), given)
        self.subscriptions[sub["id"]] = sub
        trial = sub["status"] == "trialing"
        bill = self._bill(sub, 0 if trial else self.worth(sub), "web")
        self.tell("subscription.created", sub, transaction_id=bill["id"])
        self.tell("subscription.trialing" if trial else "subscription.activated", sub)
        self._paid(bill)
        return sub

    @staticmethod
    def worth(sub):
        """What one period costs."""
        return sum(int(i["price"]["unit_price"]["amount"]) * i["quantity"] for i in sub["items"])

    def _bill(self, sub, amount, origin):
        items = [(i["price"], i["quantity"]) for i in sub["items"]]
        bill = objects.transaction(self.now(), sub, items, amount, origin)
        self.transactions[bill["id"]] = bill
        return bill

    def _paid(self, bill):
        now = self.now()
        bill["payments"].insert(0, objects.payment(now, bill, True))
        bill.update(status="completed", billed_at=objects.when(now), updated_at=objects.when(now),
                    invoice_id=objects.new_id("inv_"), invoice_number=f"325-{len(self.transactions):05}")
        bill["details"]["payout_totals"] = bill["details"]["totals"]
        self.tell("transaction.completed", bill)

    def _unpaid(self, bill):
        bill["payments"].insert(0, objects.payment(self.now(), bill, False))
        bill["updated_at"] = objects.when(self.now())
        self.tell("transaction.payment_failed", bill)

    def good(self, sub):
        """Whether the customer's card is."""
        return self.customers[sub["customer_id"]]["_card"] == "good"

    def _set(self, sub, **values):
        now = objects.when(self.now())
        sub.update(values, updated_at=now)
        for one in sub["items"]:
            one.update(status=sub["status"] if sub["status"] == "trialing" else "active", updated_at=now,
                       next_billed_at=sub["next_billed_at"])

    def _period(self, sub, start, end):
        sub["_period"] = start, end
        return {"current_billing_period": {"ends_at": objects.when(end), "starts_at": objects.when(start)},
                "next_billed_at": objects.when(end)}

    def renew(self, sub):
        """The next period; what was planned for it happens, and it is paid or not."""
        planned = (sub["scheduled_change"] or {}).get("action")
        if planned in ("cancel", "pause"):
            return self.cancel(sub) if planned == "cancel" else self.pause(sub)
        first = sub["status"] == "trialing"
        sub["_number"] += 1
        cycle = sub["billing_cycle"]
        period = calendar.period(sub["_anchor"], {"interval": cycle["interval"], "interval_count": cycle["frequency"]}, sub["_number"])
        good = self.good(sub)
        self._set(sub, status="active" if good else "past_due", first_billed_at=sub["first_billed_at"] or objects.when(period[0]),
                  **self._period(sub, *period))
        bill = self._bill(sub, self.worth(sub), "subscription_recurring")
        self.tell("subscription.updated" if good else "subscription.past_due", sub)
        if good and first:
            self.tell("subscription.activated", sub)
        (self._paid if good else self._unpaid)(bill)
        return sub

    def recover(self, sub):
        """What is owed is paid."""
        self._set(sub, status="active")
        self.tell("subscription.updated", sub)
        for bill in self.transactions.values():
            if bill["subscription_id"] == sub["id"] and bill["status"] == "ready":
                self._paid(bill)
        return sub

    def fail(self, sub):
        """A payment fails."""
        bill = self._bill(sub, self.worth(sub), "subscription_recurring")
        self._set(sub, status="past_due")
        self.tell("subscription.past_due", sub)
        self._unpaid(bill)
        return sub

    def pause(self, sub):
        """It rests."""
        self._set(sub, status="paused", paused_at=objects.when(self.now()), next_billed_at=None, current_billing_period=None,
                  scheduled_change=None)
        self.tell("subscription.paused", sub)
        return sub

    def resume(self, sub):
        """It goes on, with a new period."""
        if sub["status"] != "paused":
            raise Refused(400, "subscription_is_not_paused", "only a paused subscription can be resumed")
        sub["_anchor"], sub["_number"] = self.now(), -1
        self._set(sub, status="active", paused_at=None)
        sub["_number"] = 0
        cycle = sub["billing_cycle"]
        end = calendar.add(self.now(), cycle["interval"], cycle["frequency"])
        self._set(sub, **self._period(sub, self.now(), end))
        self.tell("subscription.resumed", sub)
        self._paid(self._bill(sub, self.worth(sub), "subscription_recurring"))
        return sub

    def cancel(self, sub, later=False):
        """It ends, now or with its period."""
        if sub["status"] == "canceled":
            raise Refused(400, "subscription_is_canceled_action_invalid", "cannot cancel a canceled subscription")
        if later:
            self._set(sub, scheduled_change={"action": "cancel", "effective_at": objects.when(sub["_period"][1]), "resume_at": None})
            self.tell("subscription.updated", sub)
            return sub
        self._set(sub, status="canceled", canceled_at=objects.when(self.now()), next_billed_at=None, current_billing_period=None,
                  scheduled_change=None)
        self.tell("subscription.canceled", sub)
        return sub

    def change(self, sub, given):
        """Other items, data, or nothing planned any more."""
        if sub["status"] == "canceled":
            raise Refused(400, "subscription_update_when_canceled", "cannot update a canceled subscription")
        mode = given.get("proration_billing_mode", "do_not_bill")
        if "items" in given:
            self._change_items(sub, given, mode)
        told = {k: given[k] for k in ("custom_data", "scheduled_change", "collection_mode") if k in given}
        self._set(sub, **told)
        self.tell("subscription.updated", sub)
        return sub

    def _change_items(self, sub, given, mode):
        now, (start, end), before = self.now(), sub["_period"], self.worth(sub)
        new = [objects.item(now, sub, price, quantity) for price, quantity in self.prices_of(given["items"])]
        after = self.worth({"items": new})
        rest = calendar.share(after, start, end, now) - calendar.share(before, start, end, now)
        due = max(0, {"prorated_immediately": rest, "full_immediately": after - before}.get(mode, 0))
        if due and not self.good(sub) and given.get("on_payment_failure", "prevent_change") == "prevent_change":
            raise Refused(400, "subscription_payment_declined", "payment for this update was declined")
        sub["items"] = new
        if due:
            bill = self._bill(sub, due, "subscription_update")
            (self._paid if self.good(sub) else self._unpaid)(bill)

    def view(self):
        """All that whoever counts wants to know."""
        charged = Counter()
        for bill in self.transactions.values():
            if bill["status"] == "completed":
                charged[bill["customer_id"]] += bill["_amount"]
        return {"now": self.now(), "customers": len(self.customers),
                "subscriptions": Counter(s["status"] for s in self.subscriptions.values()),
                "transactions": Counter(t["status"] for t in self.transactions.values()), "charged": charged,
                "notifications": Counter(e["event_type"] for e in self.notifications), "requests": len(self.requests)}
