# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of a cluster, and what is not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads import refresh_reading
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import TOKEN, Options
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import Scope
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_reading import read_scope
from ansible_collections.meshops.lifecycle.tests.unit.kube.conftest import Reply, Request, ScriptedServer, failure, server
from ansible_collections.meshops.lifecycle.tests.unit.refresh_plan.scenes import RULES, A

__all__ = ["server"]
Object = dict[str, Any]


class Cluster:
    """Answers lists, reads and label selectors of the form key=value; ``denied`` resources are forbidden."""

    def __init__(self, objects: Iterable[tuple[str, Object]], *, denied: Iterable[str] = ()) -> None:
        self.objects = [*objects]
        self.denied = {*denied}
        self.asked: list[str] = []

    def __call__(self, request: Request) -> Reply:
        parts = request.path.split("/")
        if parts[1] == "apis" and len(parts) == 4:
            return (
                Reply(200, {"resources": [{"kind": "CloneSet", "name": "clonesets", "namespaced": True}]})
                if "kruise" in parts[2]
                else gone()
            )
        namespaced = "namespaces" in parts[:-1]
        at = parts.index("namespaces") + 2 if namespaced and len(parts) > parts.index("namespaces") + 2 else (3 if parts[1] == "api" else 4)
        resource, name = parts[at], "/".join(parts[at + 1 :])
        namespace = parts[at - 1] if namespaced and resource != "namespaces" else ""
        self.asked.append(f"{'get' if name else 'list'} {resource}{' of ' + namespace if namespace else ''}")
        if resource in self.denied:
            message = f'forbidden: User "u" cannot get resource "{resource}" in API group "" in the namespace "{namespace}"'
            return failure(403, "Forbidden", message)
        found = [item for kind, item in self.objects if kind == resource and namespace in ("", item["metadata"].get("namespace"))]
        if name:
            match = [item for item in found if item["metadata"]["name"] == name]
            return Reply(200, match[0]) if match else gone()
        key, _equals, value = request.query.get("labelSelector", "").partition("=")
        found = [item for item in found if not key or (item["metadata"].get("labels") or {}).get(key) == value]
        return Reply(200, {"metadata": {}, "items": found})


def gone() -> Reply:
    return failure(404, "NotFound", "not found")


def namespace(name: str, **labels: str) -> tuple[str, Object]:
    return "namespaces", {"metadata": {"name": name, "uid": name, "labels": labels}}


def pod(name: str, verdict: str = "stale", owner: Object | None = None, place: str = "shop", **metadata: Any) -> tuple[str, Object]:
    labels = {"verdict": verdict, "pod-template-hash": "5d4f", **metadata.pop("labels", {})}
    references = [{**owner["ref"], "controller": True}] if owner is not None else []
    created = "2026-01-01T00:00:00Z"
    data = {"name": name, "namespace": place, "uid": f"{place}/{name}", "labels": labels, "creationTimestamp": created, **metadata}
    return "pods", {
        "metadata": {**data, "ownerReferences": references, "managedFields": [{}]},
        "spec": {"containers": [{"name": "app"}]},
        "status": {"phase": metadata.get("phase", "Running")},
    }


def owner(
    kind: str, name: str = "web", by: Object | None = None, place: str = "shop", api_version: str = "apps/v1", **metadata: Any
) -> Object:
    uid = f"{place}/{kind}/{name}"
    item = {
        "metadata": {"name": name, "namespace": place, "uid": uid, "generation": 1, **metadata},
        "spec": {"replicas": 2, "template": {"metadata": {}, "spec": {}}},
        "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2},
    }
    if by is not None:
        item["metadata"]["ownerReferences"] = [{**by["ref"], "controller": True}]
    return {"ref": {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid}, "item": item}


def stored(resource: str, made: Object) -> tuple[str, Object]:
    return resource, made["item"]


REVISION = {"deployment.kubernetes.io/revision": "4"}


def a_deployment(name: str = "web", place: str = "shop") -> tuple[Object, Object]:
    """A Deployment and its ReplicaSet."""
    top = owner("Deployment", name, place=place, annotations=REVISION)
    return top, owner("ReplicaSet", f"{name}-5d4f", by=top, place=place, annotations=REVISION, labels={"pod-template-hash": "5d4f"})


