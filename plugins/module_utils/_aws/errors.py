# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS or its SDK says when it fails, in words for people; never with a key, a token or a signed address in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.actions import action_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

ENDED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AllAccessDisabled", "403"})
ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "404"})
_UNKNOWN = frozenset(
    {"InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidToken", "AuthFailure"}
)
_ELSEWHERE = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"})
_BUSY = frozenset(
    {
        *("SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "PriorRequestNotComplete", "RequestTimeout"),
        *("InternalError", "ServiceUnavailable", "500", "502", "503", "504"),
    }
)
_ACTION_IN_MESSAGE = re.compile(r"not authorized to perform: ([a-z0-9-]+:\w+)")
_HIDDEN = (
    (re.compile(r"(https?://[^\s?\"']*)\?[^\s\"']*"), r"\1"),
    (re.compile(r"//[^/@\s]+@"), "//"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}"), "***"),
    (re.compile(r"[A-Za-z0-9+/=_%-]{200,}"), "***"),
)
_LONGEST = 400


class AwsError(LifecycleError):
    """``code`` is AWS' own word or the name of the SDK's exception, ``action`` the permission that was needed, if it is known."""

    code = ""
    action = ""

    @property
    def denied(self) -> bool:
        """Whether a permission is missing."""
        return self.code in DENIED

    @property
    def absent(self) -> bool:
        """Whether what was asked for is not there."""
        return self.code in ABSENT


class _Words(NamedTuple):
    why: str
    next: str


def aws_error(error: BaseException, doing: str, ref: ObjectRef | None) -> LifecycleError:
    """Return what is raised instead of the SDK's ``error``, which came while ``doing`` something ("storing s3://backups/x").

    A LifecycleError comes back as it is.
    """
    if isinstance(error, LifecycleError):
        return error
    response = getattr(error, "response", None)
    if isinstance(response, Mapping) and isinstance(response.get("Error"), Mapping):
        code, action, words = _refused(response, str(getattr(error, "operation_name", "")))
    else:
        code, action, words = type(error).__name__, "", _failed(error)
    made = AwsError(f"AWS: {doing} failed", object=ref, why=words.why, next=words.next)
    made.code, made.action = code, action
    return made


def code_of(error: BaseException) -> str:
    """Return AWS' own word for ``error`` (``NoSuchKey``, ``404`` for a HEAD), or the name of the SDK's exception."""
    response = getattr(error, "response", None)
    found = response.get("Error") if isinstance(response, Mapping) else None
    return str(found.get("Code") or "") if isinstance(found, Mapping) else type(error).__name__


def plain(text: object) -> str:
    """Return ``text`` without keys, tokens, passwords and the queries of addresses, and not too much of it."""
    shown = " ".join(str(text).split())
    for pattern, instead in _HIDDEN:
        shown = pattern.sub(instead, shown)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} …"


# Answers of AWS


def _refused(response: Mapping[str, Any], operation: str) -> tuple[str, str, _Words]:
    said = response["Error"]
    code, message = str(said.get("Code") or ""), plain(said.get("Message") or "")
    named = _ACTION_IN_MESSAGE.search(message)
    action = named[1] if named else action_of(operation)
    tried = f"{operation} was answered with {code}" + (f" ({message})" if message and message != code else "")
    if code in DENIED:
        what = f"the credentials lack the permission {action}" if action else "a permission is missing"
        hint = " (without s3:ListBucket AWS says the same of an object that is not there)" if action == "s3:GetObject" else ""
        advice = f"allow {action or operation} to the user or role that asks" + (
            ", in its policy and in that of the key" if action.startswith("kms:") else ", and look for a Deny in the bucket's policy"
        )
        return code, action, _Words(f"{what}{hint}: {tried}", f"{advice}; aws sts get-caller-identity tells who asks")
    if code in _ELSEWHERE:
        region = _region_in(response)
        where = f"the bucket is in {region}" if region else "the bucket is in another region"
        return code, action, _Words(f"{where}: {tried}", f"set region to {region or 'that of the bucket'}")
    return code, action, _Words(*_answer(code, tried))


