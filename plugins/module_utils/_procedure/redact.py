# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One redactor for diffs, results, errors, progress and reports: masks by path, and known secret values anywhere."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping

MASK = "********"

# The end of a key decides: "password", "apiToken", "private.key", "DB_PASSWORD_2" and "client_secret" are masked,
# "caBundleSecretName" and "key_file" only name something.
_SECRET_ENDINGS = ("password", "passwd", "passphrase", "token", "secret", "credential", "apikey", "accesskey", "privatekey", "secretkey")
# "authorization" is the header that a log collector wants (MeshConfig observability.remoteLogging.authorization).
_SECRET_WORDS = frozenset(
    {"key", "authorization", *_SECRET_ENDINGS, *(f"{word}s" for word in ("password", "passphrase", "token", "credential"))}
)
# Kubernetes' own fields that end in such a word and hold a name, a label or settings.
_PLAIN_KEYS = frozenset({"topologyKey", "imagePullSecret", "pullSecret", "serviceAccountToken"})
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# {key: app, operator: In, …} and {key: ca.crt, name: osm-ca-bundle} name a label, a taint or an entry.
_NAMING_SIBLINGS = frozenset({"operator", "effect", "name", "path", "optional"})
# kubectl apply keeps the whole object in this annotation, as a text: a Secret's data and a container's environment too.
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Redactor:
    """``secrets`` are values that the caller passed as secret; short ones are left alone, they would blot out words.

    They are found as they are, in base64 (as in a Secret's data) and with JSON's escapes (as in a quoted error message).
    """

    def __init__(self, secrets: Iterable[object] = ()) -> None:
        texts = {form for secret in secrets if len(str(secret)) >= 6 for form in _forms(str(secret))}
        self._secrets = sorted(texts, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return ``text`` with every known secret value masked."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def data(self, value: object) -> object:
        """Return a copy of JSON-like ``value`` with secrets masked by key, by kind and by value."""
        if isinstance(value, Mapping):
            secret = _secret_keys(value)
            return {self._key(key): self.data(_masked(item) if key in secret else item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.data(item) for item in value]
        if isinstance(value, str):
            return self.text(value)
        return MASK if self.text(str(value)) != str(value) else value

    def _key(self, key: object) -> object:
        return self.text(key) if isinstance(key, str) else key


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield base64.b64encode(secret.encode("utf-8", "surrogatepass")).decode()
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]


def _secret_keys(value: Mapping[object, object]) -> frozenset[object]:
    """Return the keys of one mapping whose values are secret: by their own names, or by what stands beside them."""
    beside: frozenset[object] = frozenset()
    if value.get("kind") in ("Secret", "SecretList"):
        beside = frozenset({"data", "stringData", "items"})
    elif any(is_secret_key(str(value.get(key, ""))) for key in ("name", "key")):
        # An environment variable or a tag: {name: DB_PASSWORD, value: …}.
        beside = frozenset({"value"})
    named = {key for key in value if is_secret_key(str(key)) and not _only_names(key, value)}
    return beside | named | {_LAST_APPLIED}


def _only_names(key: object, value: Mapping[object, object]) -> bool:
    if key == "key":
        return not _NAMING_SIBLINGS.isdisjoint(value)
    item = value[key]
    # traffic.inboundExternalAuthorization of the MeshConfig holds settings; a header is a text.
    if str(key).lower().endswith("authorization") and isinstance(item, Mapping):
        return True
    # A pod's volume {secret: {secretName: …}} only names the Secret.
    return key == "secret" and isinstance(item, Mapping) and "secretName" in item


def is_secret_key(key: str) -> bool:
    """Return whether a key's name says that its value is secret."""
    words = _WORDS.findall(key)
    if not words or key in _PLAIN_KEYS:
        return False
    last = words[-1].lower()
    return last in _SECRET_WORDS or last.endswith(_SECRET_ENDINGS)


def secret_values(value: object, *, secret: bool = False) -> Iterator[str]:
    """Yield the texts in JSON-like ``value`` whose keys say that they are secret, those long enough to be searched for."""
    if isinstance(value, Mapping):
        keys = _secret_keys(value)
        for key, item in value.items():
            yield from secret_values(item, secret=secret or key in keys)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from secret_values(item, secret=secret)
    elif secret and isinstance(value, str) and len(value) >= 6:
        yield value


def _masked(value: object) -> object:
    """Mask every leaf, keeping the keys: which entries exist may be shown, what they hold may not."""
    if isinstance(value, Mapping):
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(item) for item in value]
    return value if value is None or isinstance(value, bool) else MASK
