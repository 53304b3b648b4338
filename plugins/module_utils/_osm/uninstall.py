# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an uninstallation is asked for, what it finds in a cluster, and whose each thing is: data types only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, Observed, ReleaseRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Options
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import Scope
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_plan import RefreshPlan

Object = Mapping[str, Any]

# What may be asked for besides the mesh itself, because it may be shared or has no living owner.
ClusterWide = Literal["osm_crds", "smi_crds", "orphans", "all"]
# Parts of the work that can be chosen.
Part = Literal["sidecars", "control_plane", "cluster_wide", "namespace"]

# How an uninstallation does its parts, in this order.
UNBLOCK, SIDECARS, STOP, CONVERSION, RELEASE, ARTEFACTS, USER_RESOURCES, CUSTOM_RESOURCES, NAMESPACE, DEFINITIONS = (
    "unblock",
    "sidecars",
    "stop",
    "conversion",
    "release",
    "artefacts",
    "user_resources",
    "custom_resources",
    "namespace",
    "definitions",
)

# named: of the mesh that is uninstalled, by its own mark (name, label, annotation, service reference). shared: of the family, and other
# meshes of this cluster use it. unclaimed: of the family, without a living owner. other: of another mesh, never touched.
Owner = Literal["named", "shared", "unclaimed", "other"]


class UserResource(NamedTuple):
    """An object that was made for the mesh by its users and is deleted on request."""

    kind: Kind
    name: str
    namespace: str = ""


@dataclass(frozen=True)
class UninstallRequest:
    """What the user wants.

    ``delete_namespace`` is ``no``, ``empty`` (refused when it holds anything that is not of this mesh) or ``force``. ``parts`` are
    those that are done. ``refresh`` has the pace of the restarts. ``managed`` says that somebody else owns the control plane (a managed
    environment): then only sidecars and cluster-wide things are removed. ``edit_templates`` lets injection annotations be taken out of
    pod templates.
    """

    mesh_name: str = ""
    namespace: str = ""
    confirm: str = ""
    remove_sidecars: bool = True
    delete_namespace: Literal["no", "empty", "force"] = "no"
    cluster_wide: frozenset[str] = frozenset()
    delete_custom_resources: bool = False
    user_resources: tuple[UserResource, ...] = ()
    parts: frozenset[str] = frozenset({"sidecars", "control_plane", "cluster_wide", "namespace"})
    managed: bool = False
    edit_templates: bool = False
    refresh: Options = field(default_factory=lambda: Options(state="absent"))


@dataclass(frozen=True)
class Subject:
    """The mesh that is uninstalled, or what is left of one.

    ``mesh`` is None when no control plane is left. ``release`` is its Helm release by annotation, record or memory; ``ca_secret`` the name
    of its CA Secret (chart value ``osm.caBundleSecretName``). ``version`` is the newest that it is known to have had, maybe empty.
    """

    name: str
    namespace: str
    product: Product
    version: str = ""
    mesh: Mesh | None = None
    release: ReleaseRef | None = None
    ca_secret: str = ""


@dataclass(frozen=True)
class Artefact:
    """One thing of a mesh, or of the family, that is in the cluster.

    ``what`` is the row of the documentation's table that it belongs to (a stable kebab-case word, see ``uninstall_table``).
    ``found_by`` says how it was found and why it is whose it is, as the end of a sentence. ``users`` are the other meshes
    (``namespace/name``) that use it. ``count`` is the number of objects behind it (custom resources of a definition, Secrets of a
    namespace), None when it could not be counted; ``unknown`` then says why.
    """

    ref: ObjectRef
    kind: Kind
    what: str
    owner: Owner
    found_by: str
    uid: str = ""
    resource_version: str = ""
    users: tuple[str, ...] = ()
    count: int | None = 1
    unknown: str = ""
    state: Object = field(default_factory=dict)


class Enrolled(NamedTuple):
    """A namespace with marks of the mesh: the merge patch that takes them off, and the state it was read in."""

    name: str
    uid: str
    resource_version: str
    labels: Mapping[str, None]
    annotations: Mapping[str, None]


@dataclass(frozen=True)
class Inventory:
    """Everything that was found, and read at the same time; ``subject`` is None when nothing of a mesh is there.

    ``artefacts`` are all things of the family, whoever owns them, ``named`` first. ``enrolled`` are the namespaces that the mesh has
    marked. ``scope`` and ``sidecars`` are what the removal of sidecars would do, judged as if those namespaces were un-enrolled.
    ``content`` is what the namespace of the control plane holds that is not of this mesh. ``unread`` are parts that could not be read.
    """

    observed: Observed
    request: UninstallRequest
    subject: Subject | None
    artefacts: tuple[Artefact, ...] = ()
    enrolled: tuple[Enrolled, ...] = ()
    scope: Scope = field(default_factory=Scope)
    sidecars: RefreshPlan | None = None
    content: tuple[ObjectRef, ...] = ()
    namespace_exists: bool = False
    namespace_terminating: bool = False
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def others(self) -> tuple[Mesh, ...]:
        """The other meshes of the cluster."""
        mesh = self.subject.mesh if self.subject is not None else None
        return tuple(other for other in self.observed.meshes if other is not mesh)

    def of(self, owner: Owner) -> list[Artefact]:
        """Return the artefacts of one owner."""
        return [item for item in self.artefacts if item.owner == owner]
