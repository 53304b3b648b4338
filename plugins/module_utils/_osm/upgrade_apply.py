# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The writes of an upgrade, one function per action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm import Helm
from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm_errors import ImmutableField
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    DEPLOYMENT,
    MUTATING_WEBHOOK,
    REPLICASET,
    VALIDATING_WEBHOOK,
    Kind,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.release_status import mark_failed
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.wait import poll_until
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.definitions import LABEL, MIGRATE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.definitions_apply import label_definition, migrate_storage
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.helm_state import ACTION, ROLLBACK
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_object import mesh_config_kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_steps import RESTART
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, StepFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step

_WEBHOOKS: Mapping[str, Kind] = {kind.kind: kind for kind in (MUTATING_WEBHOOK, VALIDATING_WEBHOOK)}

_HALF_WAY = (
    "Helm may have changed a part of the objects; until a run has ended well the MeshConfig may lack fields that the new injector needs, "
    "and new pods then get a sidecar that intercepts nothing"
)


@dataclass(frozen=True)
class Writer:
    """What the writes need: the cluster, Helm with the chart at ``chart_path`` and the values of the release, or the ``revision`` to go
    back to.
    """

    api: Api
    helm: Helm
    mesh: Mesh
    chart_path: str
    values: Mapping[str, object]
    description: str
    deadline: Deadline
    revision: int = 0
    server_side: bool = False

    def apply(self, step: Step) -> str:
        """Make the change of one step, return a short message."""
        return self._actions()[step.action](step)

    def _actions(self) -> Mapping[str, Callable[[Step], str]]:
        return {
            "mark_failed": self._mark_failed,
            "orphan": self._orphan,
            ACTION: self._run_helm,
            ROLLBACK: self._run_helm,
            RESTART: self._restart,
            LABEL: self._label_definition,
            MIGRATE: self._migrate,
            "patch": self._patch_mesh_config,
            "delete": self._delete_replica_set,
            "label": self._label_webhook,
        }

    def dry_run(self, step: Step) -> None:
        """Ask the server whether it would accept the step.

        Without the resourceVersion: a status that was updated meanwhile is no reason to fail a check.
        """
        ref = step.object
        if step.action == "orphan":
            self.api.delete(DEPLOYMENT, ref.name, ref.namespace, uid=step.uid, propagation="Orphan", dry_run=True)
        elif step.action == "delete":
            self.api.delete(REPLICASET, ref.name, ref.namespace, uid=step.uid, dry_run=True)
        elif step.action == "patch":
            self._patch_mesh_config(replace(step, resource_version=""), dry_run=True)
        elif step.action == "label":
            self._label_webhook(replace(step, resource_version=""), dry_run=True)
        elif step.action == LABEL:
            label_definition(self.api, step, dry_run=True)

    def _mark_failed(self, step: Step) -> str:
        return mark_failed(self.api, step.object.namespace, step.object.name, "the process that worked on it is gone")

    def _orphan(self, step: Step) -> str:
        """Delete the Deployment and keep its pods; Helm must not come before it is really gone."""
        ref = step.object
        self.api.delete(DEPLOYMENT, ref.name, ref.namespace, uid=step.uid, resource_version=step.resource_version, propagation="Orphan")
        left, gone = poll_until(
            lambda: self.api.get_or_none(DEPLOYMENT, ref.name, ref.namespace, metadata_only=True),
            lambda found: found is None or found["metadata"]["uid"] != step.uid,
            self.deadline,
            interval=0.2,
        )
        if not gone and left is not None:
            raise StepFailed(
                f"{ref} is still there",
                object=ref,
                why=f"it keeps its finalizers ({', '.join(left['metadata'].get('finalizers') or ())}): is the garbage collector running?",
                state="it is marked for deletion, its pods are kept",
                next="run the same command again when it is gone",
            )
        return "its pods keep serving"

    def _restart(self, step: Step) -> str:
        """Let a Deployment replace its pods, as ``kubectl rollout restart`` does."""
        annotations = {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).isoformat(timespec="seconds")}
        body = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
        self.api.patch(DEPLOYMENT, step.object.name, body, step.object.namespace, uid=step.uid)
        return ""

    def _label_definition(self, step: Step) -> str:
        return label_definition(self.api, step)

    def _migrate(self, step: Step) -> str:
        return migrate_storage(self.api, step)

    def _run_helm(self, step: Step) -> str:
        release, namespace = step.object.name, step.object.namespace
        try:
            if step.action == ROLLBACK:
                self.helm.rollback(release, self.revision, namespace, deadline=self.deadline, server_side=self.server_side)
            else:
                self.helm.upgrade(
                    release,
                    self.chart_path,
                    namespace,
                    dict(self.values),
                    deadline=self.deadline,
                    description=self.description,
                    server_side=self.server_side,
                )
        except LifecycleError as error:
            error.state = error.state or _HALF_WAY
            if isinstance(error, ImmutableField) and error.object is not None and error.object.kind == "Deployment":
                error.next = (
                    "run the same command again, it orphans this Deployment first; if that fails in the same way, "
                    "somebody writes it back (a GitOps controller, for instance): pause that for the upgrade"
                )
            raise
        return "accepted by the API server"

    def _patch_mesh_config(self, step: Step, *, dry_run: bool = False) -> str:
        kind, ref = mesh_config_kind(self.mesh.product), step.object
        version = step.resource_version
        self.api.patch(
            kind, ref.name, dict(step.desired), ref.namespace, uid=step.uid, resource_version=version, strict=True, dry_run=dry_run
        )
        return ""

    def _delete_replica_set(self, step: Step) -> str:
        self.api.delete(REPLICASET, step.object.name, step.object.namespace, uid=step.uid)
        return ""

    def _label_webhook(self, step: Step, *, dry_run: bool = False) -> str:
        kind, body = _WEBHOOKS[step.object.kind], {"metadata": dict(step.desired)}
        self.api.patch(kind, step.object.name, body, uid=step.uid, resource_version=step.resource_version, dry_run=dry_run)
        return ""
