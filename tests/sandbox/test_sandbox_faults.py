"""The sandbox misbehaves as it is told to, and counts truly all the while."""
import json
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import pytest
import requests

import outcomes
from sandbox_helpers import ALL, NUMBER, raw_post, until

LIMIT = outcomes.LIMIT_REASON


def made(box):
    """How many telephones rang."""
    return box.dials()["dials"]


# ---- answers ---------------------------------------------------------------


@pytest.mark.parametrize("provider", ["vapi", "synthflow"])
@pytest.mark.parametrize("action, status, dials", [
    ({"status": 500}, 500, 0), ({"status": 402}, 402, 0), ({"status": 401}, 401, 0),
    ({"status": 429, "headers": {"Retry-After": 2}}, 429, 0), ({"status": 503}, 503, 0),
    ({"status": 500, "accept": True}, 500, 1), ({"status": 200, "body": {"ok": True}}, 200, 1)])
def test_a_rule_chooses_the_status(request, box, provider, action, status, dials):
    api = request.getfixturevalue(provider)
    box.rule(action, provider=provider, times=1)
    r = api.start()
    assert r.status_code == status and made(box) == dials
    assert r.headers.get("Retry-After") == ("2" if status == 429 else None)
    assert (r.json() == {"ok": True}) is ("body" in action)
    assert api.start().status_code in (200, 201) and made(box) == dials + 1
    assert box.dials()["attempts"] == 2


def test_a_rule_answers_any_body_and_headers(vapi, box):
    day = formatdate(usegmt=True)
    box.rule({"status": 429, "body": "slow down", "headers": {"Retry-After": day}})
    r = vapi.start()
    assert (r.status_code, r.text, r.headers["Retry-After"]) == (429, "slow down", day)


@pytest.mark.parametrize("provider", ["vapi", "synthflow"])
@pytest.mark.parametrize("accept", [False, True])
def test_hang_and_reset_before_and_after_accepting(request, box, provider, accept):
    api = request.getfixturevalue(provider)
    path = {"vapi": "/vapi/call", "synthflow": "/synthflow/v2/calls"}[provider]
    body = {"vapi": api.body() if provider == "vapi" else None, "synthflow":
            {"model_id": "m", "phone": NUMBER, "name": "n"}}[provider]
    box.rule({"answer": "reset", "accept": accept}, provider=provider, times=1)
    assert raw_post(box.url, path, body) == (b"", True)
    assert made(box) == int(accept)
    box.rule({"answer": "hang", "accept": accept}, provider=provider)
    with pytest.raises(requests.Timeout):
        requests.post(box.url + path, json=body, headers={"Authorization": "Bearer k"},
                      timeout=0.3)
    until(lambda: made(box) == 2 * int(accept))


def test_reset_lets_hanging_requests_go(vapi, box):
    box.rule({"answer": "hang"})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(vapi.start)
        until(lambda: box.dials()["attempts"])
        box.reset()
        with pytest.raises(requests.ConnectionError):
            waiting.result(5)


@pytest.mark.parametrize("accept", [False, True])
def test_json_that_breaks_off(vapi, box, accept):
    box.rule({"answer": "cut", "accept": accept}, times=1)
    got, _ = raw_post(box.url, "/vapi/call", vapi.body())
    head, _, text = got.partition(b"\r\n\r\n")
    promised = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    assert b" 201 " in head and 0 < len(text) < promised
    assert made(box) == int(accept)
    box.rule({"answer": "cut-complete", "accept": accept}, times=1)
    r = vapi.start()
    assert r.status_code == 201 and r.text.startswith('{"id":')
    with pytest.raises(ValueError):
        r.json()
    assert made(box) == 2 * int(accept)


@pytest.mark.parametrize("provider", ["vapi", "synthflow"])
def test_ten_megabytes(request, box, provider):
    box.rule({"answer": "huge"})
    r = request.getfixturevalue(provider).start()
    assert len(r.content) == 10 * 1024 * 1024 and len(r.json()["filler"]) > 10_000_000
    assert made(box) == 1


def ident_of(answer):
    """The id of the call in an answer of either provider."""
    return answer.get("id", answer.get("response", {}).get("call_id"))


@pytest.mark.parametrize("provider", ["vapi", "synthflow"])
def test_answers_of_the_wrong_type(request, box, provider):
    api = request.getfixturevalue(provider)
    got = {}
    for kind in ("html", "array", "number-id", "missing-id", "empty"):
        box.clear_rules()
        box.rule({"answer": kind}, times=1)
        got[kind] = api.start()
    assert got["html"].headers["Content-Type"].startswith("text/html")
    assert "<html>" in got["html"].text and got["empty"].content == b""
    assert isinstance(got["array"].json(), list) and ident_of(got["array"].json()[0])
    assert ident_of(got["number-id"].json()) == 4711
    assert ident_of(got["missing-id"].json()) is None and made(box) == 5


