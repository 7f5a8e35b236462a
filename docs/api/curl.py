"""curl.py - for each route a curl command that a reader can run, made from what the programs say (--describe).

What a reader sets stands in it as a variable of the shell: $API_URL, $TOKEN (an access token, or an API key), and the ids of his own
things under the names of the fields ($CALL_ID).  tests/handlers/test_api_examples.py runs each of them as it is printed.

A new route needs something here only where its fields' names and types do not say what it wants: a value for a field of that name
(VALUES), or more than the required fields (MORE).
"""

import json
import re

TIME = "2099-01-01T09:00:00Z"
PERSON = {"email": "$EMAIL", "password": "$PASSWORD"}

# Values of fields by name; else by type.  A text that begins with $ is a variable.
VALUES = {
    "email": "$EMAIL", "password": "$PASSWORD", "new_password": "$NEW_PASSWORD", "new_email": "$NEW_EMAIL",
    "token": "$MAIL_TOKEN", "token_hash": "$MAIL_TOKEN", "code": "$CODE", "challenge": "$CHALLENGE",
    "refresh_token": "$REFRESH_TOKEN", "recovery_code": "$RECOVERY_CODE", "api_key": "$PROVIDER_KEY",
    "recipient_number": "+15550100001", "phone_number": "+15550100002", "recipient_name": "Ann Lee",
    "name": "Reminders", "first_name": "Ann", "last_name": "Lee", "role": "member", "scopes": ["calls:read", "calls:write"],
    "timezone": "America/New_York", "start": "09:00", "end": "20:00", "days": [1, 2, 3, 4, 5], "full_name": "Ann Lee",
    "slug": "receptionist", "event_id": "$EVENT_ID", "rating": 5, "limit": 20, "wait": 0, "tags": ["vip"],
    "text": "Hello, how can I help you?", "price_cents": 2900, "price_id": "price_1QExample",
}
TYPES = {"string": "text", "e164": "+15550100001", "email": "$EMAIL", "time": TIME, "number": 1, "bool": True, "object": {}, "any": {}}

