"""What Vapi would refuse: checks of the body of POST /call and of the queries of GET /call."""
import re
from datetime import datetime, timezone

TOP = {"assistantVersion", "transport", "customers", "name", "schedulePlan", "assistantId",
       "assistant", "assistantOverrides", "squadId", "squad", "squadOverrides", "workflowId",
       "workflow", "workflowOverrides", "phoneNumberId", "phoneNumber", "customerId", "customer",
       "type"}
CUSTOMER = {"numberE164CheckEnabled": None, "extension": 10, "assistantOverrides": None,
            "squadOverrides": None, "number": 40, "sipUri": None, "name": 40, "email": 40,
            "externalId": 40}
OVERRIDES = {"transcriber", "model", "voice", "firstMessage", "firstMessageInterruptionsEnabled",
             "firstMessageMode", "voicemailDetection", "clientMessages", "serverMessages",
             "maxDurationSeconds", "backgroundSound", "modelOutputInMessagesEnabled",
             "transportConfigurations", "observabilityPlan", "credentials", "hooks",
             "tools:append", "variableValues", "name", "voicemailMessage", "endCallMessage",
             "endCallPhrases", "compliancePlan", "metadata", "backgroundSpeechDenoisingPlan",
             "analysisPlan", "artifactPlan", "startSpeakingPlan", "stopSpeakingPlan",
             "monitorPlan", "credentialIds", "server", "keypadInputPlan"}
SERVER = {"timeoutSeconds", "credentialId", "staticIpAddressesEnabled", "encryptedPaths", "url",
          "headers", "backoffPlan"}
MODEL = {"provider", "model", "messages", "temperature", "maxTokens", "tools", "toolIds",
         "knowledgeBase", "emotionRecognitionEnabled", "numFastTurns", "fallbackModels"}
PLAN = {"type", "maxRetries", "baseDelaySeconds", "excludedStatusCodes"}
MESSAGES = {"assistant.started", "assistant.speechStarted", "conversation-update",
            "end-of-call-report", "function-call", "hang", "language-changed",
            "language-change-detected", "model-output", "phone-call-control", "speech-update",
            "status-update", "transcript", 'transcript[transcriptType="final"]', "tool-calls",
            "transfer-destination-request", "handoff-destination-request", "transfer-update",
            "user-interrupted", "voice-input", "chat.created", "chat.deleted", "session.created",
            "session.updated", "session.deleted", "call.deleted", "call.delete.failed",
            "call.artifact.upload"}
QUERIES = {"id", "assistantId", "phoneNumberId", "limit"} | {
    f + op for f in ("createdAt", "updatedAt") for op in ("Gt", "Lt", "Ge", "Le")}
E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)


def _unknown(value, known, path=""):
    return [f"{path}property {key} should not exist" for key in value if key not in known]


def _between(value, key, low, high, path):
    got = value.get(key, low)
    if isinstance(got, bool) or not isinstance(got, (int, float)):
        return [f"{path}{key} must be a number"]
    if not low <= got <= high:
        return [f"{path}{key} must be between {low} and {high}"]
    return []


def customer(value, path="customer."):
    """What is wrong with one customer, as a list of sentences."""
    if not isinstance(value, dict):
        return [path[:-1] + " must be an object"]
    wrong = _unknown(value, CUSTOMER, path)
    for key, most in CUSTOMER.items():
        if most and key in value:
            if not isinstance(value[key], str):
                wrong.append(f"{path}{key} must be a string")
            elif len(value[key]) > most:
                wrong.append(f"{path}{key} must be shorter than or equal to {most} characters")
    number = value.get("number")
    if number is None and "sipUri" not in value:
        wrong.append(f"{path}number must be a valid phone number in the E.164 format")
    elif isinstance(number, str) and value.get("numberE164CheckEnabled", True) \
            and not E164.fullmatch(number):
        wrong.append(f"{path}number must be a valid phone number in the E.164 format")
    return wrong + overrides(value.get("assistantOverrides", {}), path + "assistantOverrides.")


def overrides(value, path="assistantOverrides."):
    """What is wrong with assistantOverrides."""
    if not isinstance(value, dict):
        return [path[:-1] + " must be an object"]
    wrong = _unknown(value, OVERRIDES, path)
    for key in ("metadata", "variableValues", "server"):
        if key in value and not isinstance(value[key], dict):
            wrong.append(f"{path}{key} must be an object")
    if not isinstance(value.get("firstMessage", ""), str):
        wrong.append(f"{path}firstMessage must be a string")
    if "model" in value:
        wrong += model(value["model"], path + "model.")
    types = value.get("serverMessages", [])
    if not isinstance(types, list) or not all(
            isinstance(t, str) and t in MESSAGES for t in types):
        wrong.append(f"each value in {path}serverMessages must be one of the following values: "
                     + ", ".join(sorted(MESSAGES)))
    if isinstance(value.get("server"), dict):
        wrong += server(value["server"], path + "server.")
    return wrong


