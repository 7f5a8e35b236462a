"""Twilio: text messages."""
import base64
import binascii
import re
import secrets
import time
from datetime import datetime, timezone
from email.utils import format_datetime

from aiohttp import web

from faults import Reply, What, json_response, perform

VERSION = "2010-04-01"
NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
# code: status and message, as the recorded errors have them.
ERRORS = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource {path} was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "An internal server error has occurred"),
    21211: (400, "Invalid 'To' Phone Number: {to}"),
    21212: (400, "Invalid From Number (caller ID): {sender}"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21608: (400, "The number is unverified. Trial accounts cannot send messages to unverified numbers"),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
}
BY_STATUS = {401: 20003, 404: 20404, 429: 20429}
BODY_MAX, PAGE_MAX, PAGE = 1600, 1000, 50
# Seconds after which a text is sent on, and has come.
SENT, DELIVERED = 0.1, 0.2


class Twilio:
    """The routes below /twilio."""

    name = "twilio"

    def __init__(self, state):
        self.state = state

    def routes(self):
        """All routes, for the application."""
        at = f"/twilio/{VERSION}/Accounts/{{account}}/Messages"
        return [web.post(at + ".json", self.send), web.get(at + ".json", self.list),
                web.get(at + "/{sid}.json", self.get), web.route("*", "/twilio/{rest:.*}", self.nowhere)]

    # ---- answers -----------------------------------------------------------

    @staticmethod
    def error(status, code=None, **words):
        """An error body; the code follows from the status where none is given."""
        code = code or BY_STATUS.get(status, 20500 if status >= 500 else 21211)
        words = {"path": "", "to": "", "sender": "", **words}
        return {"code": code, "message": ERRORS[code][1].format(**words),
                "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status}

    @staticmethod
    def with_id(body, ident):
        """The body with another id, without any where it is None."""
        out = {k: v for k, v in body.items() if k != "sid"}
        return out if ident is None else {**out, "sid": ident}

    def _fail(self, code, **words):
        status = ERRORS[code][0]
        return Reply(status, self.error(status, code, **words))

    async def nowhere(self, request):
        """Any other path."""
        return json_response(404, self.error(404, path=request.path.removeprefix("/twilio")))

    def _stranger(self, request):
        """A refusal unless the credentials are an account's own."""
        try:
            scheme, _, pair = request.headers.get("Authorization", "").partition(" ")
            user, _, token = base64.b64decode(pair, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return self._fail(20003)
        good = self.state.settings["twilio_tokens"]
        if scheme.lower() != "basic" or user != request.match_info["account"] or not token:
            return self._fail(20003)
        return self._fail(20003) if token == "bad" or good and token not in good else None

    # ---- operations --------------------------------------------------------

    async def send(self, request):
        """POST Messages.json.  Twilio knows no key: what is asked twice is sent twice."""
        form = await request.post()
        return await perform(self, request, What(self.name, "create", form.get("To")),
                             lambda act: self._stranger(request) or self._send(request, form))

    def _send(self, request, form):
        to, sender = form.get("To", ""), form.get("From") or form.get("MessagingServiceSid", "")
        code = self._wrong(to, sender, form)
        if code:
            return self._fail(code, to=to, sender=sender)
        sid, now = "SM" + secrets.token_hex(16), time.time()
        service = sender if sender.startswith("MG") else None
        self.state.texts.append({
            "sid": sid, "account": request.match_info["account"], "to": to, "body": form["Body"], "at": now,
            "from": self.state.settings["twilio_service_number"] if service else sender, "service": service,
            "listed_at": now + self.state.settings["list_lag"]})
        return Reply(201, view(self.state.texts[-1]))

    def _wrong(self, to, sender, form):
        body = form.get("Body", "")
        faults = ((not to, 21604), (not sender, 21603), (not body, 21602), (len(body) > BODY_MAX, 21617),
                  (not NUMBER.fullmatch(to), 21211),
                  (not NUMBER.fullmatch(sender) and not sender.startswith("MG"), 21212),
                  (to in self.state.settings["twilio_opted_out"], 21610))
        return next((code for wrong, code in faults if wrong), None)

    async def list(self, request):
        """GET Messages.json: newest first, by To, From, DateSent (a day; also < and >), in pages."""
        return await perform(self, request, What(self.name, "list", request.query.get("To")),
                             lambda act: self._stranger(request) or self._list(request))

    def _list(self, request):
        query, now = request.query, time.time()
        size = min(int(query.get("PageSize", PAGE)), PAGE_MAX)
        page = int(query.get("Page", 0))
        found = [view(t) for t in reversed(self.state.texts) if t["listed_at"] <= now
                 and t["account"] == request.match_info["account"] and fits(t, query)]
        uri = request.path.removeprefix("/twilio")
        more = (page + 1) * size < len(found)
        following = [f"{k}={v.replace('+', '%2B')}" for k, v in query.items() if k not in ("Page", "PageSize")]
        return Reply(200, {
            "messages": found[page * size:(page + 1) * size], "page": page, "page_size": size, "uri": uri,
            "first_page_uri": f"{uri}?PageSize={size}&Page=0", "previous_page_uri": None,
            "next_page_uri": "&".join([f"{uri}?PageSize={size}&Page={page + 1}", *following]) if more else None})

    async def get(self, request):
        """GET Messages/{sid}.json."""
        def answer(_act):
            found = [t for t in self.state.texts if t["sid"] == request.match_info["sid"]]
            path = request.path.removeprefix("/twilio")
            return self._stranger(request) or (
                Reply(200, view(found[0])) if found else self._fail(20404, path=path))

        return await perform(self, request, What(self.name, "get", None), answer)


def date(at):
    """RFC 2822, as in Twilio's answers."""
    return format_datetime(datetime.fromtimestamp(int(at), timezone.utc))


def fits(text, query):
    """Whether the list's filters let it through.  What was not sent on yet has no day."""
    day = datetime.fromtimestamp(text["at"], timezone.utc).date().isoformat()
    sent = time.time() - text["at"] >= SENT
    asked = [query[name] for name in ("DateSent", "DateSent<", "DateSent>") if name in query]
    return (query.get("To") in (None, text["to"]) and query.get("From") in (None, text["from"])
            and (sent or not asked) and query.get("DateSent", day) == day
            and query.get("DateSent>", day) <= day <= query.get("DateSent<", day))


def view(text):
    """A text as the API shows it."""
    age = time.time() - text["at"]
    uri = f"/{VERSION}/Accounts/{text['account']}/Messages/{text['sid']}"
    status = "queued" if age < SENT else "sent" if age < DELIVERED else "delivered"
    return {"account_sid": text["account"], "api_version": VERSION, "body": text["body"],
            "date_created": date(text["at"]), "date_sent": None if age < SENT else date(text["at"]),
            "date_updated": date(text["at"]), "direction": "outbound-api", "error_code": None,
            "error_message": None, "from": text["from"], "messaging_service_sid": text["service"],
            "num_media": "0", "num_segments": str(1 + len(text["body"]) // 153),
            "price": "-0.00790" if status == "delivered" else None, "price_unit": "USD", "sid": text["sid"],
            "status": status, "subresource_uris": {"media": uri + "/Media.json"}, "to": text["to"],
            "uri": uri + ".json"}
