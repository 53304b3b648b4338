# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One object that is to be made, and who owns it."""

from __future__ import annotations

from typing import Any, NamedTuple

Object = dict[str, Any]


class Owner(NamedTuple):
    """An owner in the same namespace; its uid is known when it has been made."""

    api_version: str
    kind: str
    name: str
    controller: bool = True


class Made(NamedTuple):
    """An object. Those of a lower ``layer`` are made before; ``status`` is written when it is there; ``manager`` owns its fields."""

    layer: int
    body: Object
    owner: Owner | None = None
    status: Object | None = None
    manager: str = "hypershift-operator"

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.body["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Its namespace, "" when it has none."""
        return str(self.body["metadata"].get("namespace", ""))


def metadata(name: str, namespace: str = "", **more: Any) -> Object:
    """Metadata with those of ``labels``, ``annotations`` and ``finalizers`` that are not empty."""
    return {"name": name, **({"namespace": namespace} if namespace else {}), **{key: value for key, value in more.items() if value}}


def condition(kind: str, status: bool | str, reason: str = "AsExpected", generation: int | None = None) -> Object:
    """A condition of the time when all this began."""
    text = status if isinstance(status, str) else "True" if status else "False"
    observed = {} if generation is None else {"observedGeneration": generation}
    return {
        "type": kind,
        "status": text,
        "reason": reason,
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        **observed,
    }
