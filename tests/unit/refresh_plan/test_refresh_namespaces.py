# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which namespaces are meant, and which cannot be."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Options
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_namespaces import choose
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
