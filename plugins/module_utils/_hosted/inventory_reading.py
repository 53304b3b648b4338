# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading one hosted cluster: few lists, all at once, each type by its full name and in a version that was chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import (
    Inventory,
    Object,
    annotation,
    mapping,
    metadata_of,
    name_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.kinds import (
    AWS_CLUSTER,
    AWS_MACHINE,
    AWS_MACHINE_TEMPLATE,
    CLUSTER_API_GROUP,
    CLUSTER_API_VERSIONS,
    CONTROL_PLANE_COMPONENT,
    ENDPOINT_SERVICE,
    HOSTED_CLUSTER,
    HOSTED_CONTROL_PLANE,
    NODE_POOL,
    ROUTE,
    cluster_api,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import CLUSTER_ANNOTATION, Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import (
    Forbidden,
    NotFound,
    ServerFailure,
    Throttled,
    Unreachable,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT, NAMESPACE, POD, SERVICE, STATEFULSET, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused, refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

# Names in a sentence; how many more there are is said.
_MOST = 20
# For one list that may be missing, its retries included.
_OPTIONAL_SECONDS = 10.0


class _Wanted(NamedTuple):
    """A list to read. What is not ``essential`` may be missing: as a type, because it may not be read, or because its server is down.

    Routes are served by an API server of OpenShift's behind this one.
    """

    kind: Kind
    namespace: str
    essential: bool = True


class _Read(NamedTuple):
    """What a list was, sorted by name, or ``why`` it could not be read."""

    items: tuple[Object, ...]
    why: str = ""


def read_inventory(api: Api, target: Target) -> Inventory:
    """Return the hosted cluster ``target``.

    Raises Refused when there is no such HostedCluster (the message names those that exist) or when its control-plane namespace is
    not clearly its own, and KubeError when something essential cannot be read.
    """
    hosted_cluster, everybody, version = _first(api, target)
    if hosted_cluster is None:
        raise _missing(api, target, everybody)
    aws = mapping(hosted_cluster, "spec", "platform").get("type") == "AWS"
    wanted = _wanted(target, version, aws=aws)
    reads = dict(zip((item.kind.plural for item in wanted), api.map(_Lists(api), wanted), strict=True))
    namespace, namespace_why = _namespace(api, target.control_plane_namespace)
    unreadable = {plural: read.why for plural, read in reads.items() if read.why}
    unreadable |= {what: why for what, why in (("hostedclusters of other namespaces", everybody.why), ("namespaces", namespace_why)) if why}
    graph = (*_cluster_api_kinds(version), AWS_CLUSTER, AWS_MACHINE, AWS_MACHINE_TEMPLATE, ENDPOINT_SERVICE, CONTROL_PLANE_COMPONENT)
    return Inventory(
        target=target,
        hosted_cluster=hosted_cluster,
        node_pools=tuple(item for item in reads[NODE_POOL.plural].items if mapping(item, "spec").get("clusterName") == target.name),
        control_plane=_own_control_plane(target, reads[HOSTED_CONTROL_PLANE.plural].items),
        namespace=namespace,
        objects={kind.plural: reads[kind.plural].items for kind in graph},
        deployments=reads[DEPLOYMENT.plural].items,
        stateful_sets=reads[STATEFULSET.plural].items,
        pods=reads[POD.plural].items,
        services=reads[SERVICE.plural].items,
        routes=reads[ROUTE.plural].items,
        versions=dict(kind.api_version.split("/") for kind in (HOSTED_CLUSTER, cluster_api("Cluster", version), AWS_CLUSTER)),
        neighbours=_neighbours(target, everybody.items),
        unreadable=unreadable,
    )


# What the other reads depend on


def _first(api: Api, target: Target) -> tuple[Object | None, _Read, str]:
    """Return the HostedCluster, the metadata of all HostedClusters, and the version of Cluster API to read with."""
    reads: list[Callable[[], Any]] = [
        partial(api.get_or_none, HOSTED_CLUSTER, target.name, target.namespace),
        partial(_everybody, api, target),
        partial(_cluster_api_version, api),
    ]
    hosted_cluster, everybody, version = api.map(lambda read: read(), reads)
    return hosted_cluster, everybody, version


def _everybody(api: Api, target: Target) -> _Read:
    """A cluster's control-plane namespace can also be that of a cluster of another namespace: a-b and c, a and b-c."""
    try:
        return _Read(tuple(api.list(HOSTED_CLUSTER, metadata_only=True)))
    except NotFound:
        return _Read(())
    except Forbidden as error:
        why = f"not allowed to {error.missing}" if error.missing else error.why
    try:
        return _Read(tuple(api.list(HOSTED_CLUSTER, target.namespace, metadata_only=True)), why)
    except Forbidden:
        return _Read((), why)


def _cluster_api_version(api: Api) -> str:
    """Return the version to read with: one that is served and known here, the older first.

    The server's preferred version differs with the operator's age, and the two name other objects differently.
    """
    try:
        group = api.raw_get(f"/apis/{CLUSTER_API_GROUP}")
    except NotFound:
        # Not installed: the first list says so, if anything is to be listed.
        return CLUSTER_API_VERSIONS[0]
    served = [str(item.get("version")) for item in group.get("versions") or []]
    chosen = next((version for version in CLUSTER_API_VERSIONS if version in served), None)
    if chosen is None:
        raise Refused(
            f"Cluster API is served as {', '.join(served)}, and this collection reads {' and '.join(CLUSTER_API_VERSIONS)}",
            object=ObjectRef("APIGroup", CLUSTER_API_GROUP),
            why="in another version fields may have other names, and a backup of what is not understood is none",
            state="nothing was stored",
            next="use a release of meshops.lifecycle that knows this version",
        )
    return chosen


def _missing(api: Api, target: Target, everybody: _Read) -> Refused:
    there = sorted(f"{metadata_of(item).get('namespace')}/{name_of(item)}" for item in everybody.items)
    if there:
        named = ", ".join(there[:_MOST]) + (f" and {len(there) - _MOST} more" if len(there) > _MOST else "")
        state, following = f"HostedClusters that exist: {named}", "correct name and namespace"
    elif everybody.why:
        state, following = f"which ones exist could not be found out: {everybody.why}", "check name and namespace"
    else:
        state = "there is no HostedCluster"
        following = "check that the connection is to the management cluster, not to a hosted cluster"
    refusal = Refusal(
        "hosted-cluster-missing",
        target.ref,
        f"there is no {target.ref} on {api.server}",
        "the HostedCluster is where everything about a hosted cluster begins",
        state,
        following,
    )
    return refused(f"hosted cluster {target.annotated}", [refusal])


# Lists


def _cluster_api_kinds(version: str) -> tuple[Kind, ...]:
    return tuple(cluster_api(kind, version) for kind in ("Cluster", "MachineDeployment", "MachineSet", "Machine", "MachineHealthCheck"))


def _wanted(target: Target, version: str, *, aws: bool) -> list[_Wanted]:
    """All lists. What only a cluster on AWS has is essential there: its type being missing then is an error."""
    place = target.control_plane_namespace
    wanted = [_Wanted(NODE_POOL, target.namespace), _Wanted(HOSTED_CONTROL_PLANE, place)]
    wanted += [_Wanted(kind, place, aws and kind.kind != "MachineHealthCheck") for kind in _cluster_api_kinds(version)]
    wanted += [_Wanted(kind, place, aws) for kind in (AWS_CLUSTER, AWS_MACHINE, AWS_MACHINE_TEMPLATE)]
    wanted += [_Wanted(kind, place) for kind in (DEPLOYMENT, STATEFULSET, POD)]
    wanted += [_Wanted(kind, place, essential=False) for kind in (ENDPOINT_SERVICE, CONTROL_PLANE_COMPONENT, SERVICE, ROUTE)]
    return wanted


class _Lists:
    """Reads one list; an object to be given to ``Api.map``."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def __call__(self, wanted: _Wanted) -> _Read:
        api = self._api if wanted.essential else self._api.within(_OPTIONAL_SECONDS)
        try:
            return _Read(tuple(sorted(api.list(wanted.kind, wanted.namespace), key=name_of)))
        except NotFound:
            if wanted.essential:
                raise
            # A type that is not there has no objects: a cluster that is not OpenShift has no Routes.
            return _Read(())
        except Forbidden as error:
            if wanted.essential:
                raise
            return _Read((), f"not allowed to {error.missing}" if error.missing else error.why)
        except (ServerFailure, Throttled, Unreachable) as error:
            if wanted.essential:
                raise
            return _Read((), error.why)


def _namespace(api: Api, name: str) -> tuple[Object | None, str]:
    try:
        return api.get_or_none(NAMESPACE, name), ""
    except Forbidden as error:
        return None, f"not allowed to {error.missing}" if error.missing else error.why


# Whose is it?


def _own_control_plane(target: Target, found: Iterable[Object]) -> Object | None:
    """Return the HostedControlPlane of its namespace, which must be this cluster's and the only one; None without any."""
    control_planes = [*found]
    if not control_planes:
        return None
    foreign = [item for item in control_planes if annotation(item, CLUSTER_ANNOTATION) != target.annotated]
    if len(control_planes) == 1 and not foreign:
        return control_planes[0]
    place = target.control_plane_namespace
    whose = ", ".join(f"{name_of(item)} of {annotation(item, CLUSTER_ANNOTATION) or 'nobody'}" for item in control_planes)
    first = (foreign or control_planes)[0]
    alone = len(control_planes) == 1
    refusal = Refusal(
        "control-plane-of-another" if alone else "control-plane-ambiguous",
        ObjectRef("HostedControlPlane", name_of(first), place),
        f"namespace {place} is where the control plane of {target.annotated} should be, and it has HostedControlPlane {whose}",
        f"several hosted clusters come to the same namespace, and its annotation {CLUSTER_ANNOTATION} says whose it is"
        if alone
        else "two control planes in one namespace overwrite each other's Secrets and etcd",
        "nothing was stored",
        f"name the hosted cluster {annotation(first, CLUSTER_ANNOTATION)} if that one is meant"
        if alone and annotation(first, CLUSTER_ANNOTATION)
        else "find out which of them the namespace serves, and let the owner of the other one move it to a name of its own",
    )
    raise refused(f"hosted cluster {target.annotated}", [refusal])


def _neighbours(target: Target, everybody: Iterable[Object]) -> tuple[Target, ...]:
    found = (Target(str(metadata_of(item).get("namespace")), name_of(item)) for item in everybody)
    near = {
        other
        for other in found
        if other != target and (other.namespace == target.namespace or other.control_plane_namespace == target.control_plane_namespace)
    }
    return tuple(sorted(near))
