"""The sandbox speaks as the providers do: shapes, lists, life of a call, counters."""
import base64
import hashlib
import hmac
import json
import time

import pytest
import requests

from client import Process
from sandbox_helpers import NUMBER, fixture


def assert_same_keys(got, want, but=()):
    """Both have the same keys, but for those named."""
    assert set(got) - set(but) == set(want) - set(but)


# ---- Vapi ------------------------------------------------------------------


def test_vapi_takes_the_recorded_request_and_answers_in_the_recorded_shape(vapi):
    r = vapi.ask("POST", "/call", json=fixture("vapi/call.create.request"))
    want = fixture("vapi/call.create.response.201")
    assert r.status_code == 201
    assert_same_keys(r.json(), want)
    for part in ("monitor", "subscriptionLimits", "customer", "assistantOverrides"):
        assert_same_keys(r.json()[part], want[part])
    assert r.json()["status"] == "queued" and r.json()["name"] == want["name"]
    assert r.json()["monitor"]["controlUrl"].startswith(vapi.box.vapi_url)


def test_vapi_batch_has_results_and_errors(vapi):
    body = fixture("vapi/call.create.batch.request")
    r = vapi.ask("POST", "/call", json=body)
    want = fixture("vapi/call.create.batch.response.201")
    assert r.status_code == 201
    assert_same_keys(r.json(), want)
    assert len(r.json()["results"]) == 2
    assert r.json()["errors"][0]["customer"] == {"number": "+1555"}
    assert_same_keys(r.json()["results"][0], want["results"][0],
                     but=("assistantOverrides", "monitor"))
    assert vapi.box.dials()["attempts"] == 3 and vapi.box.dials()["dials"] == 2


def test_vapi_refuses_what_the_real_one_refuses(vapi):
    good = vapi.body()
    over = good["assistantOverrides"]
    plan = {"type": "fixed", "maxRetries": 11}
    bad = [{**good, "metadata": {}}, {**good, "name": "x" * 41}, {**good, "name": 5},
           {**good, "customer": {"number": "5551234"}}, {**good, "customer": {"number": 5}},
           {**good, "customer": {"number": NUMBER, "name": "x" * 41}}, {**good, "customers": []},
           {**good, "recipient_number": NUMBER}, {**good, "assistantOverrides": []},
           {**good, "assistantOverrides": {**over, "serverMessages": ["call-start", {}]}},
           {**good, "assistantOverrides": {"server": {"secret": "x"}}},
           {**good, "assistantOverrides": {"server": {"url": "x", "backoffPlan": plan}}},
           {**good, "assistantOverrides": {"firstMessage": 5}},
           {**good, "assistantOverrides": {"model": {"messages": []}}},
           {**good, "assistantOverrides": {"model": {"provider": "p", "model": "m", "messages": [{"role": "x"}]}}},
           {**good, "assistantOverrides": {"model": {"provider": "p", "model": "m", "systemPrompt": "x"}}},
           {**good, "schedulePlan": {"earliestAt": "soon"}},
           {k: v for k, v in good.items() if k != "assistantId"},
           {k: v for k, v in good.items() if k != "phoneNumberId"}, [], 1]
    for body in bad:
        r = vapi.ask("POST", "/call", json=body)
        assert r.status_code == 400, body
        assert_same_keys(r.json(), fixture("vapi/error.400"))
        assert isinstance(r.json()["message"], list)
    assert vapi.ask("POST", "/call", data=b"{").status_code == 400
    assert vapi.box.dials()["dials"] == 0 and vapi.box.dials()["attempts"] == len(bad) + 1


def test_vapi_errors_have_the_recorded_shape(vapi):
    for r, name in ((vapi.ask("GET", "/call", key="bad"), "vapi/error.401"),
                    (vapi.ask("GET", "/call/none"), "vapi/error.404"),
                    (vapi.ask("POST", "/call/phone", json={}), "vapi/error.404")):
        assert r.status_code == fixture(name)["statusCode"]
        assert_same_keys(r.json(), fixture(name))
    assert requests.get(vapi.box.vapi_url + "/call", timeout=10).status_code == 401
    vapi.box.settings(vapi_keys=["good"])
    assert vapi.ask("GET", "/call").status_code == 401
    assert vapi.ask("GET", "/call", key="good").status_code == 200


