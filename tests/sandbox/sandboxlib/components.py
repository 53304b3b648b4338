# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of each component. Why an unusual flag is there is said beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import binaries
from .layout import Layout
from .users import CONTROLLER_MANAGER, KWOK, SCHEDULER, kubeconfig_for

API = ("etcd", "kube-apiserver")
# On a node: it belongs to a member of a hosted cluster's etcd.
MEMBER_LABEL = "sandbox.meshops/member"
CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kwok")


def argv(component: str, layout: Layout) -> list[str]:
    """The command line of ``component``; its binary set is built when it is not there yet."""
    older = layout.options.older_version
    binary = f"{component}-{older}" if component == "kube-apiserver" and older else component
    return [str(binaries.binary(binary)), *_ARGUMENTS[component](layout)]


def _etcd(layout: Layout) -> list[str]:
    client, peer = f"http://{layout.network.etcd_client}", f"http://{layout.network.etcd_peer}"
    return [
        "--name=sandbox",
        f"--data-dir={layout.directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=sandbox={peer}",
        "--unsafe-no-fsync",  # its data never outlives the cluster
        "--log-level=warn",
    ]


def _apiserver(layout: Layout) -> list[str]:
    pki = layout.pki
    arguments = [
        f"--etcd-servers=http://{layout.network.etcd_client}",
        # Two clusters may start on the same network; the one that loses must not write into the winner's etcd meanwhile.
        f"--etcd-prefix=/registry-{layout.api_port}",
        "--bind-address=127.0.0.1",
        f"--secure-port={layout.api_port}",
        # Endpoints may not be loopback addresses, and a machine without a network has no other: one reserved for examples.
        "--advertise-address=192.0.2.1",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki / 'service-account.key'}",
        f"--service-account-signing-key-file={pki / 'service-account.key'}",
        "--authorization-mode=RBAC",
        "--allow-privileged",
        # Inside 127/8: a local process can listen on a Service's cluster IP, which makes webhooks with a Service work.
        f"--service-cluster-ip-range={layout.network.service_range}",
        f"--audit-policy-file={layout.directory / 'audit-policy.yaml'}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-mode=blocking",  # a request's line is written before its answer is sent
        "--audit-log-maxsize=100000",  # megabytes: never rotated, so that a mark (an offset) stays valid
        "--kubelet-preferred-address-types=InternalIP",
        "--profiling=false",
    ]
    return arguments + _emulation(layout)


def _controller_manager(layout: Layout) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig_for(layout, CONTROLLER_MANAGER)}",
        f"--service-account-private-key-file={layout.pki / 'service-account.key'}",
        f"--root-ca-file={layout.pki / 'ca.crt'}",
        "--use-service-account-credentials",  # a user per controller, each with its role, as in a real cluster
        "--controllers=*,-horizontal-pod-autoscaler-controller",  # there is no metrics API
        # A busy machine delays KWOK's heartbeats; pods of a node that was once lost never become ready again.
        "--node-monitor-grace-period=4h",
        *_unhurried(),
        *_emulation(layout),
    ]


def _scheduler(layout: Layout) -> list[str]:
    return [f"--kubeconfig={kubeconfig_for(layout, SCHEDULER)}", *_unhurried(), *_emulation(layout)]


def _unhurried() -> list[str]:
    """One instance, no port of its own, no client-side rate limit."""
    return ["--leader-elect=false", "--secure-port=0", "--kube-api-qps=500", "--kube-api-burst=500"]


def _emulation(layout: Layout) -> list[str]:
    version = layout.options.older_version
    return [f"--emulated-version=kube={version}"] if version else []


def _kwok(layout: Layout) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig_for(layout, KWOK)}",
        # The nodes of real etcd members have a KWOK each, in whose file system their commands run.
        *(
            ["--manage-all-nodes=false", f"--manage-nodes-with-label-selector=!{MEMBER_LABEL}"]
            if layout.options.hosted
            else ["--manage-all-nodes"]
        ),
        "--node-ip=127.0.0.1",
        # What nodes say their kubelet's port is; the stand-in answers there with logs, KWOK's own server elsewhere.
        f"--node-port={layout.kubelet_port}",
        f"--server-address=127.0.0.1:{layout.kwok_port}",
        "--v=WARN",
        "--cidr=10.128.0.0/12",  # the default /24 per node is fewer addresses than a node may have pods here
        *(f"--config={path}" for path in sorted((layout.directory / "stages").glob("*.yaml"))),
    ]


_ARGUMENTS: Mapping[str, Callable[[Layout], list[str]]] = {
    "etcd": _etcd,
    "kube-apiserver": _apiserver,
    "kube-controller-manager": _controller_manager,
    "kube-scheduler": _scheduler,
    "kwok": _kwok,
}
