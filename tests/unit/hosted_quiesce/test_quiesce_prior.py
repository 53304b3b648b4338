# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a hosted cluster was: written down and read again, and nothing else taken for it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import (
    UNKNOWN_MARKER,
    Prior,
    PriorMarker,
    completed,
    current,
    prior_from_json,
    prior_of,
    recorded,
)
from ansible_collections.meshops.lifecycle.tests.unit.hosted_quiesce.clusters_to_stop import inventory, recorded_as

NAMES = st.text("abc-", min_size=1, max_size=6)
PAUSES = st.none() | st.sampled_from(["true", "False", "2030-01-01T00:00:00Z", 'it\'s "odd"'])
MARKERS = st.one_of(
    st.just(UNKNOWN_MARKER), st.just(PriorMarker("absent")), st.builds(PriorMarker, st.just("present"), st.none() | st.text(max_size=5))
)
PRIORS = st.builds(
    Prior,
    run_id=st.text(max_size=5),
    time=st.text(max_size=5),
    uid=st.just("uid-prod"),
    replicas=st.dictionaries(NAMES, st.integers(0, 9), max_size=4),
    paused_until=PAUSES,
    node_pools=st.dictionaries(NAMES, PAUSES, max_size=4),
    cluster=st.sampled_from(["", "prod-x1"]),
    cluster_paused=st.none() | st.booleans(),
    marker=MARKERS,
)


@given(PRIORS)
def test_what_is_written_is_read_again(prior: Prior) -> None:
    assert prior_from_json(prior.as_json()) == prior
    assert prior_of(recorded_as(prior.as_json())) == prior


@given(PRIORS, PRIORS)
def test_a_record_never_changes_in_what_it_has(earlier: Prior, now: Prior) -> None:
    result = completed(earlier, now)
    assert {name: result.replicas[name] for name in earlier.replicas} == earlier.replicas
    assert {name: result.node_pools[name] for name in earlier.node_pools} == earlier.node_pools
    assert (result.run_id, result.time, result.paused_until) == (earlier.run_id, earlier.time, earlier.paused_until)
    assert set(result.replicas) == {*earlier.replicas, *now.replicas}
    assert earlier.marker.state == "unknown" or result.marker == earlier.marker
    if earlier.cluster:
        assert (result.cluster, result.cluster_paused) == (earlier.cluster, earlier.cluster_paused)
    assert completed(result, now) == result


GOOD = json.loads(current(inventory(), PriorMarker("absent"), "run-1", "now").as_json())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 2}, "its format is 2"),
        ({"replicas": {"kube-apiserver": "3"}}, "replicas.kube-apiserver is no number"),
        ({"replicas": {"kube-apiserver": True}}, "replicas.kube-apiserver is no number"),
        ({"replicas": {"kube-apiserver": -1}}, "replicas.kube-apiserver is no number"),
        ({"replicas": None}, "replicas is missing"),
        ({"node_pools": {"a": False}}, "node_pools.a is no str"),
        ({"cluster_paused": "true"}, "cluster_paused is no bool"),
        ({"marker": {"state": "maybe"}}, "marker.state"),
        ({"marker": None}, "marker is missing"),
        ({"uid": "uid-other"}, "another HostedCluster"),
    ],
)
def test_a_record_that_is_not_whole_is_none(change: dict[str, object], told: str) -> None:
    found = recorded(recorded_as(json.dumps({**GOOD, **change})))
    assert found.prior is None
    assert told in found.problem


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3"])
def test_what_is_no_record_at_all_is_told(text: str) -> None:
    found = recorded(recorded_as(text))
    assert found.prior is None
    assert found.problem


def test_no_annotation_is_no_problem() -> None:
    assert recorded(inventory()) == (None, "")
