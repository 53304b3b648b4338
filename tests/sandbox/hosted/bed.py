# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A management cluster in the sandbox, and hosted clusters on it.

>>> cluster.up(Options(hosted="-"))
>>> bed = Bed(cluster)
>>> bed.install()
>>> prod = bed.add(shape_of_size("prod", 12))                      # objects only
>>> bed.add(Shape("stage", pools=(...)), real=Image())  # with an API server and an etcd of its own
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError
from sandboxlib.standin import StandIn
from sandboxlib.users import PROBE, kubeconfig_for

from .backend import Backend
from .contents import fill, first_contents
from .control_plane_objects import workload_names, workloads
from .definitions import OWN_KINDS, definitions
from .etcd_image import Image
from .hypershift_objects import components, endpoint_services, hosted_cluster, hosted_control_plane, node_pools
from .machine_objects import cluster_api, machine_graph
from .made import Made, Object, metadata
from .operator_objects import Management, operator_objects
from .secret_objects import secrets_and_config
from .shape import Shape, shape_of_size
from .writing import Refused, Writer, collection, finalized_kinds, remove

_SECONDS = 90.0
BACKUP_BUCKET = "hosted-backups"


class Hosted:
    """A hosted cluster that is on a management cluster."""

    def __init__(self, bed: Bed, shape: Shape, instances: Mapping[str, str]) -> None:
        self.bed = bed
        self.shape = shape
        self.machines = shape.machines(instances)
        self.backend: Backend | None = None

    @property
    def real(self) -> Backend:
        """The processes behind it; SandboxError when it has only objects."""
        if self.backend is None:
            raise SandboxError(f"{self.shape.annotated} has no API server and no etcd of its own")
        return self.backend

    @property
    def path(self) -> str:
        """Where its HostedCluster is."""
        return f"{collection('hypershift.openshift.io/v1beta1', 'HostedCluster', self.shape.namespace)}/{self.shape.name}"

    def fill(self, mebibytes: int) -> None:
        """Put about that much more into its etcd, beside the API server's own keys."""
        fill(self.real.etcd_address, self.real.etcd_context(), mebibytes)

    def wait_for_pods(self) -> None:
        """Wait until every pod of its control plane is ready."""
        namespace = self.shape.control_plane_namespace
        self.bed.wait(f"the workloads of {namespace}", lambda writer: _all_ready(writer, namespace))


