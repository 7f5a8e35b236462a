"""A mail server that takes every mail and delivers none: SMTP with AUTH PLAIN, STARTTLS, smtps."""
import asyncio
import base64
import socket
import ssl
import struct
import uuid

import mails

LINE_MAX, MESSAGE_MAX = 4096, 4 * 1024 * 1024


class Gone(Exception):
    """The client has gone, or is to be left alone."""


class Smtp:
    """Listens on a port of its own; with a certificate on a second one for smtps."""

    def __init__(self, state, certificate=None):
        self.state, self.servers, self.tasks = state, [], set()
        self.tls = None
        if certificate:
            self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.tls.load_cert_chain(certificate)

    async def start(self):
        """Begin to listen; the ports are told by the control interface."""
        for name, tls in (("smtp_port", None), ("smtps_port", self.tls)):
            if name == "smtps_port" and not tls:
                continue
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls,
                                                limit=MESSAGE_MAX)
            self.servers.append(server)
            self.state.ports[name] = server.sockets[0].getsockname()[1]

    async def close(self):
        """End all connections."""
        for server in self.servers:
            server.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            await Link(self, reader, writer).talk()
        except (Gone, OSError, asyncio.IncompleteReadError, asyncio.CancelledError, ValueError):
            pass
        finally:
            self.tasks.discard(task)
            writer.close()


class Link:
    """One connection."""

    def __init__(self, server, reader, writer):
        self.server, self.state = server, server.state
        self.reader, self.writer = reader, writer
        self.safe = writer.get_extra_info("ssl_object") is not None
        self.known = self.done = False
        self.sender, self.to = None, []

    async def talk(self):
        """All of it."""
        if not await self._spoilt("connect"):
            await self._say(220, "sandbox ESMTP")
        while not self.done:
            line = (await self.reader.readuntil(b"\n"))[:LINE_MAX].decode("latin-1").strip()
            verb, _, rest = line.partition(" ")
            what = getattr(self, "_" + verb.lower(), None)
            if what is None or not verb.isalpha() or verb.lower() in ("say", "spoilt", "rule", "text"):
                await self._say(500, "5.5.2 unknown command")
            else:
                await what(rest)

    async def _say(self, status, *lines):
        for i, line in enumerate(lines):
            sign = "-" if i < len(lines) - 1 else " "
            self.writer.write(f"{status}{sign}{line}\r\n".encode())
        await self.writer.drain()

    # ---- misbehaviour --------------------------------------------------------

    def _rule(self, operation):
        return self.state.action("smtp", operation, self.to[-1] if self.to else None)

    async def _spoilt(self, operation, act=None):
        """Misbehave here, if a rule says so; true: that was the answer."""
        act = self._rule(operation) if act is None else act
        await asyncio.sleep(act.get("delay", 0))
        if act.get("answer") == "hang":
            await self.state.released.wait()
            raise Gone
        if act.get("answer") == "reset":
            sock = self.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
            raise Gone
        if act.get("answer"):
            raise Gone
        if "status" not in act:
            return False
        await self._say(act["status"], act.get("body", "sandbox says so"))
        return True

    # ---- commands ------------------------------------------------------------

    async def _ehlo(self, name):
        if await self._spoilt("ehlo"):
            return
        more = ["8BITMIME", "SIZE 4194304"]
        if self.server.tls and not self.safe:
            more.append("STARTTLS")
        if self.state.settings["smtp_user"]:
            more.append("AUTH PLAIN")
        await self._say(250, f"sandbox greets {name}", *more)

    async def _helo(self, name):
        if not await self._spoilt("ehlo"):
            await self._say(250, f"sandbox greets {name}")

    async def _starttls(self, _):
        if not self.server.tls or self.safe:
            return await self._say(502, "5.5.1 not here")
        await self._say(220, "2.0.0 go on")
        await self.writer.start_tls(self.server.tls)
        self.safe = True
        return None

    async def _auth(self, rest):
        if await self._spoilt("auth"):
            return
        kind, _, proof = rest.partition(" ")
        if kind.upper() != "PLAIN":
            return await self._say(504, "5.5.4 PLAIN only")
        if not proof:
            await self._say(334, "")
            proof = (await self.reader.readuntil(b"\n")).decode("latin-1").strip()
        settings = self.state.settings
        want = f"\0{settings['smtp_user']}\0{settings['smtp_password']}".encode()
        self.known = base64.b64decode(proof) == want
        if self.known:
            return await self._say(235, "2.7.0 welcome")
        return await self._say(535, "5.7.8 who are you")

    async def _mail(self, rest):
        if self.state.settings["smtp_user"] and not self.known:
            return await self._say(530, "5.7.0 authentication required")
        if not await self._spoilt("mail"):
            self.sender, self.to = rest.partition("<")[2].partition(">")[0], []
            await self._say(250, "2.1.0 ok")
        return None

    async def _rcpt(self, rest):
        if self.sender is None:
            return await self._say(503, "5.5.1 MAIL first")
        self.to.append(rest.partition("<")[2].partition(">")[0])
        if not await self._spoilt("rcpt"):
            await self._say(250, "2.1.5 ok")
        return None

    async def _data(self, _):
        if not self.to:
            return await self._say(503, "5.5.1 RCPT first")
        if await self._spoilt("data"):
            return None
        await self._say(354, "end with a dot")
        raw = await self._text()
        ident, act = str(uuid.uuid4()), self._rule("create")
        if act.get("accept", act.get("status", 250) < 300):
            self.state.mails.append(mails.by_smtp(ident, self.sender, self.to, raw))
        if not await self._spoilt("create", act):
            await self._say(250, f"2.0.0 queued as {ident}")
        self.sender, self.to = None, []
        return None

    async def _text(self):
        lines, size = [], 0
        while True:
            line = await self.reader.readuntil(b"\n")
            if line == b".\r\n":
                return b"".join(lines)
            size += len(line)
            if size > MESSAGE_MAX:
                raise Gone
            lines.append(line[1:] if line.startswith(b".") else line)

    async def _rset(self, _):
        self.sender, self.to = None, []
        await self._say(250, "2.0.0 ok")

    async def _noop(self, _):
        await self._say(250, "2.0.0 ok")

    async def _quit(self, _):
        await self._say(221, "2.0.0 bye")
        self.done = True
