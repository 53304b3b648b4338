# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server: TLS for those who are told its address, and a proxy for those who ask for AWS' own names.

Behind ``HTTPS_PROXY`` a client connects to ``bucket.s3.us-east-2.amazonaws.com`` as anywhere, and gets here; the names have
certificates of the private authority, too.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import quote, unquote

from .answers import Answer, Keys, refusal, temporary_credentials
from .operations import Place, Wanted, place_of, wanted
from .rules import REFUSALS, Rule, Rules
from .signature import Asked, Denied, Scope, verify

ADMIN = "/_sandbox/"
REGIONS = ("us-east-1", "us-east-2", "us-west-2", "eu-west-1", "ap-northeast-1")
_SERVICES = ("s3", "ec2", "sts", "route53")
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "expect", "authorization"})
_SIGNATURE = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature")
_TOKEN = "X-Amz-Security-Token"
_CHUNK = 1024 * 1024


class Cut(Exception):
    """The connection is to be reset."""


class Front:
    """What all connections share."""

    def __init__(self, moto_port: int, keys: Keys, context: ssl.SSLContext) -> None:
        self.moto_port = moto_port
        self.keys = keys
        self.context = context
        self.rules = Rules()
        self.requests: list[dict[str, Any]] = []
        self._regions: dict[str, str] = {}

    def bucket_region(self, bucket: str) -> str | None:
        """The region of a bucket; None when there is no such bucket."""
        if bucket not in self._regions:
            connection = http.client.HTTPConnection("127.0.0.1", self.moto_port, timeout=30)
            authorization = "AWS4-HMAC-SHA256 Credential=SANDBOX/20260101/us-east-1/s3/aws4_request"
            connection.request("HEAD", f"/{quote(bucket)}", headers={"Authorization": authorization})
            answer = connection.getresponse()
            answer.read()
            connection.close()
            if answer.status != 200:
                return None
            self._regions[bucket] = answer.getheader("x-amz-bucket-region", "us-east-1")
        return self._regions[bucket]

    def forget_bucket(self, bucket: str) -> None:
        """Ask again where it is."""
        self._regions.pop(bucket, None)


