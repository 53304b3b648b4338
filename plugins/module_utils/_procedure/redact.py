# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One redactor for diffs, results, errors, progress and reports: masks by path, and known secret values anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

MASK = "********"

# The last word of a key decides: "password", "apiToken", "private.key" and "client_secret" are masked,
# "caBundleSecretName" and "key_file" only name something.
_SECRET_WORDS = frozenset({"password", "passwd", "passphrase", "token", "key", "secret", "credential", "credentials", "apikey"})
# Kubernetes' own fields that end in such a word and hold a name.
_PLAIN_KEYS = frozenset({"topologyKey", "imagePullSecret", "pullSecret"})
_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
# {key: app, operator: In, …} and {key: ca.crt, name: osm-ca-bundle} name a label, a taint or an entry.
_NAMING_SIBLINGS = frozenset({"operator", "effect", "name", "path", "optional"})


class Redactor:
    """``secrets`` are values that the caller passed as secret; short ones are left alone, they would blot out words."""

    def __init__(self, secrets: Iterable[object] = ()) -> None:
        texts = {str(secret) for secret in secrets if secret}
        self._secrets = sorted((text for text in texts if len(text) >= 6), key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return ``text`` with every known secret value masked."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def data(self, value: object) -> object:
        """Return a copy of JSON-like ``value`` with secrets masked by key, by kind and by value."""
        if isinstance(value, Mapping):
            if value.get("kind") == "Secret":
                return {key: _masked(item) if key in ("data", "stringData") else self.data(item) for key, item in value.items()}
            naming = _NAMING_SIBLINGS.intersection(value)
            return {key: self._entry(str(key), item, bool(naming)) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.data(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def _entry(self, key: str, item: object, naming: bool) -> object:
        if is_secret_key(key) and not (key == "key" and naming):
            return _masked(item)
        return self.data(item)


def is_secret_key(key: str) -> bool:
    """Return whether a key's name says that its value is secret."""
    words = _WORDS.findall(key)
    return bool(words) and words[-1].lower() in _SECRET_WORDS and key not in _PLAIN_KEYS


def _masked(value: object) -> object:
    """Mask every leaf, keeping the keys: which entries exist may be shown, what they hold may not."""
    if isinstance(value, Mapping):
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(item) for item in value]
    return value if value is None or isinstance(value, bool) else MASK
