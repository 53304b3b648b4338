# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a caller lacks to write roles and to bind them, against what the API server then does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.access import missing_permissions
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import connect
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.escalation import escalation

Object = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"
NAMESPACE = "mesh"
RULES = [
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["watch"]},
    {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
]
WRITER = [
    {
        "apiGroups": [GROUP],
        "resources": ["clusterroles", "clusterrolebindings", "roles", "rolebindings"],
        "verbs": ["get", "create", "patch"],
    }
]


@dataclass
class Caller:
    """What a module is for ``connect``."""

    params: Object
    tmpdir: str
    name: str = "test_escalation"


def rbac(kind: str, name: str, **content: Any) -> Object:
    place = {} if kind.startswith("Cluster") else {"namespace": NAMESPACE}
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name, **place}, **content}


def binding(kind: str, name: str, role: str, role_kind: str = "ClusterRole", user: str = "") -> Object:
    subject = (
        {"kind": "User", "name": user, "apiGroup": GROUP} if user else {"kind": "ServiceAccount", "name": "osm", "namespace": NAMESPACE}
    )
    return rbac(kind, name, roleRef={"apiGroup": GROUP, "kind": role_kind, "name": role}, subjects=[subject])


def chart(version: str = "2", rules: Any = None) -> list[Object]:
    """The roles and bindings of a chart; their labels change with the version."""
    content = RULES if rules is None else rules
    items = [rbac("ClusterRole", "osm", rules=content), binding("ClusterRoleBinding", "osm", "osm")]
    items += [rbac("Role", "osm", rules=content[:2]), binding("RoleBinding", "osm", "osm", "Role")]
    for item in items:
        item["metadata"]["labels"] = {"app.kubernetes.io/version": version}
    return items


@dataclass
class World:
    """A cluster, and callers with certain rules."""

    cluster: Cluster
    directory: Path
    count: int = 0

    def apply(self, *items: Object, user: str = "") -> None:
        kubeconfig = ("--kubeconfig", str(self.cluster.kubeconfig_for(user))) if user else ()
        self.cluster.kubectl(*kubeconfig, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(items))

    def caller(self, *rules: Object) -> tuple[str, Api]:
        """A new user with these rules."""
        self.count += 1
        user = f"caller-{self.count}"
        self.apply(rbac("ClusterRole", user, rules=list(rules)), binding("ClusterRoleBinding", user, user, user=user))
        directory = self.directory / user
        directory.mkdir()
        return user, connect(Caller({"kubeconfig": str(self.cluster.kubeconfig_for(user))}, str(directory)), explicit=True).api

    def clear(self) -> None:
        self.cluster.kubectl("delete", "clusterrole/osm", "clusterrolebinding/osm", "--ignore-not-found")
        self.cluster.kubectl("delete", "role/osm", "rolebinding/osm", "-n", NAMESPACE, "--ignore-not-found")


