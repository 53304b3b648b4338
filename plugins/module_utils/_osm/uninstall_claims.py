# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose a thing is, told by its own marks: Helm's annotations, the chart's labels and names, the Service that it leads to. Pure.

Never by ``app.kubernetes.io/version``: since 1.2 that label stays at the first installed version (osm-edge v1.3.9 pkg/injector/webhook.go,
pkg/validator/patch.go copy the old metadata), and everything that selects by it overlooks what an upgraded mesh has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_parts import RELEASES
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, Observed, ReleaseRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Owner, Subject
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_chart_names import (
    FIXED_NAMES,
    HOOK_SUFFIXES,
    PRESETS,
    is_chart_name,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_evidence import Thing, Traces
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_living import (
    is_living,
    others_of,
    product_of_app_name,
    title,
    titles,
)


class Claim(NamedTuple):
    """Whose a thing is, and how that is known, as the end of a sentence; ``users`` are the meshes that have it, or use it."""

    owner: Owner
    found_by: str
    users: tuple[str, ...] = ()


def artefact(item: Thing, what: str, claim: Claim) -> Artefact:
    """Return a thing with whose it is."""
    found = Artefact(item.ref, item.kind, what, claim.owner, claim.found_by, item.uid, item.resource_version)
    return replace(found, users=claim.users, state=item.state)


class Claims:
    """Judges the things of one cluster for one subject (None: nothing is anybody's who is uninstalled)."""

    def __init__(self, observed: Observed, traces: Traces, subject: Subject | None) -> None:
        self.observed = observed
        self.subject = subject
        place, product = (subject.namespace, subject.product) if subject is not None else ("", None)
        self.others = others_of(observed, place, product)
        self.living = [mesh for mesh in self.others if is_living(mesh)]
        self._records = {ReleaseRef(info.name, info.namespace) for info in traces.revisions}
        self._records_unread = RELEASES in observed.unknown

    # Names

    @property
    def name(self) -> str:
        """Name of the subject; empty without one."""
        return self.subject.name if self.subject is not None else ""

    def named_alike(self, name: str, app_name: str) -> list[Mesh]:
        """Return the other living meshes with this name and product labels: what only has labels may be theirs."""
        return [mesh for mesh in self.living if mesh.name == name and mesh.product.app_name == app_name]

    def is_subjects(self, name: str, app_name: str) -> bool:
        """Whether the labels ``instance`` and ``name`` are those of the subject."""
        return self.subject is not None and bool(name) and (name, app_name) == (self.subject.name, self.subject.product.app_name)

    # Judgements

    def of_mesh(self, mesh: Mesh, found_by: str) -> Claim:
        """Judge what is surely of another mesh: nobody's when that one is gone."""
        if is_living(mesh):
            return Claim("other", f"{found_by} of mesh {title(mesh)}", (title(mesh),))
        return Claim("unclaimed", f"{found_by} of mesh {title(mesh)}, which has no control plane any more")

    def of_thing(self, item: Thing) -> Claim:
        """Judge an object that a chart of the family may have made."""
        return self._by_release(item) or self._preset(item) or self._by_labels(item)

    def _by_release(self, item: Thing) -> Claim | None:
        release = item.release
        if release is None:
            return None
        named = f"Helm's annotations name release {release.namespace}/{release.name}"
        if self.subject is not None and release == self.subject.release:
            return Claim("named", f"{named}, which is the mesh's") if self._is_of_chart(item) else None
        owner = next((mesh for mesh in self.others if mesh.release_ref == release), None)
        if owner is not None:
            return self.of_mesh(owner, f"{named}, which is that")
        if release in self._records or self._records_unread:
            return Claim("other", f"{named}, which is not the mesh's")
        return None

    def _is_of_chart(self, item: Thing) -> bool:
        subject = self.subject
        if subject is None or item.namespace not in ("", subject.namespace):
            return False
        return item.app_name == subject.product.app_name or item.name in FIXED_NAMES

    def _preset(self, item: Thing) -> Claim | None:
        """Judge what the chart gives no labels (osm-edge v1.3.9 charts/osm/templates/preset-mesh-config.yaml)."""
        if item.app_name or item.name not in PRESETS or self.subject is None or item.namespace != self.subject.namespace:
            return None
        return Claim("named", "its name is one that the chart gives, and it is in the namespace of the control plane")

    def _by_labels(self, item: Thing) -> Claim:
        marks = f"its labels name mesh {item.instance}"
        if not item.instance:
            return Claim("other", "its labels name the product, but no mesh, as a chart's do")
        if not _is_chart_name(item, self.subject if self.is_subjects(item.instance, item.app_name) else None):
            return Claim("other", f"{marks}, but no chart of the family makes an object of this name")
        alike = [mesh for mesh in self.named_alike(item.instance, item.app_name) if item.namespace in ("", mesh.namespace)]
        if self.is_subjects(item.instance, item.app_name) and self.subject is not None and item.namespace in ("", self.subject.namespace):
            if not item.namespace and alike:
                return Claim("shared", f"{marks}, and so is called another mesh", titles(alike))
            return Claim("named", f"{marks}, and its name is one that the chart gives")
        if alike:
            return Claim("other", marks, titles(alike))
        mesh = next((mesh for mesh in self.others if mesh.name == item.instance and item.namespace == mesh.namespace), None)
        if mesh is not None:
            return self.of_mesh(mesh, "its labels are those")
        return Claim("unclaimed", f"{marks}, which has no control plane here")

    def leads_to_subject(self, services: Iterable[tuple[str, str]]) -> bool:
        """Whether all of these Services (namespace, name) are of the subject's control plane; one at least."""
        asked = [*services]
        return bool(asked) and all(self._is_subjects_service(*service) for service in asked)

    def _is_subjects_service(self, namespace: str, name: str) -> bool:
        subject = self.subject
        return subject is not None and bool(namespace) and namespace == subject.namespace and name in subject.product.services

    def other_behind(self, services: Iterable[tuple[str, str]]) -> Mesh | None:
        """Return another mesh that one of these Services is of."""
        asked = {*services}
        return next((mesh for mesh in self.others if any((mesh.namespace, name) in asked for name in mesh.product.services)), None)


def _is_chart_name(item: Thing, subject: Subject | None) -> bool:
    """Whether a chart of the family gives this name: after its product, its release, or one of a few others."""
    product = product_of_app_name(item.app_name)
    if product is None:
        return False
    releases = {item.instance, *([item.release.name] if item.release is not None else [])}
    if subject is not None and subject.release is not None:
        releases.add(subject.release.name)
    hook = bool(item.hook) and item.name.endswith(HOOK_SUFFIXES)
    return hook or is_chart_name(item.kind.kind, item.name, product, releases)
