# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The name of an object in a cluster, as people write it."""

from __future__ import annotations

from typing import NamedTuple


class ObjectRef(NamedTuple):
    """Kind, name and (for namespaced kinds) namespace of one object."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        """Return for instance ``Deployment osm-system/osm-controller``."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    def as_dict(self) -> dict[str, str]:
        """Return the public form that results carry."""
        return {"kind": self.kind, "namespace": self.namespace, "name": self.name}