class Bed:
    """The management cluster ``cluster``, which was brought up with ``Options(hosted=...)``."""

    def __init__(self, cluster: Cluster, management: Management | None = None, cluster_api_version: str = "v1beta1") -> None:
        self.cluster = cluster
        self.management = management or Management()
        self.cluster_api_version = cluster_api_version

    @property
    def follower(self) -> StandIn:
        """The process that ends and starts real API servers and etcd members with their pods."""
        layout = self.cluster.layout
        return StandIn(layout, "standin-hosted", "hosted", "hosted control planes", ["--cluster-directory", str(layout.directory)])

    def writer(self) -> Writer:
        """Writes that are nobody's in the audit log."""
        return Writer(kubeconfig_for(self.cluster.layout, PROBE))

    def install(self) -> None:
        """Define the types, and make what a management cluster has once; nothing happens the second time."""
        if not self.cluster.layout.options.hosted:
            raise SandboxError(f"cluster {self.cluster.name} was not brought up as a management cluster (--hosted)")
        with self.writer() as writer:
            try:
                writer.each(
                    ("POST", collection("apiextensions.k8s.io/v1", "CustomResourceDefinition"), definition)
                    for definition in definitions(self.cluster_api_version)
                )
            except Refused as refusal:
                if refusal.status != 409:
                    raise
                return
            writer.make(operator_objects(self.management))
        self.wait("the types to be served", self._all_served)

    def _all_served(self, writer: Writer) -> bool:
        listed = [kind.api_version for kind in OWN_KINDS] + [f"cluster.x-k8s.io/{self.cluster_api_version}"]
        wanted = {kind.plural for kind in OWN_KINDS} | {"clusters", "machines", "machinesets", "machinedeployments", "machinehealthchecks"}
        try:
            served = {item["name"] for group in sorted(set(listed)) for item in writer.request("GET", f"/apis/{group}")["resources"]}
        except Refused:
            return False
        return wanted <= served

    def wait(self, what: str, condition: Any) -> None:
        """Poll until ``condition(writer)`` holds; SandboxError after a minute and a half."""
        deadline = time.monotonic() + _SECONDS
        with self.writer() as writer:
            while not condition(writer):
                if time.monotonic() > deadline:
                    raise SandboxError(f"waited {_SECONDS:.0f} s for {what}")
                time.sleep(0.1)

    def add(self, shape: Shape, instances: Mapping[str, str] | None = None, real: Image | None = None) -> Hosted:
        """Make all objects of a hosted cluster; ``instances`` are EC2 instances by the name of the machine.

        With ``real``, what is in the etcd pods, it has an API server and an etcd, with something in it. SandboxError where
        this machine does not allow that; then nothing was made.
        """
        if shape.cluster_api_version != self.cluster_api_version:
            raise SandboxError(f"this cluster serves {self.cluster_api_version} of Cluster API, not {shape.cluster_api_version}")
        hosted = Hosted(self, shape, instances or {})
        endpoint = (shape.hostname("api"), 443)
        known: Mapping[str, Mapping[str, bytes]] = {}
        nodes: tuple[str, ...] = ()
        if real:
            backend = hosted.backend = Backend(self.cluster, shape, real)
            backend.start()
            self.follower.start()
            endpoint, known, nodes = backend.endpoint, backend.secrets(), backend.nodes
        with self.writer() as writer:
            writer.make(self._objects(hosted, endpoint, known, nodes))
        if hosted.backend:
            hosted.backend.wait_for_exec()
            hosted.backend.wait_for_api()
            with hosted.backend.writer() as writer:
                writer.make(first_contents(shape, hosted.machines))
        return hosted

    def _objects(
        self, hosted: Hosted, endpoint: tuple[str, int], known: Mapping[str, Mapping[str, bytes]], nodes: tuple[str, ...]
    ) -> Iterable[Made]:
        shape = hosted.shape
        yield _namespace(shape.namespace, {})
        yield hosted_cluster(shape, endpoint)
        yield from node_pools(shape)
        yield from secrets_and_config(shape, known)
        if not shape.control_plane:
            return
        yield _namespace(shape.control_plane_namespace, {"hypershift.openshift.io/hosted-control-plane": "true"})
        yield hosted_control_plane(shape, endpoint, cluster_api(shape))
        yield from machine_graph(shape, endpoint, hosted.machines)
        yield from endpoint_services(shape)
        yield from components(shape, workload_names())
        yield from workloads(shape, nodes)

    def remove(self, hosted: Hosted) -> None:
        """Take a hosted cluster away without asking anybody, and wait until it is gone. Others in its namespace stay."""
        shape = hosted.shape
        kinds = finalized_kinds(self.cluster_api_version)
        with self.writer() as writer:
            self._delete_user_objects(writer, shape)
            if shape.control_plane:
                _end_pods(writer, shape.control_plane_namespace)
                writer.request("DELETE", f"/api/v1/namespaces/{shape.control_plane_namespace}")
                remove(writer, shape.control_plane_namespace, kinds)
                volumes = writer.request("GET", collection("v1", "PersistentVolume"))["items"]
                own = [item for item in volumes if item["spec"]["claimRef"]["namespace"] == shape.control_plane_namespace]
                writer.each(("DELETE", f"{collection('v1', 'PersistentVolume')}/{item['metadata']['name']}") for item in own)
                released = {"metadata": {"finalizers": None}}
                for item in own:
                    _forgiving(writer, "PATCH", f"{collection('v1', 'PersistentVolume')}/{item['metadata']['name']}", released)

        def gone(writer: Writer) -> bool:
            return not shape.control_plane or _missing(writer, f"/api/v1/namespaces/{shape.control_plane_namespace}")

        self.wait(f"namespace {shape.control_plane_namespace} to go", gone)
        if hosted.backend:  # its nodes play the etcd pods to the end
            hosted.backend.end()
            hosted.backend = None

    def _delete_user_objects(self, writer: Writer, shape: Shape) -> None:
        api = "hypershift.openshift.io/v1beta1"
        paths = [f"{collection(api, 'NodePool', shape.namespace)}/{pool.name}" for pool in shape.pools]
        paths.append(f"{collection(api, 'HostedCluster', shape.namespace)}/{shape.name}")
        for path in paths:
            _forgiving(writer, "PATCH", path, {"metadata": {"finalizers": None}})
            _forgiving(writer, "DELETE", path, None)
        for made in secrets_and_config(shape, {}):
            if made.namespace == shape.namespace:
                _forgiving(writer, "DELETE", f"{collection('v1', made.kind, made.namespace)}/{made.name}", None)


