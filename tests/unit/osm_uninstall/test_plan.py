# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an uninstallation does, in which phase and order, and what it keeps: one test for each row of what a mesh leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    CLUSTERROLE,
    CRD,
    DEPLOYMENT,
    NAMESPACE,
    REPLICASET,
    SECRET,
    Kind,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import uninstall as phases
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.reduction import custom_resource
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory, UninstallRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_fate import decide
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_plan import plan_phase
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import crd
from ansible_collections.meshops.lifecycle.tests.unit.osm_uninstall.plan_scenes import (
    COMPONENTS,
    CONFIG,
    HOME,
    HOME_NAMESPACE,
    OTHER,
    RELEASE,
    applied,
    artefact,
    bare,
    enrolled,
    ids,
    inventory,
    neighbour,
    release,
    task,
    whole_plan,
    with_subject,
)

MEMBER = "policy.openservicemesh.io"
EGRESSES = f"egresses.{MEMBER}"


def asked(**fields: Any) -> UninstallRequest:
    """What the user wants of mesh ``osm``."""
    return UninstallRequest(mesh_name="osm", confirm="osm", **fields)


ALL = asked(cluster_wide=frozenset({"all"}))
SERVICE, RBAC = artefact("service", "osm-injector"), artefact("rbac", "osm")


def definition(name: str = EGRESSES, count: int | None = 0, **more: Any) -> Artefact:
    """A definition that only this mesh uses."""
    return artefact("osm-crd", name, "unclaimed", count=count, state={"used_by_mesh": True}, **more)


def why(item: Artefact, found: Inventory) -> str:
    """Why a thing is kept."""
    decided = decide(item, found)
    assert not decided.goes
    return decided.why


def test_a_running_control_plane_is_stopped_before_anything_of_it_is_removed() -> None:
    found = inventory(CONFIG)
    assert ids(found, phases.STOP) == [f"stop:Deployment/{HOME}/osm-{name}" for name in ("bootstrap", "controller", "injector")]
    step = plan_phase(phases.STOP, found)[0]
    assert (step.desired, step.uid, step.risk) == ({"replicas": 0}, "uid-control-plane-deployment-osm-bootstrap", "disruptive")
    assert step.permissions == (Permission("patch", "apps", "deployments", HOME, "osm-bootstrap"),)


def test_what_is_stopped_already_is_not_stopped_again() -> None:
    found = inventory(CONFIG)
    for step in plan_phase(phases.STOP, found):
        found = applied(found, step)
    assert ids(found, phases.STOP) == []


def test_a_replica_set_that_an_upgrade_orphaned_is_stopped_and_deleted() -> None:
    left = artefact("control-plane-deployment", "osm-controller-old", kind=REPLICASET, state={"replicas": 1})
    found = inventory(left)
    assert f"stop:ReplicaSet/{HOME}/osm-controller-old" in ids(found, phases.STOP)
    assert f"delete:ReplicaSet/{HOME}/osm-controller-old" in ids(found, phases.RELEASE)


def test_helm_removes_what_its_release_has_and_the_rest_is_deleted_after_it() -> None:
    stray = artefact("service", "osm-stray")
    helm = release((*COMPONENTS, SERVICE, RBAC))
    found = inventory(SERVICE, RBAC, stray, helm=helm)
    assert ids(found, phases.RELEASE) == [f"delete:Service/{HOME}/osm-stray", f"uninstall:HelmRelease/{HOME}/osm"]
    delete, uninstall = plan_phase(phases.RELEASE, found)
    assert delete.needs == (uninstall.id,)
    assert uninstall.before is not None
    assert f"Service {HOME}/osm-injector" in uninstall.before["objects"]
    assert decide(SERVICE, found).step == uninstall.id


def test_uninstalling_through_helm_needs_every_deletion_that_helm_will_send() -> None:
    found = inventory(SERVICE, RBAC, helm=release((*COMPONENTS, SERVICE, RBAC)))
    [step] = plan_phase(phases.RELEASE, found)
    assert set(step.permissions) == {
        Permission("delete", "apps", "deployments", HOME),
        Permission("delete", "", "services", HOME),
        Permission("delete", "rbac.authorization.k8s.io", "clusterroles"),
        *(Permission(verb, "", "secrets", HOME) for verb in ("list", "get", "update", "delete")),
    }