def read(server: ScriptedServer, cluster: Cluster, options: Options = Options()) -> Scope:  # noqa: B008  (frozen)
    server.answer = cluster
    return read_scope(server.api(), RULES, options)


def test_everything_that_is_in_the_mesh_or_has_a_sidecar(server: ScriptedServer) -> None:
    top, replicas = a_deployment()
    cluster = Cluster(
        [
            namespace("shop", mesh="mesh"),
            namespace("empty", mesh="mesh", tier="front"),
            namespace("left", tier="back"),
            namespace("other"),
            namespace("mesh-system", mesh="mesh"),
            pod("web-5d4f-a", owner=replicas),
            pod("web-5d4f-b", "current", owner=replicas),
            pod("old", "unexpected", place="left"),
            pod("plain", "outside", place="other"),
            pod("controller", place="mesh-system"),
            pod("done", phase="Succeeded"),
            pod("leaving", deletionTimestamp="2026-01-01T00:00:00Z"),
            stored("replicasets", replicas),
            stored("deployments", top),
        ]
    )
    scope = read(server, cluster)
    assert {name: labels.get("tier") for name, labels in scope.namespaces.items()} == {"empty": "front", "left": "back", "shop": None}
    assert sorted(pod.name for pod in scope.pods) == ["old", "web-5d4f-a", "web-5d4f-b"]
    (web,) = scope.workloads.values()
    assert (str(web.ref), web.revision, web.token) == ("Deployment shop/web", "5d4f", "")
    assert scope.newest == "2026-01-01T00:00:00Z"
    assert sorted(cluster.asked) == ["get deployments of shop", "get replicasets of shop", "list namespaces", "list pods"]


def test_owners_of_pods_that_are_fine_are_not_read(server: ScriptedServer) -> None:
    _top, replicas = a_deployment()
    cluster = Cluster([namespace("shop", mesh="mesh"), pod("a", "current", owner=replicas)])
    assert read(server, cluster).owners == {}
    assert sorted(cluster.asked) == ["list namespaces", "list pods"]


def test_a_pod_with_our_annotation_is_kept_and_its_owner_read(server: ScriptedServer) -> None:
    top, replicas = a_deployment()
    carried = pod("a", "outside", owner=replicas, annotations={TOKEN: A})
    scope = read(server, Cluster([namespace("shop"), carried, stored("replicasets", replicas), stored("deployments", top)]))
    assert [pod.token for pod in scope.pods] == [A]
    assert len(scope.workloads) == 1


def test_named_namespaces_are_listed_one_by_one(server: ScriptedServer) -> None:
    cluster = Cluster([namespace("shop"), namespace("stock"), namespace("mail"), pod("a"), pod("b", place="stock"), pod("c", place="mail")])
    scope = read(server, cluster, Options(namespaces=("shop", "stock")))
    assert [*scope.namespaces] == ["shop", "stock"]
    assert sorted(pod.name for pod in scope.pods) == ["a", "b"]
    assert sorted(cluster.asked) == ["list namespaces", "list pods of shop", "list pods of stock"]


def test_what_has_no_effect_is_told(server: ScriptedServer) -> None:
    cluster = Cluster([namespace("shop", mesh="mesh"), namespace("stock"), namespace("mail"), pod("a", place="stock")])
    options = Options(namespaces=("shop", "stock", "mail"), exclude_namespaces=("shopp",))
    assert [(item.code, item.object.name) for item in read(server, cluster, options).findings] == [
        ("namespace-not-in-mesh", "mail"),
        ("matches-nothing", "exclude_namespaces"),
    ]


def test_selected_namespaces_and_pods(server: ScriptedServer) -> None:
    cluster = Cluster([namespace("shop", team="a"), namespace("stock"), pod("a", labels={"app": "x"}), pod("b"), pod("c", place="stock")])
    scope = read(server, cluster, Options(namespace_selector="team=a", selector="app=x"))
    assert [pod.name for pod in scope.pods] == ["a"]


def test_a_namespace_that_is_missing_is_refused_before_pods_are_read(server: ScriptedServer) -> None:
    cluster = Cluster([namespace("shop")])
    scope = read(server, cluster, Options(namespaces=("shoop",)))
    assert [refusal.code for refusal in scope.refusals] == ["namespace-missing"]
    assert cluster.asked == ["list namespaces"]


