# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why namespaces are not touched: all reasons at once, before the first write. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_keys import differing, other_mesh, wanted_keys
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_request import is_name
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_state import LiveNamespace, NamespacesState
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

_SYSTEM = ("kube-", "openshift-")
# Of one reason, so many namespaces are told one by one, and the others together.
_MOST = 20
_NOTHING = "nothing was written"


def namespace_refusals(state: NamespacesState) -> list[Refusal]:
    """Return every reason not to begin."""
    found = [*_selector(state), *_injector(state), *_pods(state)]
    found += _each("namespace-name-invalid", [name for name in state.missing if not is_name(name)], _invalid_name)
    if not state.request.create:
        found += _each("namespace-missing", [name for name in state.missing if is_name(name)], lambda name: _missing(state, name))
    control_planes = [item.name for item in state.found if item.name in state.control_planes]
    found += _each("control-plane-namespace", control_planes, lambda name: _control_plane(state, name))
    found += _each("system-namespace", _system_namespaces(state), _system)
    leaving = [item.name for item in state.found if item.terminating and state.request.state != "absent"]
    found += _each("namespace-terminating", leaving, _terminating)
    foreign = {item.name: mesh for item in state.found if (mesh := _foreign(state, item))}
    return [*found, *_each("namespace-of-another-mesh", [*foreign], lambda name: _other_mesh(state, name, foreign[name]))]


Told = tuple[str, str, str, str]


def _each(code: str, names: Sequence[str], tell: Callable[[str], Told]) -> Iterator[Refusal]:
    """Yield one refusal per namespace, and one for all that would be too many to read."""
    for name in names[:_MOST]:
        what, why, state, advice = tell(name)
        yield Refusal(code, ObjectRef("Namespace", name), what, why, state, advice)
    rest = names[_MOST:]
    if rest:
        _what, why, state, advice = tell(rest[0])
        what = f"{len(rest)} more namespaces for the same reason: {', '.join(rest)}"
        yield Refusal(code, ObjectRef("Namespace", rest[0]), what, why, state, advice)


def _invalid_name(name: str) -> Told:
    why = "a namespace's name has at most 63 characters: lower case letters, digits and '-', and begins and ends with a letter or digit"
    return f"{name!r} is no name of a namespace", why, _NOTHING, "correct the name"


def _missing(state: NamespacesState, name: str) -> Told:
    near = difflib.get_close_matches(name, [*state.namespaces], n=3, cutoff=0.6)
    advice = f"did you mean {' or '.join(near)}?" if near else "correct the name"
    if state.request.state != "absent":
        advice += " create=true creates namespaces that do not exist"
    return f"namespace {name} does not exist", f"the cluster has {len(state.namespaces)} namespaces, none of that name", _NOTHING, advice


def _control_plane(state: NamespacesState, name: str) -> Told:
    return (
        f"namespace {name} has {state.control_planes[name]}",
        "a control plane is part of no mesh: its own pods would wait for an injector that is one of them",
        _NOTHING,
        "take it off the list, or narrow the selector",
    )


def _system_namespaces(state: NamespacesState) -> list[str]:
    """Return the targets that are the cluster's own; one that was enrolled by mistake may be taken out."""
    if state.request.state == "absent":
        return []
    return [name for name in state.targets if name.startswith(_SYSTEM)]


def _system(name: str) -> Told:
    why = "a webhook that does not answer would keep the cluster from starting its own pods"
    return f"namespace {name} is the cluster's own", why, _NOTHING, "take it off the list, or narrow the selector"


def _terminating(name: str) -> Told:
    why = "nothing can be created in it any more"
    return f"namespace {name} is being deleted", why, _NOTHING, "wait until it is gone and create it again (create=true), or take it off"


def _foreign(state: NamespacesState, namespace: LiveNamespace) -> str:
    """Return the mesh that the namespace would be taken from without having been asked to."""
    request, product = state.request, state.mesh.product
    if request.state == "present":
        return "" if request.allow_move else other_mesh(state.mesh, namespace)
    name = namespace.labels.get(product.monitored_by_label, "")
    return name if name != state.mesh.name else ""


def _other_mesh(state: NamespacesState, name: str, mesh: str) -> Told:
    what = f"namespace {name} belongs to mesh {mesh}, not {state.mesh.name}"
    if state.request.state == "present":
        why = "sidecars of two meshes do not trust each other, so its pods would be cut off until all of them are restarted"
        return what, why, _NOTHING, f"allow_move=true moves it to mesh {state.mesh.name}; restart its pods afterwards"
    key = state.mesh.product.monitored_by_label
    advice = f"set mesh_name={mesh}; if that mesh does not exist any more: kubectl label namespace {name} {key}-"
    return what, "it is another mesh's to give up", _NOTHING, advice


def _selector(state: NamespacesState) -> Iterator[Refusal]:
    if state.bad_selector:
        yield Refusal(
            "invalid-selector",
            state.mesh.ref,
            f"selector {state.request.selector!r} is no label selector",
            state.bad_selector,
            _NOTHING,
            "write it as for kubectl -l, for instance team=payments,environment in (test, production)",
        )


def _pods(state: NamespacesState) -> Iterator[Refusal]:
    if state.request.metrics is not None and state.scrape is None:
        yield Refusal(
            "pods-not-readable",
            state.mesh.ref,
            "pods may not be listed, and metrics are annotations of the pods as well",
            state.pods_unread,
            _NOTHING,
            "grant list pods, or leave metrics out",
        )


def _injector(state: NamespacesState) -> Iterator[Refusal]:
    """An injector that does not answer keeps every pod of an enrolled namespace from being created (its webhook fails closed)."""
    joining = [name for name in state.targets if _joins(state, name)]
    if not joining:
        return
    for hook in state.mesh.webhooks:
        dead = hook.endpoints is not None and hook.endpoints < 1
        if hook.ref.kind == "MutatingWebhookConfiguration" and hook.fails_closed and dead:
            yield Refusal(
                "injector-down",
                hook.ref,
                f"the injector of mesh {state.mesh.name} does not answer: its Service has no ready endpoint",
                f"no pod could be created any more in {joining[0]}{f' and {len(joining) - 1} more' if len(joining) > 1 else ''}",
                _NOTHING,
                f"bring {state.mesh.product.injector} in namespace {state.mesh.namespace} up (meshops.lifecycle.mesh_info tells its state)",
            )


def _joins(state: NamespacesState, name: str) -> bool:
    """Whether new pods of the namespace begin to be sent to the injector by this."""
    if state.request.state != "present":
        return False
    namespace = state.namespaces.get(name)
    if namespace is None:
        return state.request.create
    now = namespace.enrolment(state.mesh.product)
    return (now.mesh != state.mesh.name or now.ignored) and bool(
        differing(wanted_keys(state.request, state.mesh, namespace), namespace, state.mesh.product)
    )