# (method, path) -> fields that are given besides the required ones: {name: value}, or a list of names.
MORE = {
    ("POST", "/api/v1/calls"): ["recipient_name", "scheduled_time"],
    ("GET", "/api/v1/calls"): {"status": "completed", "limit": 50},
    ("POST", "/api/v1/auth/verify-email"): ["token"],
    ("POST", "/api/v1/auth/reset-password"): ["token"],
    ("POST", "/api/v1/auth/signin/totp"): ["code"],
    ("POST", "/api/v1/auth/signup"): ["first_name", "last_name"],
    **{("POST", "/api/v1/auth/" + name): ["password"] for name in ("change-password", "totp", "totp/disable", "recovery-codes")},
    ("POST", "/api/v1/auth/change-email"): {"email": "$NEW_EMAIL", "password": "$PASSWORD"},
    ("POST", "/api/v1/organizations"): {"settings": {"calling_hours": {"start": "09:00", "end": "20:00", "timezone": "America/New_York"}}},
    ("GET", "/api/v1/organizations/{organization_id}/audit-log/export"): {"format": "csv"},
    ("POST", "/api/v1/contacts"): {"phone_number": "+15550100002", "name": "Ann Lee", "tags": ["vip"]},
    ("PATCH", "/api/v1/contacts/{contact_id}"): {"name": "Ann Lee", "do_not_call": True},
    ("POST", "/api/v1/contacts/imports"): {"name": "customers", "dry_run": False},
    ("POST", "/api/v1/phone-numbers"): {"area_code": "415", "name": "Reception"},
    ("POST", "/api/v1/phone-numbers/search"): {"country": "US", "area_code": "415", "sms": True, "limit": 5},
    ("PATCH", "/api/v1/phone-numbers/{number_id}"): {"name": "Reception", "forward_when": "never"},
    ("POST", "/api/v1/phone-numbers/verify"): {"phone_number": "+15550100003", "channel": "sms"},
    ("POST", "/api/v1/assistants"): {"template": "receptionist", "variable_values": {
        "business_name": "Harbor Legal", "business_description": "We are a small law firm.", "opening_hours": "Monday to Friday, nine to five"}},
    ("PATCH", "/api/v1/assistants/{assistant_id}"): {"first_message": "Harbor Legal, how can I help you?"},
    ("PATCH", "/api/v1/call-templates/{call_template_id}"): {"visibility": "public"},
    ("PUT", "/api/v1/voices/preferences"): {"default_voice_id": "$VOICE_ID"},
    ("POST", "/api/v1/admin/plans"): {"name": "Basic, yearly", "price_cents": 29000, "interval": "yearly", "tier": "basic", "call_limit": 6000},
    ("PATCH", "/api/v1/admin/plans/{plan_id}"): {"price_cents": 3900},
    ("PUT", "/api/v1/admin/organizations/{organization_id}/subscription"): {"plan_id": "$PLAN_ID", "ends_at": TIME},
    ("POST", "/api/v1/admin/providers"): {"name": "Vapi, second account", "provider_type": "vapi"},
    ("PATCH", "/api/v1/admin/providers/{provider_id}"): {"priority": 1},
    ("POST", "/api/v1/call-templates"): {
        "category": "reminders", "params": {"variables": [{"name": "who", "required": True}]}, "first_message": "Hello {{who}}!",
        "targets": [{"provider_type": "vapi", "assistant": "11111111-1111-4111-8111-111111111111"}]},
    ("POST", "/api/v1/call-templates/categories/rename"): {"from": "reminders", "to": "appointments"},
    ("POST", "/api/v1/call-templates/{call_template_id}/shares"): {"email": "$NEW_EMAIL"},
    ("POST", "/api/v1/templates/{slug}/render"): {"variable_values": {
        "business_name": "Harbor Legal", "business_description": "We are a small law firm.", "opening_hours": "Monday to Friday, nine to five"}},
    ("POST", "/auth/v1/signup"): PERSON,
    ("POST", "/auth/v1/token"): {"grant_type": "password", **PERSON},
    **{("POST", "/auth/v1/" + name): ["email"] for name in ("recover", "resend", "otp", "magiclink")},
    ("POST", "/auth/v1/verify"): ["token_hash"],
    ("GET", "/auth/v1/verify"): ["token"],
    ("PUT", "/auth/v1/user"): {"data": {"full_name": "Ann Lee"}},
    ("POST", "/auth/v1/factors"): {"friendly_name": "Phone"},
    ("POST", "/auth/v1/admin/users"): {**PERSON, "email_confirm": True},
    ("PUT", "/auth/v1/admin/users/{user_id}"): {"app_metadata": {"plan": "basic"}},
    ("POST", "/auth/v1/admin/generate_link"): {"type": "magiclink", "email": "$EMAIL"},
}

# Twilio's forms, by the end of the path; each signature is made from its own.
FORMS = {
    "status": {"CallSid": "$CALL_SID", "CallStatus": "completed", "From": "+15550100001", "To": "+15550100002"},
    "message": {"MessageSid": "$MESSAGE_SID", "MessageStatus": "delivered"},
    "sms": {"MessageSid": "$MESSAGE_SID", "From": "+15550100001", "To": "+15550100002", "Body": "Hello"},
    "voice": {"CallSid": "$CALL_SID", "CallStatus": "ringing", "From": "+15550100001", "To": "+15550100002"},
    "voice/recording": {"CallSid": "$CALL_SID", "RecordingSid": "$RECORDING_SID", "RecordingStatus": "completed"},
}


def form_words(form):
    """The words of the command that send a form."""
    return [f'--data-urlencode "{name}={value}"' for name, value in {**form, "AccountSid": "$TWILIO_ACCOUNT_SID"}.items()]


# What a provider sends: headers and body.
SENT = {
    "/api/webhooks/vapi/{organization_id}": (
        ['X-Vapi-Secret: $VAPI_WEBHOOK_SECRET'],
        {"message": {"type": "status-update", "status": "ringing", "call": {"id": "$PROVIDER_CALL_ID"}}}),
    "/api/webhooks/synthflow/{organization_id}": (
        ['Synthflow-Signature: $(printf %s "$PROVIDER_CALL_ID" | openssl dgst -sha256 -hmac "$SYNTHFLOW_WEBHOOK_SECRET" -binary | base64)'],
        {"status": "completed", "call": {"call_id": "$PROVIDER_CALL_ID", "status": "completed"}}),
    "/api/webhooks/stripe": (["Stripe-Signature: $STRIPE_SIGNATURE"],
                             {"id": "evt_1", "type": "invoice.paid", "data": {"object": {"id": "in_1"}}}),
    "/api/webhooks/paddle": (["Paddle-Signature: $PADDLE_SIGNATURE"],
                             {"event_id": "evt_1", "event_type": "address.updated", "data": {"id": "add_1"}}),
}