def test_many_namespaces_are_listed_together(server: ScriptedServer) -> None:
    names = [f"n{number:02}" for number in range(25)]
    cluster = Cluster([*(namespace(name) for name in names), namespace("other"), *(pod("a", place=name) for name in [*names, "other"])])
    scope = read(server, cluster, Options(namespaces=tuple(names)))
    assert len(scope.pods) == 25
    assert sorted(cluster.asked) == ["list namespaces", "list pods"]


def test_many_owners_are_listed(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh_reading, "_SINGLE_OBJECTS", 2)
    made = [a_deployment(f"app{number}") for number in range(5)]
    cluster = Cluster(
        [
            namespace("shop"),
            *(pod(f"app{number}-a", owner=replicas) for number, (_top, replicas) in enumerate(made)),
            *(stored("replicasets", replicas) for _top, replicas in made[:4]),
            *(stored("deployments", top) for top, _replicas in made),
        ]
    )
    scope = read(server, cluster)
    assert len(scope.workloads) == 4
    # What the list did not have is asked for by name before it counts as gone.
    assert sorted(cluster.asked) == [
        "get replicasets of shop",
        "list deployments of shop",
        "list namespaces",
        "list pods",
        "list replicasets of shop",
    ]
    assert [item.ref.name for item in scope.owners.values() if item.state == "gone"] == ["app4-5d4f"]


def test_a_replica_set_without_owner_is_read_whole(server: ScriptedServer) -> None:
    alone = owner("ReplicaSet", "alone")
    scope = read(server, Cluster([namespace("shop"), pod("a", owner=alone), stored("replicasets", alone)]))
    assert [str(item.ref) for item in scope.workloads.values()] == ["ReplicaSet shop/alone"]


def test_unknown_kinds_are_climbed(server: ScriptedServer) -> None:
    clones = owner("CloneSet", "clones", api_version="apps.kruise.io/v1alpha1")
    unserved = owner("Thing", "thing", api_version="example.com/v1")
    cluster = Cluster([namespace("shop"), pod("a", owner=clones), pod("b", owner=unserved), stored("clonesets", clones)])
    states = {item.ref.kind: item.state for item in read(server, cluster).owners.values()}
    assert states == {"CloneSet": "found", "Thing": "gone"}


def test_another_object_of_the_same_name_is_not_the_owner(server: ScriptedServer) -> None:
    alone = owner("ReplicaSet", "alone")
    impostor = {**alone["item"], "metadata": {**alone["item"]["metadata"], "uid": "another"}}
    scope = read(server, Cluster([namespace("shop"), pod("a", owner=alone), ("replicasets", impostor)]))
    assert [item.state for item in scope.owners.values()] == ["gone"]


def test_what_may_not_be_read_is_told(server: ScriptedServer) -> None:
    alone = owner("ReplicaSet", "alone")
    scope = read(server, Cluster([namespace("shop"), pod("a", owner=alone)], denied=["replicasets"]))
    assert [item.state for item in scope.owners.values()] == ["unread"]
    assert scope.unread == ("get replicasets in namespace shop",)


def test_bare_pods_are_kept_whole_only_when_they_may_be_created_again(server: ScriptedServer) -> None:
    cluster = Cluster([namespace("shop"), pod("bare"), pod("fine", "current")])
    assert read(server, cluster).bare == {}
    bare = read(server, cluster, Options(recreate_bare_pods=True)).bare
    assert [*bare] == ["shop/bare"]
    assert "managedFields" not in bare["shop/bare"]["metadata"]
    assert bare["shop/bare"]["spec"] == {"containers": [{"name": "app"}]}


def test_an_argo_rollout_with_its_template_in_a_deployment(server: ScriptedServer) -> None:
    source = owner("Deployment", "source")
    source["item"]["spec"]["template"] = {"metadata": {"labels": {"app": "source"}}, "spec": {}}
    top = owner("Rollout", "canary", api_version="argoproj.io/v1alpha1")
    top["item"]["spec"] = {"replicas": 2, "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "source"}}
    replicas = owner("ReplicaSet", "canary-9b", by=top)
    cluster = Cluster(
        [
            namespace("shop"),
            pod("a", owner=replicas),
            stored("replicasets", replicas),
            stored("rollouts", top),
            stored("deployments", source),
        ]
    )
    (found,) = read(server, cluster).workloads.values()
    assert found.template["metadata"] == {"labels": {"app": "source"}, "namespace": "shop"}
