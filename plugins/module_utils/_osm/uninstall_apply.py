# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The writes of an uninstallation, one function per action."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm import Helm
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import BUILT_IN, CRD, NAMESPACE, SECRET, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Inventory, Subject
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_choice import control_plane_goes
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_conversion import strip_conversion
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_custom_resources import (
    CustomResources,
    cleanup_failure,
    held_objects,
    storage_kind,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_deletion import (
    GONE_ALREADY,
    Patience,
    delete_object,
    mark_deleted,
    uid_of,
    wait_until_gone,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_finalizers import sentence
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_namespace_end import NamespaceEnd
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_release import ReleaseObject, still_there, uninstall_release
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_secrets import Meant, delete_secrets, meant, unmounted
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_stop import StoppedPods, stop_workload
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Guard
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Options

_HOOKS = ("-cleanup", "-preinstall")
_SETTLE_SECONDS = 60.0


def _free() -> None:
    """Guard of a run that has not entered a phase yet."""


class UninstallWriter:
    """Makes the changes of the steps; a wait goes on until nothing has changed for ``stall_timeout`` seconds (of the request).

    ``see`` gets every inventory that is read: the request, what a step's object is to the API, and whose things may go, are told there.
    """

    def __init__(self, api: Api, helm: Helm, deadline: Deadline, progress: Progress) -> None:
        self._api = api
        self._helm = helm
        self._deadline = deadline
        self._progress = progress
        self._seconds = Options().stall_timeout
        self._guard: Guard = _free
        self._inventory: Inventory | None = None
        self._subject: Subject | None = None
        self._kinds: dict[ObjectRef, Kind] = {}
        self._of_release: list[ReleaseObject] = []

    def see(self, inventory: Inventory) -> None:
        """Note what an inventory tells; the mesh stays known when less and less of it is left."""
        self._inventory, self._seconds = inventory, inventory.request.refresh.stall_timeout
        self._subject = inventory.subject or self._subject
        self._kinds.update({item.ref: item.kind for item in inventory.artefacts if item.kind.kind == item.ref.kind})
        self._kinds.update({ObjectRef(item.kind.kind, item.name, item.namespace): item.kind for item in inventory.request.user_resources})

    def apply(self, step: Step) -> str:
        """Make the change of one step, wait until it has taken effect where that is asked for, and return a short message.

        Raises WriteConflict when the object is another, or in another state, than the step was planned on; StepFailed when what was
        deleted does not go, with what holds it; HelmError and KubeError.
        """
        return self._actions()[step.action](step)

    def _actions(self) -> Mapping[str, Callable[[Step], str]]:
        return {
            "delete": self._delete,
            "delete_secrets": self._delete_secrets,
            "delete_objects": self._delete_objects,
            "stop": self._stop,
            "strip_conversion": self._strip_conversion,
            "uninstall": self._uninstall,
            "await": self._await,
        }

    def dry_run(self, step: Step) -> None:
        """Ask the server whether it would accept the step, for a group whether it would accept the first of it.

        Without the resourceVersion: a status that was updated meanwhile is no reason to fail a check.
        """
        ref = step.object
        if step.action == "delete":
            self._api.delete(self._kind(step), ref.name, ref.namespace or None, uid=step.uid, dry_run=True)
        elif step.action == "stop":
            stop_workload(self._api, step, dry_run=True)
        elif step.action == "strip_conversion":
            strip_conversion(self._api, ref.name, step.uid, "", dry_run=True)
        elif step.action == "delete_objects":
            CustomResources(self._api, step, self._progress).dry_run()
        elif step.action == "delete_secrets":
            for name, uid in unmounted(self._api, ref.name, self._meant(ref))[:1]:
                self._api.delete(SECRET, name, ref.name, uid=uid, dry_run=True)

    def after_stop(self, guard: Guard) -> None:
        """Wait until the pods of the control plane and of its hooks are gone, so that nobody writes back what comes next.

        Nothing is waited for when the control plane stays. Raises StepFailed with what keeps them.
        """
        self._guard = guard
        subject, inventory = self._subject, self._inventory
        if subject is None or not subject.namespace or inventory is None or not control_plane_goes(inventory):
            return
        release = subject.release.name if subject.release is not None else subject.name
        pods = StoppedPods(self._api, subject.namespace, subject.product.deployments, [f"{release}{suffix}" for suffix in _HOOKS])
        pods.wait_until_gone(self._deadline, self._seconds, self._progress)

    def settle(self) -> None:
        """Wait, bounded, until what Helm deleted is gone (a load balancer takes a while); what stays is told by the proof."""
        patience = Patience(self._deadline, min(self._seconds, _SETTLE_SECONDS))
        while left := still_there(self._api, self._of_release):
            names = [f"{item['kind']} {item['metadata']['name']}" for item in left]
            if not patience.left(sorted(names)):
                return
            self._progress.line(f"waiting for {sentence(names)} to go")
            self._deadline.sleep(1.0)

    # Actions

    def _delete(self, step: Step) -> str:
        if step.object.kind == NAMESPACE.kind:
            return self._delete_namespace(step)
        if step.object.kind == CRD.kind:
            return self._delete_definition(step)
        return delete_object(self._api, self._kind(step), step.object, step.uid, self._deadline, self._seconds)

    def _delete_definition(self, step: Step) -> str:
        """Delete a definition; the API server deletes its objects first, and does not finish while one of them is held."""
        ref = step.object
        uid = step.uid or uid_of(self._api, CRD, ref)
        if not uid or not mark_deleted(self._api, CRD, ref, uid):
            return GONE_ALREADY

        def explain() -> tuple[str, str]:
            found = [*held_objects(self._api, ref.name)]
            told = sentence(found) or sentence(cleanup_failure(self._api, ref.name))
            return told, sentence(remedy for one in found for remedy in one.remedies)

        wait_until_gone(self._api, CRD, ref, uid, Patience(self._deadline, self._seconds), explain)
        return ""

    def _delete_namespace(self, step: Step) -> str:
        ref = step.object
        uid = step.uid or uid_of(self._api, NAMESPACE, ref)
        if not uid or not mark_deleted(self._api, NAMESPACE, ref, uid):
            return GONE_ALREADY
        return NamespaceEnd(self._api, ref.name, uid, self._progress, self._guard).wait(self._deadline, self._seconds)

    def _await(self, step: Step) -> str:
        return NamespaceEnd(self._api, step.object.name, step.uid, self._progress, self._guard).wait(self._deadline, self._seconds)

    def _delete_secrets(self, step: Step) -> str:
        namespace = step.object.name
        count = delete_secrets(self._api, namespace, unmounted(self._api, namespace, self._meant(step.object)), self._guard)
        return f"{count} Secrets deleted"

    def _meant(self, namespace: ObjectRef) -> Meant:
        return meant(self._inventory, namespace) if self._inventory is not None else Meant()

    def _delete_objects(self, step: Step) -> str:
        return CustomResources(self._api, step, self._progress).delete(self._deadline, self._seconds, self._guard)

    def _stop(self, step: Step) -> str:
        return stop_workload(self._api, step)

    def _strip_conversion(self, step: Step) -> str:
        strip_conversion(self._api, step.object.name, step.uid, step.resource_version)
        return ""

    def _uninstall(self, step: Step) -> str:
        message, self._of_release = uninstall_release(self._api, self._helm, step.object, self._deadline)
        return message

    # What a step's object is to the API

    def _kind(self, step: Step) -> Kind:
        """Return the type of a step's object: as it was found, else as the permission to delete it says."""
        ref = step.object
        if ref in self._kinds:
            return self._kinds[ref]
        asked = next((item for item in step.permissions if item.verb == "delete"), None)
        candidates = [kind for kind in BUILT_IN.values() if kind.kind == ref.kind and (asked is None or asked.group == kind.group)]
        if candidates:
            return candidates[0]
        definition = self._api.get(CRD, f"{asked.resource}.{asked.group}") if asked is not None else None
        kind = storage_kind(definition) if definition is not None else None
        if kind is None:
            raise ValueError(f"step {step.id} does not tell what a {ref.kind} is")
        return kind
