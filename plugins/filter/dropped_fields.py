# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API server left out of manifests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: dropped_fields
short_description: What the API server left out of manifests
version_added: 0.2.0
author:
  - meshops contributors (@meshops)
description:
  - An API server leaves fields of a custom resource out that its definition does not have, for instance misspelt ones, without a word.
    M(kubernetes.core.k8s) does not ask it to be strict. This compares what was given with what came back, for instance from a dry run.
options:
  _input:
    description: The manifests.
    type: list
    elements: dict
    required: true
  result:
    description: What M(kubernetes.core.k8s) returned for them.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Let the API server judge manifests
  kubernetes.core.k8s:
    definition: "{{ manifests }}"
  check_mode: true
  register: judged

- name: Refuse what it would leave out
  ansible.builtin.assert:
    that: manifests | meshops.lifecycle.dropped_fields(judged) | length == 0
"""

RETURN = r"""
_value:
  description: Where the fields are.
  type: list
  elements: str
  sample: ["TrafficTarget shop/cart: spec.source"]
"""


def dropped_fields(manifests: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> list[str]:
    """The fields of ``manifests`` that are not in ``result``; values are not compared, a server may write them otherwise."""
    told = result.get("result") or {}
    returned = [each["result"] for each in told["results"]] if "results" in told else [told]
    kept = {_name(manifest): manifest for manifest in returned if manifest}
    return [
        f"{manifest['kind']} {_name(manifest)[2]}/{_name(manifest)[3]}: {path}"
        for manifest in manifests
        for path in _missing(manifest, kept.get(_name(manifest), {}), "")
    ]


def _name(manifest: Mapping[str, Any]) -> tuple[str, str, str, str]:
    metadata = manifest["metadata"]
    return manifest["apiVersion"], manifest["kind"], metadata.get("namespace") or "", metadata["name"]


def _missing(given: Any, kept: Any, path: str) -> Iterator[str]:
    if isinstance(given, Mapping):
        for key, value in given.items():
            place = f"{path}.{key}" if path else str(key)
            if not isinstance(kept, Mapping) or (key not in kept and value not in (None, {}, [])):
                yield place
            elif key in kept:
                yield from _missing(value, kept[key], place)
    elif isinstance(given, list):
        for index, value in enumerate(given):
            yield from _missing(value, kept[index] if isinstance(kept, list) and index < len(kept) else None, f"{path}[{index}]")


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"dropped_fields": dropped_fields}
