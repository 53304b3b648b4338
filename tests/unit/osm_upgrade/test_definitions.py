# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Definitions that a bootstrap would crash on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crds import Crd, crds_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.definitions import (
    definition_findings,
    definition_refusals,
    definition_steps,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import CustomResource
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_steps import definition_phase
from ansible_collections.meshops.lifecycle.tests.unit.osm_upgrade.states import deployment, state, upgraded

SPLITS = "trafficsplits.split.smi-spec.io"
LABELS = {"app.kubernetes.io/name": "openservicemesh.io"}


def live(crd: Crd, **changes: object) -> CustomResource:
    """A definition as its own version installed it."""
    made = CustomResource(
        name=crd.name,
        versions=crd.served,
        storage=crd.storage,
        conversion="None",
        conversion_service=("", ""),
        labels=LABELS,
        uid="uid",
        resource_version="7",
        stored=(crd.storage,),
    )
    return made._replace(**changes)


def installed(version: str) -> dict[str, CustomResource]:
    return {crd.name: live(crd) for crd in crds_of(OSM_EDGE, version) or ()}


@pytest.mark.parametrize(("before", "after"), [("1.1.3", "1.2.3"), ("1.2.3", "1.3.9"), ("1.3.0", "1.3.9"), ("1.2.3", "1.1.3")])
def test_most_ways_need_nothing(before: str, after: str) -> None:
    assert definition_steps(OSM_EDGE, after, installed(before)) == []
    assert definition_refusals(OSM_EDGE, after, installed(before)) == []


def test_a_definition_without_labels_gets_one_before_the_bootstrap_crashes_on_it() -> None:
    cluster = {**installed("1.2.3"), SPLITS: installed("1.2.3")[SPLITS]._replace(labels={})}
    (step,) = definition_steps(OSM_EDGE, "1.3.9", cluster)
    assert step.id == f"label_definition:CustomResourceDefinition/{SPLITS}"
    assert step.desired == {"labels": LABELS}
    assert step.resource_version == "7"
    assert definition_steps(FSM, "1.5.1", cluster) == []


@pytest.mark.parametrize("stored", [("v1alpha4",), ("v1alpha2", "v1alpha4")])
def test_traffic_splits_are_rewritten_for_a_version_that_knows_only_older_ones(stored: tuple[str, ...]) -> None:
    cluster = installed("1.3.9")
    cluster[SPLITS] = cluster[SPLITS]._replace(stored=stored)
    (step,) = definition_steps(OSM_EDGE, "1.2.3", cluster)
    assert step.id == f"migrate_storage:CustomResourceDefinition/{SPLITS}"
    assert step.desired == {"storage": "v1alpha2"}
    assert "v1alpha4" in step.why
    assert definition_refusals(OSM_EDGE, "1.2.3", cluster) == []


def test_somebody_elses_stored_version_that_is_not_served_is_refused_with_its_owner() -> None:
    cluster = installed("1.2.3")
    cluster[SPLITS] = cluster[SPLITS]._replace(
        versions=("v1alpha1",), storage="v1alpha1", stored=("v1alpha1",), labels={"app.kubernetes.io/name": "smi-adapter"}
    )
    assert definition_steps(OSM_EDGE, "1.3.9", cluster) == []
    (refusal,) = definition_refusals(OSM_EDGE, "1.3.9", cluster)
    assert refusal.code == "stored-version"
    assert "belongs to smi-adapter" in refusal.what
    assert "v1alpha1" in refusal.next


def test_a_definition_of_another_owner_and_one_that_stays_behind_are_told() -> None:
    cluster = installed("1.1.3")
    cluster[SPLITS] = cluster[SPLITS]._replace(labels={**LABELS, "app.kubernetes.io/managed-by": "Helm"})
    found = {finding.code: finding for finding in definition_findings(OSM_EDGE, "1.1.3", "1.2.3", cluster)}
    assert set(found) == {"foreign-definition", "definitions-left-behind"}
    assert "managed by Helm" in found["foreign-definition"].what
    assert "multiclusterservices.config.openservicemesh.io" in found["definitions-left-behind"].what


def test_definitions_matter_only_when_a_bootstrap_starts_or_cannot() -> None:
    unlabelled = {**installed("1.3.9"), SPLITS: installed("1.3.9")[SPLITS]._replace(labels={})}
    assert [step.action for step in definition_phase(state(definitions=unlabelled))] == ["label_definition"]
    done = upgraded()
    assert definition_phase(replace(done, definitions=unlabelled)) == []
    crashing = deployment("osm-bootstrap", "1.3.9")
    crashing["status"] |= {"readyReplicas": 0, "availableReplicas": 0}
    others = tuple(item for item in done.mesh.deployments if item["metadata"]["name"] != "osm-bootstrap")
    broken = replace(done, definitions=unlabelled, mesh=replace(done.mesh, deployments=(crashing, *others)))
    assert [step.action for step in definition_phase(broken)] == ["label_definition"]