@pytest.fixture(scope="module")
def shared(api_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(api_cluster, tmp_path_factory.mktemp("callers"))
    world.cluster.kubectl("create", "namespace", NAMESPACE)
    return world


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    yield shared
    shared.clear()


def texts(world: World, api: Api, manifests: list[Object]) -> list[str]:
    """What is missing; nothing was written to find out."""
    mark = world.cluster.mark()
    found = [str(permission) for permission in escalation(api, manifests, NAMESPACE)]
    assert world.cluster.writes_since(mark) == []
    return found


def granted(verb: str, *resources: str, names: tuple[str, ...] = ()) -> Object:
    rule: Object = {"apiGroups": [GROUP], "resources": list(resources), "verbs": [verb]}
    return {**rule, "resourceNames": list(names)} if names else rule


@pytest.mark.parametrize("installed", [False, True], ids=["new", "there"])
def test_who_holds_everything_needs_neither(world: World, installed: bool) -> None:
    user, api = world.caller(*WRITER, *RULES)
    if installed:
        world.apply(*chart("1"))
    assert texts(world, api, chart()) == []
    world.apply(*chart(), user=user)


@pytest.mark.parametrize("installed", [False, True], ids=["new", "there"])
def test_who_may_escalate_and_bind_needs_to_hold_nothing(world: World, installed: bool) -> None:
    names = ("osm",)
    user, api = world.caller(*WRITER, *(granted(verb, "clusterroles", "roles", names=names) for verb in ("escalate", "bind")))
    if installed:
        world.apply(*chart("1"))
        world.apply(*chart(), user=user)
    assert texts(world, api, chart()) == []


@pytest.mark.parametrize("installed", [False, True], ids=["new", "there"])
def test_what_is_not_held_is_named(world: World, installed: bool) -> None:
    user, api = world.caller(*WRITER, RULES[0])
    if installed:
        world.apply(*chart("1"))
    found = texts(world, api, chart())
    assert [text.partition(",")[0] for text in found] == [
        f"escalate clusterroles.{GROUP} osm (cluster-wide)",
        f"escalate roles.{GROUP} osm in namespace {NAMESPACE}",
        f"bind clusterroles.{GROUP} osm (cluster-wide)",
        f"bind roles.{GROUP} osm in namespace {NAMESPACE}",
    ]
    lacking = ", or what it grants and the caller does not hold: "
    assert [text.partition(lacking)[2] for text in found] == [
        "watch nodes, watch pods, get /metrics",
        "watch nodes, watch pods",
        "watch nodes, watch pods, get /metrics",
        "watch nodes, watch pods",
    ]
    with pytest.raises(SandboxError, match="not currently held"):
        world.apply(chart()[0], user=user)


def test_the_access_review_alone_would_have_let_it_pass(world: World) -> None:
    dummy, api = world.caller(*WRITER)
    permissions = [*escalation(api, chart()[:1], NAMESPACE)]
    assert [permission.verb for permission in permissions] == ["escalate"]
    assert missing_permissions(api, [permissions[0]._replace(verb=verb) for verb in ("get", "create", "patch")]) == []


def test_a_rule_that_the_new_version_adds_counts(world: World) -> None:
    world.apply(*chart("1", RULES[:1]))
    user, api = world.caller(*WRITER, RULES[0])
    assert texts(world, api, chart("2", RULES[:1])) == []
    assert "watch nodes" in " ".join(texts(world, api, chart()))
    with pytest.raises(SandboxError, match="not currently held"):
        world.apply(chart()[0], user=user)


def test_who_may_escalate_but_not_bind(world: World) -> None:
    """A binding is judged by the role that Helm has written by then."""
    user, api = world.caller(*WRITER, RULES[0], granted("escalate", "clusterroles", "roles"))
    assert [text.split()[0] for text in texts(world, api, chart())] == ["bind", "bind"]
    world.apply(*chart("1", RULES[:1]))
    assert [text.split()[0] for text in texts(world, api, chart())] == ["bind", "bind"]
    assert texts(world, api, chart("2", RULES[:1])) == []
    world.apply(*chart("2", RULES[:1]), user=user)


def test_who_may_bind_but_not_escalate(world: World) -> None:
    dummy, api = world.caller(*WRITER, granted("bind", "clusterroles", "roles"))
    assert [text.split()[0] for text in texts(world, api, chart())] == ["escalate", "escalate"]


def test_what_helm_does_not_send_needs_nothing(world: World) -> None:
    world.apply(*chart())
    dummy, api = world.caller(*WRITER)
    assert texts(world, api, chart()) == []


def test_a_role_of_somebody_else_is_bound(world: World) -> None:
    """roleRef leads to a role that the chart does not bring."""
    dummy, api = world.caller(*WRITER, RULES[0])
    foreign = [binding("ClusterRoleBinding", "osm", "cluster-admin"), binding("RoleBinding", "osm", "system:kube-scheduler")]
    found = texts(world, api, foreign)
    assert [text.split()[2] for text in found] == ["cluster-admin", "system:kube-scheduler"]
    assert "* *.*" in found[0]
    assert "and " in found[1].partition("does not hold")[2]


def test_a_planner_may_not_ask(world: World) -> None:
    """The dry run needs the permission to write: as far as can be known, both are needed."""
    dummy, api = world.caller(*RULES, granted("get", "clusterroles", "clusterrolebindings"))
    world.apply(*chart("1"))
    found = texts(world, api, chart())
    assert [text.split()[0] for text in found] == ["escalate", "escalate", "bind", "bind"]
    assert "does not hold" not in str(found)


def test_an_administrator_is_asked_for_nothing(world: World) -> None:
    directory = world.directory / "administrator"
    directory.mkdir()
    api = connect(Caller({"kubeconfig": str(world.cluster.kubeconfig)}, str(directory)), explicit=True).api
    assert texts(world, api, chart()) == []
