# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The namespaces that a refresh is about. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Object, Options, SidecarRules

_UNTOUCHED = "nothing was written"


class Namespaces(NamedTuple):
    """The namespaces that were named or selected, or all when ``everywhere``; and why some cannot be."""

    names: frozenset[str]
    everywhere: bool
    refusals: tuple[Refusal, ...] = ()


def choose(known: Mapping[str, Object], selected: Collection[str], rules: SidecarRules, options: Options) -> Namespaces:
    """Return the namespaces that options ask for: those named and those selected together, without the excluded ones.

    ``known`` are all (raw) namespaces by name, ``selected`` those that fit ``namespace_selector``. Without a name and a selector all are
    meant. Those that are excluded, are being deleted or hold the control plane are left out; it is refused to name them.
    """
    refusals = [refusal for name in options.namespaces if (refusal := _refusal(name, known, rules)) is not None]
    everywhere = not options.namespaces and not options.namespace_selector
    names = known if everywhere else {*options.namespaces, *selected}
    usable = frozenset(name for name in names if name in known and not _is_excluded(name, known[name], rules, options.exclude_namespaces))
    return Namespaces(usable, everywhere, tuple(refusals))


def namespace_findings(
    known: Mapping[str, Object], selected: Collection[str], holding: Collection[str], rules: SidecarRules, options: Options
) -> Iterator[Finding]:
    """Yield what is probably a mistake in options that name namespaces, since it has no effect; ``known`` and ``selected`` as above.

    ``holding`` are the namespaces with pods that have or would get a sidecar. Who takes sidecars away names namespaces that have left the
    mesh: nothing is said about those.
    """
    for name in options.namespaces:
        if options.state != "absent" and name in known and name not in holding and not rules.selects(known[name]):
            meant = _meant(name, (other for other in known if other != name and rules.selects(known[other])))
            yield Finding(
                "warning",
                "namespace-not-in-mesh",
                ObjectRef("Namespace", name),
                f"namespace {name} is not in the mesh {rules.target}",
                "none of its pods has a sidecar or would get one, so there is nothing to refresh",
                f"take it into the mesh first, or correct namespaces{meant}",
            )
    if options.namespace_selector and not selected:
        yield _without_match("namespace_selector", options.namespace_selector, "no namespace has these labels", "")
    for pattern in options.exclude_namespaces:
        if not any(fnmatchcase(name, pattern) for name in known):
            yield _without_match("exclude_namespaces", pattern, "no namespace has such a name", _meant(pattern, known))
    for name in options.ordered:
        if "=" not in name and name not in known:
            yield _without_match("ordered", name, "there is no such namespace", _meant(name, known))


def _without_match(option: str, entry: str, why: str, meant: str) -> Finding:
    what = f"{entry} in {option} has no effect"
    return Finding("warning", "matches-nothing", ObjectRef("Option", option), what, why, f"correct {option}, or take it out{meant}")


def _meant(name: str, known: Iterable[str]) -> str:
    near = _near(name, known)
    return f" (did you mean {near[0]}?)" if near else ""


def _near(name: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(name, [*known], n=3, cutoff=0.6)


def _is_excluded(name: str, namespace: Object, rules: SidecarRules, excluded: Sequence[str]) -> bool:
    if name == rules.namespace or is_terminating(namespace):
        return True
    return any(fnmatchcase(name, pattern) for pattern in excluded)


def is_terminating(namespace: Object) -> bool:
    """Whether a raw namespace is being deleted."""
    return "deletionTimestamp" in namespace["metadata"]


def _refusal(name: str, known: Mapping[str, Object], rules: SidecarRules) -> Refusal | None:
    ref = ObjectRef("Namespace", name)
    if name not in known:
        near = _near(name, known)
        return Refusal(
            "namespace-missing",
            ref,
            f"there is no namespace {name}",
            f"the cluster has {', '.join(near)}" if near else "the cluster has none with a name like it",
            _UNTOUCHED,
            f"did you mean {near[0]}? Correct namespaces, then run again" if near else "correct namespaces, then run again",
        )
    if name == rules.namespace:
        return Refusal(
            "control-plane-namespace",
            ref,
            f"namespace {name} holds the control plane of {rules.target}",
            "its pods are restarted by an upgrade of the mesh, never by a refresh of sidecars",
            _UNTOUCHED,
            f"take {name} out of namespaces",
        )
    if is_terminating(known[name]):
        return Refusal(
            "namespace-terminating",
            ref,
            f"namespace {name} is being deleted",
            "no pod can be created in it any more",
            _UNTOUCHED,
            f"take {name} out of namespaces, or create it again when it is gone",
        )
    return None
