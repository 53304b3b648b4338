# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy that a pod has, and where it comes from. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

Object = Mapping[str, Any]

PROXY = "istio-proxy"
STATUS = "sidecar.istio.io/status"
OVERRIDES = "proxy.istio.io/overrides"
REVISION = "istio.io/rev"
# A container with this image in a template is completed by the injector (istio pkg/kube/inject/webhook.go ``AutoImage``).
AUTO_IMAGE = "auto"


class Proxy(NamedTuple):
    """The container ``istio-proxy`` of a pod: ``native`` when it is a restartable init container.

    ``injected``: it was added (or completed) by injection, not only written in a template. ``revision`` is whose injector did it, empty
    when the pod does not tell (before 1.10).
    """

    image: str
    native: bool
    injected: bool
    revision: str


def proxy_of(pod: Object) -> Proxy | None:
    """Return the proxy of a raw pod or pod template, or None.

    Both lists are looked at: istiod chooses by the nodes' version and ``ENABLE_NATIVE_SIDECARS`` (pkg/kube/inject/webhook.go
    ``DetectNativeSidecar``), so the same workload changes its kind of sidecar when Istio is upgraded or taken back.
    """
    container, native = proxy_container(pod.get("spec") or {})
    if container is None:
        return None
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    if STATUS not in annotations:
        return Proxy(str(container.get("image", "")), native, injected=False, revision="")
    revision = _revision_in(annotations[STATUS]) or annotations.get(REVISION) or ""
    return Proxy(str(container.get("image", "")), native, injected=True, revision=revision)


@lru_cache(maxsize=1024)
def _revision_in(status: str) -> str:
    """Most pods of a cluster have the same status, to the letter."""
    return str(read_json(status).get("revision") or "")


def proxy_container(spec: Object) -> tuple[Object | None, bool]:
    """Return the raw container ``istio-proxy`` of a pod's spec and whether it is a native sidecar."""
    for container in spec.get("containers") or ():
        if container.get("name") == PROXY:
            return container, False
    for container in spec.get("initContainers") or ():
        if container.get("name") == PROXY and container.get("restartPolicy") == "Always":
            return container, True
    return None, False


def injected_names(pod: Object) -> dict[str, list[str]]:
    """Return what the status annotation says was added: names by ``containers``, ``initContainers``, ``volumes``, ``imagePullSecrets``.

    Lists may be null and the whole value empty.
    """
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    status = read_json(annotations.get(STATUS))
    parts = ("containers", "initContainers", "volumes", "imagePullSecrets")
    return {part: [str(name) for name in status.get(part) or ()] for part in parts}


def read_json(text: str | None) -> dict[str, Any]:
    """Return the JSON object in an annotation or a variable, empty when there is none or it is damaged."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def own_image(pod: Object) -> str:
    """Return the image that the application itself gives to its proxy, empty without one.

    In a template it is the container's own image (injection keeps it), in an injected pod the annotation remembers it.
    """
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    if STATUS in annotations:
        overrides = read_json(annotations.get(OVERRIDES))
        found = _named([*(overrides.get("containers") or ()), *(overrides.get("initContainers") or ())])
    else:
        found = proxy_container(pod.get("spec") or {})[0] or {}
    image = str(found.get("image") or "")
    return "" if image == AUTO_IMAGE else image


def _named(containers: Iterable[Object]) -> Object:
    return next((container for container in containers if container.get("name") == PROXY), {})
