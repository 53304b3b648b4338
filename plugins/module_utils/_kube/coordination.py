# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Lease and the record of a procedure, kept as objects in the namespace that the procedure works on."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Mapping

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import AlreadyExists, Conflict, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CONFIGMAP, LEASE
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import WriteConflict
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record, record_from_json
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission

LABELS = {"app.kubernetes.io/managed-by": "meshops.lifecycle"}


def holder_identity() -> str:
    """Return a name for this run that says where it runs and is never used twice."""
    return f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"


def object_name(procedure: str, target: str) -> str:
    """Return the name of the Lease and of the record of ``procedure`` on ``target`` (both are DNS labels after ``_`` → ``-``)."""
    return f"meshops-{procedure.replace('_', '-')}-{target}"


def coordination_permissions(namespace: str) -> tuple[Permission, ...]:
    """Return what the Lease and the record need, whatever the procedure does."""
    return (
        *(Permission(verb, "coordination.k8s.io", "leases", namespace) for verb in ("get", "create", "update", "delete")),
        # Server-side apply is a PATCH that also needs create.
        *(Permission(verb, "", "configmaps", namespace) for verb in ("get", "create", "patch", "delete")),
    )


class KubeLeaseStore:
    """LeaseStore in the cluster."""

    def __init__(self, api: Api, namespace: str, name: str) -> None:
        self._api = api
        self.ref = ObjectRef("Lease", name, namespace)

    def read(self) -> dict[str, object] | None:
        """Return the Lease, or None."""
        return self._api.get_or_none(LEASE, self.ref.name, self.ref.namespace)

    def write(self, spec: Mapping[str, object], resource_version: str) -> str:
        """Create or replace the Lease, return its new resourceVersion."""
        metadata: dict[str, object] = {"name": self.ref.name, "namespace": self.ref.namespace, "labels": LABELS}
        if resource_version:
            metadata["resourceVersion"] = resource_version
        body = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": dict(spec)}
        try:
            written = self._api.replace(LEASE, body) if resource_version else self._api.create(LEASE, body, self.ref.namespace)
        except (AlreadyExists, Conflict, NotFound) as error:
            raise WriteConflict(f"{self.ref} was written by somebody else", object=self.ref, why=str(error)) from error
        return str(written["metadata"]["resourceVersion"])

    def delete(self, resource_version: str) -> None:
        """Delete the Lease if it is still the one we wrote last."""
        try:
            self._api.delete(LEASE, self.ref.name, self.ref.namespace, resource_version=resource_version)
        except Conflict:
            return


class KubeRecordStore:
    """RecordStore in the cluster: a ConfigMap with one entry."""

    ENTRY = "record.json"

    def __init__(self, api: Api, namespace: str, name: str) -> None:
        self._api = api
        self.ref = ObjectRef("ConfigMap", name, namespace)

    def read(self) -> Record | None:
        """Return the record, or None when there is none or it cannot be read."""
        stored = self._api.get_or_none(CONFIGMAP, self.ref.name, self.ref.namespace)
        return None if stored is None else record_from_json(str((stored.get("data") or {}).get(self.ENTRY, "")))

    def write(self, record: Record) -> None:
        """Create or overwrite the record: an object of our own, so by server-side apply."""
        metadata = {"name": self.ref.name, "namespace": self.ref.namespace, "labels": LABELS}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {self.ENTRY: record.as_json()}}
        self._api.apply(CONFIGMAP, body)

    def delete(self) -> None:
        """Remove the record, if it is there."""
        self._api.delete(CONFIGMAP, self.ref.name, self.ref.namespace)
