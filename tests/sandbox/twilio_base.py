"""What all of the sandbox's Twilio shares: accounts, errors, dates, what it holds, and how it signs what it sends."""
import base64
import binascii
import hashlib
import hmac
import re
import time
from collections import Counter
from datetime import datetime, timezone
from email.utils import format_datetime
from urllib.parse import urlencode

from faults import Reply, What, dump, json_response, perform
from stripe_store import Subject
from webhooks import Delivery, corrupt

VERSION = "2010-04-01"
NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
PAGE_MAX, PAGE = 1000, 50
# code: status and message, as the recorded errors have them.
ERRORS = {
    20001: (400, "A parameter is not valid"),
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource {path} was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "An internal server error has occurred"),
    21201: (400, "No 'To' number is specified"),
    21205: (400, "Url is not a valid URL: {sender}"),
    21211: (400, "Invalid 'To' Phone Number: {to}"),
    21212: (400, "Invalid From Number (caller ID): {sender}"),
    21213: (400, "No 'From' number is specified"),
    21402: (400, "Invalid Url: {to}"),
    21404: (400, "Trial accounts are allowed only {to} Twilio numbers"),
    21421: (400, "PhoneNumber is invalid"),
    21422: (400, "{to} is not available."),
    21451: (400, "Invalid area code"),
    21452: (400, "No phone numbers found in area code {to}"),
    21457: (400, "AreaCode parameter not supported on this resource"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21608: (400, "The number is unverified. Trial accounts cannot send messages to unverified numbers"),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    21631: (400, "Phone Number Requires an Address but the 'AddressSid' parameter was empty."),
    22101: (400, "Invalid Phone Number Pattern: the characters used to search are not valid"),
    22102: (400, "Invalid Phone Number Pattern: at least two characters are required to search"),
}
BY_STATUS = {401: 20003, 404: 20404, 429: 20429}


