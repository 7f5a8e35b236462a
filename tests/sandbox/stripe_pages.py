"""Stripe's pages: checkout, where the customer pays or does not, and the portal."""
import html

from aiohttp import web

import stripe_catalog as catalog
import stripe_checkout as checkout
import stripe_life as life
import stripe_subscriptions as subscriptions
from stripe_form import ZERO_DECIMAL, Refused

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px/1.5 sans-serif;max-width:40em;margin:3em auto;padding:0 1em}}button{{font:inherit;margin:.3em .5em .3em 0}}</style>
</head><body><h1>{title}</h1>{body}</body></html>
"""


def amount(value, currency):
    """An amount as people read it."""
    text = str(value) if currency in ZERO_DECIMAL else f"{value // 100}.{value % 100:02}"
    return f"{text} {currency.upper()}"


def answer(title, body, status=200):
    """One page."""
    return web.Response(status=status, text=PAGE.format(title=html.escape(title), body=body), content_type="text/html")


def button(word, value):
    """A button of a form that says what it does."""
    return f'<button name="do" value="{value}">{html.escape(word)}</button>'


class StripePages:
    """The routes of people with a browser."""

    def __init__(self, state, sender):
        self.state, self.sender = state, sender

    def routes(self):
        """All routes, for the application."""
        return [web.get("/stripe/c/pay/{id}", self.show), web.post("/stripe/c/pay/{id}", self.pay),
                web.get("/stripe/p/session/{id}", self.portal), web.post("/stripe/p/session/{id}", self.act)]

    # ---- checkout ------------------------------------------------------

    def _session(self, request):
        store = self.state.stripe
        store.run()
        return store.kinds.get("checkout.session", {}).get(request.match_info["id"])

    async def show(self, request):
        """The page of a session."""
        held = self._session(request)
        if held is None or held["status"] != "open":
            return answer("Checkout", "<p>This page is not there any more.</p>", 404 if held is None else 410)
        return self._checkout(held)

    def _checkout(self, held, trouble="", status=200):
        rows = "".join(f"<li>{html.escape(one['description'])}: {amount(one['amount_subtotal'], one['currency'])}</li>"
                       for one in held["_lines"])
        code = '<p><label>Promotion code <input name="promotion_code"></label></p>' if held["allow_promotion_codes"] else ""
        back = f'<p><a href="{html.escape(held["cancel_url"])}">Back</a></p>' if held["cancel_url"] else ""
        return answer("Checkout", f"<p role=\"alert\">{html.escape(trouble)}</p><ul>{rows}</ul>"
                      f"<p>Due now: {amount(held['amount_total'], held['currency'])}</p><form method=\"post\">{code}"
                      + button("Pay", "pay") + button("Pay by direct debit (takes days)", "delayed")
                      + button("Payment fails", "fail") + f"</form>{back}", status)

    async def pay(self, request):
        """A button was pressed."""
        held = self._session(request)
        form = await request.post()
        if held is None or held["status"] != "open":
            return answer("Checkout", "<p>This page is not there any more.</p>", 404 if held is None else 410)
        store, what = self.state.stripe, form.get("do", "pay")
        if what == "fail":
            checkout.refuse(store, held)
            return self._checkout(held, "Your card was declined.", 402)
        try:
            checkout.complete(store, held, "sepa_debit" if what == "delayed" else "card", form.get("promotion_code"))
        except Refused as e:
            return self._checkout(held, e.error["message"], 400)
        self._release()
        raise web.HTTPSeeOther(held["success_url"].replace("{CHECKOUT_SESSION_ID}", held["id"]))

    def _release(self):
        for one in list(self.state.subjects.values()):
            if one.held:
                self.sender.release(one)

    # ---- the portal ----------------------------------------------------

    def _portal(self, request):
        self.state.stripe.run()
        found = self.state.stripe.all("billing_portal.session")
        return next((s for s in found if s["_secret"] == request.match_info["id"]
                     and not self.state.stripe.objects[s["customer"]].get("deleted")), None)

    def _living(self, session):
        return [s for s in self.state.stripe.all("subscription")
                if s["customer"] == session["customer"] and s["status"] not in life.ENDED]

    async def portal(self, request):
        """The customer's own page."""
        session = self._portal(request)
        if session is None:
            return answer("Billing", "<p>This page is not there any more.</p>", 404)
        return self._shown(session)

    def _shown(self, session, trouble="", status=200):
        store = self.state.stripe
        features = store.objects[session["configuration"]]["features"]
        body = f"<p role=\"alert\">{html.escape(trouble)}</p>"
        for sub in self._living(session):
            names = ", ".join(store.objects[i["price"]["product"]]["name"] for i in sub["items"]["data"])
            body += (f"<form method=\"post\"><h2>{html.escape(names)}: {sub['status']}</h2>"
                     f"<input type=\"hidden\" name=\"subscription\" value=\"{sub['id']}\">")
            if sub["cancel_at_period_end"]:
                body += button("Do not cancel", "resume")
            elif features["subscription_cancel"]["enabled"]:
                body += button("Cancel plan", "cancel")
            body += "</form>"
        if features["payment_method_update"]["enabled"]:
            body += "<form method=\"post\">" + button("Use a good card", "good") + button("Use a card that declines", "declines") + "</form>"
        body += "<ul>" + "".join(f"<li>{i['number']}: {amount(i['total'], i['currency'])}, {i['status']}</li>"
                                 for i in store.all("invoice") if i["customer"] == session["customer"] and i["number"]) + "</ul>"
        if session["return_url"]:
            body += f'<p><a href="{html.escape(session["return_url"])}">Back</a></p>'
        return answer("Billing", body, status)

    async def act(self, request):
        """A button of the portal was pressed."""
        session, form = self._portal(request), await request.post()
        if session is None:
            return answer("Billing", "<p>This page is not there any more.</p>", 404)
        try:
            self._do(session, form.get("do"), form.get("subscription"))
        except Refused as e:
            return self._shown(session, e.error["message"], 400)
        self._release()
        raise web.HTTPSeeOther(request.path)

    def _do(self, session, what, ident):
        store, features = self.state.stripe, self.state.stripe.objects[session["configuration"]]["features"]
        if what in ("good", "declines"):
            customer = store.objects[session["customer"]]
            new = catalog.attach(store, customer, what == "good")
            for sub in self._living(session):
                subscriptions.update(store, {"default_payment_method": new["id"]}, sub["id"])
            return
        if ident not in [s["id"] for s in self._living(session)]:
            raise Refused("There is no such subscription.")
        if what == "resume":
            subscriptions.update(store, {"cancel_at_period_end": False}, ident)
        elif what == "cancel" and features["subscription_cancel"]["mode"] == "immediately":
            subscriptions.cancel(store, {}, ident)
        elif what == "cancel":
            subscriptions.update(store, {"cancel_at_period_end": True}, ident)
