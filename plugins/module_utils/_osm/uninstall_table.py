# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that a mesh leaves in a cluster: how it is found, when it is removed, and whether the product's own documents name it.

Source of ``documented``: osm-edge-docs release-v1.3 ``content/en/docs/guides/operating/uninstall`` (what the command line and
Helm remove) and ``guides/troubleshooting/uninstall`` (what is to be deleted by hand).
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One row of the documentation's table; ``found_by`` and ``removed`` are sentences without a full stop."""

    what: str
    title: str
    found_by: str
    removed: str
    documented: bool = False


_WITH_RELEASE = "with the Helm release; without a usable one by itself, in the same phase"

TABLE: tuple[Row, ...] = (
    Row(
        "control-plane-deployment",
        "Deployments of controller, injector and bootstrap; a ReplicaSet that an upgrade orphaned",
        "by name in the namespace of the control plane, by release annotations and labels, never by version",
        f"scaled to zero first (a reconciler would write back what goes next), then {_WITH_RELEASE}",
        documented=True,
    ),
    Row(
        "optional-deployment",
        "Prometheus, Grafana, Jaeger, gateways",
        "by release annotations, labels and the chart's names",
        _WITH_RELEASE,
        documented=True,
    ),
    Row(
        "daemon-set",
        "the interceptor of eBPF mode",
        "by release annotations, labels and the chart's names",
        _WITH_RELEASE,
    ),
    Row("service", "Services of the control plane", "by release annotations, labels and the chart's names", _WITH_RELEASE, documented=True),
    Row(
        "rbac",
        "ServiceAccounts, ClusterRoles, ClusterRoleBindings, Roles, RoleBindings",
        "by release annotations, labels and the chart's names",
        _WITH_RELEASE,
        documented=True,
    ),
    Row(
        "config-map",
        "presets of MeshConfig and root certificate, configuration of Prometheus, Grafana and Fluent Bit",
        "by release annotations, labels, and the presets by name (they have no label)",
        _WITH_RELEASE,
    ),
    Row(
        "autoscaler",
        "HorizontalPodAutoscalers",
        "by release annotations, labels and the chart's names",
        _WITH_RELEASE,
    ),
    Row(
        "disruption-budget",
        "PodDisruptionBudgets",
        "by release annotations, labels and the chart's names",
        _WITH_RELEASE,
    ),
    Row(
        "helm-release",
        "the Helm release",
        "by the annotations of the Deployments, else by its record: it need not be called like the mesh",
        "when the control plane is stopped and conversion is off, without its hooks",
        documented=True,
    ),
    Row(
        "helm-record",
        "Secrets with the revisions of the release",
        "by Helm's own labels",
        "with the release; by themselves when Helm cannot read them",
    ),
    Row(
        "hook",
        "Job, ServiceAccount, ClusterRole and ClusterRoleBinding of the hooks R-cleanup and R-preinstall",
        "by the hook annotation and the name of the release",
        "Jobs before anything else of the control plane (one that runs or hangs is ended), the rest with the other artefacts",
    ),
    Row(
        "mutating-webhook",
        "MutatingWebhookConfiguration of the injector",
        "by its Service and a label of the mesh or the default name; by name, instance and app; never by version",
        "after the release; before the sidecars when nothing answers it, because it fails closed",
        documented=True,
    ),
    Row(
        "validating-webhook",
        "ValidatingWebhookConfiguration of the controller",
        "by its Service and a label of the mesh or the default name; by name, instance and app; never by version",
        "after the release; before the sidecars when nothing answers it, because it fails closed",
        documented=True,
    ),
    Row(
        "conversion-webhook",
        "conversion webhook in CustomResourceDefinitions",
        "by the Service that spec.conversion leads to",
        "when the control plane is stopped, before objects are counted or deleted: only spec.conversion, only where it leads to this mesh",
        documented=True,
    ),
    Row(
        "mesh-config",
        "the MeshConfig",
        "by its fixed name in the namespace of the control plane",
        "after the release",
        documented=True,
    ),
    Row(
        "root-certificate",
        "the MeshRootCertificate",
        "by its fixed name in the namespace of the control plane",
        "after the release",
    ),
    Row(
        "ca-secret",
        "the Secret with the mesh's CA",
        "by the name in the release's values or the controller's command line",
        "after the release; not one that cert-manager or a user made",
        documented=True,
    ),
    Row(
        "bootstrap-secrets",
        "one Secret for each sidecar",
        "by prefix and the label instance, whether a pod mounts them or not",
        "after the sidecars, those that no pod mounts; those of meshes that are gone with delete_cluster_wide_resources: [orphans]",
        documented=True,
    ),
    Row(
        "enrolled-namespace",
        "labels and annotations of namespaces",
        "by the label with the mesh's name; ignored namespaces and left-over annotations as well",
        "just before the first workload of the namespace is restarted",
        documented=True,
    ),
    Row(
        "pod-template-annotation",
        "annotation for injection in pod templates",
        "in the templates of workloads of namespaces that are, or were, in the mesh",
        "only with edit_pod_templates: true; without the namespace's label it does nothing",
        documented=True,
    ),
    Row(
        "sidecar",
        "sidecars in pods",
        "by container and volume, and the mesh's name in its environment",
        "first of all, at the user's pace",
        documented=True,
    ),
    Row(
        "osm-crd",
        "CustomResourceDefinitions of the product, of all its versions",
        "by the list of each version, by label, and by name",
        "last, only with delete_cluster_wide_resources: [osm_crds], when no other mesh uses it and it has no objects",
        documented=True,
    ),
    Row(
        "smi-crd",
        "CustomResourceDefinitions of SMI",
        "by the list of each version, and by name",
        "last, only with delete_cluster_wide_resources: [smi_crds], when no other mesh uses it and it has no objects",
        documented=True,
    ),
    Row(
        "custom-resources",
        "objects of these definitions",
        "counted per definition, in the version that is stored",
        "only with delete_custom_resources: true, and only of a definition that goes",
        documented=True,
    ),
    Row(
        "old-deployment",
        "Deployments that only earlier versions had (jaeger, osm-multicluster-gateway)",
        "by name, in the namespace of the control plane",
        "after the release",
        documented=True,
    ),
    Row(
        "user-resource",
        "what was made for the mesh, for instance a Vault",
        "by user_resources",
        "after the control plane",
        documented=True,
    ),
    Row(
        "namespace",
        "the namespace of the control plane",
        "it is where the control plane is, or was",
        "only with delete_namespace: true, when it holds nothing that is not of this mesh (or force); never kube-*, openshift-*, default",
        documented=True,
    ),
)

ROWS = {row.what: row for row in TABLE}


def is_documented(what: str) -> bool:
    """Whether the product's own documents say that this is to be removed."""
    row = ROWS.get(what)
    return row is not None and row.documented
