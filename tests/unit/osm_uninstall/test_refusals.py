# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When an uninstallation does not begin, and what its reader is told before it does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CRD, NAMESPACE, STATEFULSET
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import ReleaseRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory, UninstallRequest, UserResource
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_findings import findings, notes
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_refusals import refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_plan import RefreshPlan
from ansible_collections.meshops.lifecycle.tests.unit.osm_uninstall.plan_scenes import (
    COMPONENTS,
    CONFIG,
    HOME,
    HOME_NAMESPACE,
    OTHER,
    artefact,
    bare,
    enrolled,
    inventory,
    neighbour,
    release,
    task,
    with_subject,
)

VAULT = ObjectRef("StatefulSet", "vault", HOME)
EGRESSES = "egresses.policy.openservicemesh.io"


def asked(**fields: Any) -> UninstallRequest:
    """What the user wants of mesh ``osm``."""
    return UninstallRequest(**{"mesh_name": "osm", "confirm": "osm", **fields})


def codes(found: Inventory, *, check: bool = False) -> list[str]:
    """The codes of all refusals."""
    return [item.code for item in refusals(found, check=check)]


def told(found: Inventory) -> list[str]:
    """The codes of all findings."""
    return [item.code for item in findings(found)]


def test_a_mesh_that_can_go_is_not_refused() -> None:
    everything = inventory(
        CONFIG, HOME_NAMESPACE, helm=release(COMPONENTS), namespaces=[enrolled()], tasks=[task()], request=asked(delete_namespace="empty")
    )
    assert codes(everything) == []


def test_it_wants_the_name_a_second_time_but_not_in_check_mode() -> None:
    found = inventory(CONFIG, request=asked(confirm=""))
    assert codes(found) == ["confirm-missing"]
    assert "confirm: osm" in refusals(found)[0].next
    assert codes(found, check=True) == []


def test_a_wrong_name_is_told_in_check_mode_as_well() -> None:
    found = inventory(CONFIG, request=asked(confirm="blue"))
    assert codes(found, check=True) == codes(found) == ["confirm-wrong"]


def test_nothing_to_do_needs_no_confirmation() -> None:
    assert codes(inventory(alive=False, request=asked(confirm=""))) == []
    nobody = replace(inventory(alive=False, request=UninstallRequest()), subject=None, sidecars=None)
    assert codes(nobody) == []
    assert told(nobody) == ["no-mesh"]


def test_what_nobody_claims_is_not_removed_without_a_confirmation_either() -> None:
    stray = artefact("mutating-webhook", owner="unclaimed")
    request = UninstallRequest(cluster_wide=frozenset({"orphans"}))
    found = replace(inventory(stray, alive=False, request=request), subject=None, sidecars=None)
    assert codes(found) == ["confirm-missing"]


@pytest.mark.parametrize("fields", [{"remove_sidecars": False}, {"parts": frozenset({"control_plane"})}])
def test_the_control_plane_does_not_go_from_under_sidecars_that_are_left_alone(fields: dict[str, Any]) -> None:
    found = inventory(CONFIG, namespaces=[enrolled()], tasks=[task()], request=asked(**fields))
    [refusal] = refusals(found)
    assert refusal.code == "sidecars-left"
    assert "1 pod has a sidecar and 1 namespace is marked" in refusal.what
    assert "remove_sidecars: true" in refusal.next


def test_leaving_sidecars_alone_is_fine_without_a_control_plane_to_remove() -> None:
    parts = asked(remove_sidecars=False, parts=frozenset({"sidecars", "cluster_wide"}))
    assert codes(inventory(CONFIG, namespaces=[enrolled()], tasks=[task()], request=parts)) == []
    gone = inventory(CONFIG, namespaces=[enrolled()], tasks=[task()], alive=False, request=asked(remove_sidecars=False))
    assert codes(gone) == []
    assert [item.code for item in notes(gone)] == ["sidecars-without-control-plane"]


