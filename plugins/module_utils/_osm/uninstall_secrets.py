# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Delete the bootstrap Secrets of sidecars that are gone, namespace by namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import POD, SECRET
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import FAMILY
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.leftovers import mounted_secrets
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_fate import decide
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_PREFIXES = tuple(dict.fromkeys(product.bootstrap_secret_prefix for product in PRODUCTS))
_INSTANCE = "app.kubernetes.io/instance"
_CHUNK = 100


class Meant(NamedTuple):
    """The meshes whose bootstrap Secrets go from a namespace: all of them, or (of meshes that are gone) only those that no pod owns."""

    whole: frozenset[str] = frozenset()
    orphaned: frozenset[str] = frozenset()

    def includes(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a Secret with this metadata may go, as far as its mesh is asked."""
        mesh_name = (metadata.get("labels") or {}).get(_INSTANCE, "")
        return mesh_name in self.whole or (mesh_name in self.orphaned and not metadata.get("ownerReferences"))


def meant(inventory: Inventory, ref: ObjectRef) -> Meant:
    """Return whose Secrets go from the namespace ``ref``, as the plan has decided; a name that also stands for what stays is left out."""
    whole: set[str] = set()
    orphaned: set[str] = set()
    kept: set[str] = set()
    for item in inventory.artefacts:
        if (item.what, item.ref) == ("bootstrap-secrets", ref):
            goes = decide(item, inventory).goes
            (kept if not goes else whole if item.owner == "named" else orphaned).update(item.state.get("meshes") or ())
    return Meant(frozenset(whole - kept), frozenset(orphaned - kept))


def unmounted(api: Api, namespace: str, wanted: Meant) -> list[tuple[str, str]]:
    """Return (name, uid) of the bootstrap Secrets of these meshes that no pod mounts; a pod that is going needs none any more.

    Secrets are read before pods: an injector makes the Secret first (osm-edge v1.3.9 pkg/injector/patch.go).
    """
    secrets = [item["metadata"] for item in api.list(SECRET, namespace, label_selector=FAMILY, metadata_only=True)]
    staying = (pod for pod in api.list(POD, namespace) if not pod["metadata"].get("deletionTimestamp"))
    mounted = {name for pod in staying for dummy, name in mounted_secrets(pod)}
    candidates = (item for item in secrets if item["name"].startswith(_PREFIXES) and item["name"] not in mounted)
    return [(item["name"], item["uid"]) for item in candidates if wanted.includes(item)]


def delete_secrets(api: Api, namespace: str, found: Iterable[tuple[str, str]], guard: Callable[[], None]) -> int:
    """Delete these Secrets of a namespace, each by its uid, asking ``guard`` now and then; return how many there were."""
    todo = [*found]
    for start in range(0, len(todo), _CHUNK):
        guard()
        api.map(lambda item: api.delete(SECRET, item[0], namespace, uid=item[1]), todo[start : start + _CHUNK])
    return len(todo)