def test_vapi_call_ends_with_all_that_the_recorded_call_has(vapi):
    ident = vapi.start().json()["id"]
    silent = vapi.start("+15557000002").json()["id"]
    vapi.box.idle()
    got = vapi.ask("GET", f"/call/{ident}").json()
    want = fixture("vapi/call.get.ended.response.200")
    assert_same_keys(got, want)
    assert_same_keys(got["artifact"], want["artifact"])
    assert_same_keys(got["costBreakdown"], want["costBreakdown"])
    got = vapi.ask("GET", f"/call/{silent}").json()
    assert_same_keys(got, fixture("vapi/call.get.unanswered.response.200"))
    assert got["endedReason"] == "customer-did-not-answer" and "startedAt" not in got


def test_vapi_list_filters_and_pages_back(vapi):
    ids = []
    for n in range(5):
        ids.append(vapi.start(ident=f"a{n}").json()["id"])
        time.sleep(0.005)
    calls = vapi.ask("GET", "/call", params={"phoneNumberId": "p"}).json()
    assert [c["id"] for c in calls] == ids[::-1]
    page = vapi.ask("GET", "/call", params={"limit": 2}).json()
    assert [c["id"] for c in page] == [ids[4], ids[3]]
    older = vapi.ask("GET", "/call", params={"limit": 2, "createdAtLt": page[-1]["createdAt"]})
    assert [c["id"] for c in older.json()] == [ids[2], ids[1]]
    ge = vapi.ask("GET", "/call", params={"createdAtGe": calls[1]["createdAt"]}).json()
    assert [c["id"] for c in ge] == [ids[4], ids[3]]
    assert [c["id"] for c in vapi.ask("GET", f"/call?id={ids[0]}").json()] == [ids[0]]
    assert vapi.ask("GET", "/call?assistantId=other").json() == []
    assert vapi.ask("GET", "/call?limit=0").json() == []
    for wrong in ("limit=1001", "limit=x", "status=ended", "createdAtGe=today"):
        assert vapi.ask("GET", "/call?" + wrong).status_code == 400


def test_vapi_name_can_be_changed_and_nothing_else(vapi):
    ident = vapi.start().json()["id"]
    assert vapi.ask("PATCH", f"/call/{ident}", json={"name": "new"}).json()["name"] == "new"
    assert vapi.ask("PATCH", f"/call/{ident}", json={"status": "ended"}).status_code == 400
    assert vapi.ask("PATCH", f"/call/{ident}", json={"name": "x" * 41}).status_code == 400


def test_vapi_deleted_record_is_gone_but_the_call_goes_on(vapi):
    ident = vapi.start().json()["id"]
    assert vapi.ask("DELETE", f"/call/{ident}").status_code == 200
    assert vapi.ask("GET", f"/call/{ident}").status_code == 404
    assert vapi.ask("GET", "/call").json() == []
    vapi.box.idle()
    assert "status-update:ended" in vapi.receiver.kinds()


def test_vapi_recording_is_a_redirect(vapi):
    ident = vapi.start().json()["id"]
    vapi.box.idle()
    for part in ("mono-recording", "stereo-recording", "customer-recording",
                 "assistant-recording", "call-logs"):
        r = vapi.ask("GET", f"/call/{ident}/{part}", allow_redirects=False)
        assert r.status_code == 302 and ident in r.headers["Location"]
    assert vapi.ask("GET", f"/call/{ident}/other").status_code == 404


def test_vapi_call_is_ended_over_its_control_url(vapi):
    vapi.box.settings(durations={"in_progress": 60})
    call = vapi.start().json()
    url = call["monitor"]["controlUrl"]
    assert requests.post(url, json={"type": "dance"}, timeout=10).status_code == 400
    assert requests.post(url, json={"type": "end-call"}, timeout=10).status_code == 200
    vapi.box.idle(5)
    got = vapi.ask("GET", f"/call/{call['id']}").json()
    assert got["endedReason"] == "manually-canceled"
    assert requests.post(url, json={"type": "end-call"}, timeout=10).status_code == 404