# Who asks: the variable with the token.
TOKENS = {"api": "TOKEN", "person": "TOKEN", "operator": "OPERATOR_TOKEN", "internal": "INTERNAL_TOKEN", "local": "INTERNAL_TOKEN"}


def value_of(field):
    """What a field is given."""
    name, kind = field.get("name"), field["type"]
    if name in VALUES:
        return VALUES[name]
    if kind == "uuid":
        return "$" + name.upper()
    if kind == "enum":
        return field["values"][0]
    if kind == "int":
        return field.get("default") and int(field["default"]) or max(field.get("min", 0), 1)
    if kind == "array":
        return [members_of(field["fields"]) if field.get("fields") else value_of(field["items"]) if field.get("items") else "text"]
    if field.get("fields"):
        return members_of(field["fields"])
    return TYPES[kind]


def members_of(fields):
    """An object with what its table requires."""
    return {f["name"]: value_of(f) for f in fields if f["required"]}


def given(route, place):
    """The fields of the query or the body that the example gives."""
    fields = [f for f in route["fields"] if f["in"] == place]
    more = MORE.get((route["method"], route["path"]), {})
    wanted = {f["name"]: value_of(f) for f in fields if f["required"] or (isinstance(more, list) and f["name"] in more)}
    if isinstance(more, dict):
        wanted.update({f["name"]: more[f["name"]] for f in fields if f["name"] in more})
    if place == "body" and route["method"] == "PATCH" and not wanted and fields:
        wanted = {fields[0]["name"]: value_of(fields[0])}
    return wanted


def token_of(route):
    """The variable with the token that the route asks for; None: it asks for none."""
    if route["access"] == "public" and {"unauthenticated", "no_authorization"}.intersection(route.get("errors", ())):
        return "SERVICE_TOKEN" if "not_admin" in route["errors"] else "TOKEN"
    return TOKENS.get(route["access"])


def address(route):
    """The URL, with variables in its path."""
    path = re.sub(r"\{(\w+)\}", lambda m: "$" + m[1].upper(), route["path"])
    query = "&".join(f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in given(route, "query").items())
    return f'"$API_URL{path}{"?" + query if query else ""}"'


def body_words(body):
    """The words of the command that send JSON, and the lines that follow it."""
    text = json.dumps(body, ensure_ascii=False, indent=2 if len(json.dumps(body)) > 90 else None)
    if "$" not in text and "\n" not in text and "'" not in text:
        return [f"--json '{text}'"], ""
    return ["--json @- <<'JSON'" if "$" not in text else "--json @- <<JSON"], f"\n{text}\nJSON"


def curl(route):
    """The command, as it is printed: one or several lines."""
    words, after = [address(route)], ""
    token = token_of(route)
    if token:
        words.append(f'-H "Authorization: Bearer ${token}"')
    headers, body = SENT.get(route["path"], ((), given(route, "body")))
    words += [f'-H "{header}"' for header in headers]
    form = FORMS.get(route["path"].removeprefix("/api/webhooks/twilio/"))
    if form:
        words += ['-H "X-Twilio-Signature: $TWILIO_SIGNATURE"', *form_words(form)]
    elif (route.get("raw") or route.get("stream")) and route["path"] not in SENT:
        words += [f'-H "Content-Type: {route.get("body_type", "text/csv")}"', '--data-binary "@$FILE"']
    elif body or any(f["in"] == "body" for f in route["fields"]):
        words_of_body, after = body_words(body)
        words += words_of_body
    sends = any(word.startswith(("--json", "--data")) for word in words)
    method = [] if route["method"] == ("POST" if sends else "GET") else ["-X " + route["method"]]
    return " \\\n  ".join([" ".join(["curl", *method, words[0]]), *words[1:]]) + after
