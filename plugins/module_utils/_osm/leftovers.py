# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What earlier versions, uninstallations and hooks of a mesh left in a cluster: data types, and their reduction from raw objects. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Object = Mapping[str, Any]
Service = tuple[str, str]

_HOOKS = {"-cleanup": "post-delete", "-preinstall": "pre-install"}


class HookObject(NamedTuple):
    """An object of a chart's hook, named ``<release>-cleanup`` or ``<release>-preinstall``; ``namespace`` is empty for cluster-wide ones.

    ``state`` is that of a Job: ``failed`` (it will not try again), ``running``, or ``done``; empty for other kinds.
    """

    kind: str
    name: str
    namespace: str
    state: Literal["failed", "running", "done", ""] = ""

    @property
    def release(self) -> str:
        """Name of the release that it belonged to."""
        return self.name.rpartition("-")[0]


@dataclass(frozen=True)
class Leftovers:
    """What only a thorough look finds.

    ``secrets`` is the number of the sidecars' bootstrap Secrets; ``orphaned_secrets`` counts, per namespace, those that no pod mounts and
    no pod owns. Both are None when Secrets or pods were not read. ``services`` has the number of ready endpoints of each Service
    outside the meshes that a webhook or a CRD refers to, -1 when it does not exist; one that may not be read is not in it.
    """

    secrets: int | None = None
    orphaned_secrets: Mapping[str, int] | None = None
    hooks: tuple[HookObject, ...] = ()
    services: Mapping[Service, int] = field(default_factory=dict)


def hook_object(item: Object) -> HookObject | None:
    """Reduce an object (whole, or metadata only); None when it is not of a chart's hook.

    Source: osm-edge v1.3.9 charts/osm/templates/cleanup-hook.yaml and preinstall-hook.yaml.
    """
    metadata = item["metadata"]
    name = str(metadata["name"])
    hook = (metadata.get("annotations") or {}).get("helm.sh/hook", "")
    if not any(name.endswith(suffix) and kind in hook.split(",") for suffix, kind in _HOOKS.items()):
        return None
    state = _job_state(item.get("status") or {}) if item["kind"] == "Job" else ""
    return HookObject(item["kind"], name, str(metadata.get("namespace") or ""), state)


def _job_state(status: Object) -> Literal["failed", "running", "done"]:
    true = {condition["type"] for condition in status.get("conditions") or () if condition["status"] == "True"}
    return "failed" if "Failed" in true else "done" if "Complete" in true else "running"


def mounted_secrets(pod: Object) -> list[tuple[str, str]]:
    """Return (namespace, name) of the Secrets that a raw pod mounts."""
    namespace = pod["metadata"]["namespace"]
    volumes = (volume.get("secret") for volume in pod["spec"].get("volumes") or ())
    return [(namespace, secret["secretName"]) for secret in volumes if secret and "secretName" in secret]
