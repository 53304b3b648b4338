# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The WebSocket of an ``exec``: its channels, and an end that is told apart from being cut off.

Protocol v4.channel.k8s.io (kubernetes apimachinery pkg/util/remotecommand/constants.go): the first byte of each message is the
channel; on the last one the server sends a ``Status`` with the exit code before it closes.

Not v5, which has a way to end stdin, and there is none here: for v5 the API server itself stands between and speaks SPDY to the
kubelet, and when that connection breaks in the middle of the output it sends a Status with Success (seen with Kubernetes 1.34; the
error stream then ends empty, client-go tools/remotecommand/v4.go). v4 it passes on as it is, so that a break is one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.transport import Answer, AnswerLost, cause
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline

PROTOCOL = "v4.channel.k8s.io"
STDOUT, STDERR, STATUS = 1, 2, 3

# Balancers cut connections on which nothing happens, some after a minute; a large snapshot is silent for longer.
_PING_SECONDS = 15.0
# Servers answer pings, so one that is silent for so long is not there any more.
_SILENCE_SECONDS = 90.0
# Between the status and the end of the connection.
_CLOSING_SECONDS = 5.0
_READ_SIZE = 1 << 16


class CutOff(Exception):
    """The connection ended, or the time was over (``late``), before the server said how the command ended."""

    def __init__(self, why: str, *, late: bool = False) -> None:
        super().__init__(why)
        self.late = late


class Message(NamedTuple):
    """What came on a channel."""

    channel: int
    data: bytes


class _Socket:
    """A connected socket whose operations end with ``deadline``, however slowly the other side sends; reads ahead."""

    def __init__(self, connected: Any, deadline: Deadline) -> None:
        self._connected = connected
        self.deadline = deadline
        self.keep_alive: Any = None
        self._ahead = b""
        self._position = 0

    def recv(self, size: int) -> bytes:
        """Return up to ``size`` bytes, none at the end of the connection; raises TimeoutError."""
        if self._position == len(self._ahead):
            self._ahead, self._position = self._read(), 0
        part = self._ahead[self._position : self._position + size]
        self._position += len(part)
        return part

    def _read(self) -> bytes:
        silence = 0.0
        while not self.deadline.expired:
            patience = min(_PING_SECONDS, self.deadline.remaining())
            self._connected.settimeout(max(0.001, patience))
            try:
                found: bytes = self._connected.recv(_READ_SIZE)
            except TimeoutError:
                silence += patience
                if silence >= _SILENCE_SECONDS:
                    raise OSError(f"no sign of life for {silence:.0f} s") from None
                if self.keep_alive is not None:
                    self.keep_alive()
            else:
                return found
        raise TimeoutError

    def send(self, data: bytes) -> int:
        """Send some of ``data`` and return how much."""
        if self.deadline.expired:
            raise TimeoutError
        self._connected.settimeout(max(0.001, self.deadline.remaining()))
        sent: int = self._connected.send(data)
        return sent

    def gettimeout(self) -> float:
        """Return the seconds that are left."""
        return max(0.001, self.deadline.remaining())

    def settimeout(self, _seconds: float | None) -> None:
        """Change nothing: the deadline counts."""

    def fileno(self) -> int:
        """Return the number of the file."""
        number: int = self._connected.fileno()
        return number

    def close(self) -> None:
        """Close the connection."""
        self._connected.close()


class Channels:
    """An open exec connection; ``status`` is what the server said of the end, None until then."""

    def __init__(self, socket: _Socket, websocket: Any) -> None:
        self._socket = socket
        self._websocket = websocket
        self.status: Mapping[str, Any] | None = None

    def until(self, deadline: Deadline) -> None:
        """Let everything from now on end with ``deadline``."""
        self._socket.deadline = deadline
        self._socket.keep_alive = self._websocket.ping

    def messages(self) -> Iterator[Message]:
        """Yield what comes on stdout and stderr until the connection has ended; raises CutOff when it ends without a status."""
        from websocket import ABNF, WebSocketException, WebSocketTimeoutException

        said = b""
        while True:
            try:
                opcode, frame = self._websocket.recv_data_frame()
            except (WebSocketTimeoutException, TimeoutError) as error:
                if self.status is None:
                    raise CutOff("the command had not ended when the time was over", late=True) from error
                return
            except (WebSocketException, OSError, ValueError) as error:
                if self.status is None:
                    raise CutOff(f"the connection broke before the command's end was reported ({cause(error)})") from error
                return
            if opcode == ABNF.OPCODE_CLOSE:
                if self.status is None:
                    raise CutOff("the server closed the connection before the command's end was reported")
                return
            if not frame.data:
                continue
            channel, data = frame.data[0], frame.data[1:]
            if channel == STATUS:
                said += data
                self.status = _status(said)
                if self.status is not None:
                    self._socket.deadline = Deadline(min(_CLOSING_SECONDS, self._socket.deadline.remaining()))
            elif channel in (STDOUT, STDERR) and data:
                yield Message(channel, data)

    def close(self) -> None:
        """Close the connection; a command that still writes is ended by that."""
        self._socket.close()


def _status(text: bytes) -> Mapping[str, Any] | None:
    """Return the ``Status``, None while it is not complete."""
    try:
        data = json.loads(text)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def open_channels(connected: Any, url: str, headers: Sequence[tuple[str, str]], deadline: Deadline) -> Channels | Answer:
    """Make the connected socket the WebSocket of ``url`` (``https://…``), or return the answer of a server that does not want that.

    Raises AnswerLost, when a command may have been started.
    """
    import websocket

    socket = _Socket(connected, deadline)
    client: Any = websocket.WebSocket(skip_utf8_validation=True, enable_multithread=False)
    try:
        client.connect(
            url.replace("http", "ws", 1),
            socket=socket,
            header=[f"{name}: {value}" for name, value in headers],
            subprotocols=[PROTOCOL],
            suppress_origin=True,
            # Credentials go to nobody else.
            redirect_limit=0,
        )
    except websocket.WebSocketBadStatusException as error:
        socket.close()
        found = {str(name).lower(): str(value) for name, value in (error.resp_headers or {}).items()}
        return Answer(error.status_code, found, getattr(error, "resp_body", None) or b"")
    except (websocket.WebSocketException, OSError, ValueError) as error:
        socket.close()
        raise AnswerLost(cause(error)) from error
    return Channels(socket, client)
