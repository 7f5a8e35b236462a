"""What Vapi would refuse: checks of assistants and of phone numbers, made and changed."""
import re

import vapi_check as check

ASSISTANT = {"transcriber", "model", "voice", "firstMessage", "firstMessageInterruptionsEnabled", "firstMessageMode", "voicemailDetection",
             "clientMessages", "serverMessages", "maxDurationSeconds", "backgroundSound", "modelOutputInMessagesEnabled",
             "transportConfigurations", "observabilityPlan", "credentials", "hooks", "name", "voicemailMessage", "endCallMessage",
             "endCallPhrases", "compliancePlan", "metadata", "backgroundSpeechDenoisingPlan", "analysisPlan", "artifactPlan",
             "startSpeakingPlan", "stopSpeakingPlan", "monitorPlan", "credentialIds", "server", "keypadInputPlan"}
NUMBER = {"fallbackDestination", "hooks", "provider", "smsEnabled", "number", "twilioAccountSid", "twilioAuthToken", "twilioApiKey",
          "twilioApiSecret", "name", "assistantId", "workflowId", "squadId", "server"}
LENGTHS = {"name": 40, "voicemailMessage": 1000, "endCallMessage": 1000, "firstMessage": None}
MODES = ("assistant-speaks-first", "assistant-speaks-first-with-model-generated-message", "assistant-waits-for-user")
MODELS = {"anthropic", "anthropic-bedrock", "anyscale", "cerebras", "custom-llm", "deepinfra", "deep-seek", "google", "groq",
          "inflection-ai", "minimax", "openai", "openrouter", "perplexity-ai", "together-ai", "xai", "vapi"}
TRANSCRIBERS = {"assembly-ai", "azure", "custom-transcriber", "deepgram", "11labs", "gladia", "google", "speechmatics", "talkscriber",
                "openai", "cartesia", "soniox", "xai", "vapi"}
# By provider the members of a voice that are numbers, with their bounds, and the others; where there is none, all go through.
VOICES = {"11labs": ({"stability": (0, 1), "similarityBoost": (0, 1), "style": (0, 1), "speed": (0.7, 1.2),
                      "optimizeStreamingLatency": (0, 4)},
                     {"cachingEnabled", "useSpeakerBoost", "enableSsmlParsing", "autoMode", "model", "language", "chunkPlan",
                      "pronunciationDictionaryLocators", "fallbackPlan"}),
          "vapi": ({"speed": (0.25, 2)}, {"cachingEnabled", "version", "language", "pronunciationDictionary", "chunkPlan"}),
          "azure": ({"speed": (0.5, 2)}, {"cachingEnabled", "chunkPlan", "fallbackPlan"}),
          "openai": ({"speed": (0.25, 4)}, {"cachingEnabled", "model", "instructions", "chunkPlan", "fallbackPlan"})}
OTHER_VOICES = {"cartesia", "custom-voice", "deepgram", "hume", "lmnt", "neuphonic", "playht", "wellsaid", "rime-ai", "smallest-ai",
                "tavus", "sesame", "inworld", "minimax", "xai", "microsoft"}


def _unknown(value, known, path=""):
    return [f"{path}property {key} should not exist" for key in value if key not in known]


def _number(value, key, bounds, path=""):
    got = value.get(key, bounds[0])
    if isinstance(got, bool) or not isinstance(got, (int, float)):
        return [f"{path}{key} must be a number conforming to the specified constraints"]
    return ([f"{path}{key} must not be less than {bounds[0]}"] if got < bounds[0] else []) + (
        [f"{path}{key} must not be greater than {bounds[1]}"] if got > bounds[1] else [])


def _texts(body):
    wrong = []
    for key, most in LENGTHS.items():
        if key in body and not isinstance(body[key], str):
            wrong.append(f"{key} must be a string")
        elif most and len(body.get(key, "")) > most:
            wrong.append(f"{key} must be shorter than or equal to {most} characters")
    return wrong


