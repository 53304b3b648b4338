# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which marks of which namespaces go with a mesh, and which stay."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injection import must_inject
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_enrolment import (
    elsewhere,
    enrolled_namespaces,
    without_marks,
)
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import namespace

from .sidecar_scenes import Object, cluster, other

LABEL, IGNORE, KEY, METRICS = (
    OSM_EDGE.monitored_by_label,
    OSM_EDGE.ignore_label,
    OSM_EDGE.injection_annotation,
    OSM_EDGE.metrics_annotation,
)


def annotated(name: str, mesh: str = "", labels: dict[str, str] | None = None, **annotations: str) -> Object:
    found = namespace(name, mesh=mesh, **(labels or {}))
    keys = {"injection": KEY, "metrics": METRICS, "team": "example.com/team"}
    found["metadata"]["annotations"] = {keys[key]: value for key, value in annotations.items()}
    return found


def test_what_goes_and_what_stays() -> None:
    going = annotated("going", "osm")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    seen, subject = cluster(
        annotated("shop", "osm", injection="enabled", metrics="enabled", team="a"),
        annotated("ignored", "osm", {IGNORE: "true"}),
        annotated("left", injection="enabled"),
        annotated("kept-out", labels={IGNORE: "true"}),
        annotated("theirs", "blue", injection="enabled"),
        going,
    )
    found = {item.name: ({*item.labels}, {*item.annotations}) for item in enrolled_namespaces(seen, subject)}
    assert found == {"ignored": ({LABEL, IGNORE}, set()), "left": (set(), {KEY}), "shop": ({LABEL}, {KEY, METRICS})}


@pytest.mark.parametrize(("product", "goes"), [(OSM_EDGE, False), (OSM, False), (FSM, True)])
def test_an_annotation_without_a_mesh_goes_with_the_last_one_that_reads_it(product: Product, *, goes: bool) -> None:
    seen, subject = cluster(annotated("left", injection="enabled"), others=[other(product=product)])
    assert bool(enrolled_namespaces(seen, subject)) is goes


def test_marks_that_two_meshes_read_stay() -> None:
    shop = annotated("shop", "osm", injection="enabled")
    assert enrolled_namespaces(*cluster(shop))
    assert enrolled_namespaces(*cluster(shop, others=[other("osm", OSM)])) == ()
    assert enrolled_namespaces(*cluster(shop, others=[other("osm", FSM)]))


def test_where_else_a_namespace_is() -> None:
    seen, subject = cluster(annotated("a", "osm"), annotated("b", "blue"), annotated("c"), namespace("d", mesh="osm", product=FSM))
    assert {name: elsewhere(facts, subject) for name, facts in seen.namespaces.items() if len(name) == 1} == {
        "a": "",
        "b": "blue",
        "c": "",
        "d": "osm",
    }


_NAMESPACES = st.lists(
    st.builds(
        annotated,
        st.sampled_from(["a", "b", "c", "d"]),
        st.sampled_from(["", "osm", "blue"]),
        st.sampled_from([{}, {IGNORE: "true"}, {"team": "x"}]),
        injection=st.sampled_from(["enabled", "disabled", "perhaps"]),
    ),
    unique_by=lambda item: str(item["metadata"]["name"]),
)


@given(_NAMESPACES, st.sampled_from([{}, {KEY: "enabled"}]), st.booleans())
def test_without_its_marks_nobody_is_injected_by_the_mesh_and_the_others_are_as_before(
    namespaces: list[Object], own: dict[str, str], second: bool
) -> None:
    seen, subject = cluster(*namespaces, others=[other()] if second else [])
    after = without_marks(seen, enrolled_namespaces(seen, subject))
    pod: dict[str, Any] = {"metadata": {"annotations": own}, "spec": {}}
    for name, facts in after.namespaces.items():
        raw, before = facts.as_namespace(), seen.namespaces[name]
        assert must_inject(pod, raw, OSM_EDGE, "osm", "osm-system").inject is False
        if before.labels.get(LABEL) == "blue":
            assert facts == before
        assert {key: value for key, value in before.labels.items() if key == "team"} == {
            key: value for key, value in facts.labels.items() if key not in (LABEL, IGNORE)
        }
