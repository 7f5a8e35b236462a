"""What the sandbox remembers: settings, rules, calls, and how often a telephone rang."""
import asyncio
import time
import uuid
from collections import Counter, deque

import outcomes
from paddle_store import Store as PaddleStore
from rules import LIMITS, Invalid, Rules, number_action
from stripe_store import Store
from twilio_base import Store as TwilioStore
from vapi_store import Things

DURATIONS = {"queued": 0.05, "ringing": 0.1, "in_progress": 0.1, "forwarding": 0.05,
             "report": 0.05}
HOLD_SECONDS = 120
# Settings that have one of a few values.
ONE_OF = {"stripe_webhook_version": {"2026-10-28.endive", "2023-08-16"},
          "stripe_retries_end": {"cancel", "unpaid", "past_due"}, "stripe_delayed_status": {"incomplete", "active"}}

# Every setting with its first value. Times are seconds.
SETTINGS = {
    "durations": DURATIONS,
    "talk_seconds": None,
    "answer_delay": 0.0,
    "first_event_delay": 0.01,
    "list_lag": 0.0,
    "get_lag": 0.0,
    "number_outcomes": True,
    "webhooks": True,
    "report_copies": True,
    "backoff_scale": 1.0,
    "vapi_keys": [],
    "vapi_limit": None,
    "vapi_limit_mode": "blocked",
    "vapi_starts_per_second": None,
    "vapi_org_id": "527a4c0a-7e94-4ca7-8bcc-0baba99d5592",
    "vapi_webhook_url": None,
    "vapi_webhook_headers": {},
    "vapi_webhook_hmac": None,
    "synthflow_keys": [],
    "synthflow_limit": None,
    "synthflow_limit_mode": "429",
    "synthflow_starts_per_second": None,
    "synthflow_webhook_url": None,
    "synthflow_webhook_secret": "synthflow-sandbox-secret",
    "synthflow_signature_header": "Synthflow-Signature",
    "resend_keys": [],
    "resend_domains": [],
    "resend_per_second": None,
    "resend_per_day": None,
    "stripe_keys": [],
    "stripe_webhook_url": None,
    "stripe_webhook_secret": "whsec_sandbox",
    "stripe_webhook_version": "2026-10-28.endive",
    "stripe_webhook_events": [],
    "stripe_webhook_retries": 3,
    "stripe_retry_days": [3, 5, 7],
    "stripe_retries_end": "cancel",
    "stripe_delayed_status": "incomplete",
    "stripe_portal_default": True,
    "paddle_keys": [],
    "paddle_webhook_url": None,
    "paddle_webhook_secret": "pdl_ntfset_sandbox",
    "paddle_webhook_retries": 3,
    "twilio_tokens": [],
    "twilio_opted_out": [],
    "twilio_service_number": "+15550109999",
    "twilio_signing_token": None,
    "twilio_stock": None,
    "twilio_numbers_limit": None,
    "twilio_turns": False,
    "twilio_capitals": False,
    "smtp_user": None,
    "smtp_password": None,
}


def merge_settings(old, given):
    """The settings with the given ones in place; Invalid names what is wrong."""
    if not isinstance(given, dict):
        raise Invalid("settings must be an object")
    new = dict(old)
    for key, value in given.items():
        if key not in SETTINGS:
            raise Invalid(f"setting {key} is not known")
        _check_setting(key, value)
        new[key] = {**old["durations"], **value} if key == "durations" else value
    return new


def _check_setting(key, value):
    first = SETTINGS[key]
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if key == "durations":
        if not isinstance(value, dict) or set(value) - set(DURATIONS):
            raise Invalid(f"durations is an object of {sorted(DURATIONS)}")
    elif key.endswith("_mode"):
        if value not in LIMITS:
            raise Invalid(f"{key} must be one of {sorted(LIMITS)}")
    elif key in ONE_OF:
        if value not in ONE_OF[key]:
            raise Invalid(f"{key} must be one of {sorted(ONE_OF[key])}")
    elif isinstance(first, bool):
        if not isinstance(value, bool):
            raise Invalid(f"{key} must be true or false")
    elif isinstance(first, float):
        if not number or value < 0:
            raise Invalid(f"{key} must be a number, not negative")
    elif isinstance(first, (list, dict)) and not isinstance(value, type(first)):
        raise Invalid(f"{key} must be a {type(first).__name__}")


class Call:
    """One call that a provider has taken on."""

    def __init__(self, provider, number, assignment, body):
        self.id = str(uuid.uuid4())
        self.provider = provider
        self.number = number
        self.assignment = assignment
        self.body = body
        self.act = {}
        self.outcome = outcomes.OUTCOMES["completed"]
        self.durations = DURATIONS
        self.created = self.updated = time.time()
        self.started = self.ended = None
        self.status = "queued"
        self.place = 0
        self.timer = None
        self.live = self.blocked = self.deleted = self.finished = self.dialled = False
        self.listed_at = self.readable_at = 0.0
        self.events = []
        self.held = []
        self.tail = None

    def summary(self):
        """What the control interface shows."""
        return {"id": self.id, "provider": self.provider, "number": self.number,
                "assignment_id": self.assignment, "status": self.status,
                "ended_reason": self.outcome.reason if self.ended else None,
                "created": self.created, "started": self.started, "ended": self.ended,
                "live": self.live, "blocked": self.blocked, "dialled": self.dialled,
                "deleted": self.deleted, "finished": self.finished,
                "events": [e.kind for e in self.events]}