def test_lists_and_reads_misbehave_too(vapi, synthflow, box):
    ident = vapi.start().json()["id"]
    box.rule({"status": 500}, provider="vapi", operation="list", times=1)
    box.rule({"answer": "array"}, provider="vapi", operation="get", number=NUMBER, times=1)
    box.rule({"answer": "cut-complete"}, provider="synthflow", operation="list", times=1)
    assert vapi.ask("GET", "/call").status_code == 500
    assert len(vapi.ask("GET", "/call").json()) == 1
    assert isinstance(vapi.ask("GET", f"/call/{ident}").json(), list)
    with pytest.raises(ValueError):
        synthflow.ask("GET", "/calls?model_id=m").json()
    box.rule({"answer": "array"}, provider="vapi", operation="list")
    assert isinstance(vapi.ask("GET", "/call").json(), dict)


def test_delay_before_and_after_accepting(vapi, box):
    box.rule({"delay": 0.3}, times=1)
    began = time.monotonic()
    vapi.start()
    assert time.monotonic() - began >= 0.3
    box.clear_rules()
    box.rule({"delay_after": 0.3})
    with pytest.raises(requests.Timeout):
        vapi.start(timeout=0.1)
    until(lambda: made(box) == 2)


def test_rules_choose_by_number_count_and_chance(vapi, box):
    box.rule({"status": 500}, number=NUMBER, nth=2)
    box.rule({"status": 503}, number_regex="777$", times=1)
    assert [vapi.start().status_code for _ in range(3)] == [201, 500, 201]
    assert [vapi.start("+15557000777").status_code for _ in range(2)] == [503, 201]
    assert [(r["met"], r["fired"]) for r in box.rules()] == [(3, 1), (2, 1)]
    runs = []
    for _ in range(2):
        box.clear_rules()
        box.rule({"status": 500}, probability=0.5, seed=7)
        runs.append([vapi.start().status_code for _ in range(20)])
    assert runs[0] == runs[1] and set(runs[0]) == {500, 201}


@pytest.mark.parametrize("rule", [
    {"action": {}}, {"action": {"explode": 1}}, {"action": {"answer": "what"}}, [], 5,
    {"match": {"operation": "dance"}, "action": {"status": 1}}, {"match": {"foo": 1}},
    {"match": {"number_regex": "("}, "action": {"status": 500}},
    {"match": {"operation": "list"}, "action": {"outcome": "busy"}},
    {"action": {"statuses": ["queued"]}}, {"action": {"delay": "x"}},
    {"action": {"hold": "ever"}}, {"match": {"operation": "webhook"}, "action": {"hold": "after"}}])
def test_a_wrong_rule_is_refused(box, rule):
    r = requests.post(box.url + "/_sandbox/rules", json=rule, timeout=10)
    assert r.status_code == (201 if rule == [] else 400), r.text
    assert box.rules() == []


# ---- the concurrency limit -------------------------------------------------


@pytest.mark.parametrize("mode, status", [("429", 429), ("400", 400)])
def test_a_full_organisation_refuses(vapi, box, mode, status):
    box.settings(vapi_limit=1, vapi_limit_mode=mode, durations={"in_progress": 5})
    assert vapi.start().status_code == 201
    r = vapi.start()
    assert r.status_code == status and "oncurrency" in str(r.json()["message"])
    assert made(box) == 1 and box.dials()["max_live"]["vapi"] == 1


def test_a_full_organisation_lets_calls_wait(vapi, box):
    box.settings(vapi_limit=2)
    answers = [vapi.start().json() for _ in range(6)]
    limits = [a["subscriptionLimits"] for a in answers]
    assert [n["concurrencyBlocked"] for n in limits] == [False] * 2 + [True] * 4
    assert {a["status"] for a in answers} == {"queued"}
    assert [n["remainingConcurrentCalls"] for n in limits[:2]] == [1, 0]
    box.idle()
    assert box.dials()["max_live"]["vapi"] == 2 and made(box) == 6
    assert {c["ended_reason"] for c in box.calls()} == {"assistant-ended-call"}


@pytest.mark.parametrize("mode, status, blocked", [("blocked-ended", "ended", True),
                                                   ("ended", "queued", False)])
