# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is built: one entry per set of binaries. Its pins are the go.mod and go.sum in ``tests/sandbox/build/``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

KUBERNETES_VERSION = "1.34.4"
# What the API server is told to be when an older one is wanted: it then behaves as that minor version (emulation),
# and calls itself by the patch release of the same month.
OLDER_VERSIONS = {"1.31": "1.31.14", "1.32": "1.32.12", "1.33": "1.33.8"}
HELM_VERSION = "3.21.4"
# The ends of what is supported, beside the one that the sandbox itself uses. Every one is called ``helm``: Helm takes its
# field manager's name from its program's (pkg/kube/client.go getManagedFieldsManager).
OLDEST_HELM_VERSION = "3.14.4"
HELM_4_VERSION = "4.3.1"
# Releases of Istio: one source, linked twice, so that they differ in what they call themselves and in the images they inject.
ISTIO_VERSIONS = ("1.30.0", "1.31.0")


@dataclass(frozen=True)
class BinarySet:
    """``binaries`` maps the name a binary gets to its package; ``linked`` are the string variables set at link time
    (``-X``); ``files`` maps a directory of the output to a directory of a module whose YAML files it gets, as
    ``module path:directory`` (a set may be nothing but such files); ``seconds`` is what a cold build took on two cores;
    ``pins`` is the directory of the go.mod (default: called like the set)."""

    binaries: Mapping[str, str]
    seconds: int
    linked: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    pins: str = ""


def _kubernetes_linked(version: str) -> dict[str, str]:
    """Unset, the API server calls itself v0.0.0-master+$Format:%H$, which nothing that parses versions survives."""
    major, minor, _patch = version.split(".")
    values = {
        "gitVersion": f"v{version}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitCommit": "0" * 40,
        "gitTreeState": "clean",
    }
    return {f"k8s.io/component-base/version.{name}": value for name, value in values.items()}


def _helm_3_linked(version: str, kubernetes_minor: int) -> dict[str, str]:
    """As in Helm's Makefile: its own version, and the Kubernetes version that ``helm template`` assumes (that of its client-go)."""
    kubernetes = {
        f"helm.sh/helm/v3/pkg/{package}.k8sVersion{part}": value
        for package in ("chartutil", "lint/rules")
        for part, value in (("Major", "1"), ("Minor", str(kubernetes_minor)))
    }
    return {
        "helm.sh/helm/v3/internal/version.version": f"v{version}",
        "helm.sh/helm/v3/internal/version.gitTreeState": "clean",
        **kubernetes,
    }


# Helm 4 reads the version of its client-go from its own build information.
_HELM_4_LINKED = {
    "helm.sh/helm/v4/internal/version.version": f"v{HELM_4_VERSION}",
    "helm.sh/helm/v4/internal/version.gitTreeState": "clean",
}


def _istio_linked(version: str) -> dict[str, str]:
    """As in Istio's common/scripts/gobuild.sh: the version, and where the images of the release are."""
    values = {
        "buildVersion": version,
        "buildTag": version,
        "buildHub": "docker.io/istio",
        "buildStatus": "Clean",
        "buildGitRevision": "0" * 40,
    }
    return {f"istio.io/istio/pkg/version.{name}": value for name, value in values.items()}


SETS: dict[str, BinarySet] = {
    "etcd": BinarySet(binaries={"etcd": "go.etcd.io/etcd/server/v3"}, seconds=30),
    "kubernetes": BinarySet(
        binaries={
            name: f"k8s.io/kubernetes/cmd/{name}" for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
        },
        seconds=240,
        linked=_kubernetes_linked(KUBERNETES_VERSION),
    ),
    **{
        f"kube-apiserver-{minor}": BinarySet(
            binaries={f"kube-apiserver-{minor}": "k8s.io/kubernetes/cmd/kube-apiserver"},
            seconds=10,
            linked=_kubernetes_linked(version),
            pins="kubernetes",
        )
        for minor, version in OLDER_VERSIONS.items()
    },
    "kwok": BinarySet(
        binaries={"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
        seconds=60,
        pins="clients",
        files={
            "stages/pod-fast": "sigs.k8s.io/kwok:kustomize/stage/pod/fast",
            "stages/node-fast": "sigs.k8s.io/kwok:kustomize/stage/node/fast",
            "stages/node-heartbeat": "sigs.k8s.io/kwok:kustomize/stage/node/heartbeat-with-lease",
        },
    ),
    "helm": BinarySet(binaries={"helm": "helm.sh/helm/v3/cmd/helm"}, seconds=20, linked=_helm_3_linked(HELM_VERSION, 36), pins="clients"),
    "helm-3.14": BinarySet(binaries={"helm": "helm.sh/helm/v3/cmd/helm"}, seconds=75, linked=_helm_3_linked(OLDEST_HELM_VERSION, 29)),
    "helm-4": BinarySet(binaries={"helm": "helm.sh/helm/v4/cmd/helm"}, seconds=95, linked=_HELM_4_LINKED),
    **{
        f"istio-{version}": BinarySet(
            binaries={
                "istioctl": "istio.io/istio/istioctl/cmd/istioctl",
                "pilot-discovery": "istio.io/istio/pilot/cmd/pilot-discovery",
            },
            seconds=30 if position else 290,  # the second release is only linked
            linked=_istio_linked(version),
            pins="istio",
        )
        for position, version in enumerate(ISTIO_VERSIONS)
    },
}

# What a cluster with hosted clusters needs besides: the programs of etcd's image, of both generations (in 3.6 those of a
# snapshot moved from etcdctl to etcdutl), and Cluster API's definitions.
SETS |= {
    "etcd-clients": BinarySet(
        binaries={"etcdctl": "go.etcd.io/etcd/etcdctl/v3", "etcdutl": "go.etcd.io/etcd/etcdutl/v3"},
        seconds=30,
    ),
    "etcd-clients-3.5": BinarySet(binaries={"etcdctl": "go.etcd.io/etcd/etcdctl/v3"}, seconds=50),
    "cluster-api": BinarySet(binaries={}, seconds=5, files={"definitions": "sigs.k8s.io/cluster-api:config/crd/bases"}),
}

CLUSTER_SETS = ("etcd", "kubernetes", "kwok", "helm")
API_ONLY_SETS = ("etcd", "kubernetes")
HOSTED_SETS = ("etcd-clients", "etcd-clients-3.5", "cluster-api")
