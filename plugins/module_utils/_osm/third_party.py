# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of Prometheus, Grafana and Jaeger that somebody set by hand, as values of the release to be. Pure.

The written procedure updates them with ``kubectl set image`` (osm-edge's upgrade guide). Their images are plain chart values, so the next
``helm upgrade`` would put the chart's own back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.images import Image, read_image
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.values import Policy
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = Mapping[str, Any]
Values = Mapping[str, Any]

_NUMBERS = re.compile(r"v?(\d+(?:\.\d+)*)(?:[-+].*)?")
# Docker's own names of what an image reference leaves out.
_DOCKER, _LIBRARY = "docker.io", "library"


class ThirdParty(NamedTuple):
    """One container: the Deployments that had it (the newest name first) and its value below the root.

    ``deployed_by`` is the value that deploys it at all.
    """

    title: str
    deployments: tuple[str, ...]
    container: str
    value: tuple[str, str]
    deployed_by: str


class CarriedImages(NamedTuple):
    """Values to lay over those of the release, and what to tell about them."""

    values: dict[str, Any]
    findings: tuple[Finding, ...]


def third_parties(product: Product) -> tuple[ThirdParty, ...]:
    """Return what the charts of a product deploy beside the mesh.

    Source: osm-edge v1.1.3, v1.2.3 and v1.3.9 ``charts/osm/templates`` (Deployment ``jaeger`` until 1.1, ``osm-jaeger`` since),
    fsm v1.4.0 ``charts/fsm/templates/{prometheus,grafana,jaeger}-deployment.yaml``.
    """
    prefix = product.name_prefix
    return (
        ThirdParty("Prometheus", (f"{prefix}-prometheus",), "prometheus", ("prometheus", "image"), "deployPrometheus"),
        ThirdParty("Grafana", (f"{prefix}-grafana",), "grafana", ("grafana", "image"), "deployGrafana"),
        ThirdParty("the renderer of Grafana", (f"{prefix}-grafana",), "renderer", ("grafana", "rendererImage"), "deployGrafana"),
        ThirdParty("Jaeger", (f"{prefix}-jaeger", "jaeger"), "jaeger", ("tracing", "image"), "deployJaeger"),
    )


def carried_images(
    live: Sequence[Object],
    before: Sequence[Object],
    product: Product,
    passed_values: Values,
    *,
    policy: Policy,
    namespace: str,
    chart_values: Values,
    attempted: Sequence[Object] = (),
) -> CarriedImages:
    """Return the images that were set by hand as values of the target chart, and a finding for each.

    ``live`` are the Deployments as they are, ``before`` the manifests of the revision to start from, ``attempted`` those of a later
    revision that did not end well: what is live as one of them says is Helm's own doing. ``passed_values`` are the user's in this call;
    a value given there wins. Under the policy ``reset`` nothing is carried: the release is to have this call's values only, and the plan
    tells what is reverted. ``chart_values`` are the target chart's defaults: they say how it writes an image (a text, or registry, name
    and tag apart as the fsm chart does).
    """
    values: dict[str, Any] = {}
    findings = []
    for part in third_parties(product) if policy != "reset" else ():
        given = _at(passed_values, (product.values_root,)) or {}
        if _at(given, part.value) is not None or _at(given, (part.deployed_by,)) is False:
            continue
        by_helm = {image for manifests in (before, attempted) for dummy, image in _images(manifests, part, namespace)}
        by_hand = next(((name, image) for name, image in _images(live, part, namespace) if by_helm and image not in by_helm), None)
        default = _at(chart_values, (product.values_root, *part.value))
        if by_hand is None or default is None or by_hand[1] == _reference(default):
            continue
        name, image = by_hand
        component = values.setdefault(product.values_root, {}).setdefault(part.value[0], {})
        component[part.value[1]] = _written_as(default, image)
        findings.append(_finding(part, ObjectRef("Deployment", name, namespace), image, _reference(default), product.values_root))
    return CarriedImages(values, tuple(findings))


def _images(objects: Iterable[Object], part: ThirdParty, namespace: str) -> list[tuple[str, str]]:
    """Return (Deployment, image) of the container, the newest name first."""
    found = []
    for item in objects:
        metadata = item.get("metadata") or {}
        here = item.get("kind", "Deployment") == "Deployment" and metadata.get("namespace", namespace) == namespace
        if here and metadata.get("name") in part.deployments:
            containers = item["spec"]["template"]["spec"].get("containers") or ()
            found += [(str(metadata["name"]), str(entry["image"])) for entry in containers if entry.get("name") == part.container]
    return sorted(found, key=lambda entry: part.deployments.index(entry[0]))


def _finding(part: ThirdParty, ref: ObjectRef, image: str, default: str, root: str) -> Finding:
    path = ".".join((root, *part.value))
    older = _older(read_image(image), read_image(default))
    return Finding(
        "info",
        "third-party-image-carried",
        ref,
        f"the image of {part.title}, {image}, was set by hand and becomes the value {path}"
        + (f"; it is older than the chart's {default}" if older else ""),
        "without the value Helm would put the chart's image back, now or at the next upgrade",
        f"nothing to do to keep it; set {path} to {default} to get the chart's image",
    )


def _older(image: Image, default: Image) -> bool:
    """Whether both are versions of the same image and the first is the older one."""
    versions = [_NUMBERS.fullmatch(item.tag) for item in (image, default)]
    if image.repository.rpartition("/")[2] != default.repository.rpartition("/")[2] or None in versions:
        return False
    mine, theirs = (tuple(int(number) for number in match[1].split(".")) for match in versions if match is not None)
    return mine < theirs


def _reference(value: Any) -> str:
    """Return an image value as a pod names it."""
    if not isinstance(value, Mapping):
        return str(value)
    place = "/".join(str(value[key]) for key in ("registry", "name") if value.get(key))
    return f"{place}:{value['tag']}" if value.get("tag") else place


def _written_as(default: Any, image: str) -> Any:
    """Return an image as the target chart's values have it: a text, or its parts (fsm: ``registry/name:tag``, all three needed)."""
    if not isinstance(default, Mapping):
        return image
    parts = read_image(image)
    place, dummy, name = f"{parts.registry or _DOCKER}/{parts.repository}".rpartition("/")
    if not parts.registry:
        place = place.removeprefix(f"{_DOCKER}/") if "/" in parts.repository else f"{_DOCKER}/{_LIBRARY}"
    if parts.digest:
        # The template puts a colon between name and tag, and there is one in the digest.
        algorithm, dummy, content = parts.digest.partition(":")
        tagged = f"{name}:{parts.tag}" if parts.tag else name
        return {"registry": place, "name": f"{tagged}@{algorithm}", "tag": content}
    return {"registry": place, "name": name, "tag": parts.tag or "latest"}


def _at(values: Any, path: Sequence[str]) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values
