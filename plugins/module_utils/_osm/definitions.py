# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Definitions (CRDs) that would make the bootstrap of the target version crash, and what is done about them before it starts. Pure.

osm-bootstrap writes every definition that it ships over the one that is there, and exits at the first that it cannot write
(osm-edge v1.3.9 cmd/osm-bootstrap/crds.go ``applyOrUpdateCRDs``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crds import Crd, crds_of, left_behind, recorded_sets
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import CustomResource
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, PRODUCTS, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission, Step

Definitions = Mapping[str, CustomResource]
MIGRATE, LABEL = "migrate_storage", "label_definition"
NAME_LABEL = "app.kubernetes.io/name"
_MANAGED_BY = "app.kubernetes.io/managed-by"
_GROUP, _RESOURCE = "apiextensions.k8s.io", "customresourcedefinitions"


class Migration(NamedTuple):
    """Objects of ``live`` are to be stored as ``storage`` only: the target's definition does not know the version ``unknown``."""

    live: CustomResource
    wanted: Crd
    unknown: tuple[str, ...]

    @property
    def ref(self) -> ObjectRef:
        """The definition."""
        return ObjectRef("CustomResourceDefinition", self.live.name)

    @property
    def possible(self) -> bool:
        """Whether the API server can serve the objects in the version that the target stores."""
        return self.wanted.storage in self.live.versions

    def kind(self, version: str) -> Kind:
        """The resource type of the objects in one version; the kind's own name is not needed for paths."""
        return Kind(f"{self.wanted.group}/{version}", self.wanted.plural, self.wanted.plural, self.wanted.namespaced)


def migrations(product: Product, target_version: str, live: Definitions) -> list[Migration]:
    """Return the definitions whose objects may be stored in a version that the target's definition lacks.

    The API server refuses such a definition: ``status.storedVersions[1]: Invalid value: "v1alpha4": must appear in spec.versions``
    (kubernetes apiextensions-apiserver pkg/apis/apiextensions/validation). osm-edge 1.3 stores TrafficSplits as v1alpha4, 1.2 knows
    only v1alpha2.
    """
    found = []
    for wanted in crds_of(product, target_version) or ():
        there = live.get(wanted.name)
        unknown = tuple(version for version in there.stored if version not in wanted.served) if there is not None else ()
        if there is not None and unknown:
            found.append(Migration(there, wanted, unknown))
    return found


def definition_steps(product: Product, target_version: str, live: Definitions) -> list[Step]:
    """Return what has to be done to the definitions before the bootstrap of ``target_version`` starts."""
    return [*_label_steps(product, target_version, live), *_migration_steps(product, target_version, live)]


def _label_steps(product: Product, target_version: str, live: Definitions) -> Iterator[Step]:
    if product is FSM:
        return  # fsm v1.5.1 guards against it
    for wanted in crds_of(product, target_version) or ():
        there = live.get(wanted.name)
        if there is not None and not there.labels:
            yield Step(
                LABEL,
                ObjectRef("CustomResourceDefinition", there.name),
                why=f"it has no labels at all, and {product.bootstrap} {target_version} crashes on that (assignment to entry in nil map)",
                desired={"labels": {NAME_LABEL: wanted.app_name}},
                before={"labels": {}},
                after={"labels": {NAME_LABEL: wanted.app_name}},
                uid=there.uid,
                resource_version=there.resource_version,
                permissions=(Permission("patch", _GROUP, _RESOURCE, "", there.name),),
            )


def _migration_steps(product: Product, target_version: str, live: Definitions) -> Iterator[Step]:
    for migration in migrations(product, target_version, live):
        there, wanted = migration.live, migration.wanted
        if migration.possible:
            yield Step(
                MIGRATE,
                migration.ref,
                why=f"its objects may be stored as {', '.join(migration.unknown)}, which {product.title} {target_version} does not know: "
                f"they are rewritten as {wanted.storage}, without the fields that it lacks",
                risk="disruptive",
                reversible=False,
                desired={"storage": wanted.storage},
                before={"storage": there.storage, "storedVersions": [*there.stored]},
                after={"storage": wanted.storage, "storedVersions": [wanted.storage]},
                uid=there.uid,
                simulated="the objects are rewritten one by one",
                permissions=_migrating(wanted),
            )


def stored_otherwise(product: Product, version: str) -> tuple[str, ...]:
    """Return the definitions of ``version`` that another release of the product stores in a version which this one does not know."""
    others = [crd for crds in recorded_sets(product) for crd in crds]
    return tuple(
        own.name
        for own in crds_of(product, version) or ()
        if any(other.name == own.name and other.storage not in own.served for other in others)
    )


def way_back_permissions(product: Product, before_version: str, target_version: str) -> tuple[Permission, ...]:
    """Return what it takes to make the definitions of ``target_version`` acceptable to ``before_version`` again.

    Asked for before the first write of an upgrade that is to be taken back when it fails: afterwards it would be too late.
    """
    older = {crd.name: crd for crd in crds_of(product, before_version) or ()}
    stored = [crd for crd in crds_of(product, target_version) or () if crd.name in older and crd.storage not in older[crd.name].served]
    return tuple(permission for crd in stored for permission in _migrating(crd))


def _migrating(crd: Crd) -> tuple[Permission, ...]:
    """What storing a definition's objects in another version takes."""
    return (
        Permission("get", _GROUP, _RESOURCE, "", crd.name),
        Permission("update", _GROUP, _RESOURCE, "", crd.name),
        Permission("patch", _GROUP, _RESOURCE, "", crd.name, "status"),
        Permission("list", crd.group, crd.plural),
        Permission("get", crd.group, crd.plural),
        Permission("update", crd.group, crd.plural),
    )


def definition_refusals(product: Product, target_version: str, live: Definitions) -> list[Refusal]:
    """Return the definitions that no step can make acceptable."""
    return [
        Refusal(
            "stored-version",
            migration.ref,
            f"{migration.live.name} stores objects as {', '.join(migration.unknown)}{_owned(migration.live)}, and {product.title} "
            f"{target_version} brings a definition without that version",
            f"the API server would refuse it ({product.bootstrap} then crashes), and objects cannot be rewritten as "
            f"{migration.wanted.storage}, because the definition in the cluster does not serve that",
            "nothing was written by this run",
            f"find out whose definition it is; when its objects are not needed, delete them and take {', '.join(migration.unknown)} out of "
            "its status.storedVersions",
        )
        for migration in migrations(product, target_version, live)
        if not migration.possible
    ]


def definition_findings(product: Product, before_version: str, target_version: str, live: Definitions) -> list[Finding]:
    """Return what the reader should know: definitions of somebody else that are overwritten, and those that stay behind."""
    found = []
    for wanted in crds_of(product, target_version) or ():
        there = live.get(wanted.name)
        if there is not None and _owned(there):
            found.append(
                Finding(
                    "warning",
                    "foreign-definition",
                    ObjectRef("CustomResourceDefinition", there.name),
                    f"{there.name}{_owned(there)}, and {product.bootstrap} {target_version} writes its own over it",
                    "every bootstrap of the family does that when it starts; versions and fields that only the other owner's has are lost",
                    "make sure that its owner can live with the versions "
                    f"{', '.join(wanted.served)} (stored: {wanted.storage}), or install this mesh in another cluster",
                )
            )
    stays = [name for name in left_behind(product, before_version, target_version) if name in live]
    if stays:
        found.append(
            Finding(
                "info",
                "definitions-left-behind",
                ObjectRef("CustomResourceDefinition", stays[0]),
                f"{product.title} {target_version} does not use {', '.join(stays)}: they and their objects stay",
                "an upgrade removes no definition, because that would delete all its objects",
                "delete them when no other mesh of the cluster needs them",
            )
        )
    return found


def _owned(definition: CustomResource) -> str:
    """Return who else owns a definition, empty when its labels name the family or nobody."""
    name = definition.labels.get(NAME_LABEL, "")
    manager = definition.labels.get(_MANAGED_BY, "")
    if name and name not in {product.app_name for product in PRODUCTS}:
        return f" belongs to {name}"
    return f" is managed by {manager}" if manager else ""
