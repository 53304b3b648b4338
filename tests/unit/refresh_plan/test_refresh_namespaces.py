# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which namespaces are meant, and which cannot be."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Options
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_namespaces import choose, namespace_findings
from ansible_collections.meshops.lifecycle.tests.unit.refresh_plan.scenes import RULES

KNOWN: dict[str, dict[str, Any]] = {
    name: {"metadata": {"name": name, **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if name == "going" else {})}}
    for name in ("bookstore", "bookbuyer", "stock", "going", "mesh-system")
}


def test_all_but_the_control_plane_and_what_is_being_deleted() -> None:
    found = choose(KNOWN, [], RULES, Options())
    assert found.everywhere
    assert found.names == {"bookstore", "bookbuyer", "stock"}
    assert found.refusals == ()


def test_named_and_selected_ones_together_without_the_excluded_ones() -> None:
    options = Options(namespaces=("stock",), namespace_selector="a=b", exclude_namespaces=("book*er", "nothing"))
    found = choose(KNOWN, ["bookstore", "bookbuyer", "going", "mesh-system"], RULES, options)
    assert not found.everywhere
    assert found.names == {"stock", "bookstore"}
    assert found.refusals == ()


def test_all_that_cannot_be_is_refused_at_once() -> None:
    found = choose(KNOWN, [], RULES, Options(namespaces=("bookstor", "nothing-like-it", "going", "mesh-system", "stock")))
    assert [(refusal.code, refusal.object.name) for refusal in found.refusals] == [
        ("namespace-missing", "bookstor"),
        ("namespace-missing", "nothing-like-it"),
        ("namespace-terminating", "going"),
        ("control-plane-namespace", "mesh-system"),
    ]
    assert "did you mean bookstore?" in found.refusals[0].next


MESH: dict[str, dict[str, Any]] = {
    **{name: {"metadata": {"name": name, "labels": {"mesh": "mesh"}}} for name in ("bookstore", "bookbuyer")},
    **{name: {"metadata": {"name": name}} for name in ("bookstor", "stock", "mesh-system")},
}


def found(options: Options, holding: tuple[str, ...] = (), selected: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:
    return [(item.code, item.what, item.remedy) for item in namespace_findings(MESH, selected, holding, RULES, options)]


def test_a_namespace_that_is_not_in_the_mesh_is_told_with_the_nearest_that_is() -> None:
    assert found(Options(namespaces=("bookstore", "bookstor", "stock"))) == [
        (
            "namespace-not-in-mesh",
            "namespace bookstor is not in the mesh mesh-system/mesh",
            "take it into the mesh first, or correct namespaces (did you mean bookstore?)",
        ),
        (
            "namespace-not-in-mesh",
            "namespace stock is not in the mesh mesh-system/mesh",
            "take it into the mesh first, or correct namespaces",
        ),
    ]


def test_a_namespace_with_sidecars_or_one_that_is_to_have_none_is_no_mistake() -> None:
    assert found(Options(namespaces=("bookstore", "stock")), holding=("stock",)) == []
    assert found(Options(namespaces=("stock",), state="absent")) == []


def test_what_matches_nothing_is_told() -> None:
    options = Options(namespace_selector="a=b", exclude_namespaces=("book*", "bookbyer", "x-*"), ordered=("stock", "a=b", "stok"))
    assert [what for _code, what, _remedy in found(options)] == [
        "a=b in namespace_selector has no effect",
        "bookbyer in exclude_namespaces has no effect",
        "x-* in exclude_namespaces has no effect",
        "stok in ordered has no effect",
    ]
    assert [remedy.partition(" (")[2] for _code, _what, remedy in found(options)] == [
        "",
        "did you mean bookbuyer?)",
        "",
        "did you mean stock?)",
    ]
    assert found(Options(namespace_selector="a=b"), selected=("stock",)) == []
