# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers that the front gives itself: refusals in each service's own form, and STS' temporary credentials."""

from __future__ import annotations

import json
import secrets
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from .signature import Credential, Denied

# As long as real ones are, and longer than the room that a presigned URL leaves in a HostedCluster.
TOKEN_LENGTH = 800
# Where other services say the same otherwise: EC2's and the query protocol's code and HTTP status.
_EC2 = {
    "SignatureDoesNotMatch": ("AuthFailure", 401),
    "InvalidAccessKeyId": ("AuthFailure", 401),
    "AccessDenied": ("AuthFailure", 401),
    "InvalidToken": ("AuthFailure", 401),
    "ExpiredToken": ("RequestExpired", 400),
    "Throttling": ("RequestLimitExceeded", 503),
}
_QUERY = {
    "InvalidAccessKeyId": ("InvalidClientTokenId", 403),
    "InvalidToken": ("InvalidClientTokenId", 403),
    "ExpiredToken": ("ExpiredToken", 403),
    "AccessDenied": ("MissingAuthenticationToken", 403),
}


class Answer(NamedTuple):
    """An answer in full."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def refusal(service: str, denied: Denied) -> Answer:
    """What the service says when it refuses."""
    code, status, text = denied.code, denied.status, escape(str(denied))
    if service == "s3":
        more = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in denied.extra.items())
        body = f"<Error><Code>{code}</Code><Message>{text}</Message>{more}<RequestId>SANDBOX</RequestId></Error>"
    elif service == "ec2":
        code, status = _EC2.get(code, (code, status))
        errors = f"<Errors><Error><Code>{code}</Code><Message>{text}</Message></Error></Errors>"
        body = f"<Response>{errors}<RequestID>SANDBOX</RequestID></Response>"
    else:
        code, status = _QUERY.get(code, (code, status))
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error>"
        body = f"<ErrorResponse>{error}<RequestId>SANDBOX</RequestId></ErrorResponse>"
    region = denied.extra.get("Region")
    headers = (("x-amz-bucket-region", region),) if region else ()
    return Answer(status, f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode(), (("Content-Type", "application/xml"), *headers))


class Keys:
    """The access keys that are known, in a file that tests write, too: ``{key: {secret, token, expires}}``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def known(self, access_key: str) -> Credential | None:
        """The secret of an access key; None when there is no such key."""
        found = self._read().get(access_key)
        if found is None:
            return None
        expires = datetime.fromisoformat(found["expires"]) if found.get("expires") else None
        return Credential(found["secret"], found.get("token", ""), expires)

    def _read(self) -> dict[str, dict[str, str]]:
        content: dict[str, dict[str, str]] = json.loads(self._path.read_text(encoding="utf-8"))
        return content

    def add(self, seconds: float, token_length: int = TOKEN_LENGTH) -> tuple[str, dict[str, str]]:
        """Make temporary ones that end in ``seconds`` (negative: that have ended)."""
        with self._lock:
            expires = datetime.now(UTC) + timedelta(seconds=seconds)
            token = secrets.token_urlsafe(token_length)[: token_length - 1] + "="
            made = {"secret": secrets.token_hex(20), "token": token, "expires": expires.isoformat()}
            name = f"ASIA{secrets.token_hex(8).upper()}"
            scratch = self._path.with_suffix(f".{name}")
            scratch.touch(mode=0o600)
            scratch.write_text(json.dumps(self._read() | {name: made}), encoding="utf-8")
            scratch.rename(self._path)
            return name, made


def temporary_credentials(operation: str, body: bytes, keys: Keys) -> Answer | None:
    """The answer to AssumeRole and GetSessionToken: moto's own credentials would be known to nobody here."""
    if operation not in ("AssumeRole", "GetSessionToken"):
        return None
    fields = parse_qs(body.decode())
    name, made = keys.add(float(fields.get("DurationSeconds", ["3600"])[0]))
    ends = datetime.fromisoformat(made["expires"]).strftime("%Y-%m-%dT%H:%M:%SZ")
    issued = (
        f"<Credentials><AccessKeyId>{name}</AccessKeyId><SecretAccessKey>{made['secret']}</SecretAccessKey>"
        f"<SessionToken>{escape(made['token'])}</SessionToken><Expiration>{ends}</Expiration></Credentials>"
    )
    if operation == "AssumeRole":
        role = escape(fields["RoleArn"][0].replace(":iam:", ":sts:").replace(":role/", ":assumed-role/"))
        session = escape(fields["RoleSessionName"][0])
        issued += f"<AssumedRoleUser><Arn>{role}/{session}</Arn><AssumedRoleId>AROASANDBOX:{session}</AssumedRoleId></AssumedRoleUser>"
    answer = f'<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{operation}Result>{issued}</{operation}Result>'
    return Answer(200, f"{answer}</{operation}Response>".encode(), (("Content-Type", "text/xml"),))
