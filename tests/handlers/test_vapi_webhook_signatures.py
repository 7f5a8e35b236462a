"""Every way in which Vapi can prove who it is, from the wire to the row; and those that prove nothing."""

import json
import secrets
import time

import pytest

from stack import wait_until
from stack_client import problem
from stack_hooks import Hooks, mac, vapi_event, vapi_hmac


@pytest.fixture
def hooks(stack):
    """Sends webhooks."""
    return Hooks(stack)


@pytest.fixture
def body():
    """An event like no other."""
    return json.dumps(vapi_event("status-update.ringing", secrets.token_hex(8)), ensure_ascii=False).encode()


def credential(stack, who, secret, kind="hmac", **columns):
    """A row of webhook_secrets."""
    stack.insert("webhook_secrets", organization_id=who.organization, provider="vapi", kind=kind, secret=secret,
                 **{"config": {}, **columns})


def taken(hooks, who, body, headers, signer):
    """The event is taken, with that signer on its row."""
    before = hooks.stack.count("webhook_events")
    hooks.vapi(who.organization, body, headers)
    assert hooks.stack.count("webhook_events") == before + 1
    assert hooks.stack.value("select signer from webhook_events order by id desc limit 1") == signer


def refused(hooks, who, body, headers):
    """The event is refused and nothing of it is kept."""
    before = hooks.stack.count("webhook_events")
    problem(hooks.send("vapi", who.organization, body, headers), 401, "signature_invalid")
    assert hooks.stack.count("webhook_events") == before


def test_the_installations_secret_as_a_header(stack, hooks, alice, body):
    taken(hooks, alice, body, {"X-Vapi-Secret": stack.secrets["vapi"]}, "installation")
    for wrong in (stack.secrets["vapi"][:-1], stack.secrets["vapi"] + "x", stack.secrets["vapi"].upper(), "x"):
        refused(hooks, alice, body, {"X-Vapi-Secret": wrong})


def test_the_installations_secret_as_a_bearer(stack, hooks, alice, body):
    taken(hooks, alice, body, {"Authorization": f"bearer {stack.secrets['vapi']}"}, "installation")
    refused(hooks, alice, body, {"Authorization": stack.secrets["vapi"]})
    refused(hooks, alice, body, {"Authorization": f"Basic {stack.secrets['vapi']}"})


def test_the_installations_secret_as_an_hmac_with_a_time(stack, hooks, alice, body):
    good = vapi_hmac(stack.secrets["vapi"], body)
    refused(hooks, alice, body + b" ", good)
    refused(hooks, alice, body, {**good, "x-timestamp": str(int(good["x-timestamp"]) + 1)})
    refused(hooks, alice, body, {"x-signature": good["x-signature"]})
    for seconds in (-400, 400):
        refused(hooks, alice, body, vapi_hmac(stack.secrets["vapi"], body, at=time.time() + seconds))
    refused(hooks, alice, body, {**good, "x-signature": good["x-signature"][:-1]})
    refused(hooks, alice, body, {**good, "x-signature": ""})
    taken(hooks, alice, body, good, "installation")


def test_the_older_header_over_the_body_alone(stack, hooks, alice, body):
    good = {"x-vapi-signature": mac(stack.secrets["vapi"], body).hex()}
    refused(hooks, alice, body.replace(b"ringing", b"ended"), good)
    refused(hooks, alice, body, {"x-vapi-signature": mac("another", body).hex()})
    taken(hooks, alice, body, good, "installation")


def test_two_secrets_of_the_installation_are_good_while_one_is_changed(stack, hooks, alice, body):
    old, new = stack.secrets["vapi"], "new-" + secrets.token_hex(8)
    stack.start_program("vapi-webhook", env={"VAPI_WEBHOOK_SECRET": f"{new}, {old}"})
    taken(hooks, alice, body, {"X-Vapi-Secret": new}, "installation")
    other = json.dumps(vapi_event("status-update.ringing", "other")).encode()
    taken(hooks, alice, other, vapi_hmac(old, other), "installation")
    refused(hooks, alice, body, {"X-Vapi-Secret": f"{new}, {old}"})
    stack.start_program("vapi-webhook")


def test_without_any_secret_nobody_gets_in(stack, hooks, alice, body):
    stack.start_program("vapi-webhook", env={"VAPI_WEBHOOK_SECRET": ""})
    for headers in ({}, {"X-Vapi-Secret": ""}, {"Authorization": "Bearer "}, vapi_hmac("", body),
                    {"x-vapi-signature": mac("", body).hex()}, {"X-Vapi-Secret": stack.secrets["vapi"]}):
        refused(hooks, alice, body, headers)
    stack.start_program("vapi-webhook")


CREDENTIALS = {
    "defaults": {},
    "sha512": {"algorithm": "sha512"},
    "sha1": {"algorithm": "sha1"},
    "prefix": {"signaturePrefix": "v1="},
    "own-headers": {"signatureHeader": "x-my-signature", "timestampHeader": "x-my-time"},
    "base64": {"signatureEncoding": "base64"},
    "other-format": {"payloadFormat": "{timestamp}:{method}:{body}"},
    "svix": {"signatureHeader": "webhook-signature", "timestampHeader": "webhook-timestamp", "signaturePrefix": "v1,",
             "messageIdHeader": "webhook-id", "payloadFormat": "{svix-id}.{timestamp}.{body}",
             "signatureEncoding": "base64", "secretIsBase64": True},
    "body-only": {"payloadFormat": "{body}", "includeTimestamp": False},
}


