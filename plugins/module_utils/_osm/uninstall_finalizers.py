# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects that are deleted and do not go: what holds them, and who has to let go. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = Mapping[str, Any]

_GARBAGE_COLLECTOR = "the garbage collector in kube-controller-manager takes it away: is that running?"
_KNOWN = {
    "foregroundDeletion": _GARBAGE_COLLECTOR,
    "orphan": _GARBAGE_COLLECTOR,
    "batch.kubernetes.io/job-tracking": "the Job controller in kube-controller-manager takes it away: is that running?",
    "kubernetes.io/pvc-protection": "it goes when no pod uses the claim any more",
    "kubernetes.io/pv-protection": "it goes when no claim uses the volume any more",
    "service.kubernetes.io/load-balancer-cleanup": "the cloud's service controller takes it away when the load balancer is gone",
    "customresourcecleanup.apiextensions.k8s.io": "the API server takes it away when the last object of the definition is gone",
}
_SHOWN = 5


class Held(NamedTuple):
    """An object that is to be deleted since ``since`` and kept by ``finalizers``; ``managers`` are the field managers that set them."""

    ref: ObjectRef
    finalizers: tuple[str, ...]
    since: str
    managers: tuple[str, ...]

    def __str__(self) -> str:
        """Return for instance ``Retry shop/a is held by example.com/hold (set by kubectl-edit) since 2026-01-02T03:04:05Z``."""
        by = f" (set by {', '.join(self.managers)})" if self.managers else ""
        return f"{self.ref} is held by {', '.join(self.finalizers)}{by} since {self.since}"

    @property
    def remedies(self) -> list[str]:
        """Who must take each finalizer away; they are never taken away here: what they wait for would be left undone."""
        return [f"{finalizer}: {_KNOWN.get(finalizer) or self._of_others(finalizer)}" for finalizer in self.finalizers]

    def _of_others(self, finalizer: str) -> str:
        domain, slash, name = finalizer.rpartition("/")
        whose = f"the controller of {domain}" if slash else f"the controller that knows {name}"
        place = f" -n {self.ref.namespace}" if self.ref.namespace else ""
        return (
            f"{whose} has to take it away, so it must run; when it is gone for good and there is nothing left for it to clean up, "
            f"take it away by hand: kubectl edit {self.ref.kind.lower()}{place} {self.ref.name}"
        )


def held(item: Object) -> Held | None:
    """Return what holds an object (whole, or metadata only); None when it is not marked for deletion or nothing holds it."""
    metadata = item["metadata"]
    since, finalizers = metadata.get("deletionTimestamp"), tuple(metadata.get("finalizers") or ())
    if not since or not finalizers:
        return None
    ref = ObjectRef(str(item["kind"]), metadata["name"], metadata.get("namespace") or "")
    return Held(ref, finalizers, since, tuple(dict.fromkeys(_setters(metadata, finalizers))))


def _setters(metadata: Object, finalizers: Iterable[str]) -> Iterable[str]:
    """Yield the field managers that own one of the finalizers (structured-merge-diff: ``f:finalizers`` → ``v:"name"``)."""
    for entry in metadata.get("managedFields") or ():
        owned = entry.get("fieldsV1", {}).get("f:metadata", {}).get("f:finalizers", {})
        if any(f'v:"{finalizer}"' in owned for finalizer in finalizers):
            yield str(entry.get("manager"))


def sentence(found: Iterable[object]) -> str:
    """Return the first few of many things as one text, and how many there are besides."""
    texts = [*dict.fromkeys(map(str, found))]
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return "; ".join(texts[:_SHOWN]) + more
