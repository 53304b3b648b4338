# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traffic policies of the user: read from files or taken as they are, and none outside the namespaces that are meant."""

from __future__ import annotations

# ruff: noqa: E402 (Ansible wants the documentation before the imports)
DOCUMENTATION = r"""
name: policy_manifests
short_description: Manifests of traffic policies, none of them outside the namespaces that are meant
version_added: 0.2.0
author:
  - meshops contributors (@meshops)
description:
  - Returns the manifests of SMI policies and of the OSM family's own, from files on the controller and from variables.
  - It fails, naming all that is wrong, when a file cannot be read, or when a manifest is of another API group, has no name, or is for a
    namespace that is not in O(namespaces). Nothing is sent to a cluster.
options:
  _terms:
    description:
      - Each is a manifest, the path of a file in YAML or JSON with one or several of them, or the path of a directory, whose files
        C(*.yml), C(*.yaml) and C(*.json) are taken in the order of their names. A relative path is looked for as by other lookups, below
        C(files/) too.
      - A C(List) is taken apart.
    type: list
    elements: raw
    required: true
  namespaces:
    description: The namespaces that manifests may be for.
    type: list
    elements: str
    required: true
  problems:
    description: Return what is wrong, one text each, instead of the manifests, and do not fail.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show what would be applied
  ansible.builtin.debug:
    msg: "{{ query('meshops.lifecycle.policy_manifests', 'policies', namespaces=['bookbuyer', 'bookstore']) }}"
"""

RETURN = r"""
_raw:
  description: The manifests, in the order in which they were given; with O(problems) what is wrong.
  type: list
  elements: raw
  sample:
    - apiVersion: access.smi-spec.io/v1alpha3
      kind: TrafficTarget
      metadata: {name: bookstore, namespace: bookstore}
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

# SMI's, osm-edge's (and OSM's) and FSM's own.
GROUPS = (
    "access.smi-spec.io",
    "specs.smi-spec.io",
    "split.smi-spec.io",
    "policy.openservicemesh.io",
    "policy.flomesh.io",
)
SUFFIXES = (".yml", ".yaml", ".json")


class Unreadable(Exception):
    """A file or directory that gives no manifests."""


class Found(NamedTuple):
    """A manifest, and where it was given."""

    source: str
    manifest: Any


def in_file(path: Path) -> Iterator[Found]:
    """Yield the manifests of a file, or of all files of a directory; raises Unreadable for one that has none or cannot be read."""
    if path.is_dir():
        files = sorted(item for item in path.iterdir() if item.suffix in SUFFIXES)
        if not files:
            raise Unreadable(f"there is no {', '.join('*' + suffix for suffix in SUFFIXES)} in {path}")
        for file in files:
            yield from in_file(file)
        return
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Unreadable(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    for document in documents:
        if document is not None:
            yield Found(str(path), document)


def taken_apart(found: Found) -> Iterator[Found]:
    """Yield ``found``, or the items of it when it is a List (or a plain list)."""
    manifest = found.manifest
    items = manifest.get("items") if isinstance(manifest, Mapping) and manifest.get("kind") == "List" else manifest
    if isinstance(items, Sequence) and not isinstance(items, str):
        for item in items:
            yield from taken_apart(Found(found.source, item))
    else:
        yield found


def problem(manifest: Any, namespaces: Sequence[str]) -> str:
    """What is wrong with a manifest; empty when nothing is."""
    if not isinstance(manifest, Mapping):
        return f"is {type(manifest).__name__} and not a manifest"
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping) or not metadata.get("name") or not manifest.get("kind"):
        return "lacks kind or metadata.name"
    group = str(manifest.get("apiVersion") or "").rpartition("/")[0]
    if group not in GROUPS:
        return f"is of API group {group or 'core'!r}; policies are of {', '.join(GROUPS)}"
    namespace = metadata.get("namespace")
    if namespace not in namespaces:
        where = f"is for namespace {namespace}" if namespace else "names no namespace"
        return f"{where}; named are {', '.join(namespaces) or 'none'}"
    return ""


def name_of(found: Found) -> str:
    """For instance ``TrafficTarget shop/cart (policies/cart.yml)``."""
    manifest = found.manifest
    if not isinstance(manifest, Mapping) or not isinstance(manifest.get("metadata"), Mapping):
        return f"an entry of {found.source}"
    metadata = manifest["metadata"]
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{manifest.get('kind')} {place}{metadata.get('name')} ({found.source})"


def policy_manifests(terms: Sequence[Any], namespaces: Sequence[str], find: Callable[[str], Path]) -> tuple[list[Any], list[str]]:
    """The manifests that ``terms`` give, and all that is wrong; ``find`` returns where a file or directory is, or raises Unreadable."""
    found: list[Found] = []
    problems: list[str] = []
    for term in [item for entry in terms for item in (entry if isinstance(entry, list) else [entry])]:
        try:
            given = in_file(find(term)) if isinstance(term, str) else [Found("given as a variable", term)]
            found += [each for item in given for each in taken_apart(item)]
        except Unreadable as error:
            problems.append(str(error))
    problems += [f"{name_of(each)} {why}" for each in found if (why := problem(each.manifest, namespaces))]
    return [each.manifest for each in found], problems


class LookupModule(LookupBase):  # type: ignore[misc]
    """Ansible's entry point."""

    def run(self, terms: list[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return the manifests that ``terms`` give, or what is wrong with them."""
        self.set_options(var_options=variables, direct=kwargs)

        def find(path: str) -> Path:
            found = self.find_file_in_search_path(variables, "files", str(Path(path).expanduser()), ignore_missing=True)
            if not found:
                raise Unreadable(f"there is no file or directory {path}")
            return Path(found)

        manifests, problems = policy_manifests(terms, self.get_option("namespaces"), find)
        if self.get_option("problems"):
            return problems
        if problems:
            raise AnsibleLookupError("; ".join(problems))
        return manifests
