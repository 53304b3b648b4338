# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces whose labels say two things about injection. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.webhook_rules import REVISION_LABEL
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = Mapping[str, Any]

INJECTION_LABEL = "istio-injection"


def conflicts(namespaces: Iterable[Object]) -> list[Finding]:
    """Return a finding for each raw Namespace that carries both labels: a frequent surprise (istio issues #48317, #37088, #43621)."""
    found = []
    for namespace in namespaces:
        metadata = namespace["metadata"]
        labels = metadata.get("labels") or {}
        if INJECTION_LABEL in labels and REVISION_LABEL in labels:
            found.append(_conflict(str(metadata["name"]), labels[INJECTION_LABEL], labels[REVISION_LABEL]))
    return found


def _conflict(name: str, injection: str, revision: str) -> Finding:
    what_happens = (
        "the default revision's webhook is asked, whatever revision is named"
        if injection == "enabled"
        else "no webhook of a revision is asked"
    )
    return Finding(
        "warning",
        "both-istio-labels",
        ObjectRef("Namespace", name),
        f"it has the labels {INJECTION_LABEL}={injection} and {REVISION_LABEL}={revision}",
        f"{INJECTION_LABEL} comes first: {what_happens} (Istio 1.5 asked both)",
        f"remove the label that is not meant: kubectl label namespace {name} {INJECTION_LABEL}-"
        f" (to follow revision {revision}) or kubectl label namespace {name} {REVISION_LABEL}-",
    )
