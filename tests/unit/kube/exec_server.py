# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A WebSocket server on loopback that does to each connection what a test wants: real frames, real ends, real silence."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
SUCCESS = {"kind": "Status", "status": "Success"}


def frame(payload: bytes, opcode: int = BINARY, *, last: bool = True) -> bytes:
    """One unmasked frame, as servers send them."""
    size = len(payload)
    length = bytes([size]) if size < 126 else bytes([126, *struct.pack("!H", size & 0xFFFF)])
    if size >= 1 << 16:
        length = bytes([127, *struct.pack("!Q", size)])
    return bytes([(0x80 if last else 0) | opcode]) + length + payload


def status_frame(status: dict[str, Any]) -> bytes:
    """The last message of an exec."""
    return frame(b"\x03" + json.dumps(status).encode())


def ended(code: int) -> dict[str, Any]:
    """A kubelet's status of a command that ended with ``code``."""
    causes = [{"reason": "ExitCode", "message": str(code)}]
    message = f"command terminated with non-zero exit code: exit status {code}"
    return {"kind": "Status", "status": "Failure", "reason": "NonZeroExitCode", "message": message, "details": {"causes": causes}}


def internal_error(message: str) -> dict[str, Any]:
    """What KWOK says of any failure, and kubelets of a command that they could not run."""
    return {"kind": "Status", "status": "Failure", "reason": "InternalError", "message": f"Internal error occurred: {message}", "code": 500}


class Client:
    """One connection: what the client asked for, and what a test does to it."""

    def __init__(self, connected: socket.socket, request: bytes) -> None:
        self.socket = connected
        lines = request.decode().split("\r\n")
        self.method, target, _version = lines[0].split()
        self.path = urlsplit(target).path
        self.query = parse_qsl(urlsplit(target).query)
        self.headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        self.lines = lines

    def accept(self, protocol: str = "v4.channel.k8s.io") -> None:
        """Switch to WebSocket."""
        line = next(line for line in self.lines if line.lower().startswith("sec-websocket-key: "))
        key = line.partition(": ")[2] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accepted = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.send(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accepted}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n".encode()
        )

    def answer(self, status: int, body: dict[str, Any] | None = None, **headers: str) -> None:
        """Refuse the WebSocket."""
        data = json.dumps(body or {}).encode()
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.send(f"HTTP/1.1 {status} No\r\n{more}Content-Length: {len(data)}\r\n\r\n".encode() + data)

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def out(self, *frames: bytes) -> None:
        """Accept, send frames."""
        self.accept()
        self.send(b"".join(frames))

    def receive(self) -> int:
        """Wait for a frame of the client and return its opcode, -1 at the end of the connection."""
        head = self._exactly(2)
        if len(head) < 2:
            return -1
        self._exactly((head[1] & 0x7F) + 4)
        return head[0] & 0xF

    def gone(self) -> bool:
        """Wait until the client has ended the connection."""
        try:
            while self.socket.recv(1 << 16):
                pass
        except OSError:
            pass
        return True

    def reset(self) -> None:
        """Break the connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                break
            data += part
        return data


Deed = Callable[[Client], object]


class ExecServer:
    """Does ``deeds`` to its connections one after the other, the last one again and again; ``clients`` has them all."""

    def __init__(self, *deeds: Deed, context: ssl.SSLContext | None = None) -> None:
        self.deeds = list(deeds)
        self.clients: list[Client] = []
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if context else "http"
        self.port = self._listener.getsockname()[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()

    def _listen(self) -> None:
        while True:
            try:
                connected, _address = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connected,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connected: socket.socket) -> None:
        try:
            if self._context:
                connected = self._context.wrap_socket(connected, server_side=True)
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                part = connected.recv(1)
                if not part:
                    return
                request += part
            client = Client(connected, request)
            self.clients.append(client)
            deed = self.deeds[min(len(self.clients), len(self.deeds)) - 1]
            deed(client)
        except OSError:
            pass
        finally:
            connected.close()

    def close(self) -> None:
        """End everything; connections that tests keep open end with their clients."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=20)
            if thread.is_alive():
                raise RuntimeError("a connection is still open")
