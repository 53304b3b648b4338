# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_uninstall on each member of the family, on several meshes in one cluster, and after others have tried.

What is left, and that nothing of others is touched, is seen by listing the whole cluster before and after.
"""

from __future__ import annotations

import pytest
from cluster_look import Thing, look
from failures import assert_told, unchanged
from mesh_clusters import MESH, Mesh, MeshCluster, eventually, told
from sandboxlib.rollouts import unready
from uninstall_cases import (
    EDGE,
    EVERYTHING,
    FSM,
    OLDEST,
    SECOND,
    UPSTREAM,
    Plane,
    beside,
    definitions,
    done,
    empty_namespace,
    gone,
    hook_image,
    left,
    names,
    of_others,
    outcomes,
    planned,
    reconciled,
    sidecars,
    stored_as_before,
    uninstall,
    uninstalled_by_helm,
    untouched,
    upgraded,
    with_a_hook_that,
)
from uninstall_neighbours import Neighbours

WEBHOOKS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")


def test_a_live_mesh_goes_and_what_may_be_shared_stays_until_it_is_asked_for(mesh_cluster: MeshCluster) -> None:
    """With the reconciler on, which brings back what is deleted too early. What was kept can be deleted when no mesh is left (T9)."""
    cluster = mesh_cluster.reset(EDGE)
    reconciled(mesh_cluster)
    plane = Plane(mesh_cluster, EDGE).make()
    others = Neighbours("live").make(cluster)
    # A bare pod is only named, and the control plane stays as long as there is one.
    assert_told(uninstall(mesh_cluster, confirm="osm"), "shop/debug", "bare_pods", cluster=cluster)
    assert plane.sidecars() == ["shop/debug"]
    assert unready(cluster.api, "osm-system") == []
    before, after = gone(mesh_cluster, EDGE, plane, bare_pods="recreate")
    assert plane.sidecars() == []
    in_template = {kind: after.of(kind, plane.opted) for kind in ("deployments.apps", "replicasets.apps", "pods")}
    kept = definitions(after) | empty_namespace("osm-system") | others.things | {thing for found in in_template.values() for thing in found}
    assert left(mesh_cluster, kept) == []
    assert len(after.of("customresourcedefinitions.apiextensions.k8s.io").keys() & definitions(after)) >= 19
    assert of_others(before, after, others, *plane.names) == []

    # Nothing tells any more where the mesh was, so the namespace has to be named, and it goes only because it is empty.
    later = {**EVERYTHING, "mesh_namespace": "osm-system", "delete_namespace": "true"}
    before, after = gone(mesh_cluster, EDGE, plane, **later)
    assert left(mesh_cluster, others.things) == []
    assert of_others(before, after, others, *plane.names) == []


def test_the_oldest_with_its_conversion_webhook(mesh_cluster: MeshCluster) -> None:
    """A live bootstrap of 1.1 would put the conversion back; with the conversion, the namespace would never end."""
    cluster = mesh_cluster.reset(OLDEST)
    stored_as_before(mesh_cluster)
    plane = Plane(mesh_cluster, OLDEST).make()
    others = Neighbours("oldest").make(cluster)
    before, after = gone(mesh_cluster, OLDEST, plane, **EVERYTHING)
    assert left(mesh_cluster, others.things) == []
    assert of_others(before, after, others, *plane.names) == []


def test_what_helm_leaves_of_a_mesh_that_was_upgraded(mesh_cluster: MeshCluster) -> None:
    """The chart's cleanup hook looks for webhooks by the label of the version (T11): they stay, and refuse every pod."""
    cluster = mesh_cluster.reset(OLDEST)
    upgraded(mesh_cluster, "1.2.3")
    plane = Plane(mesh_cluster, Mesh("1.2.3")).make()
    uninstalled_by_helm(mesh_cluster, "--timeout", "60s")
    assert [names(mesh_cluster, kind) for kind in WEBHOOKS] == [["osm-webhook-osm"], ["osm-validator-mesh-osm"]]
    others = Neighbours("leaked").make(cluster)
    before, after = gone(mesh_cluster, MESH, plane, **EVERYTHING)
    assert left(mesh_cluster, others.things) == []
    assert of_others(before, after, others, *plane.names) == []


def test_upstream(mesh_cluster: MeshCluster) -> None:
    cluster = mesh_cluster.reset(UPSTREAM)
    plane = Plane(mesh_cluster, UPSTREAM).make()
    others = Neighbours("upstream").make(cluster)
    before, after = gone(mesh_cluster, UPSTREAM, plane, **EVERYTHING)
    assert left(mesh_cluster, others.things) == []
    assert of_others(before, after, others, *plane.names) == []


