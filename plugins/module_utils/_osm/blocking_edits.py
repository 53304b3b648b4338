# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Edits that make Helm's patch invalid, so that the upgrade would end half-way. Pure.

Of some settings an object may have only one. The patch sets the chart's again and leaves what somebody put in its place: the API server
refuses both together ("may not be specified when `value` is not empty"; seen with helm 3 and Kubernetes 1.34).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.drift import made_anew, path_text
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.three_way import merged_maps
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

Object = Mapping[str, Any]

# kubernetes pkg/apis/core/validation/validation.go validateEnvVarValueFrom and validateHandler, pkg/apis/policy/validation.
_ONE_OF = (
    frozenset({"value", "valueFrom"}),
    frozenset({"httpGet", "exec", "tcpSocket", "grpc"}),
    frozenset({"minAvailable", "maxUnavailable"}),
)
_KINDS = ("Deployment", "DaemonSet", "PodDisruptionBudget")


def blocking_edits(live: Sequence[Object], before: Sequence[Object], after: Sequence[Object], namespace: str) -> list[Refusal]:
    """Return a refusal for each live object that Helm cannot patch from its manifest in ``before`` to the one in ``after``."""
    lives, old, new = (_by_name(items, namespace) for items in (live, before, after))
    found = []
    for name in (name for name in new if name in lives and name in old and not made_anew(lives[name], new[name])):
        clashes = list(_clashes(lives[name], old[name], new[name]))
        if clashes:
            found.append(_refusal(ObjectRef(*name, namespace), clashes))
    return found


def _clashes(live: Object, before: Object, after: Object) -> Iterator[tuple[str, str, str]]:
    """Yield (path, what somebody set, what the chart sets)."""
    for path, lives, befores, afters in merged_maps(live, before, after):
        for choice in _ONE_OF:
            chosen = [key for key in sorted(choice) if afters.get(key) not in (None, "")]
            # What the old manifest has, Helm removes; a rolling update has both of another kind.
            by_hand = [key for key in sorted(choice) if lives.get(key) and key not in afters and key not in befores]
            if chosen and by_hand and path[-1:] != ("rollingUpdate",):
                yield path_text(path), by_hand[0], chosen[0]


def _refusal(ref: ObjectRef, clashes: Sequence[tuple[str, str, str]]) -> Refusal:
    told = "; ".join(f"{path} has {by_hand} where the chart sets {chosen}" for path, by_hand, chosen in clashes)
    removal = "; ".join(f"{by_hand} in {path}" for path, by_hand, dummy in clashes)
    return Refusal(
        "edit-blocks-upgrade",
        ref,
        f"{ref} was changed by hand so that Helm cannot upgrade it: {told}",
        "Helm's patch would set the one and leave the other, the API server refuses both together, and Helm would end half-way",
        "nothing was written; the mesh keeps running as it is",
        f"take back what was set by hand (kubectl edit {ref.kind.lower()} {ref.name} -n {ref.namespace}: {removal}), then run again",
    )


def _by_name(objects: Sequence[Object], namespace: str) -> dict[tuple[str, str], Object]:
    return {
        (str(item["kind"]), str(item["metadata"]["name"])): item
        for item in objects
        if item.get("kind") in _KINDS and (item["metadata"].get("namespace") or namespace) == namespace
    }
