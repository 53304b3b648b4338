# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask the API server what the caller may do, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import ACCESS_REVIEW
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission


def missing_permissions(api: Api, permissions: Iterable[Permission]) -> list[Permission]:
    """Return those permissions that the caller does not have, each once, in the order given.

    One SelfSubjectAccessReview each, concurrently. ``allowed`` counts even beside an ``evaluationError``: a broken
    authorizer in the chain does not take away what another one grants (kubernetes pkg/registry/authorization/util).
    """
    wanted = list(dict.fromkeys(permissions))
    answers = api.map(lambda permission: _allowed(api, permission), wanted)
    return [permission for permission, allowed in zip(wanted, answers, strict=True) if not allowed]


def _allowed(api: Api, permission: Permission) -> bool:
    fields = {key: value for key, value in permission._asdict().items() if value}
    body = {"apiVersion": ACCESS_REVIEW.api_version, "kind": ACCESS_REVIEW.kind, "spec": {"resourceAttributes": fields}}
    status = api.review(ACCESS_REVIEW, body).get("status") or {}
    return status.get("allowed") is True
