"""What one tenant knows of its money: the model of /api/v1/billing and of pages where somebody pays."""

import secrets
import uuid

from psycopg.types.json import Jsonb

from model_calls import Calls
from model_tenants import alike

ROOT = "/api/v1/billing"
SOLD = ("basic", "business")


class Billing:
    """The bills of a side by their ids, what its book says, the pages that it began, what it used, and its customer."""

    operations = {"overview": 2, "plans": 1, "use": 2, "usage": 2, "used_calls": 2, "bill": 2, "invoices": 2, "invoice": 2, "book": 2, "buy": 1,
                  "bought": 2, "portal": 1, "nothing_paid": 1, "not_for_members": 2, "foreign": 5}

    def __init__(self, side):
        self.side, self.random, self.stack = side, side.random, side.stack
        self.bills, self.events, self.pages, self.calls = {}, [], {}, []

    @property
    def other(self):
        """The other tenant's."""
        return self.side.other.nouns[type(self)]

    def ask(self, method, path, body=None, **more):
        """A request about money, by somebody who may see all of it."""
        return self.side.ask(method, ROOT + path, body, **{"by": self.side.owners, **more})

    def anyone(self, path, **params):
        """What members see, too."""
        return self.side.ask("GET", ROOT + path, by=self.side.writers, **params)

    def plan(self):
        """A plan on sale."""
        return str(self.stack.value("select id from subscription_plans where name = %s", self.random.choice(SOLD)))

    def some(self, things):
        """One of them; an id that nothing has, without any."""
        return self.random.choice(list(things)) if things else str(uuid.uuid4())

    # ---- plan and usage ----------------------------------------------------------

    def overview(self):
        found = self.anyone("").json()
        alike(found, {"organization_id": self.side.organization, "standing": "good", "may_call": True, "upcoming": None}, "the overview")
        alike(found["usage"], {"calls": len(self.calls), "seconds": sum(s for _, s in self.calls)}, "what was used")
        assert found["subscription"]["origin"] == "manual"

    def plans(self):
        found = self.anyone("/plans").json()["data"]
        assert set(SOLD) < {p["name"] for p in found} and len([p for p in found if p["current"]]) == 1

    def use(self):
        """A call of this side's is in the ledger."""
        left = sorted(set(map(str, self.side.nouns[Calls].calls)) - {call for call, _ in self.calls})
        if not left:
            return
        call, seconds = self.random.choice(left), self.random.randrange(1, 100)
        for kind, quantity in (("calls", 1), ("seconds", seconds)):
            self.stack.sql("insert into usage_entries (organization_id, call_id, call_created_at, kind, quantity, billable, occurred_at, billed_at)"
                           " select organization_id, id, created_at, %s, %s, %s, now(), now() from calls where id = %s", kind, quantity, quantity, call)
        self.calls.append((call, seconds))

    def usage(self):
        by = self.random.choice(["day", "kind"])
        found = self.anyone("/usage", group_by=by).json()
        alike(found["total"], {"calls": len(self.calls), "seconds": sum(s for _, s in self.calls)}, "what was used")
        assert {g["key"] for g in found["groups"]} <= {"calls", "seconds"} or by == "day"

    def used_calls(self):
        """By pages of any size, the newest first."""
        found, after = [], None
        while not found or after:
            page = self.anyone("/usage/calls", limit=self.random.randrange(5, 101), after=after).json()
            found, after = found + page["data"], page["next_cursor"]
            if not found:
                break
        assert [(c["call_id"], c["seconds"]) for c in found] == self.calls[::-1]

    # ---- bills and the book ---------------------------------------------------------

    def bill(self):
        """The provider has told of one that was paid."""
        external, amount = f"in_{secrets.token_hex(6)}_{self.side.word}", self.random.randrange(1, 10 ** 6)
        ident = str(self.stack.insert(
            "invoices", organization_id=self.side.organization, provider="stripe", external_id=external, number=self.side.word, status="paid",
            currency="usd", total_cents=amount, amount_paid_cents=amount, issued_at="now", hosted_url=f"https://pay.example.com/{external}",
            lines=Jsonb([{"description": self.side.word, "amount": amount}])))
        event = str(self.stack.insert("billing_events", organization_id=self.side.organization, provider="stripe", key=external, event_type="invoice_paid",
                                      amount_cents=amount, currency="usd", stripe_invoice_id=external, metadata=Jsonb({"invoice_id": ident})))
        self.side.is_own(ident, event)
        self.bills[ident] = {"number": self.side.word, "total": amount, "amount_paid": amount, "hosted_url": f"https://pay.example.com/{external}"}
        self.events.append((event, external, amount))

    def invoices(self):
        found = self.ask("GET", "/invoices", limit=100, status=self.random.choice([None, "paid"])).json()["data"]
        assert [i["id"] for i in found] == list(self.bills)[::-1][:100]
        for one in found:
            alike(one, self.bills[one["id"]], "a bill in a list")
        assert self.ask("GET", "/invoices", status="open").json() == {"data": [], "next_cursor": None}

    def invoice(self):
        ident = self.some(self.bills)
        answer = self.ask("GET", f"/invoices/{ident}")
        if ident not in self.bills:
            return self.side.refused(answer, 404, "invoice_not_found")
        found = answer.json()
        alike(found, self.bills[ident], "a bill")
        return alike(found["lines"][0], {"description": self.side.word, "amount": self.bills[ident]["total"]}, "a line of a bill")

    def book(self):
        found = self.ask("GET", "/events", limit=100, type=self.random.choice([None, "invoice_paid"])).json()["data"]
        assert [(e["id"], e["external_invoice_id"], e["amount"]) for e in found] == self.events[::-1][:100]

    # ---- paying ------------------------------------------------------------------------

    def buy(self):
        """A page where a plan can be paid for."""
        plan = self.plan()
        answer = self.ask("POST", "/checkout", {"plan_id": plan})
        assert answer.status_code == 201, answer.text
        found = answer.json()
        alike(found, {"plan_id": plan, "status": "open", "active": False}, "a page")
        external = self.stack.value("select external_id from checkout_sessions where id = %s", found["id"])
        assert found["url"]
        self.side.is_own(found["id"])
        self.pages[found["id"]] = (found, external)

    def bought(self):
        ident = self.some(self.pages)
        named = self.random.choice([ident, self.pages[ident][1]]) if ident in self.pages else ident
        answer = self.ask("GET", f"/checkout/{named}")
        if ident not in self.pages:
            return self.side.refused(answer, 404, "checkout_not_found")
        assert answer.json() == self.pages[ident][0]
        return None

    def portal(self):
        """Its own customer's."""
        assert self.ask("POST", "/portal").json()["url"] not in [url for url, _ in self.other.pages.values()]
        mine, his = (self.stack.value("select stripe_customer_id from organizations where id = %s", side.organization) for side in (self.side, self.side.other))
        assert mine and mine != his

    def nothing_paid(self):
        """What nobody pays for is not changed."""
        path, body, code = self.random.choice([("/plan", {"plan_id": self.plan()}, "checkout_needed"), ("/cancel", {}, "subscription_free"),
                                               ("/plan/preview", {"plan_id": self.plan()}, "checkout_needed")])
        self.side.refused(self.ask("POST", path, body), 409, code)

    def not_for_members(self):
        """Members see what was used, and neither bills nor pages."""
        method, path, body = self.random.choice([("GET", "/invoices", None), ("GET", "/events", None), ("POST", "/portal", {}),
                                                 ("POST", "/checkout", {"plan_id": self.plan()}), ("GET", f"/checkout/{self.some(self.pages)}", None)])
        self.side.refused(self.ask(method, path, body, by=self.side.writers[2:]), 403, "role_missing")

    # ---- what is the other's -----------------------------------------------------------

    def foreign(self):
        """What belongs to the other is not there, by whichever of its ids."""
        page = self.some(self.other.pages)
        path, code = self.random.choice([(f"/invoices/{self.some(self.other.bills)}", "invoice_not_found"), (f"/checkout/{page}", "checkout_not_found"),
                                         (f"/checkout/{self.other.pages[page][1] if page in self.other.pages else page}", "checkout_not_found")])
        self.side.refused(self.ask("GET", path), 404, code)
