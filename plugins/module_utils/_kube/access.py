# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask the API server what the caller may do, before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import ACCESS_REVIEW
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission

# So many objects of one resource are worth a first question about all of them.
_MANY = 8


def missing_permissions(api: Api, permissions: Iterable[Permission]) -> list[Permission]:
    """Return those permissions that the caller does not have, each once, in the order given.

    One SelfSubjectAccessReview each, concurrently; where the same is to be done to many objects, whoever may do it everywhere is
    asked only once. ``allowed`` counts even beside an ``evaluationError``: a broken
    authorizer in the chain does not take away what another one grants (kubernetes pkg/registry/authorization/util).
    """
    wanted = list(dict.fromkeys(permissions))
    counts = Counter(map(_everywhere, wanted))
    broad = [permission for permission, count in counts.items() if count > _MANY]
    granted = {permission for permission, allowed in zip(broad, _answers(api, broad), strict=True) if allowed}
    open_ones = [permission for permission in wanted if _everywhere(permission) not in granted]
    return [permission for permission, allowed in zip(open_ones, _answers(api, open_ones), strict=True) if not allowed]


def _everywhere(permission: Permission) -> Permission:
    """Return the permission to do the same to every object of the cluster."""
    return permission._replace(namespace="", name="")


def _answers(api: Api, permissions: Sequence[Permission]) -> Sequence[bool]:
    return api.map(lambda permission: _allowed(api, permission), permissions)


def _allowed(api: Api, permission: Permission) -> bool:
    fields = {key: value for key, value in permission._asdict().items() if value}
    body = {"apiVersion": ACCESS_REVIEW.api_version, "kind": ACCESS_REVIEW.kind, "spec": {"resourceAttributes": fields}}
    status = api.review(ACCESS_REVIEW, body).get("status") or {}
    return status.get("allowed") is True