def test_vapi_scheduled_call_waits_for_its_time(vapi):
    body = vapi.body()
    body["schedulePlan"] = {"earliestAt": "2999-01-01T00:00:00.000Z"}
    call = vapi.ask("POST", "/call", json=body).json()
    assert call["status"] == "scheduled"
    vapi.ask("DELETE", f"/call/{call['id']}")
    vapi.box.idle(5)
    assert vapi.box.calls()[0]["ended_reason"] == "scheduled-call-deleted"


# ---- Vapi's webhooks -------------------------------------------------------


def test_vapi_tells_each_status_and_then_reports(vapi, receiver):
    ident = vapi.start(ident="one").json()["id"]
    vapi.box.idle()
    assert receiver.kinds() == ["status-update:queued", "status-update:ringing",
                                "status-update:in-progress", "status-update:ended",
                                "end-of-call-report"]
    assert {h["X-Vapi-Secret"] for h, _, _ in receiver.got} == {"one.secret"}
    assert {m["call"]["id"] for m in receiver.messages()} == {ident}
    names = ("queued", "ringing", "in-progress", "ended")
    for got, name in zip(receiver.messages(), names):
        want = fixture("vapi/webhook.status-update." + name)["message"]
        assert_same_keys(got, want)
        assert_same_keys(got["call"], want["call"])
        assert got["call"]["status"] == name
    want = fixture("vapi/webhook.end-of-call-report.with-duplicated-top-level")["message"]
    report = receiver.messages()[-1]
    assert_same_keys(report, want)
    assert_same_keys(report["artifact"], want["artifact"])
    assert report["call"]["assistantOverrides"]["metadata"] == {"assignment_id": "one"}


def test_vapi_report_without_copies_and_of_an_unanswered_call(vapi, receiver):
    vapi.box.settings(report_copies=False)
    vapi.start()
    vapi.start("+15557000002")
    vapi.box.idle()
    reports = {m["endedReason"]: m for m in receiver.messages() if m["type"].startswith("end-")}
    assert_same_keys(reports["assistant-ended-call"],
                     fixture("vapi/webhook.end-of-call-report")["message"])
    assert_same_keys(reports["customer-did-not-answer"],
                     fixture("vapi/webhook.end-of-call-report.unanswered")["message"])


def test_vapi_sends_its_default_types_where_none_are_named(vapi, receiver):
    body = vapi.body("+15557000014")
    del body["assistantOverrides"]["serverMessages"]
    vapi.ask("POST", "/call", json=body)
    vapi.box.idle()
    kinds = receiver.kinds()
    assert {"assistant.started", "conversation-update", "speech-update:started",
            "status-update:forwarding"} <= set(kinds) and "transcript" not in kinds
    by_kind = dict(zip(kinds, receiver.messages()))
    for name in ("conversation-update", "speech-update.started", "status-update.forwarding"):
        assert_same_keys(by_kind[name.replace("update.", "update:")],
                         fixture("vapi/webhook." + name)["message"])


