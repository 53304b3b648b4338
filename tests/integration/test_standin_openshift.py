# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DeploymentConfigs are served and run as OpenShift does it."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest
from mesh_clusters import eventually
from sandboxlib.cluster import Cluster
from sandboxlib.options import Options
from workload_objects import Object, behaving, deployment_config

GROUP = "/apis/apps.openshift.io/v1"


class OpenShift:
    """A cluster with the stand-in, and a namespace of one test in it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        cluster.kubectl("create", "namespace", namespace)

    def apply(self, item: Object) -> None:
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(item))

    def get(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.cluster.api.get(f"{GROUP}/namespaces/{self.namespace}/deploymentconfigs/{name}")
        return found

    def instantiate(self, name: str, query: str = "", **request: Any) -> dict[str, Any]:
        body = {"kind": "DeploymentRequest", "apiVersion": "apps.openshift.io/v1", "name": name, "latest": False, "force": True, **request}
        path = f"{GROUP}/namespaces/{self.namespace}/deploymentconfigs/{name}/instantiate{query}"
        found: dict[str, Any] = self.cluster.api.request("POST", path, body)
        return found

    def controllers(self, name: str) -> dict[str, tuple[str, int]]:
        """The phase and the size of every deployment, by its name."""
        path = f"/api/v1/namespaces/{self.namespace}/replicationcontrollers?labelSelector=openshift.io%2Fdeployment-config.name%3D{name}"
        items = self.cluster.api.get(path)["items"]
        return {
            item["metadata"]["name"]: (item["metadata"]["annotations"]["openshift.io/deployment.phase"], item["spec"]["replicas"])
            for item in items
        }

    def complete(self, name: str, version: int) -> None:
        eventually(lambda: self.controllers(name).get(f"{name}-{version}", ("", 0))[0] == "Complete", f"{name}-{version} is not complete")


@pytest.fixture(scope="module")
def cluster(sandbox_home: Any) -> Iterator[Cluster]:
    made = Cluster("openshift", sandbox_home)
    try:
        made.up(Options())
        made.openshift.start()
        yield made
    finally:
        made.down()


@pytest.fixture
def openshift(cluster: Cluster, request: pytest.FixtureRequest) -> OpenShift:
    return OpenShift(cluster, request.node.name.replace("_", "-")[:50].strip("-"))


def test_a_new_one_is_deployed_through_a_replication_controller(openshift: OpenShift) -> None:
    openshift.apply(deployment_config("web", openshift.namespace, 3))
    openshift.complete("web", 1)
    config = openshift.get("web")
    assert openshift.controllers("web") == {"web-1": ("Complete", 3)}
    eventually(lambda: openshift.get("web")["status"]["availableReplicas"] == 3, "the status does not follow")
    controller = openshift.cluster.api.get(f"/api/v1/namespaces/{openshift.namespace}/replicationcontrollers/web-1")
    (owner,) = controller["metadata"]["ownerReferences"]
    assert (owner["apiVersion"], owner["kind"], owner["uid"]) == ("apps.openshift.io/v1", "DeploymentConfig", config["metadata"]["uid"])
    assert "openshift.sandbox" not in json.dumps([config, controller])
    pods = openshift.cluster.api.get(f"/api/v1/namespaces/{openshift.namespace}/pods")["items"]
    assert {pod["metadata"]["ownerReferences"][0]["kind"] for pod in pods} == {"ReplicationController"}


def test_instantiate_replaces_all_pods_and_keeps_most_of_them_available(openshift: OpenShift) -> None:
    openshift.apply(deployment_config("web", openshift.namespace, 4))
    openshift.complete("web", 1)
    mark = openshift.cluster.mark()
    assert openshift.instantiate("web")["status"]["latestVersion"] == 2
    available = []
    while openshift.controllers("web").get("web-2", ("", 0))[0] != "Complete":
        available.append(openshift.get("web")["status"]["availableReplicas"])
    assert min(available) >= 3
    assert openshift.controllers("web") == {"web-1": ("Complete", 0), "web-2": ("Complete", 4)}
    events = [event for event in openshift.cluster.audit_since(mark) if event.resource == "deploymentconfigs/instantiate"]
    assert [(event.verb, event.group, event.code) for event in events] == [("create", "apps.openshift.io", 201)]


def test_a_dry_run_deploys_nothing(openshift: OpenShift) -> None:
    openshift.apply(deployment_config("web", openshift.namespace))
    openshift.complete("web", 1)
    assert openshift.instantiate("web", "?dryRun=All")["status"]["latestVersion"] == 2
    assert openshift.get("web")["status"]["latestVersion"] == 1


def test_without_force_nothing_happens_when_nothing_changed(openshift: OpenShift) -> None:
    openshift.apply(deployment_config("web", openshift.namespace))
    openshift.complete("web", 1)
    assert openshift.instantiate("web", force=False)["code"] == 204
    assert list(openshift.controllers("web")) == ["web-1"]


@pytest.mark.parametrize(
    ("name", "spec", "code", "message"),
    [
        ("web", {"paused": True}, 422, "is paused - unable to request a new deployment"),
        ("nope", {}, 404, 'deploymentconfigs.apps.openshift.io "nope" not found'),
        ("web", {"triggers": [{"type": "ImageChange", "imageChangeParams": {"from": {"name": "a:b"}}}]}, 400, "unresolved images"),
    ],
    ids=["paused", "absent", "images"],
)
def test_what_instantiate_refuses(cluster: Cluster, name: str, spec: dict[str, Any], code: int, message: str) -> None:
    openshift = OpenShift(cluster, f"refused-{code}")
    openshift.apply(deployment_config("web", openshift.namespace, spec=spec))
    with pytest.raises(urllib.error.HTTPError) as refused:
        openshift.instantiate(name)
    status = json.loads(refused.value.read())
    assert (refused.value.code, status["kind"]) == (code, "Status")
    assert message in status["message"]


def test_a_changed_template_is_deployed_unless_there_is_no_trigger_for_it(openshift: OpenShift) -> None:
    for name, triggers in (("web", [{"type": "ConfigChange"}]), ("manual", [])):
        openshift.apply(deployment_config(name, openshift.namespace, spec={"triggers": triggers}))
    openshift.complete("web", 1)
    patch = json.dumps({"spec": {"template": {"metadata": {"annotations": {"changed": "yes"}}}}})
    for name in ("web", "manual"):
        openshift.cluster.kubectl("patch", "deploymentconfig", name, "-n", openshift.namespace, "--type=merge", "-p", patch)
    openshift.complete("web", 2)
    assert openshift.controllers("manual") == {}


def test_a_deployment_that_does_not_become_ready_fails_and_the_old_one_stays(openshift: OpenShift) -> None:
    strategy = {"strategy": {"type": "Rolling", "rollingParams": {"timeoutSeconds": 3}}}
    openshift.apply(deployment_config("web", openshift.namespace, 2, spec=strategy))
    openshift.complete("web", 1)
    openshift.apply(deployment_config("web", openshift.namespace, 2, spec=strategy, **behaving("never-ready")))
    wanted = {"web-1": ("Complete", 2), "web-2": ("Failed", 0)}
    eventually(lambda: openshift.controllers("web") == wanted, f"the deployment does not fail: {openshift.controllers('web')}")
    reasons = {item["type"]: item.get("reason") for item in openshift.get("web")["status"]["conditions"]}
    assert reasons["Progressing"] == "ProgressDeadlineExceeded"


def test_a_newer_deployment_cancels_the_running_one(openshift: OpenShift) -> None:
    openshift.apply(deployment_config("web", openshift.namespace, 2, **behaving("slow-start", 20)))
    eventually(lambda: "web-1" in openshift.controllers("web"), "nothing is deployed")
    openshift.instantiate("web")
    eventually(lambda: openshift.controllers("web")["web-1"][0] == "Failed", "the running deployment goes on")
    eventually(lambda: "web-2" in openshift.controllers("web"), "the newer one is not deployed")


def test_after_a_restart_it_goes_on(openshift: OpenShift) -> None:
    openshift.apply(deployment_config("web", openshift.namespace))
    openshift.complete("web", 1)
    openshift.cluster.restart("standin-openshift")
    eventually(lambda: _works(openshift), "the API is not served again")
    openshift.instantiate("web")
    openshift.complete("web", 2)


def _works(openshift: OpenShift) -> bool:
    try:
        return bool(openshift.get("web"))
    except urllib.error.HTTPError:
        return False
