# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing goes over the network in clear, whoever has named the address."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.errors import plain
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused


def require_tls(url: str, named_by: str) -> None:
    """Raise Refused for an address of AWS that is not of HTTPS; ``named_by`` is for instance ``the option endpoint_url``."""
    if url.lower().startswith("https://"):
        return
    raise Refused(
        "AWS is asked with TLS only",
        why=f"{named_by} says {plain(url.partition('?')[0])}, which has no TLS; a snapshot has all secrets of its hosted cluster, "
        "and would go over the network in clear",
        state="nothing was sent there",
        next=f"have {named_by} give an address that begins with https:// (and give aws_ca_bundle, if its authority is your own)",
    )


def watch(session: Any) -> None:
    """Have everything refused that ``session`` (boto3's) would send without TLS, by clients of the SDK's own as well.

    Those ask STS and IAM Identity Center for the credentials of a profile.
    """

    def before_send(request: Any, event_name: str, **_rest: Any) -> None:
        # before-send.SERVICE.OPERATION, with the id of the service as in "route-53" (botocore endpoint.py ``_do_get_response``).
        require_tls(str(request.url), named_by(event_name.split(".")[1], str(request.url), session.profile_name))

    session.events.register_first("before-send", before_send)


def named_by(service_id: str, url: str, profile: str) -> str:
    """Return which setting has led to ``url``: the SDK takes variables first (botocore configprovider.py ConfiguredEndpointProvider)."""
    for name in (f"AWS_ENDPOINT_URL_{service_id.upper().replace('-', '_')}", "AWS_ENDPOINT_URL"):
        value = os.environ.get(name, "").rstrip("/")
        if value and url.startswith(value):
            return f"the variable {name}"
    return f"profile {profile} of the configuration files of AWS"