class Counters:
    """Attempts, dials and live calls, by our assignment id and by number."""

    def __init__(self):
        self.attempts = 0
        self.attempts_by_assignment = Counter()
        self.accepted_by_assignment = Counter()
        self.by_assignment = Counter()
        self.by_number = Counter()
        self.order = []
        self.live = Counter()
        self.max_live = {"vapi": 0, "synthflow": 0}

    def attempt(self, assignment):
        """A request to start a call has come in, whatever becomes of it."""
        self.attempts += 1
        self.attempts_by_assignment[assignment] += 1

    def accepted(self, call):
        """A provider has taken the call on; it is a dial if a telephone is going to ring."""
        self.accepted_by_assignment[call.assignment] += 1
        if not call.dialled:
            return
        self.by_assignment[call.assignment] += 1
        self.by_number[call.number] += 1
        self.order.append({"n": len(self.order) + 1, "at": call.created,
                           "provider": call.provider, "assignment_id": call.assignment,
                           "number": call.number, "call_id": call.id})

    def up(self, provider):
        """One more call holds a line."""
        self.live[provider] += 1
        self.max_live[provider] = max(self.max_live[provider], self.live[provider])

    def view(self):
        """What GET /_sandbox/dials answers."""
        return {"by_assignment": self.by_assignment, "by_number": self.by_number,
                "order": self.order, "dials": len(self.order), "attempts": self.attempts,
                "attempts_by_assignment": self.attempts_by_assignment,
                "accepted_by_assignment": self.accepted_by_assignment,
                "live": self.live, "max_live": self.max_live}


class State:
    """Everything that POST /_sandbox/reset forgets."""

    def __init__(self, settings):
        self.first_settings = merge_settings(SETTINGS, settings)
        self.released = self.let_go = asyncio.Event()
        self.held = 0
        self.ports = {}
        self.sender = None
        self.twilio = TwilioStore()
        self.clear()

    def clear(self):
        """Forget calls, counters and rules; settings are as at the start. Who waits is let go."""
        self.released.set()
        self.released = asyncio.Event()
        self.let_go.set()
        self.let_go = asyncio.Event()
        self.settings = dict(self.first_settings)
        self.rules = Rules()
        self.counters = Counters()
        self.calls = {}
        self.deliveries = deque(maxlen=100000)
        self.starts = {"vapi": deque(), "synthflow": deque(), "resend": deque()}
        self.mails = []
        self.texts = []
        self.vapi = Things()
        self.resend_keys = {}
        self.subjects = {}
        self.stripe, self.paddle = Store(self), PaddleStore(self)
        self.twilio.stop()
        self.numbers, self.twilio = {}, TwilioStore()
        self.waiting = {"vapi": deque(), "synthflow": deque()}
        self.unfinished = 0

    def action(self, provider, operation, number, kinds=()):
        """What the rules, and then the number itself, ask for."""
        act = self.rules.action(provider, operation, number, kinds)
        if "hold" in act:
            act["let_go"] = self.let_go
        return {**self.number_action(number, operation), **act}

    async def hold(self, act):
        """Wait until somebody lets go, also if he did since the rule was met; not for ever, since he may have died."""
        if act["let_go"].is_set():
            return
        self.held += 1
        try:
            await asyncio.wait_for(act["let_go"].wait(), HOLD_SECONDS)
        except asyncio.TimeoutError:
            pass
        finally:
            self.held -= 1

    def release(self):
        """Let go what is held; no rule holds anything from here on."""
        for rule in self.rules.all:
            rule.release()
        self.let_go.set()
        self.let_go = asyncio.Event()

    def number_action(self, number, operation):
        """What the number itself asks for."""
        if not self.settings["number_outcomes"]:
            return {}
        return number_action(number, operation)

    def newest(self, provider):
        """Calls of a provider that its list shows, newest first."""
        now = time.time()
        for call in reversed(self.calls.values()):
            if call.provider == provider and call.listed_at <= now and not call.deleted:
                yield call

    def find(self, provider, call_id):
        """The call with this id, or None."""
        call = self.calls.get(call_id)
        if call is None or call.provider != provider or call.deleted:
            return None
        return call if call.readable_at <= time.time() else None

    def gate(self, provider, act):
        """None where there is room for one more call, else how to say that there is none."""
        if "concurrency" in act:
            return act["concurrency"]
        limit = self.settings[provider + "_limit"]
        if limit is not None and self.counters.live[provider] >= limit:
            return self.settings[provider + "_limit_mode"]
        return None

    def too_fast(self, provider):
        """Whether this start is one too many in this second; counts it if it is not."""
        most = self.settings[provider + ("_per_second" if provider == "resend" else "_starts_per_second")]
        starts, now = self.starts[provider], time.monotonic()
        while starts and now - starts[0] >= 1.0:
            starts.popleft()
        if most is not None and len(starts) >= most:
            return True
        starts.append(now)
        return False