def test_without_a_release_each_object_goes_by_a_step_of_its_own() -> None:
    found = inventory(SERVICE, RBAC)
    assert ids(found, phases.RELEASE) == [
        "delete:ClusterRole/osm",
        *(f"delete:Deployment/{HOME}/osm-{name}" for name in ("bootstrap", "controller", "injector")),
        f"delete:Service/{HOME}/osm-injector",
    ]


def test_a_release_that_helm_cannot_read_goes_with_its_records() -> None:
    record = artefact("helm-record", "sh.helm.release.v1.osm.v3")
    found = inventory(RELEASE, record)
    assert ids(found, phases.ARTEFACTS) == [f"delete:Secret/{HOME}/sh.helm.release.v1.osm.v3"]
    assert decide(RELEASE, found).goes


def test_what_the_release_keeps_by_its_own_annotation_is_kept() -> None:
    kept = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "osm-injector", "annotations": {"helm.sh/resource-policy": "keep"}},
    }
    found = inventory(SERVICE, helm=release(COMPONENTS, more=[kept]))
    assert "resource-policy" in why(SERVICE, found)


@pytest.mark.parametrize(
    "what", ["mesh-config", "root-certificate", "ca-secret", "old-deployment", "mutating-webhook", "validating-webhook"]
)
def test_what_pods_of_the_mesh_made_goes_after_the_release(what: str) -> None:
    item = artefact(what)
    assert ids(inventory(item), phases.ARTEFACTS) == [f"delete:{item.ref.kind}/{f'{HOME}/' if item.ref.namespace else ''}{what}-1"]


def test_a_hook_job_goes_before_everything_else_and_the_rest_of_the_hook_with_the_artefacts() -> None:
    job, role = artefact("hook", "osm-cleanup"), artefact("hook", "osm-cleanup", kind=CLUSTERROLE)
    found = inventory(job, role, alive=False)
    assert ids(found, phases.STOP) == [f"delete:Job/{HOME}/osm-cleanup"]
    assert ids(found, phases.ARTEFACTS) == ["delete:ClusterRole/osm-cleanup"]


def dead_webhook() -> Artefact:
    """A webhook configuration that fails closed and leads nowhere."""
    return artefact("mutating-webhook", "osm-webhook-osm", state={"fails_closed": True, "endpoints": -1})


def test_a_dead_webhook_goes_before_the_restarts_and_is_not_deleted_twice() -> None:
    found = inventory(dead_webhook(), namespaces=[enrolled()], tasks=[task()])
    webhook = "delete:MutatingWebhookConfiguration/osm-webhook-osm"
    assert ids(found, phases.UNBLOCK) == [webhook]
    assert ids(found).count(webhook) == 1


def test_a_webhook_that_died_with_its_control_plane_goes_with_the_artefacts() -> None:
    found = inventory(dead_webhook(), alive=False)
    assert ids(found, phases.UNBLOCK) == []
    assert ids(found, phases.ARTEFACTS) == ["delete:MutatingWebhookConfiguration/osm-webhook-osm"]


def test_conversion_is_taken_off_before_helm_removes_its_service() -> None:
    item = artefact("conversion-webhook", "meshconfigs.config.openservicemesh.io")
    found = inventory(item)
    assert ids(found, phases.CONVERSION) == ["strip_conversion:CustomResourceDefinition/meshconfigs.config.openservicemesh.io"]
    [step] = plan_phase(phases.CONVERSION, found)
    assert step.desired == {"spec": {"conversion": {"strategy": "None", "webhook": None}}}
    assert step.risk == "low"


def test_a_conversion_of_another_mesh_is_not_touched() -> None:
    item = artefact("conversion-webhook", EGRESSES, "other", users=(OTHER,))
    assert ids(inventory(item, request=ALL), phases.CONVERSION) == []


