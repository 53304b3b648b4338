# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API server would say to the rendered workloads: a value that it refuses must not stop Helm half-way.

The chart's schema does not know what a label or a quantity may look like. Helm sends one object after the other, so it finds out
when a part of the control plane is replaced already, and osm-controller is gone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import AdmissionDenied, Invalid, KubeError
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DAEMONSET, DEPLOYMENT, HPA, PDB, STATEFULSET
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.removed_types import unknown_types
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

# Where values end up, and which may be created under another name (a Service's node port may not).
_KINDS = {(kind.api_version, kind.kind): kind for kind in (DEPLOYMENT, DAEMONSET, STATEFULSET, HPA, PDB)}
# A webhook with side effects cannot be asked; what it would say is not known.
_NO_DRY_RUN = "does not support dry run"


class ServerSays(NamedTuple):
    """What keeps Helm from ending well, and what may."""

    refusals: tuple[Refusal, ...] = ()
    findings: tuple[Finding, ...] = ()


def ask_server(api: Api, manifests: Sequence[Mapping[str, Any]], namespace: str, before: Sequence[Mapping[str, Any]] = ()) -> ServerSays:
    """Return what the server says to new objects like the rendered ones (server-side dry run, concurrently).

    A dry-run patch of the live object would be judged together with what Helm removes from it. Whatever keeps the server from
    judging (a missing permission, a missing namespace) is left out: it is told elsewhere.
    ``before`` are the manifests of the release as it is: Helm fails when the server has no such type any more, in these too.
    """
    asked = [item for item in manifests if (item.get("apiVersion"), item.get("kind")) in _KINDS]
    answers = api.map(lambda item: _ask(api, item, namespace), asked)
    told = [(_ref(item, namespace), error) for item, error in zip(asked, answers, strict=True) if error is not None]
    return ServerSays(
        refusals=tuple(
            [*unknown_types(api.kind_for, before, namespace, recorded=True), *unknown_types(api.kind_for, manifests, namespace)]
            + [_refusal(ref, error) for ref, error in told if isinstance(error, Invalid) and _NO_DRY_RUN not in error.message]
        ),
        findings=tuple(_finding(ref, error) for ref, error in told if isinstance(error, AdmissionDenied) and not error.unavailable),
    )


def _ask(api: Api, manifest: Mapping[str, Any], namespace: str) -> KubeError | None:
    metadata = dict(manifest["metadata"])
    name = str(metadata.pop("name"))
    body = {**manifest, "metadata": {**metadata, "generateName": f"{name[:50]}-"}}
    try:
        api.create(_KINDS[manifest["apiVersion"], manifest["kind"]], body, str(metadata.get("namespace") or namespace), dry_run=True)
    except KubeError as error:
        return error
    return None


def _ref(manifest: Mapping[str, Any], namespace: str) -> ObjectRef:
    metadata = manifest["metadata"]
    return ObjectRef(manifest["kind"], metadata["name"], str(metadata.get("namespace") or namespace))


def _refusal(ref: ObjectRef, error: KubeError) -> Refusal:
    return Refusal(
        "invalid-object",
        ref,
        f"the API server does not accept {ref} as the chart renders it: {_message(ref, error)}",
        "Helm would fail half-way, with a part of the control plane replaced",
        "nothing was written; the mesh keeps running as it is",
        "correct the value behind it (option values, values_files, or what earlier releases were given: helm get values)",
    )


def _finding(ref: ObjectRef, error: AdmissionDenied) -> Finding:
    return Finding(
        "warning",
        "admission-may-refuse",
        ref,
        f"{error.webhook} refuses a new object like this: {_message(ref, error)}",
        "if it refuses this one too, Helm fails half-way, with a part of the control plane replaced",
        "make sure that the rule allows it (it was asked with a name that the API server generated), or correct the values",
    )


def _message(ref: ObjectRef, error: KubeError) -> str:
    """Return the server's message with the object's own name in it."""
    return re.sub(rf"{re.escape(ref.name[:50])}-[a-z0-9]{{5}}\b", ref.name, error.message)
