"""What the sandbox's Stripe holds: objects by id, a clock of its own, what is due when, and events."""
import heapq
import itertools
import time
from collections import Counter, namedtuple
from contextlib import contextmanager

import stripe_legacy
from stripe_form import Refused, missing
from stripe_objects import new_id

# What a list answers: the objects of one page, newest first, and whether there are more.
Page = namedtuple("Page", "data more")
DAY = 86400


class Subject:
    """Whom events are about: those of one customer are sent one after the other."""

    def __init__(self, provider, ident):
        self.provider, self.id, self.number = provider, ident, ident
        self.assignment, self.tail, self.finished = None, None, False
        self.events, self.held = [], []


def subject(state, provider, ident):
    """The subject with this id; made when it is first asked for."""
    return state.subjects.setdefault((provider, ident), Subject(provider, ident))


class Store:
    """All objects of one account."""

    def __init__(self, state):
        self.state = state
        self.objects, self.kinds, self.events = {}, {}, {}
        self.offset, self.at, self.floor = 0.0, None, 0
        self.due, self.order = [], itertools.count()
        self.pending = []
        self.usage = {}
        self.identifiers = {}
        self.keys = {}
        self.requests = []
        self.counts = Counter()
        self.request = {"id": None, "idempotency_key": None}

    # ---- the clock -----------------------------------------------------

    def now(self):
        """The time of this account: real time and what was put before it, or the moment of what is due."""
        return self.at if self.at is not None else int(time.time() + self.offset)

    def schedule(self, at, work, *args):
        """Have something done when the clock has come so far; work looks whether it is still wanted."""
        heapq.heappush(self.due, (int(at), next(self.order), work, args))

    def run(self, until=None):
        """Do all that is due, each thing at its time and in order."""
        until = self.now() if until is None else until
        try:
            while self.due and self.due[0][0] <= until:
                at, _, work, args = heapq.heappop(self.due)
                self.at = self.floor = max(at, self.floor)
                work(self, *args)
        finally:
            self.at = None

    def advance(self, until):
        """Put the clock on; what becomes due is done on the way."""
        if until < self.now() and self.objects:
            raise Refused(f"the clock stands at {self.now()} and goes forward only")
        self.run(until)
        self.offset = until - time.time()

    # ---- objects -------------------------------------------------------

    def add(self, obj):
        """Keep a new object."""
        self.objects[obj["id"]] = obj
        self.kinds.setdefault(obj["object"], {})[obj["id"]] = obj
        return obj

    def all(self, kind):
        """All objects of a kind, oldest first."""
        return list(self.kinds.get(kind, {}).values())

    def get(self, kind, ident, param="id"):
        """One object that is there."""
        found = self.kinds.get(kind, {}).get(ident)
        if found is None or (found.get("deleted") and param != "id"):
            raise missing(kind.rpartition(".")[2].replace("_", " "), ident, param)
        return found

    def list(self, kind, p, keep=None):
        """One page of the objects of a kind, those that keep() says."""
        data = [o for o in reversed(self.all(kind)) if not o.get("deleted") and (keep is None or keep(o))]
        return self.page([o for o in data if _within(o["created"], p.get("created"))], p)

    @staticmethod
    def page(data, p):
        """One page of objects that are newest first already."""
        limit = p.get("limit", 10)
        if not 1 <= limit <= 100:
            raise Refused("Invalid integer: limit is 1 to 100", "parameter_invalid_integer", "limit")
        ids = [o["id"] for o in data]
        for name in ("starting_after", "ending_before"):
            if p.get(name) and p[name] not in ids:
                raise missing("object", p[name], name)
        if p.get("ending_before"):
            data = data[:ids.index(p["ending_before"])]
            return Page(data[-limit:], len(data) > limit)
        if p.get("starting_after"):
            data = data[ids.index(p["starting_after"]) + 1:]
        return Page(data[:limit], len(data) > limit)

    # ---- events --------------------------------------------------------

    def show(self, held, version):
        """An object, or anything, as it is told in a version of the API."""
        if isinstance(held, list):
            return [self.show(one, version) for one in held]
        if not isinstance(held, dict) or held.get("object") == "event":
            return held
        shown = {k: self.show(v, version) for k, v in held.items() if not k.startswith("_")}
        if stripe_legacy.is_old(version) and "id" in held and isinstance(held.get("object"), str):
            stripe_legacy.older(self, shown, held)
        return shown

    def told(self, held):
        """An object as events tell it."""
        return self.show(held, self.state.settings["stripe_webhook_version"])

    def emit(self, kind, held, before=None):
        """An event about an object; before is how it was told before."""
        shown = self.told(held)
        data = {"object": shown}
        if before is not None:
            data["previous_attributes"] = difference(before, shown)
        event = {"id": new_id("evt_"), "object": "event",
                 "api_version": self.state.settings["stripe_webhook_version"], "created": self.now(), "data": data,
                 "livemode": False, "pending_webhooks": 1, "request": dict(self.request), "type": kind}
        self.events[event["id"]] = event
        settings = self.state.settings
        wanted = settings["stripe_webhook_events"]
        if settings["webhooks"] and (not wanted or kind in wanted) and self.state.sender:
            customer = held["id"] if held["object"] == "customer" else (
                held.get("customer") or held.get("_customer") or (before or {}).get("customer") or "account")
            self.state.sender.emit(subject(self.state, "stripe", customer), kind, event)

    def account(self):
        """Whom events are about that are about no customer."""
        return subject(self.state, "stripe", "account")

    @contextmanager
    def changing(self, held, kind):
        """Tell what changes of an object while this lasts, if anything does."""
        before = self.told(held)
        yield held
        if before != self.told(held):
            self.emit(kind, held, before)


def difference(old, new):
    """Of the attributes that differ, what they were; lists whole, objects by their parts."""
    out = {}
    for name in {**old, **new}:
        was, is_now = old.get(name), new.get(name)
        if was == is_now:
            continue
        if isinstance(was, dict) and was.get("object") == "list":
            out[name] = {"data": was["data"]}
        elif isinstance(was, dict) and isinstance(is_now, dict) and "id" not in was:
            out[name] = difference(was, is_now)
        else:
            out[name] = was
    return out


def _within(created, limits):
    compare = {"gt": created.__gt__, "gte": created.__ge__, "lt": created.__lt__, "lte": created.__le__}
    return all(compare[name](limit) for name, limit in (limits or {}).items())
