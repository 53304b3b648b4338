# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps an object back, and what is known about the product it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Cause = Literal[
    "unschedulable",
    "insufficient-cpu",
    "insufficient-memory",
    "image-pull",
    "container-start",
    "crash-loop",
    "cli-mismatch",
    "initialization-failed",
    "certificate-failed",
    "crd-without-labels",
    "crd-stored-version",
    "object-refused",
    "init",
    "waits-for-bootstrap",
    "probe-failing",
    "not-ready",
    "pod-creation",
    "paused",
    "progress-deadline",
    "terminating",
]


class Advice(NamedTuple):
    """What remedies may name.

    ``images`` are the chart values that hold the product's own images, ``image_of`` and ``requests_of`` those of one component by its
    name. ``bootstrap`` is the component that the init containers of the others wait for; ``crd_label`` is a label of the product's CRDs.
    """

    images: str = "the image registry and tag in the chart values"
    image_of: Mapping[str, str] = {}
    requests_of: Mapping[str, str] = {}
    bootstrap: str = ""
    crd_label: str = "app.kubernetes.io/name=openservicemesh.io"


class Trouble(NamedTuple):
    """What keeps one object back.

    ``component`` is the name of the workload that it belongs to. A ``hopeless`` trouble does not go away by waiting; one of an ``old``
    pod (of an earlier revision of its workload) goes when the new pods are there. ``short`` is the message without what others have
    written (logs, answers of webhooks), which progress must not carry; the message itself when it is empty.
    """

    object: ObjectRef
    cause: Cause
    message: str
    remedy: str
    component: str = ""
    hopeless: bool = False
    old: bool = False
    short: str = ""

    def __str__(self) -> str:
        """Return one line for people."""
        return f"{self.object}: {self.message}"

    @property
    def brief(self) -> str:
        """Return what a line of progress has room for."""
        text = f"{self.component or self.object.name}: {self.short or self.message}"
        return text if len(text) <= _BRIEF else f"{text[: _BRIEF - 1]}…"

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results carry."""
        return {"object": self.object.as_dict(), "cause": self.cause, "message": self.message, "remedy": self.remedy}


_BRIEF = 160