def test_a_call_that_the_limit_ends_rings_nowhere(vapi, box, receiver, mode, status, blocked):
    box.rule({"concurrency": mode}, times=1)
    answer = vapi.start(ident="x").json()
    assert answer["status"] == status
    assert answer["subscriptionLimits"]["concurrencyBlocked"] is blocked
    box.idle()
    assert made(box) == 0 and box.dials()["accepted_by_assignment"] == {"x": 1}
    assert vapi.ask("GET", f"/call/{answer['id']}").json()["endedReason"] == LIMIT
    assert receiver.messages()[-1]["endedReason"] == LIMIT


def test_a_blocked_call_may_run_all_the_same(vapi, box):
    box.rule({"concurrency": "blocked"}, times=1)
    answer = vapi.start().json()
    assert answer["subscriptionLimits"]["concurrencyBlocked"] and answer["status"] == "queued"
    box.idle()
    assert made(box) == 1 and box.calls()[0]["ended_reason"] == "assistant-ended-call"


def test_synthflow_has_a_limit_and_a_pace(synthflow, box):
    box.settings(synthflow_limit=1, durations={"in_progress": 5})
    assert [synthflow.start().status_code for _ in range(2)] == [200, 429]
    box.reset(synthflow_starts_per_second=1)
    assert [synthflow.start().status_code for _ in range(2)] == [200, 429]


# ---- outcomes --------------------------------------------------------------


@pytest.mark.parametrize("ending", sorted(n for n, a in outcomes.NUMBERS.items()
                                          if "outcome" in a[0]))
def test_a_number_chooses_how_its_call_ends(vapi, synthflow, box, ending):
    want = outcomes.OUTCOMES[outcomes.NUMBERS[ending][0]["outcome"]]
    vapi.start("+1555700" + ending)
    ident = synthflow.start("+1555700" + ending).json()["response"]["call_id"]
    box.idle()
    call, = box.calls(provider="vapi")
    assert call["ended_reason"] == want.reason
    assert bool(call["started"]) == ("in-progress" in want.statuses)
    got = synthflow.ask("GET", f"/calls/{ident}").json()["response"]["calls"][0]
    assert (got["status"], got["end_call_reason"]) == (want.state, want.api)


def test_numbers_choose_nothing_where_that_is_switched_off(vapi, box):
    box.settings(number_outcomes=False)
    vapi.start("+15557000001")
    box.idle()
    assert box.calls()[0]["ended_reason"] == "assistant-ended-call"


def test_a_rule_chooses_any_end_and_any_length(vapi, synthflow, box):
    box.rule({"end_reason": "call.in-progress.error-sip-telephony-provider-failed-to-connect-call",
              "durations": {"ringing": 0.0}, "talk_seconds": 18}, provider="vapi")
    box.rule({"end_status": "spam", "end_call_reason": "error", "talk_seconds": 61},
             provider="synthflow")
    vapi.start()
    ident = synthflow.start().json()["response"]["call_id"]
    box.idle()
    assert box.calls()[0]["ended_reason"].endswith("failed-to-connect-call")
    got = synthflow.ask("GET", f"/calls/{ident}").json()["response"]["calls"][0]
    assert (got["status"], got["end_call_reason"], got["duration"]) == ("spam", "error", 61)


def test_a_call_shows_up_late(vapi, synthflow, box):
    box.rule({"list_lag": 0.4, "get_lag": 0.4})
    began = time.monotonic()
    ident = vapi.start().json()["id"]
    synthflow.start()
    early = (vapi.ask("GET", "/call").json(), vapi.ask("GET", f"/call/{ident}").status_code,
             synthflow.ask("GET", "/calls?model_id=m").json()["response"]["calls"])
    assert time.monotonic() - began > 0.4 or early == ([], 404, [])
    time.sleep(max(0.0, 0.45 - (time.monotonic() - began)))
    assert len(vapi.ask("GET", "/call").json()) == 1
    assert vapi.ask("GET", f"/call/{ident}").status_code == 200
    assert len(synthflow.ask("GET", "/calls?model_id=m").json()["response"]["calls"]) == 1


# ---- webhooks --------------------------------------------------------------


@pytest.mark.parametrize("action, match, want", [
    ({"lose": True}, {}, []),
    ({"lose": True}, {"type": "status-update:ringing"}, [ALL[0]] + ALL[2:]),
    ({"lose": ["status-update:ended", "end-of-call-report"]}, {}, ALL[:3]),
    ({"lose": True}, {"times": 2}, ALL[2:]),
    ({"only": "report"}, {}, ALL[4:]),
    ({"only": "status"}, {}, ALL[:4]),
    ({"copies": 3}, {"type": "end-of-call-report"}, ALL + ALL[4:] * 2),
    ({"order": "reverse"}, {}, ALL[::-1]),
    ({"delay": 0.5}, {"type": "status-update:queued"}, ALL[1:] + ALL[:1])])