def test_pods_that_cannot_be_replaced_are_told_first_and_refused_when_they_are_all_that_is_left() -> None:
    first = inventory(CONFIG, namespaces=[enrolled()], tasks=[task()], leftovers=[bare()])
    assert codes(first) == []
    assert "sidecars-stay" in told(first)
    [refusal] = refusals(inventory(CONFIG, leftovers=[bare()]))
    assert refusal.code == "sidecars-left"
    assert "Pod shop/debug: it has no controller; delete it" in refusal.next


def test_unknown_sidecars_are_as_good_as_sidecars() -> None:
    found = inventory(CONFIG, sidecars=None, unread={"data plane": "not allowed to list pods"})
    [refusal] = refusals(found)
    assert refusal.code == "sidecars-unknown"
    assert "not allowed to list pods" in refusal.why


def test_refusals_of_the_removal_of_sidecars_are_told_with_the_others() -> None:
    other = Refusal("invalid-order", ObjectRef("Mesh", "osm"), "what", "why", "state", "next")
    found = inventory(CONFIG, sidecars=RefreshPlan(refusals=(other,)))
    assert codes(found) == ["invalid-order"]
    assert codes(replace(found, request=asked(remove_sidecars=False))) == []


@pytest.mark.parametrize("name", ["kube-system", "default", "openshift-mesh"])
@pytest.mark.parametrize("how", ["empty", "force"])
def test_namespaces_of_the_cluster_itself_are_refused(name: str, how: Any) -> None:
    found = inventory(CONFIG, artefact("namespace", name), request=asked(delete_namespace=how))
    assert codes(with_subject(found, namespace=name)) == ["namespace-protected"]


def test_a_namespace_that_holds_something_else_is_refused_with_a_list_unless_forced() -> None:
    found = inventory(CONFIG, HOME_NAMESPACE, content=(VAULT,), request=asked(delete_namespace="empty"))
    [refusal] = refusals(found)
    assert refusal.code == "namespace-not-empty"
    assert f"StatefulSet {HOME}/vault" in refusal.what
    forced = replace(found, request=asked(delete_namespace="force"))
    assert codes(forced) == []
    assert "namespace-content-lost" in told(forced)
    assert codes(replace(found, namespace_terminating=True)) == []


def test_a_namespace_whose_content_is_not_known_is_not_taken_for_empty() -> None:
    unread = {f"secrets of {HOME}": "not allowed to list secrets"}
    found = inventory(CONFIG, HOME_NAMESPACE, unread=unread, request=asked(delete_namespace="empty"))
    assert codes(found) == ["namespace-content-unknown"]
    hidden = {f"egresses of {HOME}": "conversion webhook failed"}
    conversion = artefact("conversion-webhook", EGRESSES)
    assert codes(inventory(conversion, HOME_NAMESPACE, unread=hidden, request=asked(delete_namespace="empty"))) == []


def test_a_namespace_with_another_control_plane_is_refused_even_by_force() -> None:
    found = inventory(CONFIG, HOME_NAMESPACE, others=[neighbour(f"{HOME}/blue")], request=asked(delete_namespace="force"))
    assert codes(found) == ["namespace-of-another-mesh"]


def test_a_namespace_whose_control_plane_stays_is_refused() -> None:
    request = asked(delete_namespace="force", parts=frozenset({"namespace"}))
    assert codes(inventory(CONFIG, HOME_NAMESPACE, request=request)) == ["namespace-in-use"]
    assert codes(inventory(HOME_NAMESPACE, request=request, alive=False)) == []


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        pytest.param([], ["namespace-not-of-mesh"], id="nothing"),
        pytest.param([artefact("bootstrap-secrets", "shop")], ["namespace-not-of-mesh"], id="Secrets of applications"),
        pytest.param([artefact("pod-template-annotation", place=HOME)], ["namespace-not-of-mesh"], id="an application in it"),
        pytest.param([artefact("service", "osm-injector", place="shop")], ["namespace-not-of-mesh"], id="something elsewhere"),
        pytest.param([artefact("ca-secret", "osm-ca-bundle")], [], id="its CA Secret"),
        pytest.param([artefact("mutating-webhook", state={"services": [f"{HOME}/osm-injector"]})], [], id="a webhook that leads there"),
        pytest.param([artefact("conversion-webhook", EGRESSES, state={"service": f"{HOME}/osm-bootstrap"})], [], id="a conversion"),
    ],
)
def test_a_namespace_without_a_trace_of_the_mesh_is_not_forced(items: list[Artefact], expected: list[str]) -> None:
    """With a mistaken mesh_namespace it would be an application that goes."""
    request = asked(delete_namespace="force", namespace=HOME)
    found = inventory(HOME_NAMESPACE, *items, content=(VAULT,), alive=False, request=request)
    assert codes(with_subject(found, mesh=None, version="1.3.9", release=None)) == expected


