# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which namespaces carry the marks of a mesh, and how a cluster looks without them. Pure.

Source: osm-edge v1.3.9 cmd/cli/namespace_remove.go (which of them it takes off) and namespace_ignore.go.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, NamespaceFacts, Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Enrolled, Subject


def enrolled_namespaces(observed: Observed, subject: Subject) -> tuple[Enrolled, ...]:
    """Return the namespaces that are to lose marks, by name: those of the mesh, ignored ones as well.

    Annotations for injection and metrics in a namespace that no mesh has enrolled name no mesh: they go with the last mesh that reads
    such keys. The label by which a user keeps such a namespace out of every mesh stays, and so does a namespace that is being deleted.
    Where another control plane has the same name and reads the same keys, the marks are shared and nothing is taken off.
    """
    if twins(observed, subject):
        return ()
    last = is_last(observed, subject)
    found = (marks(facts, subject, last=last) for facts in observed.namespaces.values())
    return tuple(sorted((item for item in found if item is not None), key=lambda item: item.name))


def marks(facts: NamespaceFacts, subject: Subject, *, last: bool) -> Enrolled | None:
    """Return what is to be taken off one namespace; None when nothing is. ``last``: no other mesh reads these keys."""
    product = subject.product
    label = facts.labels.get(product.monitored_by_label)
    if facts.terminating or not (label == subject.name or (not label and last)):
        return None
    removed = (product.monitored_by_label, product.ignore_label) if label == subject.name else (product.monitored_by_label,)
    labels = {key: None for key in removed if key in facts.labels}
    keys = (product.injection_annotation, product.metrics_annotation)
    annotations = {key: None for key in keys if key in facts.annotations}
    if not labels and not annotations:
        return None
    return Enrolled(facts.name, facts.uid, facts.resource_version, labels, annotations)


def is_last(observed: Observed, subject: Subject) -> bool:
    """Whether no other control plane of the cluster reads the keys that this mesh's namespaces have."""
    return not any(other.product.key_domain == subject.product.key_domain for other in other_meshes(observed, subject))


def twins(observed: Observed, subject: Subject) -> list[Mesh]:
    """Return the other control planes whose namespaces cannot be told from the mesh's own."""
    return [
        other
        for other in other_meshes(observed, subject)
        if (other.product.key_domain, other.name) == (subject.product.key_domain, subject.name)
    ]


def other_meshes(observed: Observed, subject: Subject) -> list[Mesh]:
    """Return the control planes that are not the subject's."""
    own = (subject.namespace, subject.name, subject.product.name_prefix)
    return [mesh for mesh in observed.meshes if mesh is not subject.mesh and (mesh.namespace, mesh.name, mesh.product.name_prefix) != own]


def elsewhere(facts: NamespaceFacts, subject: Subject) -> str:
    """Return the name of another mesh that a namespace is enrolled in, or an empty string."""
    own = facts.labels.get(subject.product.monitored_by_label, "")
    if own and own != subject.name:
        return own
    foreign = (facts.labels.get(other.monitored_by_label, "") for other in PRODUCTS if other.key_domain != subject.product.key_domain)
    return next(filter(None, foreign), "")


def without_marks(observed: Observed, enrolled: Collection[Enrolled]) -> Observed:
    """Return the same cluster as it will be when these namespaces have lost their marks."""
    namespaces = dict(observed.namespaces)
    for item in enrolled:
        facts = namespaces[item.name]
        namespaces[item.name] = facts._replace(
            labels=_without(facts.labels, item.labels), annotations=_without(facts.annotations, item.annotations)
        )
    return replace(observed, namespaces=namespaces)


def _without(pairs: Mapping[str, str], keys: Collection[str]) -> dict[str, str]:
    return {key: value for key, value in pairs.items() if key not in keys}
