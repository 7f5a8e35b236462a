"""The sandbox takes mails as Resend and as a mail server do, and misbehaves when told to."""
import json
import smtplib
import socket
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from client import Process
from sandbox_helpers import fixture, until

TO = "owner@example.com"
MESSAGE = (b"From: =?UTF-8?B?Wm/Dqw==?= <no-reply@example.com>\r\nTo: owner@example.com\r\n"
           b"Subject: =?UTF-8?B?R3LDvMOfZQ==?=\r\nMessage-ID: <1@example.com>\r\n"
           b"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"b\"\r\n\r\n"
           b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
           b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=2E caf=C3=A9\r\n.\r\n\r\n"
           b"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>x</p>\r\n--b--\r\n")


def send(box, body=None, key=None, token="re_1", timeout=20, **headers):
    """POST /emails."""
    headers = {"Authorization": f"Bearer {token}", **headers,
               **({} if key is None else {"Idempotency-Key": key})}
    return requests.post(box.resend_url + "/emails", timeout=timeout, headers=headers,
                         json=fixture("resend/email.send.request") if body is None else body)


def says(answer, name):
    """The answer is the recorded error."""
    want = fixture("resend/error." + name)
    assert answer.status_code == want["statusCode"], answer.text
    assert answer.json()["name"] == want["name"] and set(answer.json()) == set(want)


# ---- Resend ----------------------------------------------------------------


def test_resend_takes_the_recorded_request_and_answers_in_the_recorded_shape(box):
    r = send(box)
    assert r.status_code == 200 and set(r.json()) == set(fixture("resend/email.send.response.200"))
    assert r.headers["ratelimit-limit"] == "2" and "ratelimit-remaining" in r.headers
    mail, = box.mails(to=TO)
    assert (mail["via"], mail["subject"], mail["text"], mail["html"]) == (
        "resend", "Your weekly call report", "12 calls", "<p>12 calls</p>")
    shown = requests.get(f"{box.resend_url}/emails/{r.json()['id']}", timeout=20,
                         headers={"Authorization": "Bearer re_1"})
    assert set(shown.json()) == set(fixture("resend/email.get.response.200"))
    assert box.mails(to="stranger@example.com") == [] and box.mails(via="smtp") == []


def test_resend_refuses_what_the_real_one_refuses(box):
    good = fixture("resend/email.send.request")
    for name in ("from", "to", "subject"):
        says(send(box, {k: v for k, v in good.items() if k != name}), "422.missing_required_field")
    says(send(box, []), "400.validation_error")
    assert send(box, {**good, "from": "nobody"}).json()["name"] == "invalid_from_address"
    assert send(box, {**good, "to": ["nobody"]}).status_code == 422
    says(requests.post(box.resend_url + "/emails", timeout=20, json=good), "401.missing_api_key")
    says(send(box, token="bad"), "403.invalid_api_key")
    says(requests.get(box.resend_url + "/nowhere", timeout=20), "404.not_found")
    assert requests.put(box.resend_url + "/emails", timeout=20).status_code == 405
    assert send(box, **{"User-Agent": ""}).status_code == 403
    box.settings(resend_domains=["other.example"])
    unverified = send(box)
    assert unverified.status_code == 403 and unverified.json()["name"] == "validation_error"
    assert box.mails() == []


def test_resend_sends_once_for_a_key(box):
    first, again = send(box, key="k1"), send(box, key="k1")
    assert first.json() == again.json() and len(box.mails()) == 1
    other = {**fixture("resend/email.send.request"), "subject": "Other"}
    says(send(box, other, key="k1"), "409.invalid_idempotent_request")
    assert send(box, other, key="k2").status_code == 200 and len(box.mails()) == 2
    says(send(box, key="k" * 257), "400.invalid_idempotency_key")
    says(send(box, key=""), "400.invalid_idempotency_key")
    assert [m["key"] for m in box.mails()] == ["k1", "k2"]


def test_resend_refuses_the_same_key_while_it_is_under_way(box):
    with ThreadPoolExecutor(1) as pool, box.holding("before", provider="resend"):
        first = pool.submit(send, box, key="k")
        until(box.held)
        says(send(box, key="k"), "409.concurrent_idempotent_requests")
        box.release()
        assert first.result(20).status_code == 200 and len(box.mails()) == 1


def test_resend_keeps_no_refusal_under_a_key(box):
    box.rule({"status": 500}, provider="resend", times=1)
    says(send(box, key="k"), "500.internal_server_error")
    assert send(box, key="k").status_code == 200 and len(box.mails()) == 1


def test_resend_has_limits(box):
    box.settings(resend_per_second=1, resend_per_day=2)
    assert send(box).status_code == 200
    fast = send(box)
    says(fast, "429.rate_limit_exceeded")
    assert fast.headers["retry-after"] == "1" and fast.headers["ratelimit-remaining"] == "0"
    box.settings(resend_per_second=None)
    assert send(box).status_code == 200
    says(send(box), "429.daily_quota_exceeded")