def test_bootstrap_secrets_of_one_namespace_are_one_step_whoever_owns_them() -> None:
    own, orphaned = (artefact("bootstrap-secrets", "shop", owner, state={"orphaned": 2}) for owner in ("named", "unclaimed"))
    found = inventory(own, orphaned, request=ALL)
    assert ids(found, phases.ARTEFACTS) == ["delete_secrets:Namespace/shop"]
    assert ids(found, phases.DEFINITIONS) == []
    [step] = plan_phase(phases.ARTEFACTS, found)
    assert (step.risk, step.desired) == ("low", {})


def test_bootstrap_secrets_that_pods_use_are_planned_while_their_sidecars_are_going_and_kept_when_they_stay() -> None:
    used = artefact("bootstrap-secrets", "shop", state={"orphaned": 0})
    going = inventory(used, namespaces=[enrolled()], tasks=[task()])
    assert "delete_secrets:Namespace/shop" in ids(going, phases.ARTEFACTS)
    assert "still run" in why(used, inventory(used, alive=False, leftovers=[bare()]))


def test_definitions_go_only_on_request() -> None:
    item = definition()
    assert "osm_crds" in why(item, inventory(item))
    assert ids(inventory(item, request=ALL), phases.DEFINITIONS) == [f"delete:CustomResourceDefinition/{EGRESSES}"]
    assert ids(inventory(item, request=asked(cluster_wide=frozenset({"smi_crds"})))) == ids(inventory())


def test_a_definition_with_objects_is_kept_and_they_are_counted() -> None:
    item = definition(count=3)
    assert "3 objects" in why(item, inventory(item, request=ALL))


def test_the_mesh_s_own_meshconfig_does_not_keep_its_definition() -> None:
    crd = definition("meshconfigs.config.openservicemesh.io", count=1)
    assert decide(crd, inventory(crd, CONFIG, request=ALL)).goes
    two = replace(crd, count=2)
    assert not decide(two, inventory(two, CONFIG, request=ALL)).goes
    stays = asked(cluster_wide=frozenset({"all"}), parts=frozenset({"cluster_wide"}))
    assert not decide(crd, inventory(crd, CONFIG, request=stays, alive=False)).goes


def test_definitions_go_after_the_objects_of_absent_meshes_that_go_themselves() -> None:
    crd = definition("meshconfigs.config.openservicemesh.io", count=1)
    left = artefact("mesh-config", "osm-mesh-config", "unclaimed", place="gone-system")
    steps = plan_phase(phases.DEFINITIONS, inventory(crd, left, request=ALL))
    delete = "delete:MeshConfig/gone-system/osm-mesh-config"
    assert [(step.id, step.needs) for step in steps] == [(f"delete:CustomResourceDefinition/{crd.ref.name}", (delete,)), (delete, ())]


def test_custom_resources_go_in_one_step_for_each_definition_when_that_was_asked_for() -> None:
    crd, objects = definition(count=3), artefact("custom-resources", EGRESSES, "unclaimed", count=3)
    request = replace(ALL, delete_custom_resources=True)
    found = inventory(crd, objects, request=request)
    assert ids(found, phases.CUSTOM_RESOURCES) == [f"delete_objects:CustomResourceDefinition/{EGRESSES}"]
    assert ids(found, phases.DEFINITIONS) == [f"delete:CustomResourceDefinition/{EGRESSES}"]
    assert ids(inventory(crd, objects, request=ALL), phases.CUSTOM_RESOURCES, phases.DEFINITIONS) == []


def test_what_cannot_be_counted_because_of_a_conversion_is_planned_and_looked_at_again() -> None:
    crd = definition(count=None, unknown="conversion webhook failed")
    conversion = artefact("conversion-webhook", EGRESSES)
    found = inventory(crd, conversion, request=ALL)
    delete = f"delete:CustomResourceDefinition/{EGRESSES}"
    assert ids(found, phases.DEFINITIONS) == [delete]
    [strip] = plan_phase(phases.CONVERSION, found)
    assert ids(applied(found, strip, {EGRESSES: 0}), phases.DEFINITIONS) == [delete]
    assert ids(applied(found, strip, {EGRESSES: 4}), phases.DEFINITIONS) == []


def test_what_cannot_be_counted_for_any_other_reason_is_kept() -> None:
    crd = definition(count=None, unknown="not allowed to list egresses")
    assert "not allowed to list egresses" in why(crd, inventory(crd, request=ALL))