def model(value, path):
    """What is wrong with a model: who it is must be said, also where only its messages are meant."""
    if not isinstance(value, dict):
        return [path[:-1] + " must be an object"]
    wrong = _unknown(value, MODEL, path)
    wrong += [f"{path}{key} must be a string" for key in ("provider", "model")
              if not isinstance(value.get(key), str)]
    messages = value.get("messages", [])
    if not isinstance(messages, list) or not all(
            isinstance(m, dict) and m.get("role") in ("system", "user", "assistant")
            and isinstance(m.get("content"), str) for m in messages):
        wrong.append(f"{path}messages must be a list of role and content")
    return wrong


def server(value, path):
    """What is wrong with a server object."""
    wrong = _unknown(value, SERVER, path)
    if "url" in value and not str(value["url"]).startswith(("http://", "https://")):
        wrong.append(f"{path}url must be a URL address")
    headers = value.get("headers", {})
    if not isinstance(headers, dict) or not all(isinstance(v, str) for v in headers.values()):
        wrong.append(f"{path}headers must be an object of strings")
    if "timeoutSeconds" in value:
        wrong += _between(value, "timeoutSeconds", 1, 300, path)
    plan = value.get("backoffPlan")
    if plan is None:
        return wrong
    if not isinstance(plan, dict):
        return wrong + [f"{path}backoffPlan must be an object"]
    path += "backoffPlan."
    wrong += _unknown(plan, PLAN, path)
    if plan.get("type", "fixed") not in ("fixed", "exponential"):
        wrong.append(f"{path}type must be one of the following values: fixed, exponential")
    codes = plan.get("excludedStatusCodes", [])
    if not isinstance(codes, list):
        wrong.append(f"{path}excludedStatusCodes must be an array")
    return wrong + _between(plan, "maxRetries", 0, 10, path) \
        + _between(plan, "baseDelaySeconds", 0, 10, path)


def create(body):
    """What is wrong with the body of POST /call, apart from the members of a batch."""
    if not isinstance(body, dict):
        return ["body must be an object"]
    wrong = _unknown(body, TOP)
    name = body.get("name", "")
    if not isinstance(name, str):
        wrong.append("name must be a string")
    elif len(name) > 40:
        wrong.append("name must be shorter than or equal to 40 characters")
    if not {"assistantId", "assistant", "squadId", "squad", "workflowId", "workflow"} & set(body):
        wrong.append("Need either `assistantId`, `assistant`, `squadId`, `squad`, `workflowId`, "
                     "or `workflow`.")
    if not {"phoneNumberId", "phoneNumber"} & set(body):
        wrong.append("Need either `phoneNumberId` or `phoneNumber`.")
    if ("customer" in body) == ("customers" in body):
        wrong.append("Need either `customer` or `customers`.")
    if "customer" in body:
        wrong += customer(body["customer"])
    if "customers" in body and not (isinstance(body["customers"], list) and body["customers"]):
        wrong.append("customers must be an array that is not empty")
    wrong += overrides(body.get("assistantOverrides", {}))
    return wrong + _schedule(body.get("schedulePlan"))


def _schedule(plan):
    if plan is None:
        return []
    if not isinstance(plan, dict) or moment(plan.get("earliestAt")) is None:
        return ["schedulePlan.earliestAt must be a valid ISO 8601 date string"]
    return _unknown(plan, {"earliestAt", "latestAt"}, "schedulePlan.")


def moment(text):
    """Epoch seconds of an ISO 8601 time, None if it is none."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return (at if at.tzinfo else at.replace(tzinfo=timezone.utc)).timestamp()


def queries(query):
    """What is wrong with the parameters of GET /call."""
    wrong = _unknown(query, QUERIES)
    limit = query.get("limit", "100")
    if not re.fullmatch(r"[0-9]{1,9}", limit, re.ASCII) or int(limit) > 1000:
        wrong.append("limit must be a number between 0 and 1000")
    for key, value in query.items():
        if key in QUERIES and key[:9] in ("createdAt", "updatedAt") and moment(value) is None:
            wrong.append(f"{key} must be a valid ISO 8601 date string")
    return wrong
