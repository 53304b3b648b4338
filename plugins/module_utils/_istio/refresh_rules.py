# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Istio says about the sidecars of pods, for a refresh."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.discovery import IstioInstallation, find_istio
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.injector_alive import Concern, injector_refusals, try_pod
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.injector_config import (
    IGNORED_NAMESPACES,
    INJECT,
    PROXY_CONFIG,
    PROXY_IMAGE,
    PROXY_IMAGE_TYPE,
    TEMPLATES,
    Injector,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.label_conflicts import INJECTION_LABEL, conflicts
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.sidecars import (
    AUTO_IMAGE,
    OVERRIDES,
    Proxy,
    proxy_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.uninjected_pod import without_sidecar
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.versions import differs_only_in_hub
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.webhook_rules import (
    REVISION_LABEL,
    SidecarWebhook,
    asked,
    keys_of,
    selected,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import NAMESPACE
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Verdict

Object = Mapping[str, Any]
Pairs = tuple[tuple[str, str], ...]

_ANNOTATIONS = (INJECT, TEMPLATES, PROXY_IMAGE, PROXY_IMAGE_TYPE, PROXY_CONFIG, OVERRIDES)
_NO_SIDECAR = {"injected": False}


class PodTraits(NamedTuple):
    """What decides about a pod's sidecar: those of its labels and annotations that anything looks at, and the proxy that it has."""

    namespace: str
    labels: Pairs
    annotations: Pairs
    host_network: bool
    proxy: Proxy | None


def istio_rules(api: Api, namespaces: Iterable[Object] | None = None, installation: IstioInstallation | None = None) -> IstioRules:
    """Return the rules of the Istio of a cluster, all its revisions.

    ``namespaces`` are the cluster's raw Namespaces and ``installation`` is what ``find_istio`` returned; what is not given is read.
    Raises Refused when there is no Istio.
    """
    found = installation or find_istio(api)
    if found is None:
        raise Refused(
            "There is no Istio in this cluster",
            why="no Deployment has the label app=istiod, and no webhook injects sidecars of Istio",
            state="nothing was changed",
            next="check the connection and its context, or choose the other mesh (mesh: osm)",
        )
    listed = api.list(NAMESPACE, metadata_only=True) if namespaces is None else namespaces
    labels = {str(item["metadata"]["name"]): item["metadata"].get("labels") or {} for item in listed}
    return IstioRules(api, found, labels)


class IstioRules:
    """SidecarRules of one Istio.

    Images are compared whole. Where only the hub differs, a registry may be mirrored by another webhook, so that the configured image
    never appears in a pod: then one pod is created as a dry run, and what comes back is what new pods get.
    """

    def __init__(self, api: Api, installation: IstioInstallation, namespaces: Mapping[str, Mapping[str, str]]) -> None:
        self._api = api
        self._istio = installation
        self._namespaces = namespaces
        self._labels = frozenset[str]().union(
            *(keys_of(webhook.object_selector) for webhook in installation.webhooks),
            *(injector.label_keys for injector in installation.injectors.values()),
            (REVISION_LABEL,),
        )
        self._verdicts: dict[PodTraits, Verdict] = {}
        self._stored: dict[tuple[str, PodTraits], str] = {}
        self._concerns: dict[tuple[str, Pairs], Concern] = {}

    @property
    def target(self) -> str:
        """Return for instance ``istio-system/istio``."""
        return f"{self._istio.namespace}/istio"

    @property
    def namespace(self) -> str:
        """Namespace of the control plane."""
        return self._istio.namespace

    def selects(self, namespace: Object) -> bool:
        """Whether new pods of a raw Namespace may be injected, by its own labels or by theirs."""
        metadata = namespace["metadata"]
        if metadata["name"] in self._istio.namespaces or metadata["name"] in IGNORED_NAMESPACES:
            return False
        labels = metadata.get("labels") or {}
        return any(selected(webhook.namespace_selector, labels) for webhook in self._istio.webhooks)

    # Pods

    def judge(self, pod: Object) -> Verdict:
        """Judge the sidecar of a raw pod; decided once per distinct trait."""
        traits = self._traits(pod)
        found = self._verdicts.get(traits)
        if found is None:
            found = self._verdicts[traits] = self._judge(pod, traits)
        return found

    def _traits(self, pod: Object) -> PodTraits:
        metadata, spec = pod["metadata"], pod.get("spec") or {}
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        return PodTraits(
            metadata["namespace"],
            tuple((key, labels[key]) for key in self._labels if key in labels),
            tuple((key, annotations[key]) for key in _ANNOTATIONS if key in annotations),
            spec.get("hostNetwork") is True,
            proxy_of(pod),
        )

    def _judge(self, pod: Object, traits: PodTraits) -> Verdict:
        if traits.namespace in self._istio.namespaces:
            return Verdict("outside")
        injector, proxy = self._injector_of(pod), traits.proxy
        if proxy is None:
            return Verdict("outside" if injector is None else "missing")
        if injector is None:
            # A proxy that nobody injected is a gateway's or the application's own.
            return Verdict("unexpected" if proxy.injected else "outside")
        if not proxy.injected:
            return Verdict("stale", "has a container istio-proxy that was not injected")
        if proxy.revision and proxy.revision != injector.revision:
            return Verdict("stale", f"was injected by revision {proxy.revision}, new pods by {injector.revision}")
        reason = self._other_image(pod, traits, proxy, injector)
        return Verdict("stale", reason) if reason else Verdict("current")

    def _other_image(self, pod: Object, traits: PodTraits, proxy: Proxy, injector: Injector) -> str:
        wanted = injector.image_for(pod)
        if not wanted or differs_only_in_hub(proxy.image, wanted):
            wanted = self._stored_image(pod, traits, injector) or wanted
        return f"runs {proxy.image}, new pods get {wanted}" if wanted not in ("", proxy.image) else ""

    def _stored_image(self, pod: Object, traits: PodTraits, injector: Injector) -> str:
        """Return the image that the API server would store in such a pod, empty when it cannot be asked."""
        key = (injector.revision, traits._replace(proxy=None))
        if key not in self._stored:
            labels, annotations = dict(traits.labels), dict(traits.annotations)
            stored = None if OVERRIDES in annotations else try_pod(self._api, traits.namespace, labels, annotations, self._asked(pod))
            proxy = proxy_of(stored) if stored is not None else None
            self._stored[key] = proxy.image if proxy is not None else ""
        return self._stored[key]

    def _asked(self, pod: Object) -> list[SidecarWebhook]:
        metadata = pod["metadata"]
        return asked(self._istio.webhooks, self._namespaces.get(metadata["namespace"], {}), metadata.get("labels") or {})

    def _injector_of(self, pod: Object) -> Injector | None:
        """Return the injector that gives a new pod its sidecar; the last one when several do: it injects over the others."""
        namespace = pod["metadata"]["namespace"]
        injectors = (self._istio.injectors.get(webhook.revision) for webhook in self._asked(pod))
        able = [item for item in injectors if item is not None and item.requires(pod, namespace) and item.adds_proxy(pod)]
        return able[-1] if able else None

    # Templates

    def injects(self, template: Object) -> bool:
        """Whether a new pod of a template would get a sidecar, by any revision."""
        self._remember(template)
        return template["metadata"]["namespace"] not in self._istio.namespaces and self._injector_of(template) is not None

    def denies(self, template: Object) -> str:
        """Say why the injector would deny a new pod of a template; empty when it would not."""
        namespace = template["metadata"]["namespace"]
        for webhook in self._asked(template):
            injector = self._istio.injectors.get(webhook.revision)
            missing = injector.missing_template(template) if injector is not None and injector.requires(template, namespace) else ""
            if missing:
                return f"the pod's annotation {TEMPLATES} names the template {missing}, which revision {webhook.revision} does not have"
        return ""

    def written_in(self, template: Object) -> bool:
        """Whether the proxy stands in the template: manual injection, or a gateway that its installation made.

        A container ``istio-proxy`` that injection completes (image ``auto``, or some settings of its own) does not count.
        """
        proxy = proxy_of(template)
        if proxy is None or proxy.image == AUTO_IMAGE:
            return False
        return proxy.injected or self._injector_of(template) is None

    def fingerprint(self, template: Object) -> str:
        """Return the hash of what a new pod of a template would get now: revision, image, and the injector's whole configuration."""
        injector = self._injector_of(template)
        if injector is None:
            return _digest(_NO_SIDECAR)
        return _digest(
            {
                "target": self.target,
                "revision": injector.revision,
                "image": injector.image_for(template),
                "configuration": injector.digest,
                "settings": injector.settings_for(template),
            }
        )

    # The injectors

    def _remember(self, template: Object) -> None:
        """Keep what a refresh depends on: ``alive`` proves exactly that."""
        traits = self._traits(template)
        key = (traits.namespace, traits.labels)
        if key not in self._concerns:
            self._concerns[key] = self._concern(traits.namespace, dict(traits.labels))

    def _concern(self, namespace: str, labels: Mapping[str, str]) -> Concern:
        own = self._namespaces.get(namespace, {})
        webhooks = asked(self._istio.webhooks, own, labels)
        return Concern(namespace, labels, tuple(webhooks), "" if webhooks else _wish(own, labels))

    def findings(self) -> list[Finding]:
        """Return the namespaces whose labels contradict each other."""
        return conflicts({"metadata": {"name": name, "labels": labels}} for name, labels in sorted(self._namespaces.items()))

    def alive(self) -> list[Refusal]:
        """Return why pods would not come back, or not with the right sidecar: of the templates asked about, else of all namespaces."""
        concerns = [*self._concerns.values()] or [
            self._concern(name, {}) for name in sorted(self._namespaces) if name not in (*self._istio.namespaces, *IGNORED_NAMESPACES)
        ]
        return injector_refusals(self._api, self._istio, concerns, self._judge_new)

    def _judge_new(self, stored: Object) -> str:
        """Say what is wrong with the sidecar of a pod as the API server would store it; a mirrored hub is not wrong."""
        injector, proxy = self._injector_of(stored), proxy_of(stored)
        if injector is None:
            return ""
        if proxy is None:
            return "has no sidecar"
        if proxy.revision and proxy.revision != injector.revision:
            return f"is injected by revision {proxy.revision}, not by {injector.revision}"
        wanted = injector.image_for(stored)
        if wanted in ("", proxy.image) or differs_only_in_hub(proxy.image, wanted):
            return ""
        return f"gets {proxy.image} instead of {wanted}"

    def strip(self, pod: Object) -> dict[str, Any]:
        """Return a raw pod as it was before injection; raises LifecycleError when a probe cannot be restored."""
        return without_sidecar(pod)


def _wish(namespace: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """Return the label by which a pod's sidecar is asked for, empty when none does or one forbids it."""
    injection = namespace.get(INJECTION_LABEL)
    if labels.get(INJECT) == "false" or (injection is not None and injection != "enabled"):
        return ""
    if injection == "enabled":
        return f"{INJECTION_LABEL}=enabled"
    revision = namespace.get(REVISION_LABEL) or labels.get(REVISION_LABEL)
    if revision:
        return f"{REVISION_LABEL}={revision}"
    return f"{INJECT}=true" if labels.get(INJECT) == "true" else ""


def _digest(configuration: Object) -> str:
    return hashlib.sha256(json.dumps(configuration, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()[:16]
