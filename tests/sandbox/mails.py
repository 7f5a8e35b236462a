"""A mail that somebody has taken, by Resend's API or by SMTP, as tests read it."""
import email
import email.policy
import time


def by_api(ident, body, key):
    """What POST /emails asked for."""
    to = body["to"] if isinstance(body["to"], list) else [body["to"]]
    return {"id": ident, "via": "resend", "at": time.time(), "from": body["from"], "to": to,
            "subject": body["subject"], "text": body.get("text"), "html": body.get("html"),
            "key": key, "message_id": None, "headers": body.get("headers", {})}


def by_smtp(ident, sender, to, raw):
    """The message as it came, decoded; the envelope says from whom and to whom."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    return {"id": ident, "via": "smtp", "at": time.time(), "from": str(message["From"]),
            "to": list(to), "subject": str(message["Subject"]), "envelope_from": sender,
            "text": text and _content(text), "html": html and _content(html),
            "key": None, "message_id": message["Message-ID"],
            "headers": {name: str(value) for name, value in message.items()},
            "raw": raw.decode("latin-1"), "defects": [str(d) for d in message.defects]}


def _content(part):
    return part.get_content().replace("\r\n", "\n")