def error(status, code=None, **words):
    """An error body; the code follows from the status where none is given."""
    code = code or BY_STATUS.get(status, 20500 if status >= 500 else 21211)
    words = {"path": "", "to": "", "sender": "", **words}
    return {"code": code, "message": ERRORS[code][1].format(**words),
            "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status}


def fail(code, **words):
    """A refusal."""
    status = ERRORS[code][0]
    return Reply(status, error(status, code, **words))


def date(at):
    """RFC 2822, as in Twilio's answers."""
    return format_datetime(datetime.fromtimestamp(int(at), timezone.utc))


def path_of(request):
    """The path as the client of the real one knows it."""
    return request.path.removeprefix("/twilio")


def signature(url, fields, token):
    """X-Twilio-Signature over the told address and the fields of a form; of none where the body is no form."""
    text = url
    for name in sorted(fields):
        values = fields[name] if isinstance(fields[name], list) else [fields[name]]
        text += "".join(name + value for value in sorted(set(values)))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


class Held(dict):
    """A thing that Twilio holds; what it has is read as held.sid or as held["sid"]."""

    def __getattr__(self, name):
        if name in self:
            return self[name]
        raise AttributeError(name)

    def __setattr__(self, name, value):
        self[name] = value


class Store:
    """What Twilio remembers besides numbers and texts."""

    def __init__(self):
        self.purchases, self.releases, self.requests = Counter(), Counter(), Counter()
        self.calls, self.stopped, self.timers = {}, set(), []
        self.searches = 0

    def later(self, loop, seconds, step, *args):
        """Do something then, unless the sandbox is reset before."""
        self.timers.append(loop.call_later(seconds, step, *args))

    def stop(self):
        """Nothing happens any more."""
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()


class Part:
    """A part of Twilio's API: who asks is looked at first, and rules may be in the way."""

    name = "twilio"

    def __init__(self, state, sender):
        self.state, self.sender = state, sender
        self.error = error

    @staticmethod
    def with_id(body, ident):
        """The body with another id, without any where it is None."""
        out = {k: v for k, v in body.items() if k != "sid"}
        return out if ident is None else {**out, "sid": ident}

    async def answer(self, request, operation, number, work):
        """Do what is asked, as a rule has it."""
        self.state.twilio.requests[operation] += 1
        return await perform(self, request, What(self.name, operation, number), lambda act: self._stranger(request) or work(act))

    def _stranger(self, request):
        """A refusal unless the credentials are an account's own."""
        try:
            scheme, _, pair = request.headers.get("Authorization", "").partition(" ")
            user, _, token = base64.b64decode(pair, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return fail(20003)
        good = self.state.settings["twilio_tokens"]
        if scheme.lower() != "basic" or user != request.match_info["account"] or not token:
            return fail(20003)
        return fail(20003) if token == "bad" or good and token not in good else None

    async def nowhere(self, request):
        """Any other path."""
        return json_response(404, error(404, path=path_of(request)))


def page(request, key, found, token):
    """One page of a list; token: of an entry, where the next page goes on behind it."""
    query = request.query
    size, number = max(1, min(int(query.get("PageSize", PAGE)), PAGE_MAX)), int(query.get("Page", 0))
    start = number * size
    if token and query.get("PageToken"):
        start = next((n + 1 for n, one in enumerate(found) if token(one) == query["PageToken"]), len(found))
    shown, more = found[start:start + size], start + size < len(found)
    rest = [(k, v) for k, v in query.items() if k not in ("Page", "PageSize", "PageToken")]

    def uri(n, *last):
        return path_of(request) + "?" + urlencode([*rest, ("PageSize", size), ("Page", n), *last])

    behind = [("PageToken", token(shown[-1]))] if token and more else []
    return {key: shown, "page": number, "page_size": size, "uri": uri(number), "first_page_uri": uri(0), "start": start,
            "end": start + max(0, len(shown) - 1), "previous_page_uri": uri(number - 1) if number else None,
            "next_page_uri": uri(number + 1, *behind) if more else None}


class Hooks:
    """Sends what Twilio sends: forms, signed with the account's token over the address as it was told."""

    def __init__(self, state, sender):
        self.state, self.sender = state, sender
        sender.providers["twilio"] = self

    def token(self):
        """Of the account: what a setting says, else the first that is good."""
        settings = self.state.settings
        return settings["twilio_signing_token"] or (settings["twilio_tokens"] or ["sandbox-token"])[0]

    def subject(self, ident, number):
        """Whom events are about; rules are held against the number."""
        one = self.state.subjects.setdefault(("twilio", ident), Subject("twilio", ident))
        one.number = number
        return one

    def tell(self, one, kind, url, form):
        """Send a form, unless there is nowhere to send it, or no webhooks are sent."""
        if url and self.state.settings["webhooks"]:
            self.sender.emit(one, kind, {"id": f"{one.id}:{kind}:{len(one.events)}", "url": url, "form": form})

    def delivery(self, _one, message, how):
        """The request that tells an event: tried a second time only where nobody took the connection."""
        url = message["url"].partition("#")[0]
        if "form" in message:
            body = corrupt(urlencode(message["form"], doseq=True).encode(), how)
            headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
            mark = signature(url, message["form"], self.token())
        else:
            body = corrupt(dump(message["json"]), how)
            headers = {"Content-Type": "application/json"}
            url += ("&" if "?" in url else "?") + "bodySHA256=" + hashlib.sha256(body).hexdigest()
            mark = signature(url, {}, self.token())
        headers |= {"X-Twilio-Signature": mark, "I-Twilio-Idempotency-Token": hashlib.md5(message["id"].encode()).hexdigest(),
                    "User-Agent": "TwilioProxy/1.1"}
        plan = {"maxRetries": 1, "baseDelaySeconds": 0.1, "excludedStatusCodes": range(100, 600)}
        return Delivery(url, headers, body, 15, plan, ["X-Twilio-Signature"])


def where(front, state="", country="US", city="", code=""):
    """Where a number is, as webhooks tell it."""
    return {f"{front}City": city, f"{front}State": state, f"{front}Zip": code, f"{front}Country": country}


def now():
    """Unix time."""
    return time.time()
