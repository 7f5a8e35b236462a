"""What a call looks like at Vapi and at SynthFlow: the JSON of answers and webhooks."""
from datetime import datetime, timezone
import time

LINES = (("bot", "Hello, this is Riley from Example Dental. Am I speaking with the right person?"),
         ("user", "Yes, you are."),
         ("bot", "Your appointment is on Tuesday at ten. Goodbye."))
SUMMARY = "The person confirmed the appointment on Tuesday at ten."
VOICEMAIL = (("bot", "Hello, this is a message from Example Dental. Please call us back."),)
STORE = "https://storage.example.invalid/"
COSTS = (("transport", "transport", {"provider": "twilio"}, 0.0042),
         ("transcriber", "stt", {"transcriber": {"provider": "deepgram", "model": "nova-3"}},
          0.0031),
         ("model", "llm", {"model": {"provider": "openai", "model": "gpt-4o"},
                           "promptTokens": 1204, "completionTokens": 88}, 0.0125),
         ("voice", "tts", {"voice": {"provider": "vapi", "voiceId": "Elliot"},
                           "characters": 214}, 0.0048),
         ("vapi", "vapi", {"subType": "normal"}, 0.015))


def iso(seconds):
    """ISO 8601 in UTC with milliseconds."""
    text = datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def millis(seconds):
    """Epoch milliseconds."""
    return int(seconds * 1000)


def lines(call):
    """What was said: a talk, a message after the tone, or nothing."""
    if not call.started:
        return ()
    return VOICEMAIL if "voicemail" in call.outcome.reason else LINES


# ---- Vapi ------------------------------------------------------------------


def vapi_call(call, settings):
    """A call as it is embedded in a webhook: without results and without control."""
    body = call.body
    out = {"id": call.id, "orgId": settings["vapi_org_id"], "createdAt": iso(call.created),
           "updatedAt": iso(call.updated), "type": "inboundPhoneCall" if call.inbound else "outboundPhoneCall", "status": call.status,
           "cost": 0}
    for key in ("assistantId", "assistant", "assistantOverrides", "squadId", "squad",
                "workflowId", "workflow", "phoneNumberId", "phoneNumber", "customer", "name",
                "schedulePlan"):
        if key in body:
            out[key] = body[key]
    out["phoneCallTransport"] = "pstn"
    out["phoneCallProvider"] = "twilio"
    return out


def vapi_answer(call, settings, base):
    """A call as the API shows it."""
    out = vapi_call(call, settings)
    if call.started:
        out["startedAt"] = iso(call.started)
    if not call.ended:
        out["monitor"] = {"listenUrl": base.replace("http", "ws", 1) + f"/{call.id}/listen",
                          "controlUrl": base + f"/{call.id}/control"}
        return out
    out.update(vapi_result(call))
    if call.outcome.reason.endswith("concurrency-limit-reached"):
        out["endedMessage"] = "concurrency limit reached"
    if call.started:
        out["costBreakdown"] = vapi_breakdown(call)
        out["messages"] = out["artifact"]["messages"]
    return out


def vapi_breakdown(call):
    """The cost by part."""
    out = {name: cost for _, name, _, cost in COSTS}
    out.update(total=vapi_cost(call), llmPromptTokens=1204, llmCompletionTokens=88,
               ttsCharacters=214)
    return out


def vapi_cost(call):
    """What the call has cost in dollars."""
    return round(sum(c[3] for c in COSTS), 4) if call.started else 0


def vapi_result(call):
    """What an ended call has that the report and the answer share."""
    out = {"endedReason": call.outcome.reason, "endedAt": iso(call.ended), "cost": vapi_cost(call)}
    if not call.started:
        return {**out, "analysis": {}, "artifact": {"messages": [], "transcript": ""}}
    minutes = round((call.ended - call.started) / 60, 4)
    return {**out, "startedAt": iso(call.started),
            "costs": [{"type": t, **more, "cost": cost} if t in ("model", "voice")
                      else {"type": t, **more, "minutes": minutes, "cost": cost}
                      for t, _, more, cost in COSTS],
            "analysis": {"summary": SUMMARY, "structuredData": {"confirmed": True},
                         "successEvaluation": "true"},
            "artifact": vapi_artifact(call)}


def vapi_artifact(call):
    """Transcript, messages and recordings. The signed addresses differ at every call of this."""
    said, file, now = lines(call), STORE + call.id, time.time()
    token = f"?X-Amz-Expires=3600&X-Amz-Signature={millis(now * 1000):016x}"
    mono = {part + "Url": f"{file}-{name}.wav" for part, name in (
        ("combined", "mono"), ("assistant", "assistant"), ("customer", "customer"))}
    return {
        "messages": vapi_messages(call),
        "messagesOpenAIFormatted": vapi_openai(call),
        "transcript": "".join(("AI: " if r == "bot" else "User: ") + t + "\n" for r, t in said),
        "recordingUrl": file + "-mono.wav", "stereoRecordingUrl": file + "-stereo.wav",
        "recording": {"stereoUrl": file + "-stereo.wav", "mono": mono},
        "presignedMonoUrl": file + "-mono.wav" + token,
        "presignedStereoUrl": file + "-stereo.wav" + token,
        "presignedUrlsExpiresAt": iso(now + 3600), "logUrl": file + ".jsonl.gz",
        "variableValues": call.body.get("assistantOverrides", {}).get("variableValues", {}),
        "structuredOutputs": {},
    }


