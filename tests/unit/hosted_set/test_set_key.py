# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Key files, and what a key proves."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted import set_key
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_key import OVERHEAD, Cipher, load_key
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused
from ansible_collections.meshops.lifecycle.tests.unit.hosted_set.sets import CANARY, KEY, OTHER_KEY

RUN = "prod-20261121T231500Z-1f3a9c"


def key_file(tmp_path: Path, content: bytes, mode: int = 0o600) -> str:
    """Write a key file."""
    path = tmp_path / "backup.key"
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    "content",
    [
        KEY.secret,
        KEY.secret.hex().encode(),
        KEY.secret.hex().upper().encode() + b"\n",
        base64.b64encode(KEY.secret),
        base64.b64encode(KEY.secret) + b"\r\n",
    ],
)
def test_a_key_is_raw_or_hexadecimal_or_base64(tmp_path: Path, content: bytes) -> None:
    assert load_key(key_file(tmp_path, content)) == KEY


@pytest.mark.parametrize("content", [b"", b"secret words", KEY.secret + b"\n", KEY.secret[:31], b"0" * 63, b"0" * 128, b"!" * 44])
def test_another_length_is_refused_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Refused) as told:
        load_key(key_file(tmp_path, content))
    assert "32 bytes" in told.value.why
    assert "openssl rand" in told.value.next
    assert "secret words" not in f"{told.value.why} {told.value}"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602, 0o660])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, KEY.secret, mode)
    with pytest.raises(Refused) as told:
        load_key(path)
    assert f"{mode:04o}" in told.value.why
    assert f"chmod 600 {path}" in told.value.next


def test_a_key_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = key_file(tmp_path, KEY.secret)
    os.chown(path, os.getuid(), os.getgid())
    with (
        patch.object(os, "geteuid", return_value=4711),
        patch.object(os, "fstat", return_value=_of_uid(path, 4712)),
        pytest.raises(Refused) as told,
    ):
        load_key(path)
    assert "another user" in told.value.why


def _of_uid(path: str, uid: int) -> os.stat_result:
    fields = list(os.stat(path))
    fields[4] = uid
    return os.stat_result(fields)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (tmp_path, tmp_path / "fifo", tmp_path / "nothing"):
        with pytest.raises(Refused):
            load_key(str(path))


def test_a_missing_library_is_told_before_a_key_is_used(tmp_path: Path) -> None:
    path = key_file(tmp_path, KEY.secret)
    with patch.object(set_key, "find_spec", return_value=None), pytest.raises(LifecycleError, match="cryptography") as told:
        load_key(path)
    assert "pip install cryptography" in told.value.next


def test_a_key_is_never_shown() -> None:
    assert repr(KEY.secret) not in repr(KEY)
    assert KEY.id != OTHER_KEY.id
    assert len(KEY.id) == 16


@given(st.binary(max_size=200), st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_noticed(data: bytes, place: int, change: int) -> None:
    cipher = Cipher(KEY, RUN)
    stored = bytearray(cipher.seal("objects/a.json.enc", data))
    assert len(stored) == len(data) + OVERHEAD
    assert cipher.unseal("objects/a.json.enc", bytes(stored)) == data
    stored[place % len(stored)] ^= change
    with pytest.raises(ValueError, match="tag"):
        cipher.unseal("objects/a.json.enc", bytes(stored))


def test_a_file_opens_only_in_its_place_of_its_set_with_its_key() -> None:
    cipher = Cipher(KEY, RUN)
    stored = cipher.seal("objects/a.json.enc", CANARY.encode())
    assert CANARY.encode() not in stored
    assert stored != cipher.seal("objects/a.json.enc", CANARY.encode())
    for other, path in (
        (cipher, "objects/b.json.enc"),
        (Cipher(KEY, f"{RUN[:-1]}d"), "objects/a.json.enc"),
        (Cipher(OTHER_KEY, RUN), "objects/a.json.enc"),
    ):
        with pytest.raises(ValueError, match="tag"):
            other.unseal(path, stored)
    for short in (b"", stored[:11], stored[:20]):
        with pytest.raises(ValueError, match=r"tag|short"):
            cipher.unseal("objects/a.json.enc", short)
