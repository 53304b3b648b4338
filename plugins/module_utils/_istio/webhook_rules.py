# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which webhook the API server asks about a new pod. Pure.

The real configurations are evaluated, as the API server does it, instead of what Istio documents about its labels: revisions, tags, the
option ``enableNamespacesByDefault``, a configuration that istioctl has deactivated and older releases' selectors then need no
rules of their own. Source of what they hold: istio manifests/charts/istio-control/istio-discovery/templates/mutatingwebhook.yaml
and revision-tags-mwc.yaml; of how they are asked: kubernetes staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook/generic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.injector_proof import Hook, hooks_of

Object = Mapping[str, Any]
Labels = Mapping[str, str]

REVISION_LABEL = "istio.io/rev"
TAG_LABEL = "istio.io/tag"
DEFAULT = "default"
# Since 1.9 each one has a prefix (rev.namespace., rev.object., namespace., object., auto.).
_NAME = "sidecar-injector.istio.io"


class SidecarWebhook(NamedTuple):
    """One webhook that injects sidecars: ``revision`` is whose injector it asks, ``tag`` the revision tag that it was made for."""

    hook: Hook
    revision: str
    tag: str
    namespace_selector: Object
    object_selector: Object

    def matches(self, namespace_labels: Labels, pod_labels: Labels) -> bool:
        """Whether the API server asks it about a pod with these labels in a namespace with these."""
        return selected(self.namespace_selector, namespace_labels) and selected(self.object_selector, pod_labels)


def sidecar_webhooks(configurations: Iterable[Object]) -> list[SidecarWebhook]:
    """Return the webhooks of Istio's injectors in raw MutatingWebhookConfigurations, in the order in which the API server asks them."""
    found = []
    for item in sorted(configurations, key=lambda configuration: str(configuration["metadata"]["name"])):
        labels = item["metadata"].get("labels") or {}
        for raw, hook in zip(item.get("webhooks") or (), hooks_of(item), strict=True):
            if hook.name.endswith(_NAME) and any(map(_creates_pods, raw.get("rules") or ())):
                selectors = (raw.get("namespaceSelector") or {}, raw.get("objectSelector") or {})
                found.append(SidecarWebhook(hook, labels.get(REVISION_LABEL) or DEFAULT, labels.get(TAG_LABEL) or "", *selectors))
    return found


def _creates_pods(rule: Object) -> bool:
    return not {"CREATE", "*"}.isdisjoint(rule.get("operations") or ()) and not {"pods", "*", "*/*"}.isdisjoint(rule.get("resources") or ())


def asked(webhooks: Iterable[SidecarWebhook], namespace_labels: Labels, pod_labels: Labels) -> list[SidecarWebhook]:
    """Return the webhooks that the API server asks about a new pod, in order."""
    return [webhook for webhook in webhooks if webhook.matches(namespace_labels, pod_labels)]


def selected(selector: Object, labels: Labels) -> bool:
    """Whether a label selector matches (apimachinery pkg/apis/meta/v1 ``LabelSelectorAsSelector``); an empty one matches everything.

    ``NotIn`` also matches where the label is missing.
    """
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_fulfils(expression, labels) for expression in selector.get("matchExpressions") or ())


def keys_of(selector: Object) -> set[str]:
    """Return the labels that a selector looks at."""
    return {*(selector.get("matchLabels") or {}), *(str(expression["key"]) for expression in selector.get("matchExpressions") or ())}


def _fulfils(expression: Object, labels: Labels) -> bool:
    key, operator, values = expression["key"], expression["operator"], expression.get("values") or ()
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return key not in labels or labels[key] not in values
    # The API server refuses to store any other.
    return False
