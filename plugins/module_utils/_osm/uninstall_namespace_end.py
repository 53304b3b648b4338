# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait until a deleted namespace is gone; repair what is ours to repair, explain the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import KubeError
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import API_SERVICE, BUILT_IN, CRD, NAMESPACE, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import CustomResource
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.reduction import custom_resource
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_conversion import strip_conversion
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_custom_resources import storage_kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_deletion import Patience
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_finalizers import Held, held, sentence
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_namespace_conditions import (
    DISCOVERY,
    FINALIZERS,
    Surroundings,
    blockers,
    fails_on_conversion,
    remaining,
    repairable,
    true_conditions,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import StepFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress

Object = Mapping[str, Any]
_INTERVAL = 0.5
_CRDS_PER_PAGE = 20
_LOOKED_AT = 20


class NamespaceEnd:
    """The end of the namespace ``name`` with this ``uid``; ``guard`` raises when nothing may be written any more."""

    def __init__(self, api: Api, name: str, uid: str, progress: Progress, guard: Callable[[], None]) -> None:
        self._api = api
        self._name = name
        self._uid = uid
        self._progress = progress
        self._guard = guard
        self._repaired: list[str] = []

    def wait(self, deadline: Deadline, seconds: float) -> str:
        """Wait until it is gone and return a message.

        A conversion of the family that leads into this namespace is taken out of its definition: with its Service gone nobody can convert.
        Raises StepFailed when for ``seconds`` nothing changes in what its controller tells, with what keeps it.
        """
        patience = Patience(deadline, seconds)
        while (namespace := self._read()) is not None:
            if fails_on_conversion(namespace) and self._repair():
                patience.renew()
            state = true_conditions(namespace)
            if not patience.left(state):
                raise self._stuck(namespace, patience.over)
            left = remaining(namespace)
            told = ", ".join(f"{count} {resource}" for resource, count in islice(left.items(), 3))
            self._progress.line(f"namespace: waiting for {self._name} to go" + (f": {told} left" if told else ""))
            deadline.sleep(_INTERVAL)
        return f"took the dead conversion webhook out of {', '.join(self._repaired)}" if self._repaired else ""

    def _read(self) -> Object | None:
        found = self._api.get_or_none(NAMESPACE, self._name)
        return found if found is not None and self._uid in ("", found["metadata"]["uid"]) else None

    def _repair(self) -> bool:
        """Take conversions that lead into this namespace out of their definitions; return whether there was one."""
        todo = [crd for crd in repairable(self._definitions(), self._name) if crd.name not in self._repaired]
        for crd in todo:
            self._guard()
            strip_conversion(self._api, crd.name, crd.uid, crd.resource_version)
            self._repaired.append(crd.name)
            self._progress.line(f"namespace: {crd.name} was converted by a Service of {self._name}: conversion taken out")
        return bool(todo)

    def _definitions(self) -> list[CustomResource]:
        return [custom_resource(item) for item in self._api.list(CRD, limit=_CRDS_PER_PAGE)]

    # Telling why

    def _stuck(self, namespace: Object, over: str) -> StepFailed:
        found = blockers(namespace, self._surroundings(namespace))
        return StepFailed(
            f"Namespace {self._name} stays in Terminating",
            object=ObjectRef("Namespace", self._name),
            why=f"{sentence(blocker.message for blocker in found)}; {over}",
            state=f"it is deleted since {namespace['metadata'].get('deletionTimestamp')} and goes as soon as nothing keeps it; "
            "nothing that others hold is released by force",
            next=f"{sentence(blocker.remedy for blocker in found)}; then run the same command again",
            details={"blockers": [blocker.as_dict() for blocker in found]},
        )

    def _surroundings(self, namespace: Object) -> Surroundings:
        """Read what the conditions are about; what may not be read makes the explanation shorter, not fail."""
        conditions = true_conditions(namespace)
        around = Surroundings()
        try:
            if fails_on_conversion(namespace):
                around = around._replace(definitions=self._definitions())
            if DISCOVERY in conditions:
                around = around._replace(api_services=[*self._api.list(API_SERVICE)])
            if FINALIZERS in conditions:
                around = around._replace(held=self._held(namespace))
        except KubeError as error:
            self._progress.line(f"namespace: cannot look closer: {type(error).__name__}")
        return around

    def _held(self, namespace: Object) -> list[Held]:
        quick, found = self._api.within(10.0), []
        for resource in remaining(namespace):
            kind = self._kind(resource)
            if kind is not None:
                items = islice(quick.list(kind, self._name, metadata_only=True, limit=_LOOKED_AT), _LOOKED_AT)
                found += [one for one in map(held, items) if one is not None]
        return found

    def _kind(self, resource: str) -> Kind | None:
        """Return the type that is called ``plural.group`` (``pods`` in the core group)."""
        plural, dummy, group = resource.partition(".")
        built_in = next((kind for kind in BUILT_IN.values() if (kind.plural, kind.group) == (plural, group)), None)
        if built_in is not None or not group:
            return built_in
        definition = self._api.get_or_none(CRD, resource)
        return storage_kind(definition) if definition is not None else None