def test_webhooks_are_lost_doubled_delayed_and_reversed(vapi, box, receiver, action, match, want):
    box.rule(action, operation="webhook", **match)
    vapi.start()
    box.idle()
    assert receiver.kinds() == want


def test_webhooks_come_before_the_answer(vapi, box, receiver):
    box.rule({"early": "first"}, times=1)
    vapi.start()
    answered = time.time()
    assert receiver.got[0][2] <= answered
    box.idle()
    receiver.got.clear()
    box.clear_rules()
    box.rule({"early": "all"})
    vapi.start()
    assert receiver.kinds() == ALL


@pytest.mark.parametrize("provider, header", [("vapi", "X-Vapi-Secret"),
                                              ("synthflow", "Synthflow-Signature")])
def test_webhooks_unsigned_and_wrongly_signed(request, box, receiver, provider, header):
    api = request.getfixturevalue(provider)
    for action in ({"copies": 1}, {"sign": "none"}, {"sign": "wrong"}):
        box.clear_rules()
        box.rule(action, operation="webhook")
        api.start(ident="one")
        box.idle()
    ends = (b'"type":"end-of-call-report"', b'"lead":')
    heads = [h.get(header) for h, raw, _ in receiver.got if any(e in raw for e in ends)]
    true = box.calls()[-1]["id"] if provider == "synthflow" else None
    assert len(heads) == 3 and heads[0] and heads[1] is None
    assert heads[2] and heads[2] != heads[0] and (true is None or len(heads[2]) == 44)
    if provider == "vapi":
        assert heads[0] == "one.secret" and len(heads[2]) == len(heads[0])


@pytest.mark.parametrize("how", ["cut", "html", "empty", "array"])
def test_webhooks_are_corrupted(vapi, box, receiver, how):
    box.rule({"corrupt": how}, operation="webhook", type="end-of-call-report")
    vapi.start()
    box.idle()
    raw = receiver.got[-1][1]
    if how == "array":
        assert isinstance(json.loads(raw), list)
        return
    with pytest.raises(ValueError):
        json.loads(raw)


def test_lost_webhooks_are_sent_again_in_any_order(vapi, box, receiver):
    box.rule({"lose": True}, operation="webhook")
    ident = vapi.start().json()["id"]
    box.idle()
    assert receiver.got == [] and all(d["lost"] for d in box.webhooks())
    assert box.resend(call_id=ident, order=[4, 0, 2])["statuses"] == [200] * 3
    assert receiver.kinds() == [ALL[4], ALL[0], ALL[2]]
    receiver.got.clear()
    assert box.resend(types=["status-update"], order="reverse", times=2)["sent"] == 8
    assert receiver.kinds() == ALL[3::-1] * 2
    receiver.got.clear()
    assert box.resend(types=["end-of-call-report"], sign="none")["sent"] == 1
    assert "X-Vapi-Secret" not in receiver.got[0][0]
    assert len(box.webhooks(type="end-of-call-report", status=200)) == 2


def test_more_messages_are_sent_where_a_rule_has_them(vapi, box, receiver):
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {}}}
    box.rule({"extra": [{"type": "tool-calls", "toolCallList": [call]}]})
    vapi.start()
    box.idle()
    assert receiver.kinds().index("tool-calls") == 3
    assert receiver.messages()[3]["toolCallList"] == [call]
    assert box.webhooks(type="tool-calls")[0]["answer"] == "{}"


def test_a_dead_receiver_is_an_entry_in_the_log(vapi, box):
    body = vapi.body()
    body["assistantOverrides"]["server"] = {"url": "http://127.0.0.1:9/hook"}
    vapi.ask("POST", "/call", json=body)
    box.idle()
    assert {d["status"] for d in box.webhooks()} == {None} and box.webhooks()[0]["error"]


def test_many_calls_at_once_are_all_kept_apart(vapi, box):
    box.settings(vapi_limit=None, durations={"in_progress": 0.3})
    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(lambda n: vapi.start(ident=f"n{n}").status_code, range(200)))
    assert set(done) == {201}
    box.idle()
    dials = box.dials()
    assert len(dials["by_assignment"]) == 200 == dials["dials"]
    assert set(dials["by_assignment"].values()) == {1} and dials["live"]["vapi"] == 0
    assert len(box.webhooks(type="end-of-call-report", status=200)) == 200
