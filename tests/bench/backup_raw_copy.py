# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What anybody would write to get a snapshot out of a pod: a WebSocket that reads ``cat``, and boto3 that uploads what comes.

Nothing is checked: neither that all came, nor what. It is what a copy costs at least.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
import websocket
from raw_lists import access

_STDOUT, _STATUS = 1, 3


class _Stdout:
    """The output of a command in a container, as a file."""

    def __init__(self, kubeconfig: Path, namespace: str, pod: str, container: str, command: Sequence[str]) -> None:
        server, trust = access(kubeconfig)
        query = urlencode([("container", container), ("stdout", "true"), *(("command", part) for part in command)])
        self._socket: Any = websocket.create_connection(
            f"wss://{server.netloc}/api/v1/namespaces/{namespace}/pods/{pod}/exec?{query}",
            sslopt={"context": trust},
            subprotocols=["v4.channel.k8s.io"],
            skip_utf8_validation=True,
        )
        self._rest, self._ended = b"", False

    def read(self, amount: int) -> bytes:
        """Return that many bytes, fewer at the end."""
        pieces, missing = [], amount
        while missing and (piece := self._rest or self._next()):
            pieces.append(piece[:missing])
            self._rest = piece[missing:]
            missing -= len(pieces[-1])
        return b"".join(pieces)

    def _next(self) -> bytes:
        while not self._ended:
            opcode, frame = self._socket.recv_data()
            self._ended = opcode == websocket.ABNF.OPCODE_CLOSE or frame[:1] == bytes([_STATUS])
            if frame[:1] == bytes([_STDOUT]) and len(frame) > 1:
                return bytes(frame[1:])
        return b""


def main() -> None:
    """Usage: backup_raw_copy.py KUBECONFIG NAMESPACE POD CONTAINER PATH BUCKET KEY; prints how much memory (MiB) copying has added."""
    kubeconfig, namespace, pod, container, path, bucket, key = sys.argv[1:]
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stdout = _Stdout(Path(kubeconfig), namespace, pod, container, ["cat", path])
    boto3.client("s3").upload_fileobj(stdout, bucket, key)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"grown_mib": (peak - start) / 1024}))


if __name__ == "__main__":
    main()
