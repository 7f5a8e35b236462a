"""How a call can turn out, in the words of each provider, and which telephone numbers choose it.

An outcome says through which states a call goes and how its end is called. A number chooses an
outcome or a misbehaviour by its last four digits, so that people may rehearse without any rule.
"""
from collections import namedtuple

TALK = ("queued", "ringing", "in-progress", "ended")
FORWARD = ("queued", "ringing", "in-progress", "forwarding", "ended")
RING = ("queued", "ringing", "ended")
NO_RING = ("queued", "ended")

STATUSES = {"queued", "ringing", "in-progress", "forwarding", "ended"}
LIMIT_REASON = "call.start.error-subscription-concurrency-limit-reached"

# reason: Vapi's endedReason. state: SynthFlow's status. api, hook: SynthFlow's end_call_reason
# in an answer and in a webhook, which are two different lists. error: SynthFlow's error_message.
Outcome = namedtuple("Outcome", "statuses reason state api hook error", defaults=("",))

OUTCOMES = {
    "completed": Outcome(
        TALK, "assistant-ended-call", "completed", "agent_ended_call", "agent_goodbye"),
    "customer-ended": Outcome(
        TALK, "customer-ended-call", "completed", "human_ended_call", "human_goodbye"),
    "busy": Outcome(RING, "customer-busy", "busy", None, "undefined", "busy"),
    "no-answer": Outcome(
        RING, "customer-did-not-answer", "no-answer", None, "undefined", "no-answer"),
    "voicemail": Outcome(TALK, "voicemail", "hangup_on_voicemail", "voicemail", "voicemail"),
    "voicemail-left": Outcome(
        TALK, "voicemail", "left_voicemail", "voicemail_message_left", "voicemail_message_left"),
    "not-connected": Outcome(
        RING, "twilio-failed-to-connect-call", "failed", "error", "undefined",
        "Call failed to connect"),
    "misdialed": Outcome(
        RING, "twilio-reported-customer-misdialed", "failed", "error", "undefined",
        "The number is not in service"),
    "start-fault": Outcome(
        NO_RING, "call.start.error-vapifault-database-error", "failed", "error", "undefined",
        "Internal error"),
    "talk-fault": Outcome(
        TALK, "phone-call-provider-closed-websocket", "failed", "error", "undefined",
        "Connection lost"),
    "silence": Outcome(
        TALK, "silence-timed-out", "completed", "human_pick_up_cut_off", "human_pick_up_cut_off"),
    "max-duration": Outcome(
        TALK, "exceeded-max-duration", "completed", "timeout", "max_duration"),
    "no-credit": Outcome(
        NO_RING, "call.start.error-subscription-insufficient-credits", "failed", "error",
        "undefined", "Insufficient credits"),
    "no-assistant": Outcome(
        NO_RING, "assistant-not-found", "failed", "error", "undefined", "Agent not found"),
    "forwarded": Outcome(
        FORWARD, "assistant-forwarded-call", "completed", "agent_ended_call", "agent_goodbye"),
    "limit": Outcome(
        NO_RING, LIMIT_REASON, "failed", "error", "undefined", "Concurrency limit reached"),
    "canceled": Outcome(
        TALK, "manually-canceled", "user-canceled", "user_canceled", "user_canceled"),
    "schedule-deleted": Outcome(
        NO_RING, "scheduled-call-deleted", "canceled", "user_canceled", "user_canceled"),
}

# What the last four digits of a number stand for: (create action, webhook action).
NUMBERS = {
    "0001": ({"outcome": "busy"}, {}),
    "0002": ({"outcome": "no-answer"}, {}),
    "0003": ({"outcome": "voicemail"}, {}),
    "0004": ({"outcome": "voicemail-left"}, {}),
    "0005": ({"outcome": "not-connected"}, {}),
    "0006": ({"outcome": "misdialed"}, {}),
    "0007": ({"outcome": "start-fault"}, {}),
    "0008": ({"outcome": "talk-fault"}, {}),
    "0009": ({"outcome": "silence"}, {}),
    "0010": ({"outcome": "customer-ended"}, {}),
    "0011": ({"outcome": "max-duration"}, {}),
    "0012": ({"outcome": "no-credit"}, {}),
    "0013": ({"outcome": "no-assistant"}, {}),
    "0014": ({"outcome": "forwarded"}, {}),
    "0015": ({"outcome": "limit"}, {}),
    "0020": ({"stuck": True}, {}),
    "0021": ({"durations": {"in_progress": 30.0}}, {}),
    "0030": ({}, {"lose": True}),
    "0031": ({}, {"copies": 3}),
    "0032": ({}, {"order": "reverse"}),
    "0033": ({}, {"only": "report"}),
    "0034": ({}, {"sign": "wrong"}),
    "0040": ({"status": 500}, {}),
    "0041": ({"status": 429}, {}),
    "0042": ({"status": 429, "headers": {"Retry-After": "1"}}, {}),
    "0043": ({"status": 400}, {}),
    "0044": ({"status": 402}, {}),
    "0045": ({"answer": "hang", "accept": False}, {}),
    "0046": ({"answer": "hang"}, {}),
    "0047": ({"answer": "reset"}, {}),
    "0048": ({"answer": "cut"}, {}),
    "0049": ({"status": 500, "accept": True}, {}),
}

_BY_REASON = {o.reason: o for o in reversed(OUTCOMES.values())}


def for_reason(reason):
    """The outcome whose states fit a Vapi end reason that a rule asks for."""
    if reason in _BY_REASON:
        return _BY_REASON[reason]
    if reason.startswith(("call.start", "call-start", "assistant-request", "assistant-not")):
        return OUTCOMES["start-fault"]._replace(reason=reason)
    if "failed-to-connect" in reason or "reject" in reason or "ringing" in reason:
        return OUTCOMES["not-connected"]._replace(reason=reason)
    return OUTCOMES["completed"]._replace(reason=reason)


def choose(act):
    """The outcome that an action asks for; the plain one where it asks for nothing."""
    out = OUTCOMES[act.get("outcome", "completed")]
    if "end_reason" in act and "outcome" not in act:
        out = for_reason(act["end_reason"])
    if "end_reason" in act:
        out = out._replace(reason=act["end_reason"], api=act.get("end_call_reason", out.api))
    if "end_status" in act:
        out = out._replace(state=act["end_status"])
    if "end_call_reason" in act:
        out = out._replace(api=act["end_call_reason"], hook=act["end_call_reason"])
    if "statuses" in act:
        out = out._replace(statuses=tuple(act["statuses"]))
    return out