def _answer(code: str, tried: str) -> tuple[str, str]:
    if code in ENDED:
        return f"the temporary credentials have ended: {tried}", "get new ones (aws sso login, aws sts assume-role, …) and run it again"
    if code in _UNKNOWN:
        return (
            f"AWS does not know the credentials or their signature: {tried}",
            "check the profile or the AWS_* variables; aws sts get-caller-identity tells whether they are good",
        )
    if code == "RequestTimeTooSkewed":
        return f"this machine's clock is wrong: {tried}", "set the clock (timedatectl) and run it again"
    if code == "NoSuchBucket":
        return f"there is no such bucket: {tried}", "check its name, and endpoint_url if one is set; aws s3api list-buckets shows yours"
    if code in ABSENT:
        return f"there is no such object: {tried}", "check bucket, prefix and run id; aws s3 ls shows what is there"
    if code in _BUSY:
        return (
            f"AWS was too busy or had a failure of its own, and so it was at each further attempt: {tried}",
            "run it again a little later",
        )
    if code.startswith("KMS."):
        return f"the KMS key cannot be used: {tried}", "check kms_key_id: it must be enabled and in the bucket's region"
    return tried, "see what AWS says about it, and run it again"


def _region_in(response: Mapping[str, Any]) -> str:
    headers = (response.get("ResponseMetadata") or {}).get("HTTPHeaders") or {}
    return str(response["Error"].get("Region") or headers.get("x-amz-bucket-region") or "")


# What never got an answer

_CREDENTIALS = "give a profile, the AWS_* variables or a role of the machine; aws sts get-caller-identity tells whether they are good"
_NETWORK = "check the way there (HTTPS_PROXY, endpoint_url, region) and run it again"
_FAILURES = {
    "NoCredentialsError": _Words("there are no credentials", _CREDENTIALS),
    "PartialCredentialsError": _Words("half of the credentials is missing", _CREDENTIALS),
    "NoRegionError": _Words("nothing says which region", "set region (or AWS_DEFAULT_REGION)"),
    "ReadTimeoutError": _Words("AWS did not answer in time, at any attempt", _NETWORK),
    "ConnectTimeoutError": _Words("AWS could not be reached in time", _NETWORK),
    "EndpointConnectionError": _Words("AWS could not be reached", _NETWORK),
    "ProxyConnectionError": _Words("the proxy could not be reached", "check HTTPS_PROXY"),
    "ConnectionClosedError": _Words("the connection broke, and so it did at each further attempt", _NETWORK),
}
_LOGIN = frozenset({"SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError", "LoginTokenLoadError", "LoginRefreshRequired"})


def _failed(error: BaseException) -> _Words:
    name, text = type(error).__name__, plain(error)
    if name in _FAILURES:
        known = _FAILURES[name]
        return _Words(f"{known.why}: {text}", known.next)
    if name == "SSLError" and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return _Words(f"the certificate is not trusted: {text}", "give the authority in aws_ca_bundle (or AWS_CA_BUNDLE)")
    if name in ("SSLError", "HTTPClientError", "ResponseStreamingError", "IncompleteReadError"):
        # botocore says "SSL validation failed" of a connection that was reset while a body was sent.
        return _Words(f"the connection broke, and so it did at each further attempt: {text}", _NETWORK)
    if name in _LOGIN:
        return _Words(f"the login has ended: {text}", "log in (aws sso login, aws login) and run it again")
    if name == "ProfileNotFound":
        return _Words(text, "aws configure list-profiles shows which there are")
    if name in ("CredentialRetrievalError", "MetadataRetrievalError", "InvalidConfigError", "ConfigParseError"):
        return _Words(f"the credentials could not be got: {text}", _CREDENTIALS)
    return _Words(text or name, "see what the SDK says about it, and run it again")
