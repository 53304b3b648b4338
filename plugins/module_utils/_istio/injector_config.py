# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an injector decides about a pod that it is asked about, and which proxy it gives. Pure.

Source: istio pkg/kube/inject/inject.go ``injectRequired``, ``ProxyImage``, ``selectTemplates``, and the template
manifests/charts/istio-control/istio-discovery/files/injection-template.yaml.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.proxy_config import ProxyConfig, image_type, in_effect
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.sidecars import PROXY, own_image
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.versions import Version, without_variant
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.webhook_rules import DEFAULT, keys_of, selected

Object = Mapping[str, Any]

INJECT = "sidecar.istio.io/inject"
TEMPLATES = "inject.istio.io/templates"
PROXY_IMAGE = "sidecar.istio.io/proxyImage"
PROXY_IMAGE_TYPE = "sidecar.istio.io/proxyImageType"
PROXY_CONFIG = "proxy.istio.io/config"
# pkg/kube/inject/initializer.go ``IgnoredNamespaces``.
IGNORED_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage")
# The injector looks at the label since 1.12; before, only selectors of its webhooks did.
_LABEL_COUNTS = (1, 12)
# Read at 1.23 and at the main branch after 1.31.
_ONLY_TRUE_AND_FALSE = (1, 24)
_YES = ("y", "yes", "true", "on")


@dataclass(frozen=True)
class Injector:
    """The injector of one revision as its ConfigMaps tell.

    ``values`` are those of the chart (``global.hub``, ``global.tag``, …), ``policy`` is ``enabled`` or ``disabled``, ``templates`` are
    the texts of its injection templates, and ``proxy_defaults`` is ``defaultConfig`` of the mesh configuration. ``native`` is
    istiod's ``ENABLE_NATIVE_SIDECARS``; ``proxy_configs`` are all resources of that kind, those of ``root_namespace``
    count everywhere. ``known`` is false when its ConfigMap could not be read or understood.
    """

    revision: str = DEFAULT
    namespace: str = "istio-system"
    version: Version | None = None
    values: Object = field(default_factory=dict)
    policy: str = "enabled"
    never: Sequence[Object] = ()
    always: Sequence[Object] = ()
    default_templates: Sequence[str] = ("sidecar",)
    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    proxy_defaults: Object = field(default_factory=dict)
    mesh_settings: Object = field(default_factory=dict)
    proxy_configs: Sequence[ProxyConfig] = ()
    root_namespace: str = "istio-system"
    native: str = ""
    known: bool = True

    def requires(self, pod: Object, namespace: str) -> bool:
        """Whether it injects a pod that the API server asks it about."""
        if (pod.get("spec") or {}).get("hostNetwork") is True or namespace in IGNORED_NAMESPACES:
            return False
        wanted = self._asked_for(pod)
        if wanted is None:
            wanted = self._selected(_metadata(pod, "labels"))
        if self.policy not in ("enabled", "disabled"):
            return False
        return wanted if wanted is not None else self.policy == "enabled"

    def _asked_for(self, pod: Object) -> bool | None:
        """Return what label or annotation say, None when the policy decides."""
        line = self.version.line if self.version is not None else None
        value = _metadata(pod, "annotations").get(INJECT, "")
        if line is None or line >= _LABEL_COUNTS:
            value = _metadata(pod, "labels").get(INJECT, value)
        if line is None or line >= _ONLY_TRUE_AND_FALSE:
            return {"true": True, "false": False}.get(value)
        return value.lower() in _YES if value else None

    def _selected(self, labels: Mapping[str, str]) -> bool | None:
        """An empty selector matches nothing here."""
        if any(selector and selected(selector, labels) for selector in self.never):
            return False
        if any(selector and selected(selector, labels) for selector in self.always):
            return True
        return None

    def adds_proxy(self, pod: Object) -> bool:
        """Whether the templates that the pod asks for have a proxy (proxyless gRPC has none)."""
        texts = [self.templates[name] for name in self._template_names(pod) if name in self.templates]
        # Before 1.10 there is one template without a name.
        return not texts or any(PROXY in text for text in texts)

    def missing_template(self, pod: Object) -> str:
        """Return the name of a template that the pod asks for and that does not exist: the injector then denies the pod."""
        names = self._template_names(pod) if len(self.templates) > 1 else ()
        return next((name for name in names if name not in self.templates), "")

    def _template_names(self, pod: Object) -> list[str]:
        given = _metadata(pod, "annotations").get(TEMPLATES)
        names = self.default_templates if given is None else [name.strip() for name in given.split(",")]
        return [resolved for name in names for resolved in self.aliases.get(name, (name,))]

    def image_for(self, pod: Object) -> str:
        """Return the image of the proxy of a new pod; empty when it cannot be known.

        The application's own image comes first, then the annotation ``sidecar.istio.io/proxyImage`` and the value
        ``global.proxy.image``, as they are if they are whole references, else as a name of the hub with the tag and the variant.
        """
        own = own_image(pod)
        if own:
            return own
        annotations, common = _metadata(pod, "annotations"), self._global
        name = str((common.get("proxy") or {}).get("image") or "proxyv2")
        given = str(annotations.get(PROXY_IMAGE) or name)
        if "/" in given:
            return given
        hub, tag = str(common.get("hub") or ""), str(common.get("tag") or "")
        return f"{hub}/{name}:{with_variant(tag, self._variant(pod))}" if hub and tag else ""

    def _variant(self, pod: Object) -> str:
        annotations = _metadata(pod, "annotations")
        if PROXY_IMAGE_TYPE in annotations:
            return annotations[PROXY_IMAGE_TYPE]
        return image_type([*self.settings_for(pod), self.proxy_defaults]) or str(self._global.get("variant") or "")

    def settings_for(self, pod: Object) -> list[Object]:
        """Return the proxy settings that count for a pod besides the mesh's own, the strongest first."""
        own = _yaml(_metadata(pod, "annotations").get(PROXY_CONFIG, ""))
        namespace = str((pod.get("metadata") or {}).get("namespace") or "")
        return in_effect(self.proxy_configs, self.root_namespace, namespace, _metadata(pod, "labels"), own)

    @property
    def label_keys(self) -> set[str]:
        """Labels of pods that decide anything."""
        keys = {INJECT}
        for selector in (*self.never, *self.always):
            keys.update(keys_of(selector))
        return keys.union(*(config.labels for config in self.proxy_configs))

    @property
    def _global(self) -> Object:
        found = self.values.get("global")
        return found if isinstance(found, Mapping) else {}

    @property
    def digest(self) -> str:
        """Hash of everything that it would give to a new pod, but for what the pod itself says."""
        parts = [self.revision, self.values, self.policy, dict(self.templates), dict(self.annotations), list(self.default_templates)]
        parts += [dict(self.aliases), self.proxy_defaults, self.mesh_settings, self.native]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


