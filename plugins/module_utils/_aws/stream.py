# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stream of chunks as the file that the SDK reads parts from, which is not read to its end unless it is what was announced."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

MEBIBYTE = 1024 * 1024
# S3 takes 10,000 parts (Amazon S3 User Guide, multipart upload limits): enough for 78 GiB, and twice that for each doubling.
MOST_PARTS = 10_000
_SMALLEST_PART = 8 * MEBIBYTE


def part_size(size: int) -> int:
    """Return how large the parts of an upload of ``size`` bytes are, in bytes."""
    part = _SMALLEST_PART
    while part * MOST_PARTS < size:
        part *= 2
    return part


class StreamMismatch(LifecycleError):
    """What came is not what was announced; nothing of it becomes an object."""


class ChunkReader:
    """Reads ``chunks``, ``size`` bytes with the digest ``sha256`` (hexadecimal), as a file that cannot seek.

    The last bytes are only handed out when all came and the digest is right; otherwise ``read`` raises StreamMismatch. What the
    iterator raises is raised as it is, and kept in ``failure``. ``on_bytes`` is told how many bytes each chunk had.
    """

    def __init__(
        self, chunks: Iterator[bytes], *, size: int, sha256: str, part: int, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        self._chunks = chunks
        self._size, self._sha256, self._on_bytes = size, sha256, on_bytes
        self._several = size >= part
        self._digest = hashlib.sha256()
        self._parts: list[bytes] = []
        self._rest = b""
        self._came = self._given = 0
        self._given_up: Callable[[], bool] | None = None
        self.failure: BaseException | None = None

    def give_up_when(self, done: Callable[[], bool]) -> None:
        """Read no further once ``done()`` is true: the transfer has failed, and a long stream would be read for nothing."""
        self._given_up = done

    @property
    def parts(self) -> int:
        """How many parts were handed out."""
        return len(self._parts)

    @property
    def checksum(self) -> str:
        """S3's ChecksumSHA256 of the object: of the bytes, or of the digests of its parts with their number."""
        if not self._several:
            return base64.b64encode(self._digest.digest()).decode()
        return f"{base64.b64encode(hashlib.sha256(b''.join(self._parts)).digest()).decode()}-{len(self._parts)}"

    def read(self, amount: int = -1) -> bytes:
        """Return ``amount`` bytes (less than zero: all), fewer at the end."""
        if self._given_up and self._given_up():
            raise StreamMismatch("The transfer has failed and the rest of the stream is not read")
        try:
            data = self._read(self._size if amount < 0 else amount)
            self._measure(data)
        except BaseException as error:
            self.failure = error
            raise
        return data

    def _measure(self, data: bytes) -> None:
        """Hash a part as a whole: each hash lets go of the interpreter, and the threads that send would take it for every chunk."""
        if not data:
            return
        self._parts.append(hashlib.sha256(data).digest())
        self._digest.update(data)
        self._given += len(data)
        if self._given == self._size and self._digest.hexdigest() != self._sha256:
            raise self._mismatch(f"its SHA-256 is {self._digest.hexdigest()}, not {self._sha256}")

    def _read(self, amount: int) -> bytes:
        pieces, missing = [], amount
        while missing and (piece := self._rest or self._next()):
            self._rest = piece[missing:]
            pieces.append(piece[:missing] if self._rest else piece)
            missing -= len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _next(self) -> bytes:
        """Return the next chunk; empty when all came and are right."""
        if self._came == self._size:
            return b""
        chunk = next((chunk for chunk in self._chunks if chunk), b"")
        self._came += len(chunk)
        if not chunk:
            raise self._mismatch(f"it ended after {self._came} of {self._size} bytes")
        if self._came >= self._size:
            self._check_end()
        if self._on_bytes:
            self._on_bytes(len(chunk))
        return bytes(chunk)

    def _check_end(self) -> None:
        if self._came > self._size or any(self._chunks):
            raise self._mismatch(f"it has more than {self._size} bytes")

    def _mismatch(self, why: str) -> StreamMismatch:
        return StreamMismatch("The stream is not what was announced", why=why, next="run it again")