def _provider(value, known, path):
    if not isinstance(value, dict):
        return [path[:-1] + " must be an object"]
    if value.get("provider") not in known:
        return [f"{path}provider must be one of the following values: " + ", ".join(sorted(known))]
    return []


def _voice(value):
    wrong = _provider(value, set(VOICES) | OTHER_VOICES, "voice.")
    if wrong:
        return wrong
    if not isinstance(value.get("voiceId"), str) or not value["voiceId"]:
        wrong.append("voice.voiceId must be a string")
    if value["provider"] not in VOICES:
        return wrong
    numbers, others = VOICES[value["provider"]]
    wrong += _unknown(value, {"provider", "voiceId", *numbers, *others}, "voice.")
    return wrong + [text for key, bounds in numbers.items() for text in _number(value, key, bounds, "voice.")]


def _phrases(value):
    if not isinstance(value, list):
        return ["endCallPhrases must be an array"]
    if all(isinstance(p, str) and 2 <= len(p) <= 140 for p in value):
        return []
    return ["each value in endCallPhrases must be longer than or equal to 2 and shorter than or equal to 140 characters"]


def _sound(value):
    known = isinstance(value, str) and (value in ("off", "office") or re.match(r"https?://.", value))
    return [] if known else ["backgroundSound must be one of the following values: off, office, or a URL address"]


def assistant(body):
    """What is wrong with the body of POST or PATCH /assistant: a list of sentences."""
    if not isinstance(body, dict):
        return ["body must be an object"]
    wrong = _unknown(body, ASSISTANT) + _texts(body) + _number(body, "maxDurationSeconds", (10, 43200))
    if body.get("firstMessageMode", MODES[0]) not in MODES:
        wrong.append("firstMessageMode must be one of the following values: " + ", ".join(MODES))
    if "model" in body:
        wrong += _provider(body["model"], MODELS, "model.") or (
            check.model(body["model"], "model.") + _number(body["model"], "temperature", (0, 2), "model."))
    if "voice" in body:
        wrong += _voice(body["voice"])
    if "transcriber" in body:
        wrong += _provider(body["transcriber"], TRANSCRIBERS, "transcriber.")
    if "endCallPhrases" in body:
        wrong += _phrases(body["endCallPhrases"])
    if "backgroundSound" in body:
        wrong += _sound(body["backgroundSound"])
    shared = {key: body[key] for key in ("metadata", "server", "serverMessages") if key in body}
    return wrong + check.overrides(shared, "")


def number(body, made):
    """What is wrong with the body of POST (made) or PATCH /phone-number."""
    if not isinstance(body, dict):
        return ["body must be an object"]
    wrong = _unknown(body, NUMBER)
    if body.get("provider", None if made else "twilio") != "twilio":
        wrong.append("provider must be one of the following values: twilio")
    for key in ("number", "twilioAccountSid"):
        if (made or key in body) and not isinstance(body.get(key), str):
            wrong.append(f"{key} must be a string")
    if made and not ("twilioAuthToken" in body or {"twilioApiKey", "twilioApiSecret"} <= set(body)):
        wrong.append("Need either `twilioAuthToken` or `twilioApiKey` and `twilioApiSecret`.")
    if isinstance(body.get("number"), str) and not check.E164.fullmatch(body["number"]):
        wrong.append("number must be a valid phone number in the E.164 format")
    if not isinstance(body.get("smsEnabled", True), bool):
        wrong.append("smsEnabled must be a boolean value")
    if not isinstance(body.get("assistantId"), (str, type(None))):
        wrong.append("assistantId must be a string")
    named = {"name": body["name"]} if "name" in body else {}
    return wrong + _texts(named) + check.overrides({"server": body["server"]} if "server" in body else {}, "")


def queries(query):
    """What is wrong with the parameters of a list: those of calls but for the three that calls alone have."""
    own = [f"property {key} should not exist" for key in ("id", "assistantId", "phoneNumberId") if key in query]
    return own + check.queries({k: v for k, v in query.items() if k not in ("id", "assistantId", "phoneNumberId")})