def vapi_messages(call):
    """The talk as Vapi's list of messages."""
    start = call.started or call.created
    said = lines(call)
    step = ((call.ended or time.time()) - start) / (len(said) + 1)
    out = [{"role": "system", "message": "You are Riley.", "time": millis(start),
            "secondsFromStart": 0}]
    for n, (role, text) in enumerate(said):
        at = start + n * step
        one = {"role": role, "message": text, "time": millis(at), "endTime": millis(at + step),
               "secondsFromStart": round(at - start, 3), "duration": millis(step)}
        out.append({**one, "source": ""} if role == "bot" else one)
    return out


def vapi_openai(call):
    """The talk in OpenAI's form."""
    return [{"role": "system", "content": "You are Riley."}] + [
        {"role": "assistant" if r == "bot" else "user", "content": t} for r, t in lines(call)]


def vapi_copies(call):
    """What real reports repeat at the top level, though the specification does not say so."""
    if not call.started:
        return {}
    result = vapi_result(call)
    art, seconds = result["artifact"], call.ended - call.started
    return {"summary": SUMMARY, "transcript": art["transcript"], "messages": art["messages"],
            "costBreakdown": vapi_breakdown(call), "durationMs": millis(seconds),
            "durationSeconds": round(seconds, 3), "durationMinutes": round(seconds / 60, 4),
            "recordingUrl": art["recordingUrl"], "stereoRecordingUrl": art["stereoRecordingUrl"]}


def vapi_message(call, own, settings):
    """A whole server message: the own fields of its type and what all types have."""
    number = {"id": call.body.get("phoneNumberId"), "orgId": settings["vapi_org_id"],
              "provider": "twilio", "number": "+15550100001",
              "twilioAccountSid": "AC00000000000000000000000000000001", "name": "Main line"}
    if call.inbound:
        number = {k: call.inbound[k] for k in number if k in call.inbound}
    return {"message": {**own, "call": vapi_call(call, settings),
                        "timestamp": millis(time.time()),
                        "customer": call.body.get("customer", {}), "phoneNumber": number,
                        "assistant": {"name": "Front desk", "firstMessage": LINES[0][1]}}}


# ---- SynthFlow -------------------------------------------------------------


def synthflow_text(call):
    """The transcript as SynthFlow writes it."""
    names = {"bot": "bot", "user": "human"}
    return "".join(f"\n{names[role]}: {text}" for role, text in lines(call))


def synthflow_seconds(call):
    """Whole seconds of talk; a talk is never of no length."""
    if not (call.started and call.ended):
        return 0
    return max(1, round(call.ended - call.started))


def synthflow_state(call):
    """The status in SynthFlow's words."""
    if call.ended:
        return call.outcome.state
    return {"queued": "pending", "scheduled": "pending",
            "forwarding": "in-progress"}.get(call.status, call.status)


def synthflow_variables(call):
    """The custom variables as one object."""
    return {v.get("key"): v.get("value") for v in call.body.get("custom_variables") or []}


def _second(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def synthflow_common(call):
    """What a read and a list item share."""
    over = call.ended is not None
    out = {"call_id": call.id, "model_id": call.body["model_id"], "campaign_type": "outbound",
           "phone_number_from": call.body.get("from_phone_number", "+15550100001"),
           "phone_number_to": call.number, "name": call.body["name"],
           "transcript": synthflow_text(call) if over else "",
           "duration": synthflow_seconds(call),
           "recording_url": STORE + call.id + ".wav" if over and call.started else None,
           "end_call_reason": call.outcome.api if over else None,
           "error_message": call.outcome.error if over else "", "executed_actions": {},
           "type_of_call": "outbound",
           "start_time": str(millis(call.started or call.created)),
           "timezone": call.body.get("lead_timezone", "America/New_York"),
           "telephony_hangup": None, "telephony_disconnect_reason": None,
           "telephony_duration": 0, "telephony_start": None, "telephony_end": None,
           "collected_variables": None}
    if over and call.started:
        out.update(telephony_hangup="callee", telephony_disconnect_reason="callee_hangup",
                   telephony_duration=millis(call.ended - call.started),
                   telephony_start=_second(call.started), telephony_end=_second(call.ended),
                   collected_variables={call.body["model_id"]: {
                       "confirmed": {"value": "yes", "collected": True}}})
    return out


def synthflow_call(call):
    """A call as GET /calls/{id} shows it."""
    return {**synthflow_common(call), "prompt_variables": synthflow_variables(call),
            "telephony_ringing_duration": millis(call.durations["ringing"]),
            "status": synthflow_state(call)}


def synthflow_item(call):
    """A call as GET /calls shows it: the state has another name, the variables are missing."""
    return {**synthflow_common(call), "call_status": synthflow_state(call),
            "judge_results": None, "lead_phone_number": call.number,
            "agents_used": [call.body["model_id"]], "lead_name": call.body["name"],
            "labels": [], "agent_phone_number": "+15550100001", "deployment_type": None,
            "recording_duration": None}


def synthflow_hook(call):
    """The body of the post-call webhook."""
    talked = bool(call.started)
    start = datetime.fromtimestamp(call.started or call.created, timezone.utc)
    return {"status": "completed", "error_message": call.outcome.error,
            "lead": {"name": call.body["name"], "phone_number": call.number,
                     "prompt_variables": synthflow_variables(call)},
            "call": {"status": synthflow_state(call), "end_call_reason": call.outcome.hook,
                     "model_id": call.body["model_id"],
                     "timezone": call.body.get("lead_timezone", "America/New_York"),
                     "call_id": call.id, "duration": synthflow_seconds(call),
                     "start_time": start.isoformat(timespec="microseconds"),
                     "transcript": synthflow_text(call),
                     "recording_url": STORE + call.id + ".wav" if talked else None},
            "executed_actions": {},
            "collected_variables": {"confirmed": {"value": "yes", "collected": True}}
            if talked else None,
            "analysis": {"call_completion": "true", "call_completion_feedback": ""}
            if talked else None}
