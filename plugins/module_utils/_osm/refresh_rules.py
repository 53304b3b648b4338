# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a mesh of the OSM family says about the sidecars of pods, for a refresh."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.data_plane import is_enrolled, missing_keys, verdict, wanted_sidecar
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injection import (
    Decision,
    desired_sidecar_image,
    must_inject,
    sidecar_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injector_alive import injector_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, NamespaceFacts, Observed, PodTraits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.reduction import namespace_facts, sidecar_traits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.restart import settings_of_new_pods
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninjected_pod import without_sidecar
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.visible_configuration import (
    Visible,
    invalid_exclusion,
    outdated_setting,
    visible,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Verdict

Object = Mapping[str, Any]

# osm-edge v1.3.9 pkg/sidecar/providers/pipy/driver/pipy_container.go: each one on the pod, else on the namespace, else the MeshConfig's.
_RESOURCES = tuple(
    f"sidecar-resource-{kind}-{name}" for kind in ("limits", "requests") for name in ("cpu", "memory", "storage", "ephemeral-storage")
)
_NO_SIDECAR = {"injected": False}


def osm_rules(api: Api, mesh: Mesh, observed: Observed) -> OsmRules:
    """Return the rules of one mesh as it was observed."""
    return OsmRules(api, mesh, observed)


class OsmRules:
    """SidecarRules of one mesh; pods are judged as mesh_info counts them, and by what they show of their configuration besides."""

    def __init__(self, api: Api, mesh: Mesh, observed: Observed) -> None:
        self._api = api
        self._mesh = mesh
        self._namespaces = observed.namespaces
        self._wanted = wanted_sidecar(mesh)
        self._verdicts: dict[tuple[PodTraits, Visible | None], Verdict] = {}
        self._settings = _settings(mesh)

    @property
    def target(self) -> str:
        """Return for instance ``osm-system/osm``."""
        return f"{self._mesh.namespace}/{self._mesh.name}"

    @property
    def namespace(self) -> str:
        """Namespace of the control plane."""
        return self._mesh.namespace

    def selects(self, namespace: Object) -> bool:
        """Whether a raw Namespace is enrolled, ignored or not."""
        return is_enrolled(namespace_facts(namespace), self._mesh)

    def judge(self, pod: Object) -> Verdict:
        """Judge the sidecar of a raw pod; decided once per distinct trait."""
        traits = sidecar_traits(pod)
        key = (traits, visible(pod, self._mesh.product) if traits.injected else None)
        found = self._verdicts.get(key)
        if found is None:
            found = self._verdicts[key] = self._judge(*key)
        return found

    def _judge(self, traits: PodTraits, seen: Visible | None) -> Verdict:
        found = verdict(traits, self._facts(traits.namespace), self._mesh, self._wanted)
        if found.state != "current" or seen is None or self._mesh.mesh_config is None:
            return found
        reason = outdated_setting(seen, self._mesh.mesh_config_spec)
        return found if reason is None else Verdict("stale", reason)

    def injects(self, template: Object) -> bool:
        """Whether a new pod of a template would get a sidecar of this mesh."""
        return self._decision(template).inject is True

    def denies(self, template: Object) -> str:
        """Say which annotation makes the injector refuse a new pod of a template; empty when none does."""
        decision = self._decision(template)
        if decision.inject is None:
            return decision.reason
        return (invalid_exclusion(template, self._mesh.product) or "") if decision.inject else ""

    def _decision(self, template: Object) -> Decision:
        mesh, namespace = self._mesh, self._facts(template["metadata"]["namespace"])
        return must_inject(template, namespace.as_namespace(), mesh.product, mesh.name, mesh.namespace)

    def written_in(self, template: Object) -> bool:
        """Whether the sidecar stands in the template itself."""
        return sidecar_of(template, self._mesh.product) is not None

    def fingerprint(self, template: Object) -> str:
        """Return the hash of the images and settings that a new pod of a template would get now."""
        return _digest(self._configuration(template) if self.injects(template) else _NO_SIDECAR)

    def _configuration(self, template: Object) -> dict[str, Any]:
        """Return what injection would give; a template's own annotations are left out, changing them replaces its pods anyway."""
        mesh, traits = self._mesh, sidecar_traits(template)
        own = template["metadata"].get("annotations") or {}
        inherited = self._facts(traits.namespace).annotations
        keys = (f"{mesh.product.key_domain}/{name}" for name in _RESOURCES)
        found: dict[str, Any] = {
            "mesh": self.target,
            "image": self._image(windows=traits.windows),
            "resources": {key: inherited[key] for key in keys if key in inherited and not own.get(key)},
            "settings": self._settings,
        }
        if self._wanted is not None and not traits.windows:
            found["with_init"] = self._wanted.with_init
            found["init_image"] = self._wanted.init_image if self._wanted.with_init else None
        return found

    def _image(self, *, windows: bool) -> str | None:
        mesh = self._mesh
        return desired_sidecar_image(mesh.mesh_config_spec, mesh.injector_environment, mesh.product, windows=windows)

    def alive(self) -> list[Refusal]:
        """Return why pods would not come back, or not with the right sidecar."""
        missing_mode = "traffic.interceptionMode" in missing_keys(self._mesh)
        return injector_refusals(self._api, self._mesh, self._probed_namespaces(), self._wanted, missing_mode=missing_mode)

    def _probed_namespaces(self) -> list[str]:
        """Return the namespaces in which a new pod would be injected whatever its own annotations are."""
        mesh = self._mesh
        found = (facts for facts in self._namespaces.values() if not facts.terminating)
        pod: Object = {"metadata": {}, "spec": {}}
        injected = [
            facts.name for facts in found if must_inject(pod, facts.as_namespace(), mesh.product, mesh.name, mesh.namespace).inject is True
        ]
        return sorted(injected)

    def findings(self) -> list[Finding]:
        """Return nothing: mesh_info and mesh_preflight look at namespaces."""
        return []

    def strip(self, pod: Object) -> dict[str, Any]:
        """Return a raw pod as it was before injection; raises LifecycleError when a probe cannot be restored."""
        return without_sidecar(pod, self._mesh.product)

    def _facts(self, namespace: str) -> NamespaceFacts:
        # A namespace that was created after the observation has no facts yet: nothing is injected there.
        return self._namespaces.get(namespace) or NamespaceFacts(namespace, {}, {}, terminating=False)


def _settings(mesh: Mesh) -> dict[str, Any]:
    """Return the settings that only new pods get; images are left out, they are told as they are resolved."""
    spec = mesh.mesh_config_spec
    found = settings_of_new_pods(spec, str((spec.get("sidecar") or {}).get("sidecarClass") or ""))
    return {path: value for path, value in found.items() if not path.endswith("Image")}


def _digest(configuration: Object) -> str:
    return hashlib.sha256(json.dumps(configuration, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]
