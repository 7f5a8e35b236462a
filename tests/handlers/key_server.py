"""Signing keys of a project that is not ours, and the server that publishes them: a test's own, on loopback."""

import json
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from stack_client import b64


def openssl(*words, data=None):
    """What openssl answers."""
    return subprocess.run(["openssl", *map(str, words)], input=data, capture_output=True, check=True).stdout


class Key:
    """An ES256 or RS256 key with a name."""

    def __init__(self, folder, alg, kid, bits=2048):
        self.alg, self.kid, self.file = alg, kid, folder / f"{kid}.pem"
        how = ("EC", "-pkeyopt", "ec_paramgen_curve:P-256") if alg == "ES256" else (
            "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}")
        openssl("genpkey", "-algorithm", *how, "-out", self.file)
        self.public_pem = openssl("pkey", "-in", self.file, "-pubout").decode()

    def public(self):
        """As it stands in a key set."""
        named = {"kid": self.kid, "alg": self.alg, "use": "sig", "key_ops": ["verify"]}
        if self.alg == "ES256":
            point = openssl("pkey", "-in", self.file, "-pubout", "-outform", "DER")[-64:]
            return {**named, "kty": "EC", "crv": "P-256", "x": b64(point[:32]), "y": b64(point[32:])}
        modulus = openssl("rsa", "-in", self.file, "-noout", "-modulus").decode().strip().partition("=")[2]
        return {**named, "kty": "RSA", "n": b64(bytes.fromhex(modulus)), "e": "AQAB"}

    def sign(self, claims, **header):
        """A token."""
        head = {"alg": self.alg, "typ": "JWT", "kid": self.kid, **header}
        text = ".".join(b64(json.dumps(part).encode()) for part in (head, claims))
        signature = openssl("dgst", "-sha256", "-sign", self.file, data=text.encode())
        return f"{text}.{b64(raw(signature) if self.alg == 'ES256' else signature)}"


def raw(der):
    """r and s of 32 bytes each, out of DER."""
    numbers, at = [], 2
    for _ in range(2):
        length = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2:at + 2 + length], "big").to_bytes(32, "big"))
        at += 2 + length
    return b"".join(numbers)


class KeyServer:
    """Publishes keys; how: "well", "broken" (500), "nonsense", "silent"; asked counts the requests."""

    def __init__(self):
        self.keys, self.how, self.asked, self.woken = [], "well", 0, threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            """Answers one path."""

            def do_GET(self):  # noqa: N802 - the library's name
                """The key set."""
                outer.asked += 1
                outer.answer(self)

            def log_message(self, *_):
                """Not here."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.issuer = self.url + "/auth/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request):
        """As it was told to."""
        if self.how == "silent":
            self.woken.wait(30)
        found = re.fullmatch(r"/auth/v1/\.well-known/jwks\.json", request.path)
        body = json.dumps({"keys": [key.public() for key in self.keys]}).encode()
        if self.how == "nonsense":
            body = b"<html>Hello</html>"
        request.send_response(500 if self.how == "broken" else 200 if found else 404)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def close(self):
        """The end."""
        self.woken.set()
        self.server.shutdown()
        self.server.server_close()