class Server(ThreadingHTTPServer):
    """Listens on loopback; with ``tls`` the connections are TLS from the start, without it CONNECT leads to that."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, front: Front, port: int, *, tls: bool) -> None:
        self.front = front
        super().__init__(("127.0.0.1", port), _Handler)
        if tls:
            self.socket = front.context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle is what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 300
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self._front = cast(Server, self.server).front
        self._moto = http.client.HTTPConnection("127.0.0.1", self._front.moto_port, timeout=300)

    def finish(self) -> None:
        self._moto.close()
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are kept for tests, without what is secret in them."""

    def do_CONNECT(self) -> None:
        """Become the server that the client wants to be connected with."""
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.connection = self._front.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = cast(Any, self.connection.makefile("wb", 0))
        self.close_connection = False

    def _serve(self) -> None:
        if self.path.startswith(ADMIN):
            self._administer()
            return
        try:
            self._answer()
        except Cut:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # Not unwrapped: a TLS end would be an orderly one.
            socket.socket(fileno=self.connection.detach()).close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve

    # What tests ask the front itself

    def _administer(self) -> None:
        what, _question, since = self.path[len(ADMIN) :].partition("?since=")
        length = int(self.headers.get("Content-Length") or 0)
        content = json.loads(self.rfile.read(length)) if length else []
        if what == "rules" and self.command == "PUT":
            self._front.rules.replace(content)
        result: Any = self._front.rules.described() if what == "rules" else self._front.requests[int(since or 0) :]
        self._give(Answer(200, json.dumps(result).encode(), (("Content-Type", "application/json"),)))

    # What clients ask AWS

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers)
        place = place_of(headers.get("host", ""))
        guessed = place.service or _service_of(asked)
        if guessed == "s3":  # what a fault cuts in the middle must be known before the body has come
            want = wanted(asked, b"", guessed, place)
            rule = self._front.rules.meet(want)
            body = self._body(rule.at if rule and rule.fault == "reset" else None)
        else:
            body = self._body(None)
            want = wanted(asked, body, guessed, place)
            rule = self._front.rules.meet(want)
        try:
            if rule and rule.fault == "reset":
                raise Cut
            if rule and rule.fault in REFUSALS:
                status, text = REFUSALS[rule.fault]
                raise Denied(rule.fault, text, status)
            scope = verify(asked, body, self._front.keys.known)
            self._check_place(scope, place, want)
        except Denied as denied:
            self._note(want, denied.code, rule)
            answer = refusal(guessed, denied)
            self._give(answer)
            return
        except Cut:
            self._note(want, "reset", rule)
            raise
        given = temporary_credentials(want.operation, body, self._front.keys) if scope.service == "sts" else None
        if given:
            self._note(want, "200", rule)
            self._give(given)
            return
        self._pass_on(asked, body, scope, place, want, rule)

    def _body(self, at: int | None) -> bytes:
        """The body, or its beginning when the connection is to be cut ``at`` that many bytes."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length") or 0)
            return self.rfile.read(length if at is None else min(at, length))
        parts, got = [], 0
        while (size := int(self.rfile.readline().split(b";")[0], 16)) and (at is None or got < at):
            parts.append(self.rfile.read(size))
            got += size
            self.rfile.readline()
        if not size:
            self.rfile.readline()
        return b"".join(parts)

    def _check_place(self, scope: Scope, place: Place, want: Wanted) -> None:
        """Refuse what is signed for another region or service than it was sent to, and buckets that are elsewhere."""
        if scope.service not in _SERVICES or (place.named and scope.service != place.service):
            raise Denied("SignatureDoesNotMatch", f"Credential should be scoped to correct service: '{place.service}'.")
        # A name without a region is that of us-east-1; an address is that of no region.
        region = place.region or ("us-east-1" if place.named else "")
        if scope.region not in REGIONS or (region and region != scope.region):
            message = f"The authorization header is malformed; the region '{scope.region}' is wrong; expecting '{region}'"
            raise Denied("AuthorizationHeaderMalformed", message, 400, {"Region": region or "us-east-1"})
        if scope.service == "s3" and want.bucket and want.operation != "CreateBucket":
            home = self._front.bucket_region(want.bucket)
            if home is None or home == scope.region:
                return
            if region:
                message = "The bucket you are attempting to access must be addressed using the specified endpoint."
                endpoint = f"{want.bucket}.s3.{home}.amazonaws.com"
                raise Denied("PermanentRedirect", message, 301, {"Endpoint": endpoint, "Bucket": want.bucket, "Region": home})
            message = f"The authorization header is malformed; the region '{scope.region}' is wrong; expecting '{home}'"
            raise Denied("AuthorizationHeaderMalformed", message, 400, {"Region": home})

    def _pass_on(self, asked: Asked, body: bytes, scope: Scope, place: Place, want: Wanted, rule: Rule | None) -> None:
        """Let moto do it. It gets every request in one form: path-style, signed in the header."""
        headers = {name: value for name, value in asked.headers.items() if name not in _HOP_BY_HOP}
        day = time.strftime("%Y%m%d", time.gmtime())
        identity = f"{scope.access_key}/{day}/{scope.region}/{scope.service}/aws4_request"
        headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={identity}, SignedHeaders=host, Signature=0"
        kept = (
            [(name, value) for name, value in asked.pairs if unquote(name) not in (*_SIGNATURE, _TOKEN)] if scope.presigned else asked.pairs
        )
        query = "&".join(f"{name}={value}" if value else name for name, value in kept)
        path = f"/{quote(place.bucket)}{asked.path}" if place.bucket else asked.path
        self._moto.request(asked.method, f"{path}?{query}" if query else path, body or None, headers)
        answer = self._moto.getresponse()
        if want.operation in ("CreateBucket", "DeleteBucket"):
            self._front.forget_bucket(want.bucket)
        self._note(want, str(answer.status), rule)
        if rule and rule.fault == "lost-answer":
            answer.read()
            raise Cut
        self._send(answer, rule)

    def _send(self, answer: http.client.HTTPResponse, rule: Rule | None) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        length = answer.getheader("Content-Length")
        content = None if length is not None else answer.read()
        self.send_header("Content-Length", str(length if content is None else len(content)))
        self.end_headers()
        if self.command == "HEAD":
            answer.read()
            return
        if content is not None:
            self.wfile.write(content)
            return
        left = rule.at if rule and rule.fault == "reset-answer" else None
        while part := answer.read(_CHUNK if left is None else min(_CHUNK, left)):
            self.wfile.write(part)
            if left is not None and (left := left - len(part)) <= 0:
                break
        if left is not None:
            self.wfile.flush()
            raise Cut

    def _give(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in (*answer.headers, ("Content-Length", str(len(answer.body)))):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _note(self, want: Wanted, outcome: str, rule: Rule | None) -> None:
        self._front.requests.append({**want._asdict(), "outcome": outcome, "fault": rule.fault if rule else ""})


def _service_of(asked: Asked) -> str:
    """The service of a request that was not sent to one of AWS' names: what its signature is for."""
    said = asked.headers.get("authorization", "") + asked.query.get("X-Amz-Credential", "")
    return next((service for service in _SERVICES if f"/{service}/aws4_request" in said), "s3")


def serve(front: Front, port: int, proxy_port: int) -> list[Server]:
    """Start answering on both ports, in threads."""
    servers = [Server(front, port, tls=True), Server(front, proxy_port, tls=False)]
    for server in servers:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.5}, daemon=True).start()
    return servers
