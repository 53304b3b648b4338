# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a request is signed as AWS wants it: Signature Version 4, in a header or in the query (a presigned URL).

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote, unquote, unquote_plus

_ALGORITHM = "AWS4-HMAC-SHA256"
_SKEW = timedelta(minutes=15)
_LONGEST = 7 * 24 * 3600
_UNSIGNED = "UNSIGNED-PAYLOAD"


class Denied(Exception):
    """The request is refused: ``code`` and text as AWS says them, ``status`` is the HTTP status of S3."""

    def __init__(self, code: str, message: str, status: int = 403, extra: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code, self.status, self.extra = code, status, dict(extra or {})


class Credential(NamedTuple):
    """A secret key, with the session token and the end of temporary ones."""

    secret: str
    token: str = ""
    expires: datetime | None = None


class Scope(NamedTuple):
    """Who asks whom: the access key, and the region and service of the signature."""

    access_key: str
    region: str
    service: str
    presigned: bool = False


class Asked(NamedTuple):
    """A request as it arrived: ``target`` is the path with the query, not decoded; headers by their name in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """The path, not decoded."""
        return self.target.partition("?")[0]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The query's names and values, not decoded."""
        query = self.target.partition("?")[2]
        return [(name, value) for name, _equals, value in (part.partition("=") for part in query.split("&") if part)]

    @property
    def query(self) -> dict[str, str]:
        """The query, decoded."""
        return {unquote_plus(name): unquote_plus(value) for name, value in self.pairs}


def verify(asked: Asked, body: bytes, known: Callable[[str], Credential | None], now: datetime | None = None) -> Scope:
    """Return who signed the request; raises Denied."""
    moment = now or datetime.now(UTC)
    authorization, query = asked.headers.get("authorization", ""), asked.query
    if authorization.startswith(_ALGORITHM):
        return _of_header(asked, body, known, moment)
    if query.get("X-Amz-Algorithm") == _ALGORITHM:
        return _of_query(asked, known, moment)
    if authorization or "AWSAccessKeyId" in query or "Signature" in query:
        raise Denied("InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.", 400)
    raise Denied("AccessDenied", "Access Denied")


def _of_header(asked: Asked, body: bytes, known: Callable[[str], Credential | None], now: datetime) -> Scope:
    fields = dict(re.findall(r"(\w+)=([^,\s]+)", asked.headers["authorization"][len(_ALGORITHM) :]))
    if set(fields) != {"Credential", "SignedHeaders", "Signature"}:
        raise Denied("AuthorizationHeaderMalformed", "The authorization header is malformed", 400)
    stamp = asked.headers.get("x-amz-date", "")
    if abs(_moment(stamp) - now) > _SKEW:
        raise Denied("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
    scope, credential = _identified(fields["Credential"], stamp, known)
    _check_token(credential, asked.headers.get("x-amz-security-token", ""), now)
    said = asked.headers.get("x-amz-content-sha256", "")
    if not said or re.fullmatch("[0-9a-f]{64}", said):  # else the payload is not signed, and may be large
        digest = hashlib.sha256(body).hexdigest()
        if said and said != digest:
            message = "The provided 'x-amz-content-sha256' header does not match what was computed."
            raise Denied("XAmzContentSHA256Mismatch", message, 400)
        said = digest
    signed = fields["SignedHeaders"].split(";")
    _check(asked, asked.pairs, signed, said, stamp, scope, credential, fields["Signature"])
    return scope


def _of_query(asked: Asked, known: Callable[[str], Credential | None], now: datetime) -> Scope:
    query = asked.query
    needed = ("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature")
    if missing := [name for name in needed if name not in query]:
        raise Denied("AuthorizationQueryParametersError", f"Query-string authentication requires {', '.join(missing)}", 400)
    seconds, stamp = int(query["X-Amz-Expires"]), query["X-Amz-Date"]
    if seconds > _LONGEST:
        raise Denied("AuthorizationQueryParametersError", "X-Amz-Expires must be less than a week (in seconds)", 400)
    scope, credential = _identified(query["X-Amz-Credential"], stamp, known)
    pairs = [(name, value) for name, value in asked.pairs if name != "X-Amz-Signature"]
    signed = query["X-Amz-SignedHeaders"].split(";")
    _check(asked, pairs, signed, _UNSIGNED, stamp, scope, credential, query["X-Amz-Signature"])
    if now > _moment(stamp) + timedelta(seconds=seconds):
        raise Denied("AccessDenied", "Request has expired")
    _check_token(credential, query.get("X-Amz-Security-Token", ""), now)
    return scope._replace(presigned=True)


def _moment(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Denied("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header") from None


def _identified(said: str, stamp: str, known: Callable[[str], Credential | None]) -> tuple[Scope, Credential]:
    parts = said.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request" or parts[1] != stamp[:8]:
        raise Denied("AuthorizationHeaderMalformed", "The authorization header is malformed; the Credential is mal-formed", 400)
    credential = known(parts[0])
    if credential is None:
        raise Denied("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
    return Scope(parts[0], parts[2], parts[3]), credential


def _check_token(credential: Credential, token: str, now: datetime) -> None:
    if token != credential.token:
        raise Denied("InvalidToken", "The provided token is malformed or otherwise invalid.", 400)
    if credential.expires and now > credential.expires:
        raise Denied("ExpiredToken", "The provided token has expired.", 400)


def _check(
    asked: Asked,
    pairs: list[tuple[str, str]],
    signed: list[str],
    payload: str,
    stamp: str,
    scope: Scope,
    credential: Credential,
    signature: str,
) -> None:
    """Compare the signature with the one that belongs to the request."""
    if "host" not in signed:
        raise Denied("AccessDenied", "There were headers present in the request which were not signed")
    path = quote(unquote(asked.path), safe="/~") if scope.service == "s3" else quote(asked.path, safe="/~")
    headers = "".join(f"{name}:{' '.join(asked.headers.get(name, '').split())}\n" for name in signed)
    query = "&".join(f"{name}={value}" for name, value in sorted(pairs))
    canonical = "\n".join((asked.method, path, query, headers, ";".join(signed), payload))
    place = f"{stamp[:8]}/{scope.region}/{scope.service}/aws4_request"
    text = "\n".join((_ALGORITHM, stamp, place, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{credential.secret}".encode()
    for part in place.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), signature):
        raise Denied(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        )
