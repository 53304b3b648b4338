# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade waits for between its phases, bounded, with a diagnosis when it does not come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CRD, DEPLOYMENT, ENDPOINTSLICE, POD
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.wait import poll_until
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_object import mesh_config_kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_schema import spec_schema, validate
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.reduction import ready_endpoints
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.unknown_fields import bootstrap_settled
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import StepFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.diagnosis import troubles
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import rollout_status

_SHOWN = 5


class Waits:
    """Bounded waits on the control plane of one mesh; each raises StepFailed with what keeps it back."""

    def __init__(self, api: Api, mesh: Mesh, deadline: Deadline, progress: Callable[[str], None]) -> None:
        self._api = api
        self._mesh = mesh
        self._deadline = deadline
        self._progress = progress

    def for_mesh_config(self, spec: Mapping[str, Any], version: str, look: Callable[[], Mesh]) -> None:
        """Wait until the live CRD knows every field of ``spec`` (an older one would prune it) and there is a MeshConfig.

        Fields that are still unknown when the bootstrap of ``version`` has long settled will never come: they are not waited for.

        osm-bootstrap brings the CRD when its new pod starts, before the other Deployments have rolled out; new pods get no
        ``osm-init`` until the fields are there, so the interval is short.
        """
        product = self._mesh.product

        def missing() -> list[str]:
            crd = self._api.get_or_none(CRD, product.mesh_config_crd)
            schema = spec_schema(crd or {}, product.mesh_config_version)
            if schema is None:
                return [f"CRD {product.mesh_config_crd}"]
            unknown = [problem.path for problem in validate(spec, schema, partial=True) if problem.what == "unknown field"]
            if unknown and bootstrap_settled(look(), version):
                unknown = []
            config = self._api.get_or_none(mesh_config_kind(product), product.mesh_config_name, self._mesh.namespace, metadata_only=True)
            return unknown if config is not None else [*unknown, str(self._mesh.mesh_config_ref)]

        left, done = poll_until(
            missing,
            lambda paths: not paths,
            self._deadline,
            interval=0.3,
            on_wait=lambda paths: self._progress(f"mesh_config: waiting for {product.bootstrap} to bring {len(paths)} fields"),
        )
        if not done:
            self._give_up(
                f"{product.bootstrap} did not bring {', '.join(left[:_SHOWN])}",
                ObjectRef("Deployment", product.bootstrap, self._mesh.namespace),
            )

    def for_rollouts(self, names: frozenset[str]) -> None:
        """Wait until the Deployments ``names`` are rolled out: one list per interval for all of them."""

        def waiting() -> dict[str, str]:
            found = {item["metadata"]["name"]: item for item in self._api.list(DEPLOYMENT, self._mesh.namespace)}
            states = {name: rollout_status(found[name]) if name in found else None for name in sorted(names)}
            return {
                name: state.message if state else "it does not exist" for name, state in states.items() if state is None or not state.done
            }

        left, done = poll_until(
            waiting,
            lambda states: not states,
            self._deadline,
            interval=0.5,
            on_wait=lambda states: self._progress(
                f"finish: {len(names) - len(states)} of {len(names)} Deployments rolled out, waiting for {', '.join(states)}"
            ),
        )
        if not done:
            name, message = next(iter(left.items()))
            self._give_up(
                f"{len(left)} of {len(names)} Deployments are not rolled out: {message}",
                ObjectRef("Deployment", name, self._mesh.namespace),
            )

    def for_webhooks(self) -> None:
        """Wait until the Services of the control plane have ready endpoints; what is still dead then is told by the proof."""
        wanted = {self._mesh.product.injector, self._mesh.product.controller}

        def ready() -> bool:
            counts = ready_endpoints(self._api.list(ENDPOINTSLICE, self._mesh.namespace))
            return all(counts.get(service) for service in wanted)

        poll_until(ready, bool, Deadline(min(30.0, self._deadline.remaining())), interval=0.5)

    def _give_up(self, what: str, ref: ObjectRef) -> NoReturn:
        namespace = self._mesh.namespace
        selector = f"app in ({','.join(self._mesh.product.deployments)})"
        found = troubles(
            self._api.list(DEPLOYMENT, namespace, label_selector=selector), self._api.list(POD, namespace, label_selector=selector)
        )
        faults = "; ".join(map(str, found[:_SHOWN])) or f"no pod of the control plane shows a fault: {ref.name} is slow, or its log tells"
        look = "" if found else f"read its log (kubectl logs -n {namespace} deployment/{ref.name}), give more time (option timeout), "
        raise StepFailed(
            f"Waited {self._deadline.seconds:g} s in vain: {what}",
            object=ref,
            why=faults,
            state="the steps listed as done are done; the pods that served before still do where the Deployment keeps them",
            next="; ".join([*dict.fromkeys(trouble.remedy for trouble in found), f"{look}then run the same command again"]),
            details={
                "diagnosis": [{"object": trouble.object.as_dict(), "cause": trouble.cause, "message": trouble.message} for trouble in found]
            },
        )
