# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which steps an upgrade has, in which order and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import ReplicaSetFacts
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_object import merge_patch
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_steps import (
    bootstrap_steps,
    control_plane_steps,
    finish_steps,
    mesh_config_steps,
    selector_changes,
)
from ansible_collections.meshops.lifecycle.tests.unit.osm_upgrade.states import helm, mesh, state, target, upgraded, webhook


def ids(steps: list) -> list[str]:
    return [step.id for step in steps]


def test_the_selector_of_1_3_orphans_the_controller_before_helm() -> None:
    steps = control_plane_steps(state())
    assert ids(steps) == ["orphan:Deployment/osm-system/osm-controller", "helm_upgrade:Release/osm-system/osm"]
    orphan, upgrade = steps
    assert (orphan.uid, orphan.resource_version) == ("uid-osm-controller", "10")
    assert orphan.id in upgrade.needs
    assert "codebase" in orphan.why


def test_within_a_minor_version_nothing_is_orphaned() -> None:
    within = state("1.3.8")
    assert selector_changes(within) == []
    assert ids(control_plane_steps(within)) == ["helm_upgrade:Release/osm-system/osm"]


def test_an_upgraded_mesh_has_no_steps() -> None:
    done = upgraded()
    assert control_plane_steps(done) + mesh_config_steps(done) + finish_steps(done) == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "failed"}, "revision 1 is failed"),
        ({"chart_version": "1.3.8"}, "osm-edge 1.3.8 → 1.3.9"),
        ({"values": {"osm": {"meshName": "osm", "enableEgress": False}}}, "the values differ from the release's"),
        ({"templates_digest": "edited"}, "same version, other templates"),
    ],
)
def test_helm_is_needed_when_the_release_is_not_the_wanted_one(changes: dict, why: str) -> None:
    done = upgraded()
    (step,) = control_plane_steps(replace(done, helm=replace(done.helm, **changes)))
    assert step.why == why


def test_a_run_killed_after_the_orphan_step_goes_on_with_helm() -> None:
    before = mesh("1.2.3")
    orphaned = ReplicaSetFacts("osm-controller-old", "osm-controller", "uid-rs", "13", 1, "")
    killed = replace(before, deployments=tuple(d for d in before.deployments if d["metadata"]["name"] != "osm-controller"))
    now = state(mesh=replace(killed, replica_sets=(orphaned,)))
    assert ids(control_plane_steps(now)) == ["helm_upgrade:Release/osm-system/osm"]
    (step, *_labels) = finish_steps(now)
    assert (step.id, step.uid) == ("delete:ReplicaSet/osm-system/osm-controller-old", "uid-rs")


def test_a_missing_deployment_alone_needs_helm() -> None:
    done = upgraded()
    gone = replace(done.mesh, deployments=done.mesh.deployments[:2])
    (step,) = control_plane_steps(replace(done, mesh=gone))
    assert step.why == "Deployments of the chart are missing"


def test_a_pending_revision_is_marked_failed_first() -> None:
    pending = helm("1.2.3", status="pending-upgrade", revision=2, pending_since=900.0)
    first, *_rest, upgrade = control_plane_steps(state(helm=pending))
    assert first.id == "mark_failed:Secret/osm-system/sh.helm.release.v1.osm.v2"
    assert first.id in upgrade.needs


def test_what_a_killed_run_of_ours_left_pending_adds_no_step_to_its_approved_plan() -> None:
    left = helm("1.2.3", status="pending-upgrade", revision=2, pending_since=9.0, ours=True)
    approved, resumed = control_plane_steps(state()), control_plane_steps(state(helm=left))
    assert [(step.id, step.desired) for step in resumed] == [(step.id, step.desired) for step in approved]
    assert "patch secrets in namespace osm-system" in [str(permission) for permission in resumed[-1].permissions]