def test_what_an_unfinished_run_remembers_is_a_trace() -> None:
    found = inventory(HOME_NAMESPACE, content=(VAULT,), alive=False, request=asked(delete_namespace="force", namespace=HOME))
    assert codes(with_subject(found, mesh=None, version="", release=ReleaseRef("osm", HOME))) == []
    assert codes(with_subject(found, mesh=None, version="", release=ReleaseRef("osm", "elsewhere"))) == ["namespace-not-of-mesh"]
    unnamed = replace(found, request=asked(delete_namespace="force"))
    assert codes(with_subject(unnamed, mesh=None, version="", release=None)) == []


def test_a_release_that_has_more_than_the_mesh_is_refused_unless_all_of_it_is_named() -> None:
    shop = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "shop", "namespace": "shop"}}
    crd = {
        "apiVersion": CRD.api_version,
        "kind": CRD.kind,
        "metadata": {"name": EGRESSES, "labels": {"app.kubernetes.io/name": "openservicemesh.io"}},
    }
    umbrella = release(COMPONENTS, more=[shop, crd])
    [refusal] = refusals(inventory(CONFIG, helm=umbrella))
    assert refusal.code == "release-holds-more"
    assert "StatefulSet shop/shop" in refusal.what
    assert EGRESSES in refusal.what
    both = (UserResource(STATEFULSET, "shop", "shop"), UserResource(CRD, EGRESSES))
    assert codes(inventory(CONFIG, helm=umbrella, request=asked(user_resources=both))) == []


@pytest.mark.parametrize(
    ("name", "own", "expected"),
    [
        # As charts are used to: after the release and the sub-chart.
        ("osm-vault", {"app.kubernetes.io/name": "vault"}, ["release-holds-more"]),
        ("osm-dashboards", {}, ["release-holds-more"]),
        ("preset-mesh-config", {}, []),
        ("osm-prometheus-server-conf", {}, []),
        ("osm-anything", {"app.kubernetes.io/name": "openservicemesh.io"}, []),
    ],
)
def test_what_of_a_release_is_the_mesh_s_is_not_told_by_how_it_begins(name: str, own: dict[str, str], expected: list[str]) -> None:
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": HOME, "labels": own}}
    assert codes(inventory(CONFIG, helm=release(COMPONENTS, more=[item]))) == expected


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (artefact("user-resource", "coredns", place="kube-system"), "user-resource-protected"),
        (artefact("user-resource", "kube-public", kind=NAMESPACE), "user-resource-protected"),
        (artefact("user-resource", HOME, kind=NAMESPACE), "user-resource-has-option"),
        (artefact("user-resource", "blue-system", kind=NAMESPACE), "user-resource-of-another-mesh"),
        (artefact("user-resource", "theirs", state={"release": "vault/vault"}), "user-resource-of-another-release"),
    ],
)
def test_what_was_named_is_refused_when_it_is_not_the_user_s_to_give(item: Artefact, code: str) -> None:
    found = inventory(item, others=[neighbour()])
    assert codes(found) == [code]


def test_what_was_named_and_is_another_mesh_s_is_refused() -> None:
    theirs = artefact("service", "osm-injector", "other", users=(OTHER,))
    item = artefact("user-resource", "osm-injector", kind=theirs.kind)
    assert codes(inventory(theirs, item)) == ["user-resource-of-another-mesh"]


def test_what_the_mesh_s_own_release_has_may_be_named() -> None:
    item = artefact("user-resource", "vault", state={"release": f"{HOME}/osm"})
    assert codes(inventory(item, helm=release(COMPONENTS))) == []


