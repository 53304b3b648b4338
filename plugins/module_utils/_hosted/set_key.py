# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The key of an encrypted backup set: how it is read from its file, and what is made of it.

AES-256-GCM for each file, HMAC-SHA256 for the index, each with a key of its own, derived by HKDF-SHA256 (RFC 5869) from the key in
the file and the run id. So no two sets share a key, and a random nonce of 96 bits is never near its bound (NIST SP 800-38D §8.3).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import stat
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Final

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

METHOD: Final = "AES-256-GCM"
_LENGTH = 32
_NONCE = 12
_TAG = 16
# How much longer an encrypted file is: nonce and authentication tag.
OVERHEAD: Final = _NONCE + _TAG
_PURPOSE = b"meshops.lifecycle/backup-set/1 "
_HEX = re.compile(rb"[0-9A-Fa-f]{64}")
_BASE64 = re.compile(rb"[0-9A-Za-z+/]{43}=")


@dataclass(frozen=True)
class Key:
    """The 32 bytes of a key file; never shown."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """What tells keys apart without telling the key: 16 hexadecimal digits, the same in every set of this key."""
        return _derived(self.secret, b"", b"id").hex()[:16]


class Cipher:
    """What a key does for one set."""

    def __init__(self, key: Key, run_id: str) -> None:
        """Derive the set's keys. LifecycleError when the library ``cryptography`` is missing."""
        _check_library()
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._run_id = run_id
        self._files = AESGCM(_derived(key.secret, run_id.encode(), b"files"))
        self._index = _derived(key.secret, run_id.encode(), b"index")

    def seal(self, path: str, data: bytes) -> bytes:
        """Return what is stored for ``data`` at ``path``: nonce, ciphertext, tag. It can be opened only as this path of this set."""
        nonce = os.urandom(_NONCE)
        return nonce + self._files.encrypt(nonce, data, self._bound(path))

    def unseal(self, path: str, stored: bytes) -> bytes:
        """Return the content. ValueError when it was not written with this key, for this path of this set, or was changed."""
        from cryptography.exceptions import InvalidTag

        if len(stored) < OVERHEAD:
            raise ValueError("it is too short to be encrypted")
        try:
            return self._files.decrypt(stored[:_NONCE], stored[_NONCE:], self._bound(path))
        except InvalidTag as error:
            raise ValueError("its authentication tag does not fit") from error

    def mac(self, index: bytes) -> str:
        """Return the HMAC of the index, in hexadecimal."""
        return hmac.new(self._index, index, hashlib.sha256).hexdigest()

    def _bound(self, path: str) -> bytes:
        return f"{self._run_id}/{path}".encode()


def load_key(path: str) -> Key:
    """Read a key file: 32 bytes, raw, as 64 hexadecimal digits or as base64.

    Refused when it is no file, is somebody else's, may be read by others, or has another length. No error quotes it.
    LifecycleError when the library that uses it is missing: before anything is stopped or written.
    """
    _check_library()
    ref = ObjectRef("File", path)
    try:
        # A FIFO would be waited for.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise Refused(
            f"Key file {path} cannot be read", object=ref, why=error.strerror or str(error), next="correct encryption.key_file"
        ) from error
    try:
        status = os.fstat(handle)
        fault, remedy = _file_fault(path, status)
        if fault:
            raise Refused(f"Key file {path} is refused", object=ref, why=fault, next=remedy)
        content = os.read(handle, 4096)
    finally:
        os.close(handle)
    secret = _secret(content)
    if secret is None:
        raise Refused(
            f"Key file {path} is refused",
            object=ref,
            why=f"it must hold {_LENGTH} bytes (raw, 64 hexadecimal digits, or base64), it has {status.st_size} bytes of something else",
            next=f"make one with: (umask 077; openssl rand -base64 {_LENGTH} > {path})",
        )
    return Key(secret)


def _check_library() -> None:
    if find_spec("cryptography") is None:
        raise LifecycleError(
            "A Python library is missing: cryptography",
            why="the backup set is encrypted, or is to be",
            next="install it for that interpreter: pip install cryptography",
        )


def _file_fault(path: str, status: os.stat_result) -> tuple[str, str]:
    if not stat.S_ISREG(status.st_mode):
        return "it is not a file", "correct encryption.key_file"
    if status.st_uid not in (os.geteuid(), 0):
        return f"it belongs to another user (uid {status.st_uid})", "use a key file of your own"
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        return f"others may read or change it (mode {mode:04o})", f"chmod 600 {path}; if others had access, make a new key"
    return "", ""


def _secret(content: bytes) -> bytes | None:
    if len(content) == _LENGTH:
        return content
    text = content.strip()
    if _HEX.fullmatch(text):
        return bytes.fromhex(text.decode())
    if _BASE64.fullmatch(text):
        try:
            decoded = base64.b64decode(text, validate=True)
        except binascii.Error:
            return None
        return decoded if len(decoded) == _LENGTH else None
    return None


def _derived(secret: bytes, salt: bytes, purpose: bytes) -> bytes:
    """HKDF-SHA256 with one block, which is as long as a key."""
    extracted = hmac.new(salt, secret, hashlib.sha256).digest()
    return hmac.new(extracted, _PURPOSE + purpose + b"\x01", hashlib.sha256).digest()
