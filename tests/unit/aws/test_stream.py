# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a stream is handed on as: only ever the bytes that were announced."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.stream import (
    MEBIBYTE,
    MOST_PARTS,
    ChunkReader,
    StreamMismatch,
    part_size,
)

GIBIBYTE = 1024 * MEBIBYTE


def reader(chunks: list[bytes], data: bytes, part: int) -> ChunkReader:
    """Reads the chunks, and expects the data."""
    return ChunkReader(iter(chunks), size=len(data), sha256=hashlib.sha256(data).hexdigest(), part=part)


@given(st.lists(st.binary(max_size=40), max_size=12), st.integers(1, 50))
def test_parts_are_the_bytes_in_order_however_they_come(chunks: list[bytes], part: int) -> None:
    data = b"".join(chunks)
    found, file = [], reader(chunks, data, part)
    while piece := file.read(part):
        found.append(piece)
    assert b"".join(found) == data
    assert {len(piece) for piece in found[:-1]} <= {part}
    assert (file.parts, file.failure) == (len(found), None)
    if len(data) >= part:
        digests = b"".join(hashlib.sha256(data[start : start + part]).digest() for start in range(0, len(data), part))
        assert file.checksum == f"{base64.b64encode(hashlib.sha256(digests).digest()).decode()}-{len(found)}"
    else:
        assert file.checksum == base64.b64encode(hashlib.sha256(data).digest()).decode()


@given(st.binary(min_size=1, max_size=60), st.binary(max_size=60), st.integers(1, 20), st.integers(1, 20))
def test_another_stream_never_ends(announced: bytes, came: bytes, chunk: int, part: int) -> None:
    """Whatever else comes, there is no orderly end, and so nothing that the SDK could complete; the last part is held back."""
    chunks = [came[start : start + chunk] for start in range(0, len(came), chunk)]
    file, found = reader(chunks, announced, part), b""
    if announced == came:
        return
    with pytest.raises(StreamMismatch) as raised:  # noqa: PT012
        while piece := file.read(part):
            found += piece
    assert file.failure is raised.value
    assert len(found) < len(announced)


def test_all_is_read_at_once_when_no_amount_is_named() -> None:
    file = reader([b"ab", b"", b"c"], b"abc", 8)
    assert (file.read(), file.read()) == (b"abc", b"")


def test_what_the_stream_raises_comes_through_also_after_its_last_byte() -> None:
    """An exec stream tells by its end whether the command has worked."""

    def chunks() -> Iterator[bytes]:
        yield b"abc"
        raise OSError("exit code 1")

    file = ChunkReader(chunks(), size=3, sha256=hashlib.sha256(b"abc").hexdigest(), part=8)
    with pytest.raises(OSError, match="exit code 1") as raised:
        file.read()
    assert file.failure is raised.value


def test_nothing_more_is_read_when_the_transfer_has_failed() -> None:
    file, over = reader([b"abc", b"def"], b"abcdef", 3), False
    file.give_up_when(lambda: over)
    assert file.read(3) == b"abc"
    over = True
    with pytest.raises(StreamMismatch):
        file.read(3)
    assert file.failure is None


@pytest.mark.parametrize(
    ("size", "part"),
    [(1, 8), (8 * GIBIBYTE, 8), (64 * GIBIBYTE, 8), (79 * GIBIBYTE, 16), (5 * 1024 * GIBIBYTE, 1024)],
)
def test_parts_grow_with_the_size(size: int, part: int) -> None:
    assert part_size(size) == part * MEBIBYTE
    assert part_size(size) * MOST_PARTS >= size