def test_removing_sidecars_while_egress_is_restricted_is_told() -> None:
    found = inventory(CONFIG, namespaces=[enrolled()], tasks=[task()])
    assert "egress-restricted" not in told(found)
    closed = inventory(CONFIG, namespaces=[enrolled()], tasks=[task()], egress=False)
    assert "egress-restricted" in told(closed)
    assert {"traffic-unprotected", "order-unknown"} <= {*told(closed)}


def test_a_dead_webhook_and_a_hook_that_hangs_are_told() -> None:
    hook = artefact("mutating-webhook", state={"fails_closed": True, "endpoints": 0})
    job = artefact("hook", "osm-cleanup", state={"job": "running"})
    found = inventory(hook, job, namespaces=[enrolled()], tasks=[task()])
    assert {"webhook-dead", "hook-running"} <= {*told(found)}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"sidecars", "control_plane"}, "it is deleted before the first restart"),
        ({"sidecars"}, "each namespace leaves the mesh before its first restart"),
    ],
)
def test_a_dead_webhook_that_stays_is_not_said_to_go(parts: set[str], words: str) -> None:
    hook = artefact("mutating-webhook", state={"fails_closed": True, "endpoints": 0})
    found = inventory(hook, namespaces=[enrolled()], tasks=[task()], request=asked(parts=frozenset(parts)))
    (dead,) = (item for item in findings(found) if item.code == "webhook-dead")
    assert words in dead.remedy


def test_a_webhook_of_a_user_that_will_lead_nowhere_is_told() -> None:
    state = {"fails_closed": True, "endpoints": 1, "services": [f"{HOME}/osm-injector", "shop/mine"]}
    hook = artefact("mutating-webhook", "shop-injection", "other", state=state)
    (finding,) = (item for item in findings(inventory(hook)) if item.code == "webhook-dead")
    assert f"leads to Service {HOME}/osm-injector" in finding.what
    harmless = replace(hook, state={**state, "fails_closed": False})
    elsewhere = replace(hook, state={**state, "services": ["shop/mine"]})
    assert "webhook-dead" not in {*told(inventory(harmless)), *told(inventory(elsewhere))}
    assert "webhook-dead" not in told(inventory(hook, request=asked(parts=frozenset({"sidecars"}))))


def test_a_namespace_that_nothing_names_any_more_has_to_be_named() -> None:
    gone = replace(inventory(request=asked(delete_namespace="empty")), subject=None)
    (finding,) = (item for item in findings(gone) if item.code == "no-mesh")
    assert "mesh_namespace" in finding.remedy
    (finding,) = (item for item in findings(replace(gone, request=asked())) if item.code == "no-mesh")
    assert finding.remedy == "nothing"


def test_what_stays_although_it_could_go_is_offered() -> None:
    crd = artefact("osm-crd", EGRESSES, "unclaimed", count=0, state={"used_by_mesh": True})
    stray = artefact("mutating-webhook", owner="unclaimed")
    assert {"definitions-unused", "orphans-found"} <= {*told(inventory(crd, stray))}
    everything = asked(cluster_wide=frozenset({"all"}))
    assert not {"definitions-unused", "orphans-found"} & {*told(inventory(crd, stray, request=everything))}
    used = replace(crd, count=2)
    assert "custom-resources-left" in told(inventory(used, request=everything))
    unknown = replace(crd, count=None, unknown="not allowed")
    assert "custom-resources-uncounted" in told(inventory(unknown, request=everything))
    shared = replace(crd, owner="shared", users=(OTHER,))
    assert "definitions-shared" in told(inventory(shared, request=everything))


def test_a_managed_environment_a_missing_release_and_a_missing_object_are_told() -> None:
    assert "managed-environment" in told(inventory(CONFIG, request=asked(managed=True)))
    assert "release-missing" in told(inventory(CONFIG))
    assert "release-pending" in told(inventory(CONFIG, helm=release(COMPONENTS, status="pending-upgrade")))
    request = asked(user_resources=(UserResource(STATEFULSET, "vault", "vault"),))
    assert "user-resource-missing" in told(inventory(CONFIG, request=request))
    assert "not-read" in told(inventory(CONFIG, unread={"data plane": "not allowed"}))
    assert "namespace-terminating" in told(inventory(HOME_NAMESPACE, namespace_terminating=True))
