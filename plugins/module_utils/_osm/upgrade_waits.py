# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade waits for between its phases, bounded, with a diagnosis when it does not come."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NoReturn

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CRD, DEPLOYMENT, ENDPOINTSLICE
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.wait import poll_until
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_object import mesh_config_kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_schema import spec_schema, validate
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.reduction import ready_endpoints
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.unknown_fields import bootstrap_rolled_out, bootstrap_settled
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.value_keys import advice
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.versions import Minor, parse
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import StepFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.redact import Redactor
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.reading import Diagnosis, diagnose
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import rollout_status
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Trouble
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.watch import Watch

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SHOWN = 5


class Waits:
    """Bounded waits on the control plane of one mesh; each raises StepFailed with what keeps it back.

    They end early when what keeps it back does not go away by waiting: a crash loop that only another chart, image or object ends.
    """

    def __init__(self, api: Api, mesh: Mesh, deadline: Deadline, progress: Callable[[str], None], redactor: Redactor | None = None) -> None:
        self._api = api
        self._mesh = mesh
        self._deadline = deadline
        self._progress = progress
        self._redactor = redactor or Redactor()

    def for_mesh_config(self, spec: Mapping[str, Any], version: str, look: Callable[[], Mesh], *, or_rolled_out: bool = False) -> None:
        """Wait until the live CRD knows every field of ``spec`` (an older one would prune it) and there is a MeshConfig.

        A MeshConfig without its last-applied annotation is rewritten by the bootstrap that adds it, through Go types that leave zeros out:
        what is written before that is lost again. What is still missing when the bootstrap of ``version`` has long settled will never
        come and is not waited for; ``or_rolled_out`` says that it is enough when that bootstrap is rolled out.

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
            config = self._api.get_or_none(mesh_config_kind(product), product.mesh_config_name, self._mesh.namespace, metadata_only=True)
            if config is not None and annotates_mesh_config(version) and _LAST_APPLIED not in (config["metadata"].get("annotations") or {}):
                unknown.append(f"the annotation {_LAST_APPLIED}")
            enough = bootstrap_rolled_out if or_rolled_out else bootstrap_settled
            if unknown and enough(look(), version):
                unknown = []
            return unknown if config is not None else [*unknown, str(self._mesh.mesh_config_ref)]

        names = product.deployments
        watch = self._watch(names)

        def wait(paths: Sequence[str]) -> None:
            # Only bootstrap brings them: what else is in trouble is waited for later, when its turn comes.
            hopeless = [trouble for trouble in watch.hopeless() if trouble.component == product.bootstrap]
            if hopeless:
                self._stop_early(f"{product.bootstrap} will not bring {', '.join(paths[:_SHOWN])}", hopeless, watch.last, names)
            self._progress(f"mesh_config: waiting for {product.bootstrap} to bring {len(paths)} fields{watch.brief}")

        left, done = poll_until(missing, lambda paths: not paths, self._deadline, interval=0.3, on_wait=wait)
        if not done:
            self._give_up(
                f"{product.bootstrap} did not bring {', '.join(left[:_SHOWN])}",
                ObjectRef("Deployment", product.bootstrap, self._mesh.namespace),
                names,
            )

    def for_rollouts(self, names: frozenset[str], meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until the Deployments ``names`` are rolled out: one list per interval for all of them.

        ``meanwhile`` is called before each look: what has to be kept in place while the pods change.
        """

        def waiting() -> dict[str, str]:
            meanwhile()
            found = {item["metadata"]["name"]: item for item in self._api.list(DEPLOYMENT, self._mesh.namespace)}
            states = {name: rollout_status(found[name]) if name in found else None for name in sorted(names)}
            return {
                name: state.message if state else "it does not exist" for name, state in states.items() if state is None or not state.done
            }

        watch = self._watch(names)

        def wait(states: Mapping[str, str]) -> None:
            if hopeless := watch.hopeless():
                self._stop_early(f"{len(states)} of {len(names)} Deployments will not roll out", hopeless, watch.last, names)
            self._progress(
                f"finish: {len(names) - len(states)} of {len(names)} Deployments rolled out, waiting for {', '.join(states)}{watch.brief}"
            )

        left, done = poll_until(waiting, lambda states: not states, self._deadline, interval=0.5, on_wait=wait)
        if not done:
            name, message = next(iter(left.items()))
            self._give_up(
                f"{len(left)} of {len(names)} Deployments are not rolled out: {message}",
                ObjectRef("Deployment", name, self._mesh.namespace),
                names,
            )

    def for_webhooks(self) -> None:
        """Wait until the Services of the control plane have ready endpoints; what is still dead then is told by the proof."""
        wanted = {self._mesh.product.injector, self._mesh.product.controller}

        def ready() -> bool:
            counts = ready_endpoints(self._api.list(ENDPOINTSLICE, self._mesh.namespace))
            return all(counts.get(service) for service in wanted)

        poll_until(ready, bool, Deadline(min(30.0, self._deadline.remaining())), interval=0.5)

    def _watch(self, names: Collection[str]) -> Watch:
        return Watch(lambda: self._diagnose(names))

    def _diagnose(self, names: Collection[str]) -> Diagnosis:
        product = self._mesh.product
        return diagnose(self._api, self._mesh.namespace, names, advice=advice(product), redactor=self._redactor)

    def _stop_early(self, what: str, hopeless: Sequence[Trouble], found: Diagnosis, names: Collection[str]) -> NoReturn:
        first = hopeless[0]
        ref = ObjectRef("Deployment", first.component, self._mesh.namespace) if first.component in names else first.object
        others = [trouble for trouble in found.troubles if trouble not in hopeless]
        raise self._failure(
            f"{what}, however long it takes", ref, found._replace(troubles=(*hopeless, *others)), "then run the same command again"
        )

    def _give_up(self, what: str, ref: ObjectRef, names: Collection[str]) -> NoReturn:
        found = self._diagnose(names)
        look = (
            ""
            if found.troubles
            else f"read its log (kubectl logs -n {ref.namespace} deployment/{ref.name}), give more time (option timeout), "
        )
        raise self._failure(f"Waited {self._deadline.seconds:g} s in vain: {what}", ref, found, f"{look}then run the same command again")

    @staticmethod
    def _failure(msg: str, ref: ObjectRef, found: Diagnosis, last: str) -> StepFailed:
        faults = [str(trouble) for trouble in found.troubles[:_SHOWN]]
        if not faults:
            faults = [f"no pod of the control plane shows a fault: {ref.name} is slow, or its log tells"]
        unread = [f"not looked at: {part}" for part in found.unread]
        return StepFailed(
            msg,
            object=ref,
            why="; ".join([*faults, *unread]),
            next="; ".join([*dict.fromkeys(trouble.remedy for trouble in found.troubles[:_SHOWN]), last]),
            details={"diagnosis": [trouble.as_dict() for trouble in found.troubles], "not_looked_at": [*found.unread]},
        )


def annotates_mesh_config(version: str) -> bool:
    """Whether the bootstrap of ``version`` gives a MeshConfig that lacks it the last-applied annotation.

    Source: osm-edge v1.2.0 cmd/osm-bootstrap/osm-bootstrap.go ``ensureMeshConfig``, not in v1.1.0; osm v1.2.4 and fsm v1.5.1 the same.
    """
    parsed = parse(version)
    return parsed is not None and parsed.line >= Minor(1, 2)
