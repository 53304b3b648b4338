# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may not be in an index: the data of Secrets, and what gives access in a URL. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

CUT: Final = "?********"
# A link with a signature is as good as a password, and conditions quote links.
_QUERY: Final = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s?\"'<>]*)\?[^\s\"'<>]*")
_USER: Final = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]{0,20}://)[^\s/?#@\"'<>]+@")
# Also where the link is not whole: an error message may quote its end.
_SIGNED: Final = re.compile(r"(X-Amz-(?:Signature|Credential|Security-Token)|AWSAccessKeyId|Signature)=[^\s&\"'<>]+", re.IGNORECASE)
_SECRET_KEYS: Final = frozenset({"data", "stringData"})


def without_secrets(value: Any) -> Any:
    """Return a copy of JSON-like ``value`` (tuples become lists) without the data of Secrets, and with the query and user of URLs cut."""
    if isinstance(value, Mapping):
        secret = _SECRET_KEYS if value.get("kind") == "Secret" else frozenset()
        return {str(key): without_secrets(item) for key, item in value.items() if key not in secret}
    if isinstance(value, (list, tuple)):
        return [without_secrets(item) for item in value]
    if isinstance(value, str):
        return without_access(value)
    return value


def without_access(text: str) -> str:
    """Return a text with the query and the user of each URL in it cut: whoever has a presigned one has what it names."""
    return _SIGNED.sub(r"\1=********", _USER.sub(r"\1********@", _QUERY.sub(rf"\1{CUT}", text)))
