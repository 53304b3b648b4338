# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the processes behind a hosted control plane are called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sandboxlib import binaries, components
from sandboxlib.users import KWOK, kubeconfig_for

if TYPE_CHECKING:
    from .backend import Backend

_SCRIPT = Path(__file__).with_name("member_root.sh")


def etcd(backend: Backend, member: int) -> list[str]:
    """One member of its etcd; clients and other members need a certificate."""
    pki = backend.etcd_pki
    peers = ",".join(f"etcd-{other}=https://{backend.address(other)}:2380" for other in backend.members)
    client, peer = f"https://{backend.address(member)}:2379", f"https://{backend.address(member)}:2380"
    secured = [
        argument
        for prefix in ("", "peer-")
        for argument in (
            f"--{prefix}cert-file={pki / f'etcd-{member}.crt'}",
            f"--{prefix}key-file={pki / f'etcd-{member}.key'}",
            f"--{prefix}trusted-ca-file={pki / 'ca.crt'}",
            f"--{prefix}client-cert-auth",
        )
    ]
    return [
        str(binaries.binary("etcd")),
        f"--name=etcd-{member}",
        f"--data-dir={backend.directory / f'etcd-{member}'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster={peers}",
        "--initial-cluster-state=new",
        "--initial-cluster-token=etcd-cluster",
        "--quota-backend-bytes=8589934592",
        "--unsafe-no-fsync",
        "--log-level=warn",
        *secured,
    ]


def apiserver(backend: Backend) -> list[str]:
    """Its API server: as that of any cluster of the sandbox, over all members."""
    pki = backend.etcd_pki
    servers = ",".join(f"https://{backend.address(member)}:2379" for member in backend.members)
    replaced = ("--etcd-", "--service-cluster-ip-range=", "--service-account-issuer=")
    kept = [argument for argument in components.argv("kube-apiserver", backend.layout) if not argument.startswith(replaced)]
    return [
        *kept,
        f"--etcd-servers={servers}",
        f"--etcd-cafile={pki / 'ca.crt'}",
        f"--etcd-certfile={pki / 'client.crt'}",
        f"--etcd-keyfile={pki / 'client.key'}",
        "--etcd-prefix=kubernetes.io",  # OpenShift's
        "--service-cluster-ip-range=172.31.0.0/16",
        f"--service-account-issuer={backend.shape.issuer}",
    ]


def kwok(backend: Backend, member: int, namespaced: list[str]) -> list[str]:
    """A KWOK that plays one node and sees the file system of an etcd pod; the machine's is below /.host there."""
    layout = backend.cluster.layout
    pod = backend.write_pod(member)
    configs = [*sorted((layout.directory / "stages").glob("*.yaml")), pod / "exec.yaml"]
    # A node keeps the port that it was first told.
    port = backend.chosen["kubelet_ports"][member]
    return [
        *namespaced,
        "/bin/sh",
        str(_SCRIPT),
        str(pod / "root"),
        str(pod / "image"),
        str(backend.directory / f"etcd-{member}"),
        backend.image.data_size,
        backend.image.tmp_size,
        f"/.host{binaries.binary('kwok')}",
        f"--kubeconfig=/.host{kubeconfig_for(layout, KWOK)}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-label-selector={components.MEMBER_LABEL}={backend.nodes[member]}",
        "--node-ip=127.0.0.1",
        f"--node-port={port}",
        f"--server-address=127.0.0.1:{port}",
        "--v=WARN",
        f"--cidr=10.{backend.chosen['network']}.{member}.0/24",
        *(f"--config=/.host{path}" for path in configs),
    ]


def exec_config(backend: Backend, member: int) -> dict[str, object]:
    """KWOK's configuration: commands in container ``etcd`` of the member's pod are processes beside KWOK."""
    selector = {"matchNamespaces": [backend.shape.control_plane_namespace], "matchNames": [f"etcd-{member}"]}
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterExec",
        "metadata": {"name": f"{backend.shape.control_plane_namespace}-etcd-{member}"},
        "spec": {"selector": selector, "execs": [{"containers": ["etcd"], "local": {"workDir": "/"}}]},
    }
