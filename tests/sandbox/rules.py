"""Rules of misbehaviour: what to match, how often, and what to do then.

Every rule that matches counts the request. Of the rules that fire together, an earlier one wins
each key of the action that a later one has too. What the keys do is in README.md.
"""
import random
import re

import outcomes

PROVIDERS = {"vapi", "synthflow", "resend", "smtp", "stripe", "paddle", "twilio"}
OPERATIONS = {"create", "list", "get", "update", "delete", "recording", "control", "assistants",
              "webhook"}
OPERATIONS |= {"search", "buy", "release", "list_numbers", "get_number", "call", "list_calls", "get_call"}
# Vapi's things that are no calls.
OPERATIONS |= {f"{thing}_{does}" for thing in ("assistant", "number") for does in ("create", "list", "get", "update", "delete")}
# What of a mail by SMTP may be misanswered; "create" is its end.
SMTP = {"connect", "ehlo", "auth", "mail", "rcpt", "data", "create"}
MATCH = {"provider", "operation", "number", "number_regex", "type", "nth", "times",
         "probability", "seed"}
ANSWERS = {"hang", "reset", "cut", "cut-complete", "huge", "html", "array", "number-id",
           "missing-id", "empty"}
LIMITS = {"blocked", "blocked-ended", "ended", "400", "429"}
CALL_KEYS = {"concurrency", "outcome", "end_reason", "end_status", "end_call_reason", "statuses",
             "durations", "talk_seconds", "stuck", "list_lag", "get_lag", "early", "extra"}
ANSWER_KEYS = {"status", "body", "headers", "answer", "accept", "size", "delay", "delay_after",
               "hold"}
MAIL_KEYS = {"status", "body", "answer", "accept", "delay"}
WEBHOOK_KEYS = {"lose", "copies", "order", "delay", "only", "sign", "corrupt", "hold"}
ONE_OF = {"answer": ANSWERS, "concurrency": LIMITS, "outcome": set(outcomes.OUTCOMES),
          "only": {"report", "status"}, "sign": {"none", "wrong"},
          "corrupt": {"cut", "html", "empty", "array"}, "order": {"reverse", "shuffle"},
          "early": {"first", "all"}, "hold": {"before", "after"}}


class Invalid(Exception):
    """A rule or a setting that makes no sense; the text says why."""


DURATIONS = {"queued", "ringing", "in_progress", "forwarding", "report"}


def _check_values(act):
    steps = act.get("statuses")
    if steps is not None and (not isinstance(steps, list) or len(steps) < 2
                              or steps[-1] != "ended" or set(steps) - outcomes.STATUSES):
        raise Invalid(f"action.statuses is a list of {sorted(outcomes.STATUSES)}, ended the last")
    lasts = act.get("durations", {})
    if not isinstance(lasts, dict) or set(lasts) - DURATIONS:
        raise Invalid(f"action.durations is an object of {sorted(DURATIONS)}")
    extra = act.get("extra", [])
    if not isinstance(extra, list) or not all(isinstance(e, dict) and "type" in e for e in extra):
        raise Invalid("action.extra is a list of messages, each with its type")
    for key in ("delay", "delay_after", "list_lag", "get_lag", "talk_seconds"):
        if not isinstance(act.get(key, 0), (int, float)) or act.get(key, 0) < 0:
            raise Invalid(f"action.{key} must be a number of seconds, not negative")


def _check_action(provider, operation, act):
    allowed = (WEBHOOK_KEYS if operation == "webhook" else MAIL_KEYS if provider == "smtp"
               else ANSWER_KEYS | CALL_KEYS)
    if not isinstance(act, dict) or not act:
        raise Invalid("action must be an object that is not empty")
    for key, value in act.items():
        if key not in allowed:
            raise Invalid(f"action.{key} is not known for {operation}")
        if key in ONE_OF and value not in ONE_OF[key]:
            raise Invalid(f"action.{key} must be one of {sorted(ONE_OF[key])}")
    _check_values(act)
    if operation == "webhook" and act.get("hold") == "after":
        raise Invalid("a webhook is held before it is sent")
    if operation not in ("create", "webhook") and CALL_KEYS & set(act):
        raise Invalid(f"{sorted(CALL_KEYS & set(act))} belong to operation create")


class Rule:
    """One rule and how often it was met."""

    def __init__(self, given):
        if not isinstance(given, dict) or set(given) - {"id", "match", "action"}:
            raise Invalid("a rule is an object of id, match, action")
        match = given.get("match", {})
        unknown = set(match) - MATCH
        if unknown:
            raise Invalid(f"match.{sorted(unknown)[0]} is not known")
        self.operation = match.get("operation", "create")
        self.provider = match.get("provider")
        known = SMTP if self.provider == "smtp" else OPERATIONS
        if self.operation not in known:
            raise Invalid(f"match.operation must be one of {sorted(known)}")
        if self.provider is not None and self.provider not in PROVIDERS:
            raise Invalid(f"match.provider must be one of {sorted(PROVIDERS)}")
        self.given = given
        self.number = match.get("number")
        self.regex = re.compile(match["number_regex"]) if "number_regex" in match else None
        self.type = match.get("type")
        self.first = int(match.get("nth", 1))
        self.times = match.get("times", 1 if "nth" in match else None)
        self.probability = match.get("probability")
        self.random = random.Random(match.get("seed", 0))
        self.action = given.get("action")
        self.met = self.fired = 0
        _check_action(self.provider, self.operation, self.action)

    def fits(self, provider, operation, number, kinds):
        """Whether the request is one that this rule is about."""
        if operation != self.operation or self.provider not in (None, provider):
            return False
        if self.number is not None and self.number != number:
            return False
        if self.regex is not None and not self.regex.search(number or ""):
            return False
        return self.type is None or self.type in kinds

    def fires(self):
        """Count one request that fits; say whether it is one that the rule applies to."""
        self.met += 1
        if self.met < self.first:
            return False
        if self.times is not None and self.met >= self.first + self.times:
            return False
        if self.probability is not None and self.random.random() >= self.probability:
            return False
        self.fired += 1
        return True

    def release(self):
        """Hold nothing any more; whatever else it does, it goes on doing."""
        self.action = {k: v for k, v in self.action.items() if k != "hold"}

    def view(self):
        """The rule as given, with its counts."""
        return {**self.given, "met": self.met, "fired": self.fired}


class Rules:
    """All rules in force, and what the numbers themselves ask for."""

    def __init__(self):
        self.all = []

    def add(self, given):
        """Add one rule or a list of them; nothing is added when one is wrong."""
        try:
            made = [Rule(g) for g in (given if isinstance(given, list) else [given])]
        except (re.error, TypeError, ValueError) as e:
            raise Invalid(str(e)) from e
        self.all += made
        return made

    def action(self, provider, operation, number, kinds=()):
        """What to do with this request: an object, empty where nothing is asked for."""
        act = {}
        for rule in self.all:
            if rule.fits(provider, operation, number, kinds) and rule.fires():
                act = {**rule.action, **act}
        return act


def number_action(number, operation):
    """What the last four digits of a number ask for."""
    pair = outcomes.NUMBERS.get((number or "")[-4:])
    if pair is None:
        return {}
    return pair[1] if operation == "webhook" else pair[0] if operation == "create" else {}
