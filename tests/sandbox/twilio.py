"""Twilio: text messages, and the paths of all else."""
import asyncio
import secrets
from datetime import datetime, timezone

from aiohttp import web

from faults import Reply
from twilio_base import NUMBER, VERSION, Hooks, Part, date, fail, now, page, path_of
from twilio_calls import Calls
from twilio_control import TwilioControl
from twilio_numbers import Numbers

BODY_MAX = 1600
# Seconds after which a text is sent on, and has come.
SENT, DELIVERED = 0.1, 0.2
# What becomes of a text, by the last four digits of the number: its states, and why.
FATES = {"0050": (("sent", "undelivered"), 30003, "Unreachable destination handset"),
         "0051": (("failed",), 30008, "Unknown error"),
         "0052": (("sent",), None, None),
         "0053": (("sent", "undelivered"), 30006, "Landline or unreachable carrier"),
         "0054": ((), None, None)}
DELIVERS = (("sent", "delivered"), None, None)


class Twilio(Part):
    """The routes below /twilio."""

    def __init__(self, state, sender):
        super().__init__(state, sender)
        self.hooks = Hooks(state, sender)
        self.parts = [part(state, sender, self.hooks) for part in (Numbers, Calls, TwilioControl)]

    def routes(self):
        """All routes, for the application."""
        at = f"/twilio/{VERSION}/Accounts/{{account}}/Messages"
        return [web.post(at + ".json", self.send), web.get(at + ".json", self.list), web.get(at + "/{sid}.json", self.get),
                *(route for part in self.parts for route in part.routes()), web.route("*", "/twilio/{rest:.*}", self.nowhere)]

    # ---- operations --------------------------------------------------------

    async def send(self, request):
        """POST Messages.json.  Twilio knows no key: what is asked twice is sent twice."""
        form = await request.post()
        return await self.answer(request, "create", form.get("To"), lambda act: self._send(request, form))

    def _send(self, request, form):
        to, sender = form.get("To", ""), form.get("From") or form.get("MessagingServiceSid", "")
        code = self._wrong(to, sender, form)
        if code:
            return fail(code, to=to, sender=sender)
        service = sender if sender.startswith("MG") else None
        fate = FATES.get(to[-4:], DELIVERS) if self.state.settings["number_outcomes"] else DELIVERS
        text = {"sid": "SM" + secrets.token_hex(16), "account": request.match_info["account"], "to": to, "body": form["Body"],
                "at": now(), "from": self.state.settings["twilio_service_number"] if service else sender, "service": service,
                "fate": fate, "status_callback": form.get("StatusCallback"),
                "listed_at": now() + self.state.settings["list_lag"]}
        self.state.texts.append(text)
        if text["status_callback"]:
            self._tell_later(text)
        return Reply(201, view(text))

    def _wrong(self, to, sender, form):
        body = form.get("Body", "")
        faults = ((not to, 21604), (not sender, 21603), (not body, 21602), (len(body) > BODY_MAX, 21617),
                  (not NUMBER.fullmatch(to), 21211),
                  (not NUMBER.fullmatch(sender) and not sender.startswith("MG"), 21212),
                  (to in self.state.settings["twilio_opted_out"] or (sender, to) in self.state.twilio.stopped, 21610))
        return next((code for wrong, code in faults if wrong), None)

    # ---- what becomes of a text --------------------------------------------

    def _tell_later(self, text):
        """The status callback, at each state that the text comes to."""
        loop, states = asyncio.get_running_loop(), ("queued", *text["fate"][0])
        self.state.unfinished += 1
        for n, status in enumerate(states):
            self.state.twilio.later(loop, n * SENT, self._tell, text, status, n == len(states) - 1)

    def _tell(self, text, status, last):
        one = self.hooks.subject(text["sid"], text["to"])
        form = {"MessageSid": text["sid"], "SmsSid": text["sid"], "AccountSid": text["account"], "From": text["from"],
                "To": text["to"], "ApiVersion": VERSION, "MessageStatus": status, "SmsStatus": status}
        if text["service"]:
            form["MessagingServiceSid"] = text["service"]
        if status in ("undelivered", "failed"):
            form["ErrorCode"] = str(text["fate"][1])
        if status in ("delivered", "undelivered"):
            form["RawDlrDoneDate"] = datetime.now(timezone.utc).strftime("%y%m%d%H%M")
        self.hooks.tell(one, f"message-status:{status}", text["status_callback"], form)
        if last:
            one.finished = True
            self.state.unfinished -= 1
            if one.held:
                self.sender.release(one)

    # ---- reading -----------------------------------------------------------

    async def list(self, request):
        """GET Messages.json: newest first, by To, From, DateSent (a day; also < and >), in pages."""
        return await self.answer(request, "list", request.query.get("To"), lambda act: self._list(request))

    def _list(self, request):
        found = [view(t) for t in reversed(self.state.texts) if t["listed_at"] <= now()
                 and t["account"] == request.match_info["account"] and fits(t, request.query)]
        return Reply(200, page(request, "messages", found, None))

    async def get(self, request):
        """GET Messages/{sid}.json."""
        def work(_act):
            found = [t for t in self.state.texts if t["sid"] == request.match_info["sid"]]
            return Reply(200, view(found[0])) if found else fail(20404, path=path_of(request))

        return await self.answer(request, "get", None, work)


def status_of(text):
    """Where a text is on its way."""
    states = ("queued", *text["fate"][0])
    return states[min(int((now() - text["at"]) / SENT), len(states) - 1)]


def fits(text, query):
    """Whether the list's filters let it through.  What was not sent on yet has no day."""
    day = datetime.fromtimestamp(text["at"], timezone.utc).date().isoformat()
    sent = now() - text["at"] >= SENT
    asked = [query[name] for name in ("DateSent", "DateSent<", "DateSent>") if name in query]
    return (query.get("To") in (None, text["to"]) and query.get("From") in (None, text["from"])
            and (sent or not asked) and query.get("DateSent", day) == day
            and query.get("DateSent>", day) <= day <= query.get("DateSent<", day))


def view(text):
    """A text as the API shows it."""
    uri = f"/{VERSION}/Accounts/{text['account']}/Messages/{text['sid']}"
    status = status_of(text)
    bad = status in ("undelivered", "failed")
    return {"account_sid": text["account"], "api_version": VERSION, "body": text["body"],
            "date_created": date(text["at"]), "date_sent": None if status == "queued" else date(text["at"]),
            "date_updated": date(text["at"]), "direction": "outbound-api", "error_code": text["fate"][1] if bad else None,
            "error_message": text["fate"][2] if bad else None, "from": text["from"], "messaging_service_sid": text["service"],
            "num_media": "0", "num_segments": str(1 + len(text["body"]) // 153),
            "price": "-0.00790" if status == "delivered" else None, "price_unit": "USD", "sid": text["sid"],
            "status": status, "subresource_uris": {"media": uri + "/Media.json"}, "to": text["to"],
            "uri": uri + ".json"}
