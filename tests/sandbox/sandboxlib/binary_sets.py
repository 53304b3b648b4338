# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is built: one entry per set of binaries that share a go.mod in ``tests/sandbox/build/SET/``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

KUBERNETES_VERSION = "1.34.4"
HELM_VERSION = "3.21.4"


@dataclass(frozen=True)
class BinarySet:
    """``binaries`` maps the name a binary gets to its package; ``linked`` are the string variables set at link time
    (``-X``); ``files`` maps a directory of the output to a directory of a module whose YAML files it gets, as
    ``module path:directory``; ``seconds`` is what a cold build took on two cores."""

    binaries: Mapping[str, str]
    seconds: int
    linked: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


# Unset, the API server calls itself v0.0.0-master+$Format:%H$, which nothing that parses versions survives.
_KUBERNETES_LINKED = {
    "k8s.io/component-base/version.gitVersion": f"v{KUBERNETES_VERSION}",
    "k8s.io/component-base/version.gitMajor": KUBERNETES_VERSION.split(".")[0],
    "k8s.io/component-base/version.gitMinor": KUBERNETES_VERSION.split(".")[1],
    "k8s.io/component-base/version.gitCommit": "0" * 40,
    "k8s.io/component-base/version.gitTreeState": "clean",
}

# As in Helm's Makefile: its own version, and the Kubernetes version that `helm template` assumes (client-go v0.36).
_HELM_LINKED = {
    "helm.sh/helm/v3/internal/version.version": f"v{HELM_VERSION}",
    "helm.sh/helm/v3/internal/version.gitTreeState": "clean",
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": "1",
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": "36",
    "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": "1",
    "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": "36",
}

SETS: Mapping[str, BinarySet] = {
    "etcd": BinarySet(binaries={"etcd": "go.etcd.io/etcd/server/v3"}, seconds=30),
    "kubernetes": BinarySet(
        binaries={
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
        },
        seconds=240,
        linked=_KUBERNETES_LINKED,
    ),
    "kwok": BinarySet(
        binaries={"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
        seconds=60,
        files={
            "stages/pod-fast": "sigs.k8s.io/kwok:kustomize/stage/pod/fast",
            "stages/node-fast": "sigs.k8s.io/kwok:kustomize/stage/node/fast",
            "stages/node-heartbeat": "sigs.k8s.io/kwok:kustomize/stage/node/heartbeat-with-lease",
        },
    ),
    "helm": BinarySet(binaries={"helm": "helm.sh/helm/v3/cmd/helm"}, seconds=40, linked=_HELM_LINKED),
}

CLUSTER_SETS = ("etcd", "kubernetes", "kwok", "helm")
API_ONLY_SETS = ("etcd", "kubernetes")
