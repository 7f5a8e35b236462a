"""What tests tell the sandbox's Twilio: numbers that come and go there, texts and calls from outside, and what has happened so far."""
import json
import secrets

from aiohttp import web

import twilio_numbers as numbers
from faults import json_response
from twilio_base import NUMBER, VERSION, Held, now, where
from twilio_calls import SIP, status_form

AT = "/_sandbox/twilio"
STOPS = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"}
STARTS = {"START", "YES", "UNSTOP"}
FROM = {**where("From", "NY", city="NEW YORK", code="10001"), **where("To")}
SEEN = ("sid", "phone_number", "friendly_name", "voice_url", "sms_url", "status_callback", "voice_fallback_url", "account")


class TwilioControl:
    """The routes below /_sandbox/twilio."""

    def __init__(self, state, sender, hooks):
        self.state, self.sender, self.hooks = state, sender, hooks

    def routes(self):
        """All routes, for the application."""
        return [web.get(AT, self.view), web.get(AT + "/calls", self.calls), web.post(AT + "/numbers/{number}", self.doing(self.number)),
                web.post(AT + "/sms", self.doing(self.sms)), web.post(AT + "/call", self.doing(self.call)),
                web.post(AT + "/send", self.doing(self.send))]

    def doing(self, work):
        """A route that does something; what it sends is answered when it has come, unless wait is false."""
        async def route(request):
            try:
                given = json.loads(await request.read() or b"{}")
                sent = work(given, request.match_info.get("number"))
            except (KeyError, ValueError, TypeError) as e:
                return json_response(400, {"error": f"{type(e).__name__}: {e}"})
            if "subject" not in sent:
                return json_response(200, sent)
            return json_response(200, await self._answered(sent, given.get("wait", True)))
        return route

    async def _answered(self, sent, wait):
        """What became of it: the deliveries, and the last one's status and answer."""
        one = sent.pop("subject")
        one.finished = True
        if one.held:
            self.sender.release(one)
        if wait:
            await self.sender.drain(one)
        made = [d for d in self.state.deliveries if d["call_id"] == one.id and not d.get("lost")]
        last = made[-1] if made else {"status": None, "answer": None}
        return {**sent, "deliveries": made, "status": last["status"], "answer": last["answer"]}

    # ---- what has happened -------------------------------------------------

    async def view(self, request):
        """All numbers, how often each was bought and released, and what was asked for how often."""
        store = self.state.twilio
        return json_response(200, {
            "numbers": [{k: one[k] for k in SEEN} for one in self.state.numbers.values()],
            "purchases": store.purchases, "releases": store.releases, "requests": store.requests, "calls": len(store.calls)})

    async def calls(self, request):
        """All calls that the API has made, oldest first; narrowed by any of their keys."""
        return json_response(200, [call for call in self.state.twilio.calls.values()
                                   if all(str(call.get(k)) == v for k, v in request.query.items())])

    # ---- what happens ------------------------------------------------------

    def number(self, given, number):
        """Twilio takes a number back; or somebody buys one by hand ("account"), or sets it otherwise."""
        if not NUMBER.fullmatch(number):
            raise ValueError(number)
        if given.get("take_back"):
            return {"taken": bool(self.state.numbers.pop(number, None))}
        settings = {k: v for k, v in given.items() if k not in ("account", "age")}
        if set(settings) - set(numbers.FIELDS.values()):
            raise ValueError(f"{sorted(set(settings) - set(numbers.FIELDS.values()))[0]} is not known")
        one = self.state.numbers.get(number)
        if one is None:
            one = self.state.numbers[number] = numbers.held(given["account"], number)
        one.update(settings, created=one.created - given.get("age", 0))
        return {k: one[k] for k in SEEN}

    def _ours(self, number):
        one = self.state.numbers.get(number)
        if one is None:
            raise KeyError(f"{number} is nobody's")
        return one

    def sms(self, given, _):
        """A text comes in; a number that says STOP wants none back, as Twilio has it."""
        one, sender = self._ours(given["to"]), given["from"]
        sid = given.get("sid") or "SM" + secrets.token_hex(16)
        body, media = given.get("body", ""), given.get("media", [])
        word = body.strip().upper()
        if word in STOPS:
            self.state.twilio.stopped.add((one.phone_number, sender))
        elif word in STARTS:
            self.state.twilio.stopped.discard((one.phone_number, sender))
        form = {"MessageSid": sid, "SmsSid": sid, "SmsMessageSid": sid, "AccountSid": one.account, "From": sender,
                "To": one.phone_number, "Body": body, "NumMedia": str(len(media)), "NumSegments": str(1 + len(body) // 153),
                "SmsStatus": "received", "ApiVersion": VERSION, **FROM}
        for n, url in enumerate(media):
            form |= {f"MediaUrl{n}": url, f"MediaContentType{n}": "image/jpeg"}
        subject = self.hooks.subject(sid, sender)
        self.hooks.tell(subject, "message-received", given.get("url") or one.sms_url, form)
        return {"sid": sid, "subject": subject}

    def call(self, given, _):
        """A call comes in: "ask": "voice" or "fallback" asks what to do with it; then its end is told."""
        one, sender = self._ours(given["to"]), given["from"]
        sid = given.get("sid") or "CA" + secrets.token_hex(16)
        ask, status = given.get("ask"), given.get("status", None if given.get("ask") else "completed")
        if status not in (None, *SIP):
            raise ValueError(status)
        call = Held(sid=sid, account=one.account, to=one.phone_number, direction="inbound", duration=given.get("duration", 12), at=now())
        call["from"] = sender
        form = {"CallSid": sid, "AccountSid": one.account, "From": sender, "To": one.phone_number, "Direction": "inbound",
                "ApiVersion": VERSION, **FROM, **where("Caller", "NY", city="NEW YORK", code="10001"), **where("Called"),
                "Caller": sender, "Called": one.phone_number}
        subject = self.hooks.subject(sid, sender)
        if ask == "fallback":
            more = {"ErrorCode": "11200", "ErrorUrl": one.voice_url or ""}
            self.hooks.tell(subject, "call-fallback", one.voice_fallback_url, {**form, **more, "CallStatus": "ringing"})
        elif ask == "voice":
            self.hooks.tell(subject, "call-voice", one.voice_url, {**form, "CallStatus": "ringing"})
        if status:
            told = {**form, **status_form(call, status, 0)}
            self.hooks.tell(subject, f"call-status:{status}", one.status_callback, told)
        return {"sid": sid, "subject": subject}

    def send(self, given, _):
        """Any form, or any JSON, to any address, truly signed."""
        subject = self.hooks.subject("send-" + secrets.token_hex(8), given.get("number", "send"))
        message = {"id": subject.id, "url": given["url"], **({"json": given["json"]} if "json" in given else {"form": given["form"]})}
        self.sender.emit(subject, given.get("type", "sent"), message)
        return {"subject": subject}
