# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods of a namespace: which have to be replaced, and what metrics write on them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import PodTraits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_pods import pods_to_restart
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_reading import has_to_change
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_state import LiveNamespace
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.scrape import SCRAPE, scrape_patch
from ansible_collections.meshops.lifecycle.tests.unit.osm_namespace.states import MESH, enrolled, live, traits

ENROLLED = enrolled(injection="enabled")


@pytest.mark.parametrize(
    ("after", "pod", "restart"),
    [
        # The row of pkg/injector/webhook.go that decides, for pods without and with a sidecar.
        (ENROLLED, traits(), True),
        (ENROLLED, traits(mesh="osm"), False),
        (ENROLLED, traits(mesh=""), False),
        (ENROLLED, traits(mesh="other"), True),
        (ENROLLED, traits(host_network=True), False),
        (ENROLLED, traits(injection="disabled"), False),
        (ENROLLED, traits(injection="disabled", mesh="osm"), True),
        # It would be denied: a restart makes it worse.
        (ENROLLED, traits(injection="on"), False),
        (enrolled(injection="disabled"), traits(), False),
        (enrolled(injection="disabled"), traits(mesh="osm"), True),
        (enrolled(injection="disabled"), traits(injection="enabled"), True),
        (enrolled(injection="disabled"), traits(injection="enabled", mesh="osm"), False),
        (enrolled(injection="enabled", ignore="false"), traits(), False),
        (enrolled(injection="enabled", ignore="false"), traits(mesh="osm"), True),
        (live(), traits(), False),
        (live(), traits(mesh="osm"), True),
        (live(), traits(mesh=""), True),
        # Sidecars of a mesh that is gone are to go too.
        (live(), traits(mesh="gone"), True),
        (enrolled(mesh="fsm", product=FSM), traits(mesh="fsm"), False),
    ],
)
def test_pods_to_restart(after: LiveNamespace, pod: PodTraits, restart: bool) -> None:
    found = pods_to_restart({pod: 3, traits("elsewhere", mesh="osm"): 5}, {"app": after.facts()}, MESH)
    assert found == Counter({"app": 3} if restart else {})


VALUES = st.sampled_from([None, "true", "false", "15010", "8080", "/stats/prometheus", "/metrics"])


@given(st.fixed_dictionaries({**dict.fromkeys(SCRAPE, VALUES), "example.com/mine": VALUES}), st.booleans())
def test_annotations_of_pods(values: dict[str, str | None], scrape: bool) -> None:
    annotations = {key: value for key, value in values.items() if value is not None}
    patch = scrape_patch(annotations, scrape)
    assert set(patch) <= set(SCRAPE)
    merged = {key: value for key, value in {**annotations, **patch}.items() if value is not None}
    assert scrape_patch(merged, scrape) == {}
    if scrape:
        assert SCRAPE.items() <= merged.items()
    elif SCRAPE.items() <= annotations.items():
        assert not SCRAPE.keys() & merged.keys()
    else:
        assert merged == annotations, "other values are the application's own"


@pytest.mark.parametrize(
    ("metadata", "changes"),
    [
        ({"labels": {"osm-proxy-uuid": "1"}}, True),
        ({"labels": {"osm-proxy-uuid": "1"}, "annotations": SCRAPE}, False),
        ({"labels": {"osm-proxy-uuid": "1"}, "deletionTimestamp": "2026-01-01T00:00:00Z"}, False),
        ({"labels": {"app": "app"}}, False),
        ({}, False),
    ],
)
def test_only_pods_of_the_mesh_that_differ(metadata: dict[str, object], changes: bool) -> None:
    assert has_to_change(metadata, "osm-proxy-uuid", scrape=True) is changes
