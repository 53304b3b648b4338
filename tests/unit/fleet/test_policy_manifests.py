# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies from files and variables; what is no policy of the namespaces named is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.lookup.policy_manifests import policy_manifests


def target(name: str, namespace: str | None = "shop", api_version: str = "access.smi-spec.io/v1alpha3") -> dict[str, Any]:
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return {"apiVersion": api_version, "kind": "TrafficTarget", "metadata": metadata}


def names(*terms: Any) -> list[str]:
    manifests, problems = policy_manifests(terms, ["shop", "cart"], Path)
    assert problems == []
    return [manifest["metadata"]["name"] for manifest in manifests]


def problems(*terms: Any) -> list[str]:
    return policy_manifests(terms, ["shop", "cart"], Path)[1]


def test_files_of_a_directory_in_order_with_all_their_documents(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("---\nkind: A\nmetadata: {name: third, namespace: cart}\napiVersion: split.smi-spec.io/v1alpha2\n")
    (tmp_path / "a.yml").write_text(
        "apiVersion: specs.smi-spec.io/v1alpha4\nkind: TCPRoute\nmetadata: {name: first, namespace: shop}\n---\n---\n"
        "apiVersion: policy.flomesh.io/v1alpha1\nkind: Egress\nmetadata: {name: second, namespace: shop}\n"
    )
    (tmp_path / "c.json").write_text(
        '{"kind": "List", "items": [{"apiVersion": "policy.openservicemesh.io/v1alpha1", "kind": "Retry",'
        ' "metadata": {"name": "fourth", "namespace": "shop"}}]}'
    )
    (tmp_path / "notes.txt").write_text("not read")
    assert names(str(tmp_path), target("fifth")) == ["first", "second", "third", "fourth", "fifth"]
    assert names([str(tmp_path / "b.yaml"), target("x")]) == ["third", "x"]


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        (target("x", "other"), "TrafficTarget other/x (given as a variable) is for namespace other; named are shop, cart"),
        (target("x", None), "names no namespace"),
        (target("x", "shop", "apps/v1"), "is of API group 'apps'"),
        (target("x", "shop", "v1"), "is of API group 'core'"),
        ({"kind": "TrafficTarget", "apiVersion": "access.smi-spec.io/v1alpha3"}, "lacks kind or metadata.name"),
        (7, "an entry of given as a variable is int and not a manifest"),
    ],
)
def test_what_is_wrong_is_told(manifest: Any, why: str) -> None:
    (told,) = problems(target("fine"), manifest)
    assert why in told


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    broken, empty = tmp_path / "broken.yml", tmp_path / "empty"
    broken.write_text("a: [")
    empty.mkdir()
    told = problems(target("a", "other"), str(broken), str(tmp_path / "absent.yml"), str(empty), target("b", "another"))
    assert len(told) == 5
    for text, why in zip(told, ("cannot be read", "cannot be read", "there is no *.yml", "other/a", "another/b"), strict=True):
        assert why in text
