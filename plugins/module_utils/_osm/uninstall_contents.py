# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a namespace holds that would be lost with it: objects that nobody makes again and that are not the mesh's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden, KubeError, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    CONFIGMAP,
    CRD,
    CRONJOB,
    DAEMONSET,
    DEPLOYMENT,
    HPA,
    INGRESS,
    JOB,
    LIMIT_RANGE,
    NETWORK_POLICY,
    PDB,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    REPLICASET,
    REPLICATION_CONTROLLER,
    RESOURCE_QUOTA,
    ROLE,
    ROLEBINDING,
    SECRET,
    SERVICE,
    SERVICEACCOUNT,
    STATEFULSET,
    Kind,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Subject, UninstallRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_evidence import BOOTSTRAP_SECRETS, Thing, thing
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

# Not Events, Leases, Endpoints and EndpointSlices: they are made by what is here, and nobody misses them.
_KINDS = (
    DEPLOYMENT,
    STATEFULSET,
    DAEMONSET,
    REPLICASET,
    REPLICATION_CONTROLLER,
    JOB,
    CRONJOB,
    POD,
    SERVICE,
    INGRESS,
    CONFIGMAP,
    SECRET,
    SERVICEACCOUNT,
    PERSISTENT_VOLUME_CLAIM,
    ROLE,
    ROLEBINDING,
    HPA,
    PDB,
    NETWORK_POLICY,
    RESOURCE_QUOTA,
    LIMIT_RANGE,
)
# What a cluster itself puts into every namespace (kube-controller-manager; OpenShift; Istio).
_IN_EVERY_NAMESPACE = frozenset(
    {
        ("ConfigMap", "kube-root-ca.crt"),
        ("ConfigMap", "openshift-service-ca.crt"),
        ("ConfigMap", "istio-ca-root-cert"),
        ("ServiceAccount", "default"),
        ("ServiceAccount", "builder"),
        ("ServiceAccount", "deployer"),
    }
)
_MOST_OF_A_KIND = 200
_CRDS_PER_PAGE = 50
_CUSTOM_SECONDS = 10.0


def read_contents(api: Api, namespace: str, groups: Mapping[str, tuple[str, ...]]) -> tuple[tuple[Thing, ...], dict[str, str]]:
    """Return what a namespace holds, of each kind at most 200, and the kinds that could not be read with the reason.

    ``groups`` are the API groups of the cluster with their versions, the preferred one first. One list for each kind, concurrently:
    the usual ones, and all that the cluster has definitions for. Raises KubeError.
    """
    unread: dict[str, str] = {}

    def read(kind: Kind) -> list[Thing]:
        # Of custom resources nobody knows here whether they can be read at all.
        patient = api if kind in _KINDS else api.within(_CUSTOM_SECONDS)
        try:
            found = islice(patient.list(kind, namespace, metadata_only=True, limit=_MOST_OF_A_KIND), _MOST_OF_A_KIND)
            return [thing(kind, item) for item in found]
        except NotFound:
            return []
        except Forbidden as error:
            unread[f"{kind.plural} of {namespace}"] = f"not allowed to {error.missing}" if error.missing else str(error)
        except KubeError as error:
            if kind in _KINDS:
                raise
            # Objects that a webhook has to convert, and does not.
            unread[f"{kind.plural} of {namespace}"] = error.message or str(error)
        return []

    found = api.map(read, [*_KINDS, *_custom_kinds(api, groups, unread)])
    return tuple(item for items in found for item in items), unread


def _custom_kinds(api: Api, groups: Mapping[str, tuple[str, ...]], unread: dict[str, str]) -> list[Kind]:
    """Return the namespaced kinds that have a definition, each in one version."""
    try:
        names = {item["metadata"]["name"] for item in api.list(CRD, metadata_only=True, limit=_CRDS_PER_PAGE)}
    except Forbidden as error:
        unread["custom resources"] = f"not allowed to {error.missing}" if error.missing else str(error)
        return []
    wanted = {name.partition(".")[2] for name in names}
    versions = [f"{group}/{version}" for group in sorted(wanted & groups.keys()) for version in groups[group]]
    kinds: dict[str, Kind] = {}
    for api_version, resources in zip(versions, api.map(partial(_resources, api), versions), strict=True):
        for resource in resources:
            name = f"{resource['name']}.{api_version.partition('/')[0]}"
            if name in names and resource.get("namespaced") and "list" in resource.get("verbs", ()):
                kinds.setdefault(name, Kind(api_version, resource["kind"], resource["name"]))
    return [*kinds.values()]


def _resources(api: Api, api_version: str) -> list[dict[str, Any]]:
    try:
        return list(api.raw_get(f"/apis/{api_version}").get("resources") or ())
    except NotFound:
        return []  # its last definition went meanwhile


def content(held: Iterable[Thing], artefacts: Iterable[Artefact], subject: Subject, request: UninstallRequest) -> tuple[ObjectRef, ...]:
    """Return the objects of the control plane's namespace that would be lost with it and that nobody asked to delete.

    Left out are the mesh's own, what is made by something that is listed as well, and what the request deletes by itself: leftovers of
    other meshes, and the objects of definitions that go.
    """
    found = [*artefacts]
    leftovers = {"named", "unclaimed"} if _is_asked(request, "orphans") else {"named"}
    own = {item.ref for item in found if item.owner in leftovers}
    definitions = {item.ref.name for item in found if item.owner == "unclaimed" and _goes_with_objects(item, request)}
    everything = [item for item in held if f"{item.kind.plural}.{item.kind.group}" not in definitions]
    listed = {item.uid for item in everything}
    return tuple(sorted(item.ref for item in everything if item.ref not in own and _counts(item, subject, listed)))


def _is_asked(request: UninstallRequest, word: str) -> bool:
    return "cluster_wide" in request.parts and bool(request.cluster_wide & {word, "all"})


def _goes_with_objects(item: Artefact, request: UninstallRequest) -> bool:
    """Whether a definition is deleted with whatever was made of it."""
    word = {"osm-crd": "osm_crds", "smi-crd": "smi_crds"}.get(item.what, "")
    return bool(word) and request.delete_custom_resources and _is_asked(request, word)


def _counts(item: Thing, subject: Subject, listed: set[str]) -> bool:
    """Whether an object is worth asking about."""
    if item.deleting or (item.controller and item.controller in listed):
        return False
    if (item.kind.kind, item.name) in _IN_EVERY_NAMESPACE or item.name.startswith("system:"):
        return False
    # A token, or a pull secret, of a ServiceAccount goes with it, and that is listed.
    token = item.kind == SECRET and bool(item.service_account)
    bootstrap = item.kind == SECRET and item.name.startswith(BOOTSTRAP_SECRETS)
    return not (token or bootstrap or _is_pod_of_mesh(item, subject))


def _is_pod_of_mesh(item: Thing, subject: Subject) -> bool:
    """Whether a pod, or a ReplicaSet, is of the control plane: they outlive their Deployment by a moment."""
    if item.kind not in (POD, REPLICASET):
        return False
    labelled = item.app_name == subject.product.app_name and item.instance == subject.name
    return labelled or item.labels.get("app") in subject.product.deployments
