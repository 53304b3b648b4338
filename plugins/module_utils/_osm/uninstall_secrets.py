# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Delete the bootstrap Secrets of sidecars that are gone, namespace by namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import POD, SECRET
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import FAMILY
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.leftovers import mounted_secrets
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS

_PREFIXES = tuple(dict.fromkeys(product.bootstrap_secret_prefix for product in PRODUCTS))
_INSTANCE = "app.kubernetes.io/instance"
_CHUNK = 100


def unmounted(api: Api, namespace: str, is_meant: Callable[[str], bool]) -> list[tuple[str, str]]:
    """Return (name, uid) of the bootstrap Secrets of a namespace that no pod mounts.

    ``is_meant`` answers for the name of a mesh, which is their label ``app.kubernetes.io/instance`` (osm-edge v1.3.9
    pkg/injector/patch.go). Secrets are read before pods: an injector makes the Secret first.
    """
    secrets = [item["metadata"] for item in api.list(SECRET, namespace, label_selector=FAMILY, metadata_only=True)]
    mounted = {name for pod in api.list(POD, namespace) for dummy, name in mounted_secrets(pod)}
    return [
        (item["name"], item["uid"])
        for item in secrets
        if item["name"].startswith(_PREFIXES) and item["name"] not in mounted and is_meant((item.get("labels") or {}).get(_INSTANCE, ""))
    ]


def delete_secrets(api: Api, namespace: str, found: Iterable[tuple[str, str]], guard: Callable[[], None]) -> int:
    """Delete these Secrets of a namespace, each by its uid, asking ``guard`` now and then; return how many there were."""
    todo = [*found]
    for start in range(0, len(todo), _CHUNK):
        guard()
        api.map(lambda item: api.delete(SECRET, item[0], namespace, uid=item[1]), todo[start : start + _CHUNK])
    return len(todo)