def test_what_several_meshes_share_goes_with_the_last_of_them(mesh_cluster: MeshCluster) -> None:
    """Two of osm-edge and one of FSM, taken out one after the other, each time with everything that may go."""
    cluster = mesh_cluster.reset(EDGE)
    beside(mesh_cluster, SECOND, FSM)
    prefixes = {EDGE: "first-", SECOND: "second-", FSM: "third-"}
    planes = {mesh: Plane(mesh_cluster, mesh, prefix).make(bare=False) for mesh, prefix in prefixes.items()}
    others = Neighbours("several").make(cluster)

    before, after = gone(mesh_cluster, EDGE, planes[EDGE], others=True, **EVERYTHING)
    assert not cluster.api.exists("/api/v1/namespaces/osm-system")
    mine = set(planes[EDGE].names) | {"osm-system"}
    theirs = {thing for thing in before.objects if thing.namespace not in mine and not _is_of(thing, EDGE, mine)}
    # Among them all definitions: the other mesh of osm-edge uses them.
    assert theirs >= {thing for thing in definitions(before) if not thing.namespace}
    assert untouched(before, after, theirs) == []

    before, after = gone(mesh_cluster, SECOND, planes[SECOND], others=True, **EVERYTHING)
    assert untouched(before, after, definitions(before, ".smi-spec.io", ".plugin.flomesh.io")) == [], "FSM uses them"
    eventually(lambda: not definitions(look(cluster), ".openservicemesh.io"), "definitions that nobody uses stay")
    assert untouched(before, after, {thing for thing in before.objects if thing.namespace in {"fsm-system", *planes[FSM].names}}) == []

    before, after = gone(mesh_cluster, FSM, planes[FSM], **EVERYTHING)
    # FSM has put its label on the Gateway API, which is everybody's.
    assert left(mesh_cluster, others.things | definitions(after, ".gateway.networking.k8s.io")) == []
    assert of_others(before, after, others, *planes[FSM].names) == []


def _is_of(thing: Thing, mesh: Mesh, namespaces: set[str]) -> bool:
    """Whether something cluster-wide is of a mesh with this name, release and namespaces, or written all the time."""
    own = {mesh.release, f"osm-webhook-{mesh.name}", f"osm-validator-mesh-{mesh.name}", *namespaces}
    kept_alive = thing.resource == "leases.coordination.k8s.io" and thing.namespace.startswith("kube-")
    return (not thing.namespace and thing.name in own) or thing.resource == "ipaddresses.networking.k8s.io" or kept_alive


@pytest.mark.parametrize("what", ["hangs", "fails"])
def test_a_cleanup_hook_that(mesh_cluster: MeshCluster, what: str) -> None:
    """The release is gone although its hook did nothing, so that nobody can uninstall it a second time."""
    cluster = mesh_cluster.reset(MESH)
    with_a_hook_that(mesh_cluster, what)
    plane = Plane(mesh_cluster, MESH).make()
    uninstalled_by_helm(mesh_cluster, "--timeout", "2s")
    assert hook_image(mesh_cluster)
    others = Neighbours(what).make(cluster)
    # First without the namespace: what the hook should have deleted goes nevertheless.
    before, after = gone(mesh_cluster, MESH, plane, bare_pods="recreate", edit_pod_templates=True)
    assert left(mesh_cluster, definitions(after) | empty_namespace("osm-system") | others.things) == []
    assert of_others(before, after, others, *plane.names) == []


def test_uninstalled_by_hand_and_the_namespace_stuck_since_yesterday(mesh_cluster: MeshCluster) -> None:
    """Without its hooks the conversion stays, so that a namespace with an object in an older version never ends."""
    cluster = mesh_cluster.reset(OLDEST)
    stored_as_before(mesh_cluster)
    plane = Plane(mesh_cluster, OLDEST).make(bare=False)
    uninstalled_by_helm(mesh_cluster, "--no-hooks")
    cluster.kubectl("delete", "namespace", "osm-system", "--wait=false")
    path = "/api/v1/namespaces/osm-system"

    def stuck() -> bool:
        conditions = mesh_cluster.get(path)["status"].get("conditions", [])
        return any("conversion webhook" in item["message"] for item in conditions if item["status"] == "True")

    eventually(stuck, "the namespace is not stuck", 60)
    others = Neighbours("stuck").make(cluster)
    # Several things name a mesh that is not there any more: which one is meant has to be said, and is offered.
    offered = planned(mesh_cluster)
    assert (offered["changed"], offered["steps"]) == (False, [])
    assert "osm" in next(item["remedy"] for item in offered["findings"] if item["code"] == "orphans-found")
    plan = planned(mesh_cluster, mesh_name="osm", edit_pod_templates=True)["plan"]
    # That the namespace goes nobody asks: somebody has already deleted it.
    result = done(uninstall(mesh_cluster, confirm="osm", edit_pod_templates=True, expected_plan_id=plan["id"]))
    assert outcomes(result)["strip_conversion:CustomResourceDefinition/meshconfigs.config.openservicemesh.io"] == "done"
    eventually(lambda: not cluster.api.exists(path), "the namespace does not end", 60)
    assert sidecars(cluster, plane.shop) == []
    with unchanged(cluster):
        again = uninstall(mesh_cluster, confirm="osm")
    assert not again.get("failed"), told(again)
    assert not again["changed"]
    done(uninstall(mesh_cluster, mesh_name="osm", confirm="osm", **EVERYTHING))
    assert left(mesh_cluster, others.things) == []
