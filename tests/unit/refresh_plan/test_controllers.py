# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a pod's controller to what replaces its pods."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.controllers import Climb, Owner, climb, to_read
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import ControllerRef, Workload
from ansible_collections.meshops.lifecycle.tests.unit.refresh_plan.scenes import a_workload

NOTHING: Mapping[str, Workload] = {}


def ref(kind: str, api_version: str = "apps/v1") -> ControllerRef:
    return ControllerRef(api_version, kind, f"the-{kind.lower()}", f"uid-{kind}")


def chain(*refs: ControllerRef) -> dict[str, Owner]:
    """Each is owned by the next; the last has no owner."""
    return {each.uid: Owner(each, "shop", owner) for each, owner in zip(refs, [*refs[1:], None], strict=True)}


RS, DEPLOYMENT = ref("ReplicaSet"), ref("Deployment")


def test_what_is_needed_is_read_step_by_step() -> None:
    assert climb(RS, {}, {}) == Climb("to-read", RS, whole=False)
    owners = chain(RS, DEPLOYMENT)
    del owners[DEPLOYMENT.uid]
    assert climb(RS, owners, {}) == Climb("to-read", DEPLOYMENT, whole=True)
    assert climb(RS, owners, {DEPLOYMENT.uid: a_workload()}) == Climb("workload", DEPLOYMENT)


@pytest.mark.parametrize("kind", ["ReplicaSet", "ReplicationController"])
def test_what_only_keeps_a_number_of_pods_is_read_whole_when_nothing_owns_it(kind: str) -> None:
    own = ref(kind, "v1" if kind == "ReplicationController" else "apps/v1")
    assert climb(own, chain(own), {}) == Climb("to-read", own, whole=True)
    assert climb(own, chain(own), {own.uid: a_workload()}) == Climb("workload", own)


@pytest.mark.parametrize(
    ("between", "top"),
    [
        (RS, ref("Rollout", "argoproj.io/v1alpha1")),
        (ref("ReplicationController", "v1"), ref("DeploymentConfig", "apps.openshift.io/v1")),
        (ref("Revision", "example.com/v1"), DEPLOYMENT),
        (ref("ReplicaSet", "extensions.example.com/v1"), ref("StatefulSet")),
    ],
)
def test_what_replaces_pods_is_found_above_anything(between: ControllerRef, top: ControllerRef) -> None:
    owners = chain(between, top)
    del owners[top.uid]
    assert climb(between, owners, {}) == Climb("to-read", top, whole=True)


def test_an_operator_that_owns_a_deployment_is_not_climbed_to() -> None:
    assert climb(DEPLOYMENT, chain(DEPLOYMENT, ref("Operated", "example.com/v1")), {DEPLOYMENT.uid: a_workload()}).ref == DEPLOYMENT


def test_jobs_and_cron_jobs_are_ends() -> None:
    job, cron = ref("Job", "batch/v1"), ref("CronJob", "batch/v1")
    assert climb(job, chain(job), {}) == Climb("job", job)
    assert climb(job, {job.uid: Owner(job, "shop", cron)}, {}) == Climb("cron-job", cron)


def test_unknown_owners_are_climbed_to_the_top() -> None:
    one, two = ref("One", "example.com/v1"), ref("Two", "example.com/v1")
    assert climb(one, chain(one, two), {}) == Climb("unknown", two)
    assert climb(RS, chain(RS, two), {}) == Climb("unknown", two)


def test_a_circle_ends() -> None:
    one, two = ref("One", "example.com/v1"), ref("Two", "example.com/v1")
    owners = {one.uid: Owner(one, "shop", two), two.uid: Owner(two, "shop", one)}
    assert climb(one, owners, {}).end == "unknown"


@pytest.mark.parametrize("state", ["gone", "unread"])
def test_what_could_not_be_read_is_an_end(state: str) -> None:
    owners = chain(RS, DEPLOYMENT)
    owners[DEPLOYMENT.uid] = Owner(DEPLOYMENT, "shop", state="gone" if state == "gone" else "unread")
    assert climb(RS, owners, {}) == Climb("gone" if state == "gone" else "unread", DEPLOYMENT)


def test_each_object_is_asked_for_once() -> None:
    two = ControllerRef("apps/v1", "ReplicaSet", "another", "uid-2")
    owners = {RS.uid: Owner(RS, "shop", DEPLOYMENT), two.uid: Owner(two, "shop", DEPLOYMENT)}
    assert [*to_read([("shop", RS), ("shop", two)], owners, {})] == [("shop", Climb("to-read", DEPLOYMENT, whole=True))]