@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_credential_of_the_organization_signs_by_its_own_rules(stack, hooks, alice, bob, body, name):
    config = CREDENTIALS[name]
    secret = "c2VjcmV0IG9mIGFsaWNl" if config.get("secretIsBase64") else "alice's secret"
    credential(stack, alice, secret, config=config)
    good = vapi_hmac(secret, body, config)
    header = config.get("signatureHeader", "x-signature")
    refused(hooks, alice, body + b" ", good)
    refused(hooks, alice, body, {**good, header: good[header][::-1]})
    refused(hooks, alice, body, vapi_hmac("Ym9i" if config.get("secretIsBase64") else "bob", body, config))
    refused(hooks, bob, body, good)
    if config.get("includeTimestamp", True):
        refused(hooks, alice, body, vapi_hmac(secret, body, config, at=time.time() - 400))
    taken(hooks, alice, body, good, "organization")


def test_a_bearer_credential_with_a_header_of_its_own(stack, hooks, alice, body):
    credential(stack, alice, "alice's token", kind="bearer", config={"headerName": "X-Alice", "bearerPrefixEnabled": False})
    refused(hooks, alice, body, {"X-Alice": "Bearer alice's token"})
    refused(hooks, alice, body, {"Authorization": "Bearer alice's token"})
    taken(hooks, alice, body, {"X-Alice": "alice's token"}, "organization")


def test_several_secrets_are_valid_at_once_and_one_whose_time_is_over_is_not(stack, hooks, alice, body):
    credential(stack, alice, "old", kind="bearer", valid_until="2020-01-01T00:00:00Z")
    credential(stack, alice, "current", kind="bearer", valid_until="2099-01-01T00:00:00Z")
    credential(stack, alice, "next", kind="hmac")
    refused(hooks, alice, body, {"Authorization": "Bearer old"})
    taken(hooks, alice, body, {"Authorization": "Bearer current"}, "organization")
    other = json.dumps(vapi_event("status-update.ringing", "other")).encode()
    taken(hooks, alice, other, vapi_hmac("next", other), "organization")


def test_a_secret_written_by_hand_is_sealed_by_the_pump_and_still_opens(stack, hooks, alice, body):
    credential(stack, alice, "by hand", kind="bearer")
    assert stack.pump()["sealed"] == 1
    sealed = stack.value("select secret from webhook_secrets")
    assert sealed.startswith("sealed:") and "by hand" not in sealed
    taken(hooks, alice, body, {"Authorization": "Bearer by hand"}, "organization")


def test_a_secret_sealed_for_another_purpose_or_under_another_key_opens_nothing(stack, hooks, alice, body):
    stack.provider("vapi", api_key="moved here")
    stack.pump()
    moved = stack.value("select api_key from call_service_providers")
    assert moved.startswith("sealed:")
    credential(stack, alice, moved, kind="bearer")
    credential(stack, alice, "sealed:1:gone:AAAA", kind="bearer")
    credential(stack, alice, "good", kind="bearer")
    for word in ("moved here", moved, "sealed:1:gone:AAAA"):
        refused(hooks, alice, body, {"Authorization": f"Bearer {word}"})
    taken(hooks, alice, body, {"Authorization": "Bearer good"}, "organization")


@pytest.mark.parametrize("config", [{"payloadFormat": "{timestamp}"}, {"payloadFormat": "constant"},
                                    {"algorithm": "md5"}, {"signatureEncoding": "none"}], ids=str)
def test_a_credential_that_proves_nothing_about_the_body_is_not_believed(stack, hooks, alice, body, config):
    credential(stack, alice, "secret", config=config)
    signed = vapi_hmac("secret", body, {**config, "algorithm": "md5" if "algorithm" in config else "sha256",
                                        "signatureEncoding": "hex"})
    refused(hooks, alice, body, signed)


def test_a_new_secret_is_known_within_a_second_to_a_program_that_remembers_the_old_ones(hooks, stack, alice, body):
    credential(stack, alice, "old", kind="bearer")
    taken(hooks, alice, body, {"Authorization": "Bearer old"}, "organization")
    credential(stack, alice, "fresh", kind="bearer")
    wait_until(lambda: hooks.send("vapi", alice.organization, body, {"Authorization": "Bearer fresh"}).status_code == 200,
               what="the new secret")


def test_the_providers_own_signature_reaches_the_call(stack, alice):
    """The sandbox signs as Vapi does for a customer's server: a credential of the organization, no call token."""
    hooks = Hooks(stack)
    credential(stack, alice, "alice's own", config={"signaturePrefix": "sha256="})
    stack.provider("vapi", silence_seconds=3600, report_grace_seconds=3600)
    stack.template()
    stack.sandbox.rule({"lose": True}, provider="vapi", operation="webhook")
    call, = stack.schedule(1, alice)
    with stack.pumping():
        wait_until(lambda: any(c["finished"] for c in stack.sandbox.calls()), what="the end of the call")
    attempt = stack.attempts(call)[0]
    event = json.dumps(vapi_event("end-of-call-report", attempt.provider_call_id)).encode()
    taken(hooks, alice, event, vapi_hmac("alice's own", event, {"signaturePrefix": "sha256="}), "organization")
    assert stack.call(call).status == "in-progress", "an organization knows its own secret: the provider is asked"
    stack.drain()
    assert stack.call(call).status == "completed"
    stack.invariants()
