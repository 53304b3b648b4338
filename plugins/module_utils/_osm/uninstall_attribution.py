# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what was read to a list of things, each with whose it is and how that is known. Pure.

What stands for several objects: ``bootstrap-secrets`` and ``sidecar`` are one artefact for each namespace (and owner), ``custom-resources``
one for each definition; their ``kind`` is that of the objects, their ``ref`` the Namespace or the CustomResourceDefinition. The ``state``
of a ``user-resource`` has ``release`` (``namespace/name``) when Helm made it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import NAMESPACE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Enrolled, Subject
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_claims import Claim, Claims, artefact
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_evidence import Traces
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_found_chart import chart_objects
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_found_data_plane import (
    bootstrap_secrets,
    left_enrolled,
    sidecars,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_found_definitions import definitions
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_found_own import ca_secrets, mesh_configs, releases
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_found_webhooks import webhooks
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_living import is_living, titles
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_OWNERS = ("named", "shared", "unclaimed", "other")


def attribute(
    observed: Observed, traces: Traces, subject: Subject | None, enrolled: tuple[Enrolled, ...] = (), more: tuple[Artefact, ...] = ()
) -> tuple[Artefact, ...]:
    """Return all things of the family, those of ``subject`` first; ``more`` are judged already."""
    claims = Claims(observed, traces, subject)
    found = [
        *chart_objects(claims, traces),
        *releases(claims, traces),
        *webhooks(claims),
        *mesh_configs(claims, traces),
        *ca_secrets(claims, traces),
        *bootstrap_secrets(claims, traces),
        *_enrolled(enrolled, subject),
        *left_enrolled(claims, enrolled),
        *sidecars(claims),
        *definitions(claims, traces),
        *_user_resources(traces),
        *_namespace(claims),
        *more,
    ]
    return tuple(sorted(found, key=_order))


def _order(item: Artefact) -> tuple[int, str, ObjectRef]:
    return _OWNERS.index(item.owner), item.what, item.ref


def _enrolled(enrolled: tuple[Enrolled, ...], subject: Subject | None) -> Iterator[Artefact]:
    for item in enrolled:
        keys = ", ".join([*item.labels, *item.annotations])
        yield Artefact(
            ObjectRef("Namespace", item.name),
            NAMESPACE,
            "enrolled-namespace",
            "named",
            f"it has {keys} of mesh {subject.name if subject is not None else ''}".rstrip(),
            item.uid,
            item.resource_version,
        )


def _user_resources(traces: Traces) -> Iterator[Artefact]:
    for item in traces.user_resources:
        found = artefact(item, "user-resource", Claim("named", "user_resources names it"))
        release = item.release
        yield replace(found, state={"release": f"{release.namespace}/{release.name}"}) if release is not None else found


def _namespace(claims: Claims) -> Iterator[Artefact]:
    """Yield the namespace of the control plane; it is no object of the mesh's chart, and goes on request only."""
    subject = claims.subject
    facts = claims.observed.namespaces.get(subject.namespace) if subject is not None else None
    if subject is None or facts is None:
        return
    beside = [mesh for mesh in claims.others if mesh.namespace == facts.name and is_living(mesh)]
    found_by = f"the control plane of mesh {subject.name} is, or was, in it"
    yield Artefact(
        ObjectRef("Namespace", facts.name),
        NAMESPACE,
        "namespace",
        "shared" if beside else "named",
        found_by,
        facts.uid,
        facts.resource_version,
        users=titles(beside),
        state={"terminating": facts.terminating},
    )
