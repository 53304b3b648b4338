# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who asks AWS, where, and how patiently: the options of amazon.aws, the SDK's credential chain, one client per service and region."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.errors import aws_error
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.tls import named_by, require_tls, watch
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

# Names and aliases as in amazon.aws (plugins/doc_fragments/common.py and region.py). The id of a key is no secret there; it is
# kept out of logs and results here. Environment variables are read by the SDK itself.
AWS_SPEC: dict[str, Any] = {
    "access_key": {"type": "str", "aliases": ["aws_access_key_id", "aws_access_key"], "no_log": True},
    "secret_key": {"type": "str", "aliases": ["aws_secret_access_key", "aws_secret_key"], "no_log": True},
    "session_token": {"type": "str", "aliases": ["aws_session_token"], "no_log": True},
    "profile": {"type": "str", "aliases": ["aws_profile"]},
    "region": {"type": "str", "aliases": ["aws_region"]},
    "endpoint_url": {"type": "str", "aliases": ["aws_endpoint_url"]},
    "aws_ca_bundle": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
}
# Where services are asked that are the same everywhere, and S3 as long as the region of a bucket is not known.
_ANYWHERE = "us-east-1"
_GLOBAL_SERVICES = frozenset({"s3", "route53"})
# With the waits of the SDK's standard mode (1, 2, 4, … at most 20 s, each taken at random up to that) about half a minute.
_ATTEMPTS = 6
_CONNECT_SECONDS, _READ_SECONDS = 10, 60
CONNECTIONS = 10


class Aws:
    """An account, as far as the credentials reach. Nothing is asked, and the SDK is not loaded, before the first client.

    ``params`` are a module's with AWS_SPEC in its spec, ``name`` is the module's (AWS' own logs have it). Clients may be used by
    several threads. Raises LifecycleError for options that contradict each other or name what is not there, and Refused for an
    address without TLS, wherever it comes from.
    """

    def __init__(self, params: Mapping[str, Any], *, name: str) -> None:
        self._options = {option: params.get(option) for option in AWS_SPEC}
        self._name = name
        self._lock = threading.RLock()
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._made: Any = None
        self._secrets: dict[str, None] = dict.fromkeys(
            str(value) for option, value in self._options.items() if value and AWS_SPEC[option].get("no_log")
        )
        # The regions of buckets, which do not move: bucket → region.
        self.bucket_regions: dict[str, str] = {}
        self._check()

    def client(self, service: str, region: str = "", *, addressing: str = "auto") -> Any:
        """Return the SDK's client of ``service`` in ``region`` (default: the option, AWS_REGION, AWS_DEFAULT_REGION, the profile's).

        ``addressing`` is where S3 has the bucket: ``auto`` is in the path with an endpoint of one's own, else in the host.
        """
        with self._lock:
            place = region or self.region or (_ANYWHERE if service in _GLOBAL_SERVICES else "")
            key = (service, place, addressing)
            if key not in self._clients:
                self._clients[key] = self._client(*key)
            return self._clients[key]

    @property
    def region(self) -> str:
        """The region that is asked when none is named; empty when nothing says one."""
        return str(self._options["region"] or os.environ.get("AWS_REGION") or self._session.region_name or "")

    @property
    def secrets(self) -> tuple[str, ...]:
        """All keys and tokens that were used so far; never to be shown."""
        self._credentials()
        return tuple(self._secrets)

    @property
    def credentials_end(self) -> datetime | None:
        """When temporary credentials end, if the SDK knows: not for a bare AWS_SESSION_TOKEN without AWS_CREDENTIAL_EXPIRATION.

        Credentials that the SDK renews (roles, instance profiles) end then as well for a presigned URL made from them.
        """
        found = getattr(self._credentials(), "_expiry_time", None)
        return found if isinstance(found, datetime) else None

    # Made on first use

    def _check(self) -> None:
        keys, given = ("access_key", "secret_key", "session_token"), self._options
        if given["profile"] and any(given[key] for key in keys):
            raise _contradiction("profile and keys are given", "only one of them can say who asks", "leave out profile, or the keys")
        if bool(given["access_key"]) != bool(given["secret_key"]) or (given["session_token"] and not given["access_key"]):
            raise _contradiction(
                "access_key and secret_key must be given together",
                "a request is signed with both, and a session_token belongs to exactly one pair",
                "give both, or neither to use the environment, a profile or the machine's role",
            )
        bundle = given["aws_ca_bundle"]
        if bundle and not Path(bundle).is_file():
            raise _contradiction(f"aws_ca_bundle: there is no file {bundle}", "certificates are checked with it", "give a PEM file")
        endpoint = str(given["endpoint_url"] or "")
        if endpoint and not endpoint.lower().startswith(("https://", "http://")):
            raise _contradiction("endpoint_url is no address", "it begins with https://", "give for instance https://s3.example.com")
        if endpoint:
            require_tls(endpoint, "the option endpoint_url")

    @property
    def _session(self) -> Any:
        with self._lock:
            if self._made is None:
                try:
                    import boto3.session
                except ImportError as error:
                    raise LifecycleError(
                        "A Python library is missing: boto3",
                        why=str(error),
                        next="install it for the interpreter that runs the module: pip install boto3",
                    ) from error
                given = self._options
                try:
                    self._made = boto3.session.Session(
                        given["access_key"] or None,
                        given["secret_key"] or None,
                        given["session_token"] or None,
                        profile_name=given["profile"] or None,
                    )
                    watch(self._made)
                except Exception as error:
                    raise aws_error(error, "reading the configuration of AWS", None) from error
            return self._made

    def _credentials(self) -> Any:
        """Return the SDK's credentials (None: there are none), and remember what is secret in them."""
        with self._lock:
            try:
                found = self._session.get_credentials()
                if found is not None:
                    self._secrets |= dict.fromkeys(str(value) for value in found.get_frozen_credentials()[:3] if value)
            except LifecycleError:
                raise
            except Exception as error:
                raise aws_error(error, "reading the credentials for AWS", None) from error
            return found

    def _client(self, service: str, region: str, addressing: str) -> Any:
        session = self._session
        from botocore.config import Config

        config = Config(
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=CONNECTIONS,
            tcp_keepalive=True,
            user_agent_extra=f"meshops.lifecycle/{self._name}",
            # Without this, addresses that are signed in advance are of the old kind in the oldest regions.
            signature_version="s3v4" if service == "s3" else None,
            s3={"addressing_style": addressing, "us_east_1_regional_endpoint": "regional"} if service == "s3" else None,
        )
        try:
            client = session.client(
                service,
                region_name=region or None,
                endpoint_url=self._options["endpoint_url"] or None,
                verify=(self._options["aws_ca_bundle"] or None) if self._options["validate_certs"] is not False else False,
                config=config,
            )
        except Exception as error:
            raise aws_error(error, f"preparing to ask {service}", None) from error
        # Before credentials are sought for it.
        address = str(client.meta.endpoint_url)
        require_tls(address, named_by(client.meta.service_model.service_id.hyphenize(), address, session.profile_name))
        client.meta.events.register_first("needs-retry", _give_up_on_certificates)
        return client


def _give_up_on_certificates(caught_exception: Exception | None = None, **_rest: Any) -> None:
    """Stop before the SDK tries again what no patience will change; resets, which it also calls SSL errors, it shall try again."""
    if caught_exception is not None and "CERTIFICATE_VERIFY_FAILED" in str(caught_exception):
        raise caught_exception


def _contradiction(what: str, why: str, advice: str) -> LifecycleError:
    return LifecycleError(what, why=why, state="nothing was asked of AWS", next=advice)