def test_definitions_of_a_control_plane_that_stays_stay() -> None:
    crd = definition()
    request = replace(ALL, parts=frozenset({"cluster_wide"}))
    assert "stays" in why(crd, inventory(crd, request=request))
    assert decide(crd, inventory(crd, request=request, alive=False)).goes
    assert "managed" in why(crd, inventory(crd, request=replace(ALL, managed=True)))


def test_a_definition_that_another_mesh_uses_is_kept_until_the_last_one_goes() -> None:
    crd = artefact("osm-crd", EGRESSES, "shared", count=0, users=(OTHER,))
    assert why(crd, inventory(crd, request=ALL, others=[neighbour()])) == f"{OTHER} uses it"
    assert decide(replace(crd, users=()), inventory(crd, request=ALL)).goes


@pytest.mark.parametrize("what", ["mutating-webhook", "hook", "bootstrap-secrets", "conversion-webhook", "mesh-config", "ca-secret"])
def test_what_nobody_claims_goes_only_on_request(what: str) -> None:
    item = artefact(what, owner="unclaimed")
    assert "orphans" in why(item, inventory(item))
    assert decide(item, inventory(item, request=asked(cluster_wide=frozenset({"orphans"})))).goes


@pytest.mark.parametrize("what", ["enrolled-namespace", "sidecar"])
def test_the_data_plane_of_a_mesh_that_was_not_named_is_left_alone(what: str) -> None:
    item = artefact(what, "shop", "unclaimed")
    assert "mesh_name" in why(item, inventory(item, request=ALL))


def test_a_managed_control_plane_and_its_namespace_stay() -> None:
    found = inventory(
        CONFIG, SERVICE, HOME_NAMESPACE, helm=release((*COMPONENTS, SERVICE)), request=replace(ALL, managed=True, delete_namespace="force")
    )
    assert ids(found) == []
    assert "provider" in why(CONFIG, found)


def test_the_control_plane_stays_while_pods_need_it_and_this_run_has_done_what_it_can() -> None:
    items = (CONFIG, HOME_NAMESPACE, definition())
    request = replace(ALL, delete_namespace="empty")
    left = inventory(*items, leftovers=[bare()], request=request)
    assert ids(left) == []
    assert "still in the mesh" in why(CONFIG, left)
    # Before it has, the plan has all of it, so that it is approved as a whole.
    before = inventory(*items, leftovers=[bare()], namespaces=[enrolled()], tasks=[task()], request=request)
    assert f"delete:MeshConfig/{HOME}/osm-mesh-config" in ids(before)
    assert f"delete:Namespace/{HOME}" in ids(before)


def test_pods_do_not_keep_a_control_plane_that_is_gone() -> None:
    found = inventory(CONFIG, leftovers=[bare()], alive=False)
    assert ids(found) == [f"delete:MeshConfig/{HOME}/osm-mesh-config"]


def test_the_namespace_goes_on_request_and_only_empty_unless_forced() -> None:
    empty, force = asked(delete_namespace="empty"), asked(delete_namespace="force")
    vault = (ObjectRef("StatefulSet", "vault", HOME),)
    assert "delete_namespace" in why(HOME_NAMESPACE, inventory(HOME_NAMESPACE))
    assert ids(inventory(HOME_NAMESPACE, request=empty), phases.NAMESPACE) == [f"delete:Namespace/{HOME}"]
    assert "an object that is not of this mesh" in why(HOME_NAMESPACE, inventory(HOME_NAMESPACE, request=empty, content=vault))
    assert ids(inventory(HOME_NAMESPACE, request=force, content=vault), phases.NAMESPACE) == [f"delete:Namespace/{HOME}"]
    beside = [neighbour(f"{HOME}/blue")]
    assert ids(inventory(HOME_NAMESPACE, request=force, others=beside), phases.NAMESPACE) == []


@pytest.mark.parametrize("name", ["kube-system", "default", "openshift-mesh", "kube-public", "openshift"])
def test_namespaces_of_the_cluster_itself_are_never_deleted(name: str) -> None:
    item = artefact("namespace", name)
    found = inventory(item, request=asked(delete_namespace="force"))
    there = with_subject(found, namespace=name)
    assert ids(there, phases.NAMESPACE) == []


