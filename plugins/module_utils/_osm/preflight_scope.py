# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which namespaces a preflight looks at. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.data_plane import is_enrolled
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, NamespaceFacts
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_NEAREST = 3


def chosen(
    mesh: Mesh, known: Mapping[str, NamespaceFacts], names: Iterable[str], selected: Iterable[str] | None
) -> Mapping[str, NamespaceFacts]:
    """Return the namespaces of that name, and those that a selector found (None: there was no selector).

    With neither: all that are enrolled and not ignored.

    Raises Refused for names that do not exist, naming the nearest ones, and when nothing is left to look at.
    """
    wanted = [*dict.fromkeys(names)]
    missing = [name for name in wanted if name not in known]
    if missing:
        raise _missing(missing, known)
    if not wanted and selected is None:
        enrolled = {name: facts for name, facts in known.items() if is_enrolled(facts, mesh)}
        found = {name: facts for name, facts in enrolled.items() if mesh.product.ignore_label not in facts.labels}
        if not found:
            raise _nothing(f"No namespace is enrolled in mesh {mesh.name}", "neither namespaces nor selector was given", "give one of them")
        return dict(sorted(found.items()))
    found = {name: known[name] for name in sorted({*wanted, *(name for name in selected or () if name in known)})}
    if not found:
        raise _nothing("The selector matches no namespace", "no namespace has these labels", "check it: kubectl get namespaces -l SELECTOR")
    return found


def _missing(missing: list[str], known: Mapping[str, NamespaceFacts]) -> Refused:
    nearest = {name: difflib.get_close_matches(name, [*known], n=_NEAREST, cutoff=0.6) for name in missing}
    told = [
        f"{name or '(empty)'} (did you mean {' or '.join(near)}?)" if (near := nearest[name]) else name or "(empty)" for name in missing
    ]
    return Refused(
        f"There is no namespace {', '.join(told)}",
        object=ObjectRef("Namespace", missing[0]),
        why="only namespaces that exist can be looked at",
        state="nothing was changed",
        next="correct the name, or create the namespace first",
        details={"missing_namespaces": missing, "nearest": nearest},
    )


def _nothing(what: str, why: str, advice: str) -> Refused:
    return Refused(what, why=why, state="nothing was changed", next=advice)
