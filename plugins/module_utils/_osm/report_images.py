# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about container images: of another version than the chart that wrote their command line, or not of the release. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import Release
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.assembly import release_value
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.components import Component
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.images import read_image
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.releases import release_of_chart
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.versions import parse
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding

Object = Mapping[str, Any]

# Where the chart takes the images of others from, by container: keys below its root key (charts/osm/templates of osm-edge v1.3.9).
_VALUES = {
    "prometheus": "prometheus.image",
    "grafana": "grafana.image",
    "renderer": "grafana.rendererImage",
    "jaeger": "tracing.image",
    "init-osm-controller": "curlImage",
    "init-osm-injector": "curlImage",
}


def expected_version(product: Product, chart_version: str) -> str:
    """Return the image tag that a chart of that ``appVersion`` brings: osm-edge 1.1.3 brings 1.1.1. Empty when it is not known."""
    known = release_of_chart(product, chart_version)
    return known.image_tag if known is not None else chart_version.removeprefix("v")


def is_mismatch(mesh: Mesh, component: str) -> bool:
    """Whether a component runs another version than the one whose chart wrote its command line."""
    if component not in mesh.product.deployments:
        return False
    running, wanted = mesh.version_of(component), expected_version(mesh.product, mesh.chart_version_of(component))
    # An image by digest, or with a tag that is no version, has its label's version: nothing tells otherwise.
    return bool(wanted and running and running != mesh.chart_version_of(component) and parse(running) != parse(wanted))


def image_findings(mesh: Mesh, running: list[Component]) -> list[Finding]:
    """Judge the images of the control plane's Deployments and DaemonSets."""
    return [*_mismatches(mesh, running), *_init_image(mesh), *_not_of_release(mesh)]


def _mismatches(mesh: Mesh, running: list[Component]) -> Iterator[Finding]:
    pinned = _pinned_tag(mesh)
    for component in running:
        name = component.ref.name
        if is_mismatch(mesh, name):
            chart = mesh.chart_version_of(name)
            wanted = expected_version(mesh.product, chart)
            yield Finding(
                "warning" if component.rollout.done else "error",
                "component-image-mismatch",
                component.ref,
                f"its image is {component.version}, its command line is that of chart {chart}, which brings {wanted}",
                "an image that does not know a parameter of the chart's ends at once, and its pods crash in a loop",
                f"take {mesh.product.values_root}.image.tag={pinned} out of the release's values"
                if pinned and pinned != wanted
                else f"run the upgrade to chart {chart} again: Helm writes the image of the chart",
            )


def _pinned_tag(mesh: Mesh) -> str:
    """Return the image tag that somebody gave as a value."""
    section = (mesh.release.values if mesh.release is not None else {}).get(mesh.product.values_root)
    image = section.get("image") if isinstance(section, Mapping) else None
    return str(image.get("tag") or "") if isinstance(image, Mapping) else ""


def _init_image(mesh: Mesh) -> Iterator[Finding]:
    """The init container of new pods is named in the injector's environment."""
    product = mesh.product
    reference = mesh.injector_environment.get(product.init_image_env, "")
    tag, injector = read_image(reference).tag, mesh.version_of(product.injector)
    if parse(tag) is not None and parse(injector) is not None and parse(tag) != parse(injector) and not is_mismatch(mesh, product.injector):
        yield Finding(
            "warning",
            "init-image-mismatch",
            mesh.ref._replace(kind="Deployment", name=product.injector),
            f"new pods get the init container {reference}, the injector is {injector}",
            "the two belong to one release: rules that this init container writes may not be what the sidecar expects",
            "let the chart choose the image (values osm.image), or run the upgrade again",
        )


def _not_of_release(mesh: Mesh) -> Iterator[Finding]:
    """Images that are not in the manifest of the deployed release were changed behind Helm's back."""
    release = mesh.release
    if release is None or release.status != "deployed":
        return  # half of an upgrade: what differs is not somebody's change
    known = set(manifest_images(release.manifest))
    if not known:
        return
    for workload in (*mesh.deployments, *mesh.daemon_sets):
        name = workload["metadata"]["name"]
        pod_spec = workload["spec"]["template"]["spec"]
        containers = [*(pod_spec.get("initContainers") or ()), *(pod_spec.get("containers") or ())]
        changed = [item for item in containers if item.get("image") not in known and not (item["name"] == name and is_mismatch(mesh, name))]
        if changed:
            yield _changed(mesh, release, workload, changed, known)


def _changed(mesh: Mesh, release: Release, workload: Object, changed: list[Object], known: set[str]) -> Finding:
    root = mesh.product.values_root
    described = [f"{item['name']} runs {item['image']}{_instead(str(item['image']), known)}" for item in changed]
    keys = [f"{root}.{key}={item['image']}" for item in changed if (key := _values_key(mesh, item["name"]))]
    return Finding(
        "warning",
        "image-not-of-release",
        mesh.ref._replace(kind=workload["kind"], name=workload["metadata"]["name"]),
        "; ".join(described),
        f"somebody changed it behind Helm's back, and the next upgrade of release {release.name} takes it back",
        f"to keep it, give it as a value of the release: {', '.join(keys)}" if keys else "to keep it, give it as a value of the release",
    )


def _values_key(mesh: Mesh, container: str) -> str:
    if container == "osm-pipy-repo":
        # The key moved in 1.3.
        known = mesh.release is not None and release_value(mesh.release, mesh.product, "pipyRepoImage")
        return "pipyRepoImage" if known else "repoServer.image"
    return _VALUES.get(container, "image.tag" if container in mesh.product.deployments else "")


def _instead(reference: str, known: set[str]) -> str:
    """Return what the release has in its place, told by the last component of the repository's path."""
    name = _short(reference)
    return next((f" instead of {other}" for other in sorted(known) if _short(other) == name), "")


def _short(reference: str) -> str:
    return read_image(reference).repository.rpartition("/")[2]


def manifest_images(manifest: str) -> list[str]:
    """Return the images in a rendered manifest. It is a text of up to a megabyte, so its lines are enough."""
    lines = (line.strip().removeprefix("- ") for line in manifest.splitlines() if "image:" in line)
    return [line.removeprefix("image:").strip().strip("\"'") for line in lines if line.startswith("image:")]