def test_vapi_sends_to_the_organisation_where_the_call_names_no_server(vapi, receiver):
    vapi.box.settings(vapi_webhook_url=receiver.url, vapi_webhook_headers={"X-Vapi-Secret": "org"},
                      vapi_webhook_hmac={"secretKey": "s3cret"})
    vapi.ask("POST", "/call", json=fixture("vapi/call.create.request"))
    vapi.box.idle()
    headers, raw, _ = receiver.got[0]
    text = headers["x-timestamp"].encode() + b"." + raw
    assert headers["X-Vapi-Secret"] == "org"
    assert headers["x-signature"] == hmac.new(b"s3cret", text, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("plan, most", [(None, 1), ({"type": "fixed", "maxRetries": 3,
                                                      "baseDelaySeconds": 0.01}, 4)])
def test_vapi_retries_only_by_plan(vapi, receiver, plan, most):
    receiver.answers = [503] * 20
    body = vapi.body(**({"backoffPlan": plan} if plan else {}))
    body["assistantOverrides"]["serverMessages"] = ["end-of-call-report"]
    vapi.ask("POST", "/call", json=body)
    vapi.box.idle()
    assert len(receiver.got) == most
    assert [d["attempt"] for d in vapi.box.webhooks()] == list(range(1, most + 1))
    signed = {m["artifact"]["presignedMonoUrl"] for m in receiver.messages()}
    assert len(signed) == most, "signed addresses are made anew for each delivery"


def test_vapi_retry_stops_at_success_and_at_excluded_codes(vapi, receiver):
    plan = {"type": "exponential", "maxRetries": 9, "baseDelaySeconds": 0.01,
            "excludedStatusCodes": [418]}
    receiver.answers = [500, 200]
    body = vapi.body(backoffPlan=plan)
    body["assistantOverrides"]["serverMessages"] = ["end-of-call-report"]
    vapi.ask("POST", "/call", json=body)
    vapi.box.idle()
    assert len(receiver.got) == 2
    receiver.answers = [500, 418]
    vapi.ask("POST", "/call", json=body)
    vapi.box.idle()
    assert len(receiver.got) == 4


# ---- SynthFlow -------------------------------------------------------------


def test_synthflow_takes_the_recorded_request_and_answers_in_the_recorded_shape(synthflow):
    r = synthflow.ask("POST", "/calls", json=fixture("synthflow/call.create.request"))
    want = fixture("synthflow/call.create.response.200")
    assert r.status_code == 200
    assert_same_keys(r.json(), want)
    assert_same_keys(r.json()["response"], want["response"])


def test_synthflow_read_and_list_have_the_recorded_shape(synthflow):
    ident = synthflow.start(ident="mine").json()["response"]["call_id"]
    synthflow.box.idle()
    got = synthflow.ask("GET", f"/calls/{ident}").json()
    want = fixture("synthflow/call.get.response.200")
    assert_same_keys(got["response"], want["response"])
    call = got["response"]["calls"][0]
    assert_same_keys(call, want["response"]["calls"][0])
    assert call["prompt_variables"] == {"hookswitch_assignment_id": "mine"}
    assert call["status"] == "completed" and call["start_time"].isdigit()
    got = synthflow.ask("GET", "/calls", params={"model_id": "m"}).json()["response"]
    want = fixture("synthflow/call.list.response.200")["response"]
    assert got["pagination"] == {"total_records": 1, "limit": 20, "offset": 0}
    assert_same_keys(got["calls"][0], want["calls"][0])
    assert "prompt_variables" not in got["calls"][0] and "status" not in got["calls"][0]


def test_synthflow_list_filters_and_pages(synthflow):
    ids = [synthflow.start(f"+1555700123{n}").json()["response"]["call_id"] for n in range(5)]
    synthflow.box.idle()

    def found(**query):
        r = synthflow.ask("GET", "/calls", params={"model_id": "m", **query})
        assert r.status_code == 200, r.text
        return [c["call_id"] for c in r.json()["response"]["calls"]]

    now = int(time.time() * 1000)
    assert found() == ids[::-1] and found(limit=2, offset=1) == [ids[3], ids[2]]
    assert found(lead_phone_number="+15557001232") == [ids[2]]
    assert found(call_status="completed") == ids[::-1] and found(call_status="busy") == []
    assert found(from_date=now + 1000) == [] and len(found(from_date=now - 60000)) == 5
    assert found(to_date=now - 60000) == [] and len(found(to_date=now + 1000)) == 5
    assert found(duration_min=5) == [] and found(duration_max=0) == []
    for wrong in ("limit=1", "model_id=m&limit=x", "model_id=m&status=busy"):
        assert synthflow.ask("GET", "/calls?" + wrong).status_code == 400
    assert synthflow.ask("GET", "/calls?model_id=other").json()["response"]["calls"] == []


def test_synthflow_errors_have_the_recorded_shape(synthflow):
    good = {"model_id": "m", "phone": NUMBER, "name": "n"}
    for body in ({**good, "phone": "x"}, {**good, "name": ""}, {**good, "custom_variables": {}},
                 {**good, "custom_variables": [{"key": "a", "value": 1}]}, {}, [], 1):
        r = synthflow.ask("POST", "/calls", json=body)
        assert r.status_code == 400, body
        assert_same_keys(r.json()["detail"], fixture("synthflow/error.400")["detail"])
    r = synthflow.ask("GET", "/calls/none")
    assert r.status_code == 404
    assert_same_keys(r.json()["detail"], fixture("synthflow/error.404")["detail"])
    assert synthflow.ask("GET", "/assistants/").status_code == 200
    assert synthflow.ask("GET", "/assistants/", key="bad").status_code == 401


@pytest.mark.parametrize("number, name, status", [
    (NUMBER, "completed", "completed"), ("+15557000002", "no-answer", "no-answer"),
    ("+15557000004", "voicemail", "left_voicemail"), ("+15557000005", "failed", "failed")])
def test_synthflow_webhook_has_the_recorded_shape_and_signs_the_call_id(
        synthflow, receiver, number, name, status):
    ident = synthflow.start(number).json()["response"]["call_id"]
    synthflow.box.idle()
    (headers, raw, _), = receiver.got
    got, want = json.loads(raw), fixture("synthflow/webhook.post-call." + name)
    assert_same_keys(got, want)
    assert_same_keys(got["call"], want["call"])
    assert got["call"]["status"] == status and got["call"]["call_id"] == ident
    mac = hmac.new(b"synthflow-sandbox-secret", ident.encode(), hashlib.sha256).digest()
    assert headers["Synthflow-Signature"] == base64.b64encode(mac).decode()


# ---- counters and process --------------------------------------------------


def test_dials_are_counted_by_assignment_and_number_in_their_order(vapi, synthflow):
    vapi.start(ident="a")
    vapi.start(ident="a")
    vapi.start("+15557001111", ident="b", timeout=20)
    synthflow.start("+15557001111", ident="c")
    vapi.ask("POST", "/call", json={"name": "d"})
    dials = vapi.box.dials()
    assert dials["by_assignment"] == {"a": 2, "b": 1, "c": 1}
    assert dials["by_number"] == {NUMBER: 2, "+15557001111": 2}
    assert [o["assignment_id"] for o in dials["order"]] == ["a", "a", "b", "c"]
    assert dials["attempts"] == 5 and dials["attempts_by_assignment"]["d"] == 1
    assert dials["max_live"]["vapi"] == 3 and dials["max_live"]["synthflow"] == 1


def test_a_call_without_assignment_id_is_counted_by_its_name(vapi):
    vapi.ask("POST", "/call", json=fixture("vapi/call.create.request"))
    assert vapi.box.dials()["by_assignment"] == {"hs-42-000000000001": 1}


def test_reset_forgets_everything_but_the_first_settings(vapi):
    vapi.box.rule({"status": 500})
    vapi.start()
    vapi.box.reset(answer_delay=0.001)
    assert vapi.box.dials()["attempts"] == 0 and vapi.box.calls() == [] == vapi.box.rules()
    assert vapi.box.settings()["answer_delay"] == 0.001
    assert vapi.box.settings()["durations"]["ringing"] == 0.1
    assert vapi.box.idle(1)["idle"]


def test_idle_says_when_it_takes_too_long(vapi):
    vapi.start("+15557000020")
    r = requests.post(vapi.box.url + "/_sandbox/idle?timeout=0.3", timeout=10)
    assert r.status_code == 408 and r.json()["unfinished"] == 1


def test_sigterm_ends_it_in_the_middle_of_everything(tmp_path):
    with Process(tmp_path, 0, "--set", "vapi_limit=3") as box:
        assert box.settings()["vapi_limit"] == 3
        body = {"assistantId": "a", "phoneNumberId": "p", "customer": {"number": "+15557000020"},
                "assistantOverrides": {"server": {"url": "http://127.0.0.1:9/"}}}
        for _ in range(20):
            requests.post(box.vapi_url + "/call", json=body, timeout=10,
                          headers={"Authorization": "Bearer k"})
        hanging = requests.Session()
        box.rule({"answer": "hang"})
        with pytest.raises(requests.Timeout):
            hanging.post(box.vapi_url + "/call", json=body, timeout=0.1,
                         headers={"Authorization": "Bearer k"})
        assert box.stop() == 0


def test_a_wrong_setting_is_named_and_nothing_starts(tmp_path):
    with pytest.raises(RuntimeError):
        Process(tmp_path, 0, "--set", "vapi_limits=3")