def test_the_mesh_config_patch_adds_what_is_missing_and_names_the_state_it_was_planned_on() -> None:
    (step,) = mesh_config_steps(state())
    assert step.desired == {"spec": {"traffic": {"interceptionMode": "iptables"}}}
    assert (step.uid, step.resource_version) == ("uid-config", "12")
    assert step.simulated, "the CRD that knows the field comes with the upgrade"


def test_the_mesh_config_patch_is_dry_run_when_the_release_is_already_there() -> None:
    by_hand = state("1.3.9", mesh=mesh("1.3.9"))
    (step,) = mesh_config_steps(by_hand)
    assert control_plane_steps(by_hand) == []
    assert step.simulated == ""


def test_finish_removes_the_orphan_and_labels_both_webhooks() -> None:
    assert ids(finish_steps(state())) == [
        "delete:ReplicaSet/osm-system/osm-controller-old",
        "label:MutatingWebhookConfiguration/osm-webhook-osm",
        "label:ValidatingWebhookConfiguration/osm-validator-mesh-osm",
    ]


def test_replica_sets_of_living_deployments_stay() -> None:
    assert [step for step in finish_steps(state("1.3.8")) if step.action == "delete"] == []


def test_a_webhook_with_a_stale_label_is_labelled_although_nothing_else_is_to_do() -> None:
    done = upgraded()
    stale = webhook("MutatingWebhookConfiguration", "osm-webhook-osm", "1.2.3")
    (step,) = finish_steps(replace(done, mesh=replace(done.mesh, webhooks=(stale,))))
    assert step.desired == {"labels": {"app.kubernetes.io/version": "1.3.9"}}


def test_the_same_intent_has_the_same_desired_values_on_another_resource_version() -> None:
    first = control_plane_steps(state())[0]
    moved = mesh("1.2.3")
    moved.deployments[1]["metadata"]["resourceVersion"] = "99"
    second = control_plane_steps(state(mesh=moved))[0]
    assert first.desired == second.desired
    assert first.resource_version != second.resource_version


def test_values_are_part_of_the_intent_without_being_in_it() -> None:
    secret = replace(target(), values={"osm": {"meshName": "osm", "vault": {"token": "s3cr3t-t0ken"}}})
    plain, changed = control_plane_steps(state())[-1], control_plane_steps(state(target=secret))[-1]
    assert plain.desired != changed.desired
    assert "s3cr3t" not in str(changed.desired) + str(changed.after) + str(changed.before)


SPECS = st.recursive(
    st.integers() | st.booleans() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: isinstance(value, dict))


def apply_merge_patch(value: dict, patch: dict) -> dict:
    """RFC 7386, section 2."""
    result = dict(value)
    for key, item in patch.items():
        if item is None:
            result.pop(key, None)
        elif isinstance(item, dict):
            inner = result.get(key)
            result[key] = apply_merge_patch(inner if isinstance(inner, dict) else {}, item)
        else:
            result[key] = item
    return result


@given(SPECS, SPECS)
def test_the_merge_patch_makes_after_of_before(before: dict, after: dict) -> None:
    assert apply_merge_patch(before, merge_patch(before, after)) == after


@given(SPECS)
def test_equal_specs_need_no_patch(spec: dict) -> None:
    assert merge_patch(spec, spec) == {}


def test_a_bootstrap_whose_definition_was_overwritten_starts_anew() -> None:
    knows = {"properties": {"traffic": {"properties": {"interceptionMode": {}}}, "pluginChains": {}}}
    older = {"properties": {"traffic": {"properties": {"enableEgress": {}}}}}
    assert bootstrap_steps(replace(upgraded(), mesh_config_schema=knows)) == []
    (step,) = bootstrap_steps(replace(upgraded(), mesh_config_schema=older))
    assert (step.id, step.risk) == ("restart:Deployment/osm-system/osm-bootstrap", "none")
    assert "traffic.interceptionMode" in step.why
    assert bootstrap_steps(replace(state(), mesh_config_schema=older)) == [], "the newer bootstrap does not run yet"
