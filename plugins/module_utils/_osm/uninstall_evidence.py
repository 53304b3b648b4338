# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of a cluster besides its meshes, to know whose each thing is: data types, and their reduction from raw objects. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.field_managers import last_writer
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import ReleaseInfo
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.version import FIELD_MANAGER
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import ReleaseRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = Mapping[str, Any]

NAME_LABEL, INSTANCE_LABEL, VERSION_LABEL = "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/version"
HOOK_ANNOTATION = "helm.sh/hook"
_RELEASE_NAME, _RELEASE_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
_CERT_MANAGER = "cert-manager.io/"
_SERVICE_ACCOUNT = "kubernetes.io/service-account.name"
BOOTSTRAP_SECRETS = tuple(dict.fromkeys(product.bootstrap_secret_prefix for product in PRODUCTS))


class Thing(NamedTuple):
    """Any object, reduced to what tells whose it is.

    ``release`` is the Helm release that its annotations name, ``hook`` the value of Helm's annotation for hooks. ``controller`` is the uid
    of what controls it. ``state`` is what its kind says besides (a Job: ``job``; a Deployment: ``replicas``).
    """

    kind: Kind
    name: str
    namespace: str
    labels: Mapping[str, str]
    uid: str = ""
    resource_version: str = ""
    release: ReleaseRef | None = None
    hook: str = ""
    controller: str = ""
    deleting: bool = False
    service_account: str = ""
    by_cert_manager: bool = False
    state: Object = MappingProxyType({})

    @property
    def ref(self) -> ObjectRef:
        """Its name."""
        return ObjectRef(self.kind.kind, self.name, self.namespace)

    @property
    def app_name(self) -> str:
        """Value of ``app.kubernetes.io/name``: which product's it says it is."""
        return self.labels.get(NAME_LABEL, "")

    @property
    def instance(self) -> str:
        """Value of ``app.kubernetes.io/instance``: the mesh that it says it is of."""
        return self.labels.get(INSTANCE_LABEL, "")


class BootstrapSecret(NamedTuple):
    """A sidecar's bootstrap Secret. ``orphaned`` when no pod mounts it and none owns it, so that nothing will ever remove it."""

    name: str
    namespace: str
    mesh_name: str
    app_name: str
    uid: str
    orphaned: bool


@dataclass(frozen=True)
class Traces:
    """What tells of meshes besides an observation.

    ``things`` have a label of the family (Deployments, Services, RBAC, ConfigMaps, Jobs, …), or are known by name only (presets, CA
    Secrets, MeshConfigs, MeshRootCertificates). ``revisions`` are all Helm revisions, ``foreign_releases`` those that were read and are no
    mesh's. ``counts`` has the number of custom
    resources of each definition, None when it could not be counted, and then ``uncounted`` says why. ``held`` is what the namespace of
    the control plane holds, when that was asked for.
    """

    things: tuple[Thing, ...] = ()
    secrets: tuple[BootstrapSecret, ...] = ()
    revisions: tuple[ReleaseInfo, ...] = ()
    foreign_releases: frozenset[ReleaseRef] = frozenset()
    counts: Mapping[str, int | None] = field(default_factory=dict)
    uncounted: Mapping[str, str] = field(default_factory=dict)
    held: tuple[Thing, ...] = ()
    user_resources: tuple[Thing, ...] = ()


def thing(kind: Kind, item: Object) -> Thing:
    """Reduce an object, whole or as metadata only."""
    metadata = item["metadata"]
    annotations = metadata.get("annotations") or {}
    namespace = str(metadata.get("namespace") or "")
    release = annotations.get(_RELEASE_NAME)
    return Thing(
        kind=kind,
        name=str(metadata["name"]),
        namespace=namespace,
        labels=metadata.get("labels") or {},
        uid=str(metadata.get("uid") or ""),
        resource_version=str(metadata.get("resourceVersion") or ""),
        release=ReleaseRef(release, annotations.get(_RELEASE_NAMESPACE, namespace)) if release else None,
        hook=str(annotations.get(HOOK_ANNOTATION) or ""),
        controller=next((owner["uid"] for owner in metadata.get("ownerReferences") or () if owner.get("controller")), ""),
        deleting="deletionTimestamp" in metadata,
        service_account=str(annotations.get(_SERVICE_ACCOUNT) or ""),
        by_cert_manager=any(key.startswith(_CERT_MANAGER) for key in annotations),
        state={**_state(kind, item), **_ends(item)},
    )


def _ends(item: Object) -> Object:
    """Return what explains an object that is there although it was deleted: who wrote it last, and whether it is on its way."""
    manager = last_writer(item)
    found: dict[str, Any] = {"manager": manager} if manager and manager != FIELD_MANAGER else {}
    return {**found, "deleting": True} if "deletionTimestamp" in item["metadata"] else found


def _state(kind: Kind, item: Object) -> Object:
    if kind.kind == "Job":
        conditions = (item.get("status") or {}).get("conditions") or ()
        true = {condition["type"] for condition in conditions if condition["status"] == "True"}
        return {"job": "failed" if "Failed" in true else "done" if "Complete" in true else "running"}
    if kind.kind == "Deployment" and "spec" in item:
        return {"replicas": item["spec"].get("replicas", 1), "pods": (item.get("status") or {}).get("replicas") or 0}
    return {}


def bootstrap_secret(item: Object, mounted: Container[tuple[str, str]] = ()) -> BootstrapSecret | None:
    """Reduce a Secret's metadata; None when it is not a bootstrap Secret. ``mounted`` are (namespace, name) of those that pods mount."""
    metadata = item["metadata"]
    name, namespace = str(metadata["name"]), str(metadata["namespace"])
    if not name.startswith(BOOTSTRAP_SECRETS):
        return None
    labels = metadata.get("labels") or {}
    return BootstrapSecret(
        name,
        namespace,
        labels.get(INSTANCE_LABEL, ""),
        labels.get(NAME_LABEL, ""),
        str(metadata.get("uid") or ""),
        orphaned=not metadata.get("ownerReferences") and (namespace, name) not in mounted,
    )
