"""Vapi: assistants and phone numbers, what there is of them, and the control of both."""
import time
import uuid
from datetime import datetime, timezone

from aiohttp import web

import vapi_check
import vapi_things_check as check
from faults import Reply, What, json_response, perform
from vapi import Vapi, parse

INBOUND = "https://api.vapi.ai/twilio/inbound_call"
SMS = "https://api.vapi.ai/twilio/sms"
LISTED = 100


class VapiThings:
    """The routes below /vapi/assistant and /vapi/phone-number, and GET /_sandbox/vapi."""

    name = "vapi"
    error, with_id = staticmethod(Vapi.error), staticmethod(Vapi.with_id)

    def __init__(self, state):
        self.state = state

    @property
    def things(self):
        """What there is now; a reset puts another in its place."""
        return self.state.vapi

    def routes(self):
        """All routes, for the application; before those of Vapi, of which the last takes what is left."""
        out = [web.get("/_sandbox/vapi", self.view)]
        for path, kind in (("assistant", "assistants"), ("phone-number", "numbers")):
            at, one = "/vapi/" + path, kind[:-1]
            out += [web.post(at, self._route(one + "_create", self._create, kind)),
                    web.get(at, self._route(one + "_list", self._list, kind)),
                    web.get(at + "/{id}", self._route(one + "_get", self._get, kind)),
                    web.patch(at + "/{id}", self._route(one + "_update", self._update, kind)),
                    web.delete(at + "/{id}", self._route(one + "_delete", self._delete, kind))]
        return out

    def _route(self, operation, work, kind):
        """A handler: work(request, kind, body) once the key is good."""
        async def handle(request):
            body = parse(await request.read())
            self.things.requests[operation] += 1
            return await perform(self, request, self._what(operation, kind, request, body),
                                 lambda _act: self._refused(request) or work(request, kind, body))
        return handle

    def _what(self, operation, kind, request, body):
        """Rules name it by its name, its id, and by our own id in its metadata; a number by itself, too."""
        known = getattr(self.things, kind).get(request.match_info.get("id"), {})
        both = {**known, **(body if isinstance(body, dict) else {})}
        meta = both.get("metadata")
        ours = meta.get("assistant_id") if isinstance(meta, dict) else None
        return What(self.name, operation, both.get("number"), (known.get("id"), both.get("name"), ours))

    def _fail(self, status, message=None):
        return Reply(status, self.error(status, message))

    def _refused(self, request):
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        keys = self.state.settings["vapi_keys"]
        if scheme.lower() != "bearer" or not key or key == "bad" or (keys and key not in keys):
            return self._fail(401)
        return None

    # ---- one or all ----------------------------------------------------------

    def _absent(self, kind, ident):
        what = "Assistant" if kind == "assistants" else "Phone Number"
        return self._fail(404, f"Couldn't Get {what}. `id` {ident} Does Not Exist.")

    def _get(self, request, kind, _body):
        ident = request.match_info["id"]
        thing = getattr(self.things, kind).get(ident)
        return Reply(200, thing) if thing else self._absent(kind, ident)

    def _list(self, request, kind, _body):
        """A bare array, newest first."""
        wrong = check.queries(request.query)
        if wrong:
            return self._fail(400, wrong)
        now, fits = time.time(), tests(request.query)
        found = [t for t in reversed(getattr(self.things, kind).values())
                 if self.things.listed_at[t["id"]] <= now and all(test(t) for test in fits)]
        return Reply(200, found[:int(request.query.get("limit", LISTED))])

    def _create(self, _request, kind, body):
        wrong = check.assistant(body) if kind == "assistants" else check.number(body, True)
        wrong = wrong or (self._unlinkable(body) or self._unowned(body) if kind == "numbers" else None)
        if wrong:
            return self._fail(400, wrong)
        now = stamp()
        thing = {"id": str(uuid.uuid4()), "orgId": self.state.settings["vapi_org_id"], "createdAt": now, "updatedAt": now}
        if kind == "numbers":
            thing.update({"status": "active", "smsEnabled": True})
            self.things.imports[body["number"]] += 1
            self._take(body)
        else:
            self.things.created[str((body.get("metadata") or {}).get("assistant_id"))] += 1
        thing.update(body)
        self.things.add(kind, thing, self.state.settings["list_lag"])
        return Reply(201, thing)

    def _update(self, request, kind, body):
        ident = request.match_info["id"]
        thing = getattr(self.things, kind).get(ident)
        if thing is None:
            return self._absent(kind, ident)
        wrong = check.assistant(body) if kind == "assistants" else check.number(body, False) or self._unlinkable(body)
        if wrong:
            return self._fail(400, wrong)
        thing.update({**body, "updatedAt": stamp()})
        return Reply(200, thing)

    def _delete(self, request, kind, _body):
        """What it was is answered; a number stays at Twilio."""
        ident = request.match_info["id"]
        thing = getattr(self.things, kind).pop(ident, None)
        return Reply(200, thing) if thing else self._absent(kind, ident)

    # ---- numbers -------------------------------------------------------------

    def _unlinkable(self, body):
        ident = body.get("assistantId")
        if ident is None or ident in self.things.assistants:
            return None
        return f"Couldn't Get Assistant. `assistantId` {ident} Does Not Exist."

    def _unowned(self, body):
        """Why it cannot be imported: it is already, or the account at Twilio has it not."""
        if any(n["number"] == body["number"] for n in self.things.numbers.values()):
            return (f"Existing Phone Number Has Identical `twilioAccountSid` {body['twilioAccountSid']} "
                    f"And `number` {body['number']}.")
        tokens = self.state.settings["twilio_tokens"]
        owned = at_twilio(self.state, body["number"])
        theirs = owned is not None and member(owned, "account") in (None, body["twilioAccountSid"])
        if not theirs or (tokens and body.get("twilioAuthToken") not in (None, *tokens)):
            return f"Number {body['number']} Not Found On Twilio. Twilio Error: Couldn't Find Number."
        return None

    def _take(self, body):
        """What an import overwrites at Twilio: where calls go, and texts unless that is declined."""
        owned = at_twilio(self.state, body["number"])
        put(owned, "voice_url", INBOUND)
        if body.get("smsEnabled", True):
            put(owned, "sms_url", SMS)

    # ---- control -------------------------------------------------------------

    async def view(self, _request):
        """What Vapi has, how often each was asked for, made and imported."""
        return json_response(200, {
            "assistants": list(self.things.assistants.values()), "phone_numbers": list(self.things.numbers.values()),
            "requests": self.things.requests, "created": self.things.created, "imports": self.things.imports})


def at_twilio(state, number):
    """The number in the sandbox's Twilio, None if it has it not."""
    numbers = getattr(state, "numbers", None)
    if numbers is None:
        return {}
    every = numbers.values() if isinstance(numbers, dict) else numbers
    return next((n for n in every if member(n, "phone_number") == number), None)


def member(thing, key):
    """A member of what is a dict or an object."""
    return thing.get(key) if isinstance(thing, dict) else getattr(thing, key, None)


def put(thing, key, value):
    """Sets a member of what is a dict or an object."""
    if isinstance(thing, dict):
        thing[key] = value
    else:
        setattr(thing, key, value)


def stamp():
    """Now, as Vapi writes it."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def tests(query):
    """Tests of a thing, one for each parameter of a list but the limit."""
    compare = {"Gt": lambda a, b: a > b, "Lt": lambda a, b: a < b, "Ge": lambda a, b: a >= b, "Le": lambda a, b: a <= b}
    out = []
    for key in query:
        if key != "limit":
            bound = vapi_check.moment(query[key])
            out.append(lambda t, k=key, b=bound: compare[k[9:]](vapi_check.moment(t[k[:9]]), b))
    return out