def with_variant(tag: str, variant: str) -> str:
    """Return a tag with another variant; ``default`` is the one without a name (``updateImageTypeIfPresent``)."""
    if not variant:
        return tag
    plain = without_variant(tag)
    return plain if variant == "default" else f"{plain}-{variant}"


def read_injector(
    revision: str,
    namespace: str,
    *,
    injector: Object | None,
    mesh: Object | None,
    version: Version | None = None,
    native: str = "",
    configs: Sequence[ProxyConfig] = (),
) -> Injector:
    """Return the injector of a revision from its raw ConfigMaps ``istio-sidecar-injector`` and ``istio`` (with ``-revision``)."""
    data = (injector or {}).get("data") or {}
    values, config = _yaml(data.get("values", "")), _yaml(data.get("config", ""))
    settings = _yaml(((mesh or {}).get("data") or {}).get("mesh", ""))
    templates = config.get("templates") or {"sidecar": config.get("template") or ""}
    return Injector(
        revision=revision,
        namespace=namespace,
        version=version,
        values=values,
        # Without a configuration nobody is refused: what is not known must not make pods lose their sidecars.
        policy=str(config.get("policy") or "") if config else "enabled",
        never=config.get("neverInjectSelector") or (),
        always=config.get("alwaysInjectSelector") or (),
        default_templates=config.get("defaultTemplates") or ("sidecar",),
        aliases=config.get("aliases") or {},
        templates=templates,
        annotations=config.get("injectedAnnotations") or {},
        proxy_defaults=settings.get("defaultConfig") or {},
        mesh_settings={key: settings[key] for key in ("trustDomain", "proxyListenPort", "proxyInboundListenPort") if key in settings},
        proxy_configs=configs,
        root_namespace=str(settings.get("rootNamespace") or namespace),
        native=native,
        known=bool(values) and bool(config),
    )


def _yaml(text: str) -> dict[str, Any]:
    """Return the mapping in a text of YAML (JSON is YAML), empty when it is damaged or another thing."""
    try:
        found = json.loads(text)
    except ValueError:
        found = _slow_yaml(text)
    return found if isinstance(found, dict) else {}


def _slow_yaml(text: str) -> Any:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError:
        return None


def _metadata(pod: Object, part: str) -> Mapping[str, str]:
    found = (pod.get("metadata") or {}).get(part)
    return found if isinstance(found, Mapping) else {}
