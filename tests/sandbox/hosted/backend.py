# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The processes of a real hosted control plane: etcd members over TLS, a KWOK per member for ``exec``, an API server.

Member N answers on an address of its own, port 2379; in its pod that address is ``localhost``. The commands of ``kubectl exec``
run where member_root.sh has put the KWOK of the member's node.
"""

from __future__ import annotations

import functools
import http.client
import json
import os
import shutil
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sandboxlib import components, processes, startup, state
from sandboxlib.api import Api
from sandboxlib.audit import policy
from sandboxlib.certificates import Authority, new_service_account_key, write_private
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError
from sandboxlib.layout import Layout
from sandboxlib.loopback import free_port
from sandboxlib.options import Options
from sandboxlib.users import PROBE, User, kubeconfig_for, write_kubeconfig

from . import command_lines
from .control_plane_objects import MEMBER_TAINT
from .etcd_image import Image, entering
from .shape import Shape
from .writing import Writer

_ADMIN = User("system:admin", ("system:masters",))
_FIRST_NETWORK = 130


@dataclass(frozen=True)
class Backend:
    """The processes behind the control plane of ``shape`` on ``cluster``, kept below its directory ``hosted/NAMESPACE``."""

    cluster: Cluster
    shape: Shape
    image: Image = field(default_factory=Image)

    @property
    def directory(self) -> Path:
        """Its own files."""
        return self.cluster.directory / "hosted" / self.shape.control_plane_namespace

    @property
    def layout(self) -> Layout:
        """That of its API server."""
        return Layout(self.directory, Options(api_only=True), self.cluster.layout.network, self.chosen["api_port"], 0, 0)

    @property
    def chosen(self) -> dict[str, Any]:
        """The addresses that were free when it was started."""
        found: dict[str, Any] = json.loads((self.directory / "backend.json").read_text(encoding="utf-8"))
        return found

    def address(self, member: int) -> str:
        """Where a member answers: in the half of the cluster's network that Services do not use."""
        return f"127.{self.cluster.layout.network.octet}.{self.chosen['network']}.{member + 1}"

    def component(self, name: str) -> str:
        """What a process is called in the cluster, for ``cluster.stop`` and in ``logs``: ``etcd-0``, ``kwok-0``, ``kube-apiserver``."""
        return f"{self.shape.control_plane_namespace}-{name}"

    @property
    def members(self) -> range:
        """The numbers of the etcd members."""
        return range(self.shape.members)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The management cluster's nodes on which the etcd pods are."""
        return tuple(f"{self.shape.digest('node', length=8)}-etcd-{member}" for member in self.members)

    @property
    def endpoint(self) -> tuple[str, int]:
        """Where the API server answers."""
        return "127.0.0.1", self.layout.api_port

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, which is in the Secret NAME-admin-kubeconfig, too."""
        return self.directory / "kubeconfig"

    def writer(self) -> Writer:
        """Writes to the hosted cluster's own API that are nobody's in its audit log."""
        return Writer(kubeconfig_for(self.layout, PROBE))

    # Starting and stopping

    def start(self) -> None:
        """Start everything, without waiting; SandboxError where this machine does not let us."""
        namespaced = entering()
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(mode=0o700, parents=True)
        taken = [json.loads(path.read_text(encoding="utf-8"))["network"] for path in self.directory.parent.glob("*/backend.json")]
        network = next(number for number in range(_FIRST_NETWORK, 255) if number not in taken)
        content = {"api_port": free_port(), "network": network, "kubelet_ports": [free_port() for _member in self.members]}
        (self.directory / "backend.json").write_text(json.dumps(content), encoding="utf-8")
        self._certificates()
        for member in self.members:
            (self.directory / f"etcd-{member}").mkdir(mode=0o700)
            self._run(f"etcd-{member}", command_lines.etcd(self, member))
        self._create_nodes()
        for member in self.members:
            self._run(f"kwok-{member}", command_lines.kwok(self, member, namespaced))
        self._run("kube-apiserver", command_lines.apiserver(self))
        self.cluster.record.save()

    def stop(self, name: str) -> None:
        """End one process (``etcd-1``, ``kwok-0``, ``kube-apiserver``) and wait until it is gone."""
        # An API server ends slowly, when it is asked to.
        processes.stop([self.cluster.process(self.component(name))], patience=1.0)

    def resume(self, name: str) -> None:
        """Start one that was stopped, as it was."""
        process = self.cluster.process(self.component(name))
        if not process.alive:
            self._run(name, process.argv)
            self.cluster.record.save()
        if name == "kube-apiserver":
            self.wait_for_api()
        if name.startswith("kwok"):
            self.wait_for_exec()

    def end(self) -> None:
        """End everything and forget it, the nodes included."""
        for node in self.nodes:
            self.cluster.api.request("DELETE", f"/api/v1/nodes/{node}")
        names = [*(f"{what}-{member}" for what in ("kwok", "etcd") for member in self.members), "kube-apiserver"]
        layout = self.cluster.layout
        known = state.processes(self.cluster.directory)
        own = [self.component(name) for name in names if self.component(name) in known]
        processes.stop([known[name] for name in own], patience=1.0)
        for name in own:
            layout.pid_file(name).unlink()
            (self.cluster.directory / f"{name}.stopped").unlink(missing_ok=True)
        shutil.rmtree(self.directory)
        self.cluster.record.save()

    def wait_for_api(self) -> None:
        """Wait until the API server is ready."""
        api = Api(kubeconfig_for(self.layout, PROBE))
        names = [self.component("kube-apiserver"), *(self.component(f"etcd-{member}") for member in self.members)]
        self._wait(names, f"the API of {self.shape.name} to be ready", lambda: api.ready)
        self._wait(names, "its namespaces", lambda: api.exists("/api/v1/namespaces/kube-public"))

    def wait_for_exec(self) -> None:
        """Wait until somebody answers to ``kubectl exec`` for every member."""
        for member, port in enumerate(self.chosen["kubelet_ports"]):
            name = self.component(f"kwok-{member}")
            self._wait([name], f"{name} to answer", functools.partial(_answers, port))

    def _wait(self, names: Sequence[str], what: str, condition: Callable[[], bool]) -> None:
        try:
            startup.wait(self.cluster.layout, names, what, condition)
        except startup.AddressTaken as clash:
            raise SandboxError(f"{clash}: somebody else took its address just now, make the hosted cluster again") from clash

    def _run(self, name: str, argv: Sequence[str]) -> None:
        component = self.component(name)
        processes.start(list(argv), self.cluster.layout.log(component), self.cluster.layout.pid_file(component))

    # Certificates

    def _certificates(self) -> None:
        layout = self.layout
        layout.make_directories()
        certificate, key = Authority(layout.pki).server(["127.0.0.1"], ["localhost", "kubernetes", self.shape.hostname("api")])
        write_private(layout.pki / "apiserver.crt", certificate)
        write_private(layout.pki / "apiserver.key", key)
        new_service_account_key(layout.pki / "service-account.key")
        write_private(self.directory / "audit-policy.yaml", json.dumps(policy()).encode())
        write_private(layout.audit_log, b"")
        write_kubeconfig(layout, _ADMIN, self.kubeconfig)
        self.etcd_pki.mkdir(mode=0o700)
        authority = Authority(self.etcd_pki)
        certificate, key = authority.client("etcd-client", [])
        write_private(self.etcd_pki / "client.crt", certificate)
        write_private(self.etcd_pki / "client.key", key)
        namespace = self.shape.control_plane_namespace
        for member in self.members:
            names = ["localhost", "etcd-client", f"etcd-client.{namespace}.svc", f"etcd-{member}.etcd-discovery.{namespace}.svc"]
            certificate, key = authority.server([self.address(member), "127.0.0.1"], names, peer=True)
            write_private(self.etcd_pki / f"etcd-{member}.crt", certificate)
            write_private(self.etcd_pki / f"etcd-{member}.key", key)

    @property
    def etcd_pki(self) -> Path:
        """Where the authority and the certificates of etcd are."""
        return self.directory / "etcd-pki"

    def secrets(self) -> dict[str, dict[str, bytes]]:
        """The contents of Secrets that something real is behind."""
        etcd, api = self.etcd_pki, self.layout.pki
        return {
            "admin-kubeconfig": {"kubeconfig": self.kubeconfig.read_bytes()},
            "etcd-signer": {"ca.crt": (etcd / "ca.crt").read_bytes(), "ca.key": (etcd / "ca.key").read_bytes()},
            "etcd-client-tls": {
                "etcd-client.crt": (etcd / "client.crt").read_bytes(),
                "etcd-client.key": (etcd / "client.key").read_bytes(),
            },
            "root-ca": {"ca.crt": (api / "ca.crt").read_bytes(), "ca.key": (api / "ca.key").read_bytes()},
            "sa-signing-key": {"service-account.key": (api / "service-account.key").read_bytes()},
        }

    def write_pod(self, member: int) -> Path:
        """Write what the file system of an etcd pod is made of, and how KWOK runs commands there; its directory."""
        pod = self.directory / f"pod-{member}"
        (pod / "root").mkdir(parents=True)
        certificates = {"ca": self.etcd_pki / "ca.crt", "crt": self.etcd_pki / "client.crt", "key": self.etcd_pki / "client.key"}
        self.image.write(pod / "image", self.address(member), {name: path.read_bytes() for name, path in certificates.items()})
        (pod / "exec.yaml").write_text(json.dumps(command_lines.exec_config(self, member)), encoding="utf-8")
        return pod

    def _create_nodes(self) -> None:
        api = self.cluster.api
        capacity = {"cpu": "16", "memory": "64Gi", "ephemeral-storage": "1Ti", "pods": "250"}
        for node in self.nodes:
            labels = {
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": node,
                components.MEMBER_LABEL: node,
            }
            body = {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": node, "labels": labels},
                # So that nothing but etcd gets there.
                "spec": {"taints": [{"key": MEMBER_TAINT, "effect": "NoSchedule"}]},
                "status": {"allocatable": capacity, "capacity": capacity},
            }
            api.request("POST", "/api/v1/nodes", body)

    # What is on it

    def etcdctl_environment(self) -> dict[str, str]:
        """For an etcdctl outside of the pods that asks all members."""
        pki = self.etcd_pki
        return {
            **os.environ,
            "ETCDCTL_ENDPOINTS": ",".join(f"https://{self.address(member)}:2379" for member in self.members),
            "ETCDCTL_CACERT": str(pki / "ca.crt"),
            "ETCDCTL_CERT": str(pki / "client.crt"),
            "ETCDCTL_KEY": str(pki / "client.key"),
        }

    @property
    def etcd_address(self) -> str:
        """The first member's ``host:port``."""
        return f"{self.address(0)}:2379"

    def etcd_context(self) -> ssl.SSLContext:
        """For connections to the members."""
        context = ssl.create_default_context(cafile=str(self.etcd_pki / "ca.crt"))
        context.load_cert_chain(self.etcd_pki / "client.crt", self.etcd_pki / "client.key")
        return context

    def alarm(self, *, on: bool) -> None:
        """Let the first member say that it has no space (etcd then takes no writes), or take that back."""
        context = self.etcd_context()
        path, kind = "/v3/maintenance/alarm", {"alarm": "NOSPACE"}
        header = _ask_etcd(self.etcd_address, context, "/v3/maintenance/status", {})["header"]
        action = "ACTIVATE" if on else "DEACTIVATE"
        _ask_etcd(self.etcd_address, context, path, {"action": action, "memberID": header["member_id"], **kind})

    def with_image(self, image: Image) -> Backend:
        """The same with other etcd pods; their KWOKs are started again."""
        namespaced = entering()
        changed = replace(self, image=image)
        for member in self.members:
            self.stop(f"kwok-{member}")
            shutil.rmtree(self.directory / f"pod-{member}")
            changed._run(f"kwok-{member}", command_lines.kwok(changed, member, namespaced))
        self.cluster.record.save()
        changed.wait_for_exec()
        return changed


def _ask_etcd(address: str, context: ssl.SSLContext, path: str, body: dict[str, Any]) -> Any:
    connection = http.client.HTTPSConnection(address, context=context, timeout=30)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise SandboxError(f"etcd at {address} refused {path}: {content.decode(errors='replace')}")
    return json.loads(content)


def _answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        return True


def absent_reason() -> str:
    """Why a real etcd cannot run on this machine, "" when it can."""
    try:
        entering()
    except SandboxError as error:
        return str(error)
    return ""