@pytest.mark.parametrize("accept", [False, True])
def test_resend_is_silent_or_breaks_off(box, accept):
    box.rule({"answer": "hang", "accept": accept}, provider="resend", number=TO, times=1)
    box.rule({"answer": "reset", "accept": accept}, provider="resend", number=TO, nth=2)
    box.rule({"answer": "cut", "accept": accept}, provider="resend", number=TO, nth=3)
    for _ in range(3):
        with pytest.raises(requests.RequestException):
            send(box, key="k", timeout=0.5).json()
        until(lambda: send(box, {}, key="k", token="bad").status_code != 409)
    assert len(box.mails()) == accept
    assert send(box, key="k").status_code == 200 and len(box.mails()) == 1


# ---- SMTP --------------------------------------------------------------------


def client_of(box):
    """A connection to the mail server."""
    return smtplib.SMTP("127.0.0.1", box.health()["smtp_port"], timeout=10)


def test_smtp_takes_a_mail_and_shows_it_decoded(box):
    with client_of(box) as smtp:
        smtp.sendmail("bounce@example.com", [TO], MESSAGE)
        smtp.sendmail("bounce@example.com", ["second@example.com"], MESSAGE)
    mail, = box.mails(to=TO)
    assert (mail["via"], mail["subject"], mail["text"], mail["html"]) == (
        "smtp", "Grüße", ". café\n.\n", "<p>x</p>")
    assert mail["from"] == "Zoë <no-reply@example.com>" and mail["message_id"] == "<1@example.com>"
    assert mail["envelope_from"] == "bounce@example.com" and mail["defects"] == []
    assert len(box.mails()) == 2


def test_smtp_wants_a_name_when_it_is_told_to(box):
    box.settings(smtp_user="me", smtp_password="word")
    with client_of(box) as smtp:
        with pytest.raises(smtplib.SMTPSenderRefused):
            smtp.sendmail("a@example.com", [TO], MESSAGE)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login("me", "wrong")
        smtp.login("me", "word")
        smtp.sendmail("a@example.com", [TO], MESSAGE)
    assert len(box.mails()) == 1


@pytest.mark.parametrize("operation", ["connect", "ehlo", "mail", "rcpt", "data", "create"])
def test_smtp_misbehaves_where_it_is_told_to(box, operation):
    def attempt():
        with client_of(box) as smtp:
            smtp.timeout = 1
            smtp.sendmail("a@example.com", [TO], MESSAGE)

    for action in ({"status": 451, "body": "4.3.0 later"}, {"answer": "reset"}, {"answer": "cut"}):
        box.rule({**action, "accept": False}, provider="smtp", operation=operation)
        with pytest.raises((smtplib.SMTPException, OSError)):
            attempt()
        box.clear_rules()
    assert box.mails() == []
    attempt()
    assert len(box.mails()) == 1


def test_smtp_may_take_a_mail_and_not_say_so(box):
    box.rule({"answer": "cut", "accept": True}, provider="smtp", number=TO)
    with client_of(box) as smtp, pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
        smtp.sendmail("a@example.com", [TO], MESSAGE)
    assert len(box.mails(to=TO)) == 1


def test_smtp_may_be_silent_until_it_is_reset(box):
    box.rule({"answer": "hang"}, provider="smtp", operation="rcpt")
    with socket.create_connection(("127.0.0.1", box.health()["smtp_port"]), 10) as s:
        s.sendall(b"EHLO x\r\nMAIL FROM:<a@b.co>\r\nRCPT TO:<c@d.ee>\r\n")
        s.settimeout(0.3)
        with pytest.raises(TimeoutError):
            while s.recv(4096):
                pass
        box.reset()
        s.settimeout(10)
        assert s.recv(4096) == b""


def test_smtp_speaks_tls(tmp_path):
    pem = tmp_path / "cert.pem"
    make_certificate(pem)
    trust = ssl.create_default_context(cafile=str(pem))
    with Process(tmp_path, 0, "--smtp-tls", str(pem)) as box:
        ports = box.health()
        with smtplib.SMTP("127.0.0.1", ports["smtp_port"], timeout=10) as smtp:
            smtp.starttls(context=trust)
            smtp.sendmail("a@example.com", [TO], MESSAGE)
        with smtplib.SMTP_SSL("127.0.0.1", ports["smtps_port"], timeout=10, context=trust) as smtp:
            smtp.sendmail("a@example.com", [TO], MESSAGE)
        assert len(box.mails()) == 2


def make_certificate(pem):
    """One for 127.0.0.1, with its key, that nobody else has signed."""
    key = pem.with_suffix(".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=127.0.0.1", "-days",
                    "2", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", pem],
                   check=True, capture_output=True)
    pem.write_text(pem.read_text() + key.read_text())


def test_rules_about_mails_are_checked(box):
    for rule in ({"match": {"provider": "smtp", "operation": "list"}, "action": {"status": 1}},
                 {"match": {"provider": "smtp"}, "action": {"outcome": "busy"}},
                 {"match": {"provider": "resend", "operation": "rcpt"}, "action": {"status": 1}}):
        answer = requests.post(box.url + "/_sandbox/rules", timeout=20, data=json.dumps(rule))
        assert answer.status_code == 400, answer.text
