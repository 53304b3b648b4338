# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading custom resources, also those that a conversion webhook keeps from being read.

A list of objects that are stored in another version than the one that is asked for fails with HTTP 500 while the webhook does not answer;
from Kubernetes 1.34 on the server's cache of them never gets ready then, and each list is answered with HTTP 429, "storage is
(re)initializing" (seen; apiserver pkg/storage/cacher, ResilientWatchCacheInitialization).
"""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden, KubeError
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import CustomResource, Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_living import endpoints_of

# For what will most likely not be answered.
SHORT_SECONDS = 3.0


def count(api: Api, kind: Kind) -> int:
    """Return the number of objects in the cluster: one request, and a second pass over their metadata where the server does not say it."""
    page = api.raw_get(kind.path(), limit="1")
    metadata = page.get("metadata") or {}
    if not metadata.get("continue"):
        return len(page.get("items") or ())
    remaining = metadata.get("remainingItemCount")
    if isinstance(remaining, int):
        return len(page.get("items") or ()) + remaining
    return sum(1 for _item in api.list(kind, metadata_only=True))


def reader(api: Api, crd: CustomResource, observed: Observed | None = None) -> Api:
    """Return the connection for reading objects of a definition: with little patience when nobody seems to convert them."""
    served = observed is not None and (endpoints_of(crd.conversion_service, observed) or 0) > 0
    return api if served or crd.conversion != "Webhook" else api.within(SHORT_SECONDS)


def why_unread(error: KubeError, crd: CustomResource) -> str:
    """Return why the objects of a definition could not be read; empty when that has nothing to do with the definition."""
    if isinstance(error, Forbidden):
        return f"not allowed to {error.missing}" if error.missing else str(error)
    if crd.conversion == "Webhook":
        return f"{error.message or error} (they are converted by Service {'/'.join(crd.conversion_service)})"
    return "" if error.status is None else error.message or str(error)