def test_a_namespace_that_is_going_is_awaited() -> None:
    found = inventory(HOME_NAMESPACE, request=asked(delete_namespace="empty"), namespace_terminating=True, alive=False)
    [step] = plan_phase(phases.NAMESPACE, found)
    assert (step.id, step.writes, step.risk) == (f"await:Namespace/{HOME}", False, "none")


@pytest.mark.parametrize("terminating", [False, True])
def test_what_the_end_of_a_namespace_needs_is_asked_for_before_the_first_write(terminating: bool) -> None:
    found = inventory(HOME_NAMESPACE, request=asked(delete_namespace="empty"), namespace_terminating=terminating)
    look = Permission("get", "", "namespaces", HOME, HOME)
    (step,) = plan_phase(phases.NAMESPACE, found)
    assert {item for item in step.permissions if item.verb != "delete"} == {look}
    client = {"clientConfig": {"service": {"namespace": HOME, "name": "osm-bootstrap"}}}
    name = "meshconfigs.config.openservicemesh.io"
    converted = custom_resource(crd(name, "v1alpha2", conversion={"strategy": "Webhook", "webhook": client}))
    (step,) = plan_phase(phases.NAMESPACE, replace(found, observed=replace(found.observed, crds={name: converted})))
    group, plural = "apiextensions.k8s.io", "customresourcedefinitions"
    repair = {Permission("patch", group, plural, "", name), Permission("list", group, plural)}
    assert {item for item in step.permissions if item.verb != "delete"} == {look, *repair}


def test_content_that_a_conversion_hides_is_looked_at_again() -> None:
    hidden = {f"egresses of {HOME}": "conversion webhook failed"}
    request = asked(delete_namespace="empty")
    assert ids(inventory(HOME_NAMESPACE, request=request, unread=hidden), phases.NAMESPACE) == []
    found = inventory(HOME_NAMESPACE, artefact("conversion-webhook", EGRESSES), request=request, unread=hidden)
    assert ids(found, phases.NAMESPACE) == [f"delete:Namespace/{HOME}"]


def test_user_resources_go_after_the_control_plane() -> None:
    vault = artefact("user-resource", "vault", place="vault")
    assert ids(inventory(vault), phases.USER_RESOURCES) == ["delete:StatefulSet/vault/vault"]
    assert "may still need it" in why(vault, inventory(vault, request=asked(parts=frozenset({"cluster_wide"}))))


def test_what_is_named_and_goes_anyway_goes_once() -> None:
    secret = artefact("ca-secret", "osm-ca-bundle")
    twice = artefact("user-resource", "osm-ca-bundle", kind=SECRET)
    assert ids(inventory(secret, twice)).count(f"delete:Secret/{HOME}/osm-ca-bundle") == 1


@pytest.mark.parametrize(
    ("kind", "name", "place"),
    [(NAMESPACE, "default", ""), (DEPLOYMENT, "coredns", "kube-system"), (CLUSTERROLE, "system:node", ""), (NAMESPACE, HOME, "")],
)
def test_the_cluster_s_own_objects_are_not_deleted_because_somebody_named_them(kind: Kind, name: str, place: str) -> None:
    item = artefact("user-resource", name, place=place, kind=kind)
    assert ids(inventory(item), phases.USER_RESOURCES) == []


def test_definitions_are_not_deleted_as_user_resources() -> None:
    crd, twice = definition(count=5), artefact("user-resource", EGRESSES, kind=CRD)
    assert ids(inventory(crd, twice, request=ALL), phases.USER_RESOURCES, phases.DEFINITIONS) == []


def test_the_id_of_a_plan_is_that_of_its_intent() -> None:
    items = (CONFIG, definition(count=0), HOME_NAMESPACE, artefact("bootstrap-secrets", "shop", count=3))
    newer = [replace(item, resource_version="999", count=item.count and item.count + 4) for item in items]
    first, second = (whole_plan(inventory(*some, request=ALL)) for some in (items, newer))
    assert first.id == second.id
    assert first.id != whole_plan(inventory(*items)).id


def test_nothing_to_do_is_an_empty_plan() -> None:
    assert ids(inventory(alive=False)) == []
    assert ids(replace(inventory(alive=False), subject=None)) == []
