"""Twilio's side of texts and calls: forms as it sends them, numbers that are there, and what became of them."""

import uuid
from xml.etree import ElementTree

OURS, CALLER, MOBILE = "+12025550100", "+15550100077", "+15550100088"
PATH = "/api/webhooks/twilio"


def sid(kind="SM"):
    """An id as Twilio makes them."""
    return kind + uuid.uuid4().hex


def number_of(stack, who, number=OURS, **more):
    """A number of who's organization, bought and linked; answers its id."""
    row = {"organization_id": str(who.organization), "phone_number": number, "origin": "chosen", "status": "active", "provider_sid": sid("PN"),
           "capabilities": '{"voice": true, "SMS": true}', **more}
    return stack.value(f"insert into phone_numbers ({', '.join(row)}) values ({', '.join(['%s'] * len(row))}) returning id::text", *row.values())


def text(body, ident=None, sender=CALLER, to=OURS, **more):
    """The form of a text that comes in."""
    return {"MessageSid": ident or sid(), "From": sender, "To": to, "Body": body, "NumMedia": "0", "NumSegments": "1", **more}


def twiml(answer):
    """The answer as XML: the verbs."""
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "text/xml", answer.text
    root = ElementTree.fromstring(answer.content)
    assert root.tag == "Response"
    return list(root)


def took(hooks, tail, form):
    """It is taken; what became of it."""
    answer = hooks.twilio(tail, form)
    assert answer.status_code == (204 if tail in ("/status", "/message") else 200), answer.text
    assert answer.status_code == 204 or twiml(answer) == [] or tail == "/voice"
    return hooks.states("provider = 'twilio'")[-1]


def told(stack, kind):
    """The outgoing events of that kind."""
    return [row.data for row in stack.sql("select data from events where type = %s order by created_at, id", kind)]


def again(stack):
    """What waits is tried once more."""
    stack.sql("update webhook_events set try_at = now() where state in ('waiting', 'failed')")
    stack.pump()


def voice(ident, **more):
    """The form of a call in need."""
    return {"CallSid": ident, "From": CALLER, "To": OURS, "CallStatus": "ringing", "Direction": "inbound", **more}


def over(ident, seconds=30, state="completed"):
    """The form that tells its end."""
    return {"CallSid": ident, "From": CALLER, "To": OURS, "CallStatus": state, "CallDuration": seconds, "SequenceNumber": "0"}


def recording(ident, one="RE1", **more):
    """The form that tells what was said."""
    return {"CallSid": ident, "From": CALLER, "To": OURS, "RecordingSid": one, "RecordingUrl": "https://api.twilio.com/r/1", "RecordingDuration": "9", **more}


def only_call(stack):
    """The only call."""
    row, = stack.sql("select * from calls")
    return row
