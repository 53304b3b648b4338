# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which mesh is uninstalled, told by whatever is left of it. Pure.

osm's own command line knows a mesh by the Deployment ``osm-controller`` only, and does nothing (with exit code 0) as soon as that is gone
(osm-edge v1.3.9 cmd/cli/uninstall_mesh.go, cmd/cli/util.go ``getMeshInfoList``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.assembly import release_value
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, Observed, ReleaseRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM, OSM_EDGE, PRODUCTS, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.selection import matching, select_mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Subject, UninstallRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_evidence import VERSION_LABEL, Thing, Traces
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_living import is_living, is_nameless, product_of_app_name
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.versions import parse

_CA_SECRET_VALUE, _CA_SECRET_FLAG = "caBundleSecretName", "--ca-bundle-secret-name"


class _Trace(NamedTuple):
    """One thing that names a mesh; ``namespace`` is that of the control plane, empty when the thing does not tell it."""

    product: Product
    namespace: str = ""


def find_subject(observed: Observed, traces: Traces, request: UninstallRequest, memory: Mapping[str, Any]) -> Subject | None:
    """Return the mesh that is meant: ``mesh_name``, else the one that is confirmed, else the one of an unfinished run, else the only one.

    ``memory`` is what an unfinished run keeps in its record (empty: none). None when there is nothing of a mesh. Raises Refused, naming the
    meshes that exist, when the name is unknown while others live, or when there are several and none was named.
    """
    name = _wanted_name(observed, traces, request, memory)
    if not name:
        return _only(observed, traces, request.namespace)
    kept = memory if memory.get("name") == name else {}
    namespace = request.namespace or str(kept.get("namespace") or "")
    alike = matching(observed, name, namespace)
    # A name that is only guessed (from the one that namespaces carry) does not make the right one ambiguous.
    found = [mesh for mesh in alike if not is_nameless(mesh)] or alike
    if not found:
        return _absent(observed, traces, request, name, namespace, kept)
    # With two of that name it was not said which one is meant.
    return _of_mesh(found[0] if len(found) == 1 else select_mesh(observed, name, namespace), traces, kept)


def _wanted_name(observed: Observed, traces: Traces, request: UninstallRequest, memory: Mapping[str, Any]) -> str:
    if request.mesh_name:
        return request.mesh_name
    # A confirmation that names nothing is refused as such, with the name that it should have had.
    if request.confirm and (matching(observed, request.confirm, None) or any(_traces_of(observed, traces, request.confirm))):
        return request.confirm
    return str(memory.get("name") or "")


def _only(observed: Observed, traces: Traces, namespace: str) -> Subject | None:
    """Return the only mesh that lives; what is left of one that is gone is meant when its name or its namespace is said."""
    here = matching(observed, None, namespace)
    meant = [mesh for mesh in here if is_living(mesh)] or (here if namespace else [])
    if len(meant) == 1:
        return _of_mesh(meant[0], traces, {})
    if meant or any(map(is_living, observed.meshes)):
        select_mesh(observed, None, namespace)
    return None


def _absent(
    observed: Observed, traces: Traces, request: UninstallRequest, name: str, namespace: str, kept: Mapping[str, Any]
) -> Subject | None:
    """Return what is left of a mesh of which no part of a control plane says that it has this name."""
    nameless = _nameless(observed, name, namespace)
    if nameless is not None:
        return _of_mesh(replace(nameless, name=name), traces, kept)
    # An unfinished run knows which of two with the same name it is about.
    elsewhere = [] if kept else matching(observed, name, None)
    subject = None if elsewhere else _of_traces(observed, traces, request, name, namespace, kept)
    if subject is None and (elsewhere or any(map(is_living, observed.meshes))):
        select_mesh(observed, name, namespace)
    return subject


def _nameless(observed: Observed, name: str, namespace: str) -> Mesh | None:
    """Return what is left of a mesh whose name nothing tells (a MeshConfig, a definition's conversion), when it can only be this one."""
    left = [mesh for mesh in observed.meshes if is_nameless(mesh) and namespace in ("", mesh.namespace)]
    told = bool(namespace) or len(observed.meshes) == 1
    return left[0] if len(left) == 1 and told and not matching(observed, name, None) else None


def _of_mesh(mesh: Mesh, traces: Traces, kept: Mapping[str, Any]) -> Subject:
    product = _remembered_product(kept)
    if product is None or product.name_prefix != mesh.product.name_prefix or is_living(mesh):
        product = mesh.product
    release = mesh.release_ref or _remembered_release(kept, traces) or _release_of_things(traces, mesh.name, mesh.namespace, product)
    labels = (hook.version for hook in mesh.webhooks)
    return Subject(
        name=mesh.name,
        namespace=mesh.namespace,
        product=product,
        version=mesh.version or _newest([str(kept.get("version") or ""), *labels, *_versions(traces, mesh.name, product)]),
        mesh=mesh,
        release=release,
        ca_secret=_ca_secret(mesh) or str(kept.get("ca_secret") or "") or product.ca_secret,
    )


def _of_traces(
    observed: Observed, traces: Traces, request: UninstallRequest, name: str, namespace: str, kept: Mapping[str, Any]
) -> Subject | None:
    """Return a mesh without any part of a control plane, of which something else is left."""
    left = [trace for trace in _traces_of(observed, traces, name) if not trace.namespace or namespace in ("", trace.namespace)]
    if not left and not kept and not _is_for_the_namespace(observed, request):
        return None
    product = _remembered_product(kept) or next((trace.product for trace in left), OSM_EDGE)
    places = Counter(trace.namespace for trace in left if trace.namespace)
    place = namespace or next((found for found, dummy in places.most_common(1)), "")
    return Subject(
        name=name,
        namespace=place,
        product=product,
        version=_newest([str(kept.get("version") or ""), *_versions(traces, name, product)]),
        release=_remembered_release(kept, traces) or _release_of_things(traces, name, place, product),
        ca_secret=str(kept.get("ca_secret") or "") or product.ca_secret,
    )


def _is_for_the_namespace(observed: Observed, request: UninstallRequest) -> bool:
    """Whether what is wanted is the namespace of a mesh that left nothing else: one that is named, and without a mesh.

    A mistaken name is told from the right one by what the namespace holds, and that is judged later.
    """
    if request.delete_namespace == "no" or request.namespace not in observed.namespaces:
        return False
    return not matching(observed, None, request.namespace)


def _traces_of(observed: Observed, traces: Traces, name: str) -> Iterator[_Trace]:
    """Yield what names a mesh, those that also tell its namespace first."""
    for hook in observed.stray_webhooks:
        product = product_of_app_name(hook.labels.get("app.kubernetes.io/name", ""))
        if hook.mesh_name == name and product is not None:
            yield _Trace(product, next((namespace for namespace, dummy, _port in hook.services), ""))
    for item in traces.things:
        product = product_of_app_name(item.app_name)
        if item.instance == name and product is not None:
            yield _Trace(product, item.namespace)
    for traits in observed.data_plane or ():
        if traits.injected and traits.mesh == name:
            yield _Trace(OSM if traits.container == OSM.sidecar_container else _product_of_init(traits.init_container))
    for secret in traces.secrets:
        product = product_of_app_name(secret.app_name)
        if secret.mesh_name == name and product is not None:
            yield _Trace(OSM if secret.name.startswith(OSM.bootstrap_secret_prefix) else product)
    for facts in observed.namespaces.values():
        for product in PRODUCTS:
            if facts.labels.get(product.monitored_by_label) == name:
                yield _Trace(product)


def _product_of_init(init_container: str) -> Product:
    return next((product for product in PRODUCTS if product.init_container == init_container), OSM_EDGE)


def _release_of_things(traces: Traces, name: str, namespace: str, product: Product) -> ReleaseRef | None:
    """Return the release that something with the mesh's labels says it is of: by Helm's annotations, else by the name of its hook."""
    own = [item for item in traces.things if item.instance == name and item.app_name == product.app_name and _is_at(item, namespace)]
    annotated = next((item.release for item in own if item.release is not None), None)
    hooks = (item.name.rpartition("-")[0] for item in own if item.hook and item.name.endswith(("-cleanup", "-preinstall")))
    if annotated is not None:
        return None if annotated in traces.foreign_releases else annotated
    guessed = ReleaseRef(next(hooks, ""), namespace)
    # A record of that name is of something else: the mesh's would have been read, and told that the mesh is there.
    known = {ReleaseRef(info.name, info.namespace) for info in traces.revisions}
    return guessed if guessed.name and namespace and guessed not in known else None


def _is_at(item: Thing, namespace: str) -> bool:
    return item.namespace in ("", namespace)


def _versions(traces: Traces, name: str, product: Product) -> Iterator[str]:
    for item in traces.things:
        if item.instance == name and item.app_name == product.app_name:
            yield item.labels.get(VERSION_LABEL, "")


def _newest(versions: Iterable[str]) -> str:
    known = [(parsed, version) for version in versions if (parsed := parse(version)) is not None]
    return max(known)[1] if known else ""


def _ca_secret(mesh: Mesh) -> str:
    """Return the name of the CA Secret that the mesh was told to use, by its release or by its own command lines; empty when none tells."""
    told = str(release_value(mesh.release, mesh.product, _CA_SECRET_VALUE) or "") if mesh.release is not None else ""
    return told or next(filter(None, map(_flag, mesh.deployments)), "")


def _flag(deployment: Mapping[str, Any]) -> str:
    for container in deployment["spec"]["template"]["spec"].get("containers") or ():
        words = [str(word) for key in ("command", "args") for word in container.get(key) or ()]
        for at, word in enumerate(words):
            flag, equals, value = word.partition("=")
            if flag == _CA_SECRET_FLAG:
                return value if equals else next(iter(words[at + 1 : at + 2]), "")
    return ""


def _remembered_product(kept: Mapping[str, Any]) -> Product | None:
    return next((product for product in PRODUCTS if product.id == kept.get("product")), None)


def _remembered_release(kept: Mapping[str, Any], traces: Traces) -> ReleaseRef | None:
    parts = kept.get("release")
    if not isinstance(parts, (list, tuple)) or len(parts) != 2 or not all(isinstance(part, str) and part for part in parts):
        return None
    release = ReleaseRef(parts[0], parts[1])
    # Somebody may have installed something else under this name since.
    return None if release in traces.foreign_releases else release
