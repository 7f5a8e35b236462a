"""Answering a provider's request, truly or as a rule says: late, broken, or never."""
import asyncio
import json
import socket
import struct
import uuid
from collections import namedtuple

from aiohttp import web

# A true answer and the calls that it has made.
Reply = namedtuple("Reply", "status body headers calls", defaults=(None, ()))
# What is asked of which provider, about which number, and what rules may name as its type.
What = namedtuple("What", "provider operation number kinds", defaults=((),))

ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
HUGE = 10 * 1024 * 1024
HTML = "<!doctype html><html><head><title>Sorry</title></head><body>Sorry</body></html>"


def dump(body):
    """JSON as the providers write it."""
    return ENCODE(body).encode("utf-8", "replace")


def json_response(status, body, headers=None):
    """A plain JSON answer."""
    data = b"" if body is None else body.encode() if isinstance(body, str) else dump(body)
    return web.Response(status=status, body=data, headers=headers,
                        content_type="application/json", charset="utf-8")


async def perform(api, request, what, work):
    """Answer one request; work(action) does it truly and returns a Reply."""
    state = api.state
    act = state.action(what.provider, what.operation, what.number, what.kinds)
    delay = act.get("delay", state.settings["answer_delay"])
    if delay:
        await asyncio.sleep(delay)
    if act.get("hold") == "before":
        await state.hold(act)
    faulty = "answer" in act or "status" in act
    if faulty and not act.get("accept", act.get("status", 200) < 300):
        return await _broken(api, request, act, _invented(what))
    reply = work(act)
    if act.get("early"):
        for call in reply.calls:
            await api.sender.drain(call, act["early"] == "first")
    if act.get("delay_after"):
        await asyncio.sleep(act["delay_after"])
    if act.get("hold") == "after":
        await state.hold(act)
    if faulty and reply.status < 300:
        return await _broken(api, request, act, reply)
    return json_response(reply.status, reply.body, reply.headers)


def _invented(what):
    """What looks like a success, about a call that was never made."""
    ident = str(uuid.uuid4())
    if what.provider == "synthflow":
        return Reply(200, {"status": "ok", "response": {"answer": "Your call has been made",
                                                        "call_id": ident}, "eta": 5})
    if what.provider == "twilio":
        return Reply(201, {"sid": "PN" + ident.replace("-", ""), "phone_number": what.number, "status": "queued"})
    return Reply(201, {"id": ident, "type": "outboundPhoneCall", "status": "queued",
                       "customer": {"number": what.number}})


async def _broken(api, request, act, reply):
    status = act.get("status", reply.status)
    if "answer" in act:
        return await _answer(api, request, act, reply._replace(status=status))
    body = act.get("body", reply.body if status < 300 else api.error(status))
    headers = {k: str(v) for k, v in act.get("headers", {}).items()}
    if isinstance(body, str):
        kind = {k.lower() for k in headers} & {"content-type"}
        headers = headers if kind else {**headers, "Content-Type": "text/plain"}
        return web.Response(status=status, body=body.encode(), headers=headers)
    return json_response(status, body, headers)


async def _answer(api, request, act, reply):
    kind, status, body = act["answer"], reply.status, reply.body
    if kind == "hang":
        return await _hang(api.state, request)
    if kind == "reset":
        return _reset(request)
    if kind == "cut":
        return await _cut(request, status, dump(body))
    if kind == "cut-complete":
        text = dump(body)
        return web.Response(status=status, body=text[:len(text) // 2],
                            content_type="application/json")
    if kind == "huge":
        return _huge(status, body, int(act.get("size", HUGE)))
    if kind == "html":
        return web.Response(status=status, text=HTML, content_type="text/html")
    if kind == "empty":
        return web.Response(status=status, content_type="application/json")
    if kind == "array":
        return json_response(status, {"data": body} if isinstance(body, list) else [body])
    return json_response(status, api.with_id(body, 4711 if kind == "number-id" else None))


async def _hang(state, request):
    """Say nothing until the client has gone or the sandbox is reset."""
    released = state.released
    while not released.is_set() and request.transport and not request.transport.is_closing():
        try:
            await asyncio.wait_for(released.wait(), 0.1)
        except asyncio.TimeoutError:
            pass
    return _reset(request)


def _reset(request):
    """Break the connection with a TCP reset."""
    transport = request.transport
    sock = transport.get_extra_info("socket") if transport else None
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)


async def _cut(request, status, text):
    """Promise the whole body, send half of it, close."""
    response = web.StreamResponse(status=status, headers={"Content-Type": "application/json"})
    response.content_length = len(text)
    await response.prepare(request)
    await response.write(text[:len(text) // 2])
    if request.transport:
        request.transport.close()
    return response


def _huge(status, body, size):
    """The true body, and then so much of nothing that it is size bytes long."""
    whole = dump({**body, "filler": ""} if isinstance(body, dict) else [*body, ""])
    end = 2
    fill = b"x" * max(0, size - len(whole))
    return web.Response(status=status, body=whole[:-end] + fill + whole[-end:],
                        content_type="application/json")