def _end_pods(writer: Writer, namespace: str) -> None:
    """A namespace that ends with pods or claims in it waits for the end of their grace, whether or not they use it."""
    for kind in ("deployments", "statefulsets", "replicasets"):
        writer.request("DELETE", f"/apis/apps/v1/namespaces/{namespace}/{kind}")
    writer.request("DELETE", f"/api/v1/namespaces/{namespace}/pods?gracePeriodSeconds=0")
    claims = collection("v1", "PersistentVolumeClaim", namespace)
    writer.request("DELETE", claims)
    for item in writer.request("GET", claims)["items"]:
        _forgiving(writer, "PATCH", f"{claims}/{item['metadata']['name']}", {"metadata": {"finalizers": None}})


def _forgiving(writer: Writer, method: str, path: str, body: Object | None) -> None:
    """A request about something that may be gone."""
    try:
        writer.request(method, path, body, "application/merge-patch+json" if method == "PATCH" else "application/json")
    except Refused as refusal:
        if refusal.status != 404:
            raise


def _missing(writer: Writer, path: str) -> bool:
    try:
        writer.request("GET", path)
    except Refused as refusal:
        if refusal.status == 404:
            return True
        raise
    return False


def _all_ready(writer: Writer, namespace: str) -> bool:
    for kind in ("Deployment", "StatefulSet"):
        for item in writer.request("GET", collection("apps/v1", kind, namespace))["items"]:
            status = item.get("status", {})
            if (
                status.get("observedGeneration") != item["metadata"]["generation"]
                or status.get("readyReplicas", 0) != item["spec"]["replicas"]
            ):
                return False
    return True


def _namespace(name: str, labels: Object) -> Made:
    return Made(0, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata(name, labels=labels)})


def bring_up(cluster: Cluster, names: str, say: Callable[[str], None]) -> None:
    """What ``sandbox up --hosted`` makes: types and operator, AWS with a bucket for backups, and a real hosted cluster with three
    machines per name of ``names``: "prod,stage=single" ("=single": one etcd member; "-" alone: none)."""
    from .aws import Aws

    bed = Bed(cluster)
    bed.install()
    aws = Aws(cluster)
    aws.start()
    aws.create_bucket(BACKUP_BUCKET)
    aws.create_bucket(bed.management.oidc_bucket, public=True)
    say(f'AWS is up at {aws.endpoint} with bucket {BACKUP_BUCKET}: eval "$(sandbox aws {cluster.name})"')
    for asked in names.split(",") if names != "-" else ():
        name, _equals, members = asked.partition("=")
        availability = "SingleReplica" if members else "HighlyAvailable"
        shape = shape_of_size(name, 3, availability=availability)
        aws.create_zone(shape, bed.management.owner_id)
        hosted = bed.add(shape, aws.run_instances(shape), Image())
        hosted.wait_for_pods()
        say(f"hosted cluster {shape.annotated} is up: KUBECONFIG={hosted.real.kubeconfig}")
