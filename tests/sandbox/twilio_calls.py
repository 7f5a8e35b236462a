"""Twilio: calls that the API makes, which say something and end."""
import asyncio
import secrets

from aiohttp import web

from faults import Reply
from twilio_base import NUMBER, VERSION, Held, Part, date, fail, now, page, path_of
from twilio_numbers import URL
from twilio_stock import friendly

# How a call ends, by the last four digits of the number.
FATES = {"0001": "busy", "0002": "no-answer", "0005": "failed", "0006": "failed"}
SIP = {"busy": "486", "no-answer": "487", "failed": "404", "canceled": None, "completed": None}
DURATION = 37
STEP = 0.05


def status_form(call, status, sequence):
    """What a status callback tells."""
    form = {"CallSid": call.sid, "AccountSid": call.account, "From": call["from"], "To": call.to, "Caller": call["from"],
            "Called": call.to, "Direction": call.direction, "ApiVersion": VERSION, "CallStatus": status,
            "Timestamp": date(now()), "CallbackSource": "call-progress-events", "SequenceNumber": str(sequence)}
    if status in SIP:
        seconds = call.duration if status == "completed" else 0
        form |= {"CallDuration": str(seconds)}
        if SIP[status]:
            form["SipResponseCode"] = SIP[status]
        if status == "canceled":
            del form["CallbackSource"]
        if seconds:
            form["Duration"] = str((seconds + 59) // 60)
    return form


def view(call):
    """A call as the API shows it."""
    over = call.status in SIP
    at = date(call.at)
    return {"account_sid": call.account, "answered_by": None, "api_version": VERSION, "caller_name": None, "date_created": at,
            "date_updated": at, "direction": call.direction, "duration": str(call.duration if call.status == "completed" else 0)
            if over else None, "end_time": at if over else None, "forwarded_from": None, "from": call["from"],
            "from_formatted": friendly(call["from"]), "group_sid": None, "parent_call_sid": None, "phone_number_sid": call.number_sid,
            "price": None, "price_unit": "USD", "queue_time": "0", "sid": call.sid, "start_time": at if over else None,
            "status": call.status, "subresource_uris": {}, "to": call.to, "to_formatted": friendly(call.to), "trunk_sid": None,
            "uri": f"/{VERSION}/Accounts/{call.account}/Calls/{call.sid}.json"}


class Calls(Part):
    """Calls.json."""

    def __init__(self, state, sender, hooks):
        super().__init__(state, sender)
        self.hooks = hooks

    def routes(self):
        """All routes, for the application."""
        at = f"/twilio/{VERSION}/Accounts/{{account}}/Calls"
        return [web.post(at + ".json", self.create), web.get(at + ".json", self.list), web.get(at + "/{sid}.json", self.get)]

    async def create(self, request):
        """POST Calls.json.  Twilio knows no key: what is asked twice rings twice."""
        form = await request.post()
        return await self.answer(request, "call", form.get("To"), lambda act: self._create(request, form))

    @staticmethod
    def _wrong(to, sender, form):
        url = form.get("Url", "")
        faults = ((not to, 21201), (not sender, 21213), (not NUMBER.fullmatch(to), 21211), (not NUMBER.fullmatch(sender), 21212),
                  (not form.get("Twiml") and not URL.fullmatch(url), 21205))
        return next((code for wrong, code in faults if wrong), None)

    def _create(self, request, form):
        to, sender = form.get("To", ""), form.get("From", "")
        code = self._wrong(to, sender, form)
        if code:
            return fail(code, to=to, sender=sender)
        ours = self.state.numbers.get(sender)
        call = Held(sid="CA" + secrets.token_hex(16), account=request.match_info["account"], to=to, twiml=form.get("Twiml"),
                    url=form.get("Url"), status_callback=form.get("StatusCallback"), at=now(), direction="outbound-api",
                    status="queued", events=[e for e in form.getall("StatusCallbackEvent", ["completed"]) for e in e.split()],
                    duration=DURATION, number_sid=ours and ours.sid, listed_at=now() + self.state.settings["list_lag"])
        call["from"] = sender
        self.state.twilio.calls[call.sid] = call
        self.state.unfinished += 1
        self._go_on(call, self._states(to))
        return Reply(201, view(call))

    def _states(self, to):
        fate = FATES.get(to[-4:], "completed") if self.state.settings["number_outcomes"] else "completed"
        return ["initiated", "ringing", *(["in-progress"] if fate == "completed" else []), fate]

    def _go_on(self, call, states):
        loop = asyncio.get_running_loop()
        for n, status in enumerate(states):
            self.state.twilio.later(loop, (n + 1) * STEP, self._step, call, status, n)

    def _step(self, call, status, sequence):
        call.status = "queued" if status == "initiated" else status
        one = self.hooks.subject(call.sid, call.to)
        event = "answered" if status == "in-progress" else "completed" if status in SIP else status
        if status == "in-progress" and call.url:
            self.hooks.tell(one, "call-answered", call.url, status_form(call, status, sequence))
        if event in call.events:
            self.hooks.tell(one, f"call-status:{status}", call.status_callback, status_form(call, status, sequence))
        if status in SIP:
            one.finished = True
            self.state.unfinished -= 1
            if one.held:
                self.sender.release(one)

    async def list(self, request):
        """GET Calls.json: newest first, by To, From, Status, in pages."""
        return await self.answer(request, "list_calls", request.query.get("To"), lambda act: self._list(request))

    def _list(self, request):
        found = [view(call) for call in reversed(self.state.twilio.calls.values())
                 if call.account == request.match_info["account"] and call.listed_at <= now()
                 and all(request.query.get(name, call[key]) == call[key] for name, key in
                         (("To", "to"), ("From", "from"), ("Status", "status")))]
        return Reply(200, page(request, "calls", found, lambda one: "PA" + one["sid"]))

    async def get(self, request):
        """GET Calls/{sid}.json."""
        def work(_act):
            call = self.state.twilio.calls.get(request.match_info["sid"])
            return Reply(200, view(call)) if call else fail(20404, path=path_of(request))

        return await self.answer(request, "get_call", None, work)
