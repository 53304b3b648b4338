# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Istio in the sandbox: the real istioctl installs it, the real istiod injects."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sandboxlib.cli
from istio_clusters import NEW, OLD, IstioCluster, proxy_version
from sandboxlib.errors import SandboxError
from sandboxlib.options import Options
from workload_objects import bare_pod, daemon_set, deployment, namespace, stateful_set


def created(cluster: IstioCluster, pod: dict[str, Any]) -> dict[str, Any]:
    """What the API server makes of a new pod, on a dry run."""
    answer: dict[str, Any] = json.loads(
        cluster.cluster.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(pod))
    )
    return answer


def containers(pod: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The names of the init containers and of the containers."""
    spec = pod["spec"]
    return [item["name"] for item in spec.get("initContainers", [])], [item["name"] for item in spec["containers"]]


def test_pods_of_an_injected_namespace_get_a_proxy_and_become_ready(istio_cluster: IstioCluster) -> None:
    istio_cluster.reset()
    istio_cluster.namespace("shop")
    istio_cluster.namespace("plain", {})
    istio_cluster.apply(
        deployment("web", "shop", 2), stateful_set("db", "shop", 2), daemon_set("agent", "shop"), deployment("web", "plain")
    )
    assert istio_cluster.proxies("shop") == [OLD] * 7
    assert istio_cluster.proxies("plain") == [""]
    web = istio_cluster.pods("shop", "web")[0]
    assert containers(web) == (["istio-init"], ["app", "istio-proxy"]) or containers(web) == (["istio-init"], ["istio-proxy", "app"])
    assert json.loads(web["metadata"]["annotations"]["sidecar.istio.io/status"])["revision"] == "default"
    assert [status["ready"] for status in web["status"]["containerStatuses"]] == [True, True]


def test_another_version_of_the_control_plane_leaves_the_pods_that_are_there(istio_cluster: IstioCluster) -> None:
    istio_cluster.reset()
    istio_cluster.namespace("shop")
    istio_cluster.apply(deployment("web", "shop", 2))
    istio_cluster.upgrade(NEW)
    assert istio_cluster.istio.revisions == {"default": NEW}
    assert f'"version": "{NEW}"' in istio_cluster.istio.istioctl("version", "--remote=false", "-o", "json")
    istio_cluster.apply(deployment("more", "shop"))
    assert (istio_cluster.proxies("shop", "web"), istio_cluster.proxies("shop", "more")) == ([OLD, OLD], [NEW])
    istio_cluster.upgrade(OLD)
    assert proxy_version(created(istio_cluster, bare_pod("probe", "shop"))) == OLD


def test_native_sidecars_are_init_containers_that_go_on_running(istio_cluster: IstioCluster) -> None:
    istio_cluster.reset(native_sidecars=True)
    istio_cluster.namespace("shop")
    istio_cluster.apply(deployment("web", "shop"))
    (pod,) = istio_cluster.pods("shop")
    assert containers(pod) == (["istio-init", "istio-proxy"], ["app"])
    (proxy,) = [item for item in pod["status"]["initContainerStatuses"] if item["name"] == "istio-proxy"]
    assert (proxy["ready"], proxy["started"], list(proxy["state"])) == (True, True, ["running"])
    istio_cluster.upgrade(NEW)
    assert containers(created(istio_cluster, bare_pod("probe", "shop")))[0] == ["istio-init", "istio-proxy"]


def test_nobody_but_the_real_injector_answers(istio_cluster: IstioCluster) -> None:
    istio_cluster.reset()
    istio_cluster.namespace("shop")
    probe = bare_pod("probe", "shop")
    assert proxy_version(created(istio_cluster, probe)) == OLD
    istio_cluster.istio.stop()
    assert istio_cluster.cluster.dead_components() == ["istiod"]
    with pytest.raises(SandboxError, match="failed calling webhook"):
        created(istio_cluster, probe)
    istio_cluster.cluster.start("istiod")
    assert proxy_version(created(istio_cluster, probe)) == OLD


def test_a_second_revision_injects_its_own_namespaces(istio_cluster: IstioCluster) -> None:
    istio_cluster.reset()
    istio_cluster.istio.install(NEW, revision="canary")
    assert istio_cluster.istio.revisions == {"default": OLD, "canary": NEW}
    istio_cluster.namespace("shop")
    istio_cluster.namespace("next", {"istio.io/rev": "canary"})
    istio_cluster.apply(deployment("web", "shop"), deployment("web", "next"))
    assert (istio_cluster.proxies("shop"), istio_cluster.proxies("next")) == ([OLD], [NEW])
    istio_cluster.istio.remove("canary")
    assert istio_cluster.istio.revisions == {"default": OLD}


def test_after_a_reset_nothing_of_a_test_is_left(istio_cluster: IstioCluster) -> None:
    istio_cluster.reset()
    istio_cluster.istio.install(NEW, revision="canary")
    istio_cluster.namespace("shop")
    istio_cluster.reset()
    assert not istio_cluster.cluster.api.exists("/api/v1/namespaces/shop")
    assert istio_cluster.istio.revisions == {"default": OLD}
    assert istio_cluster.cluster.dead_components() == []


def test_what_istiod_writes_is_nobodys_write(istio_cluster: IstioCluster) -> None:
    cluster = istio_cluster.reset()
    mark = cluster.mark()
    istio_cluster.apply(namespace("shop", {"istio-injection": "enabled"}), wait=False)
    istio_cluster.apply(deployment("web", "shop"))
    assert {event.user for event in cluster.writes_since(mark)} == {"sandbox-admin"}
    assert any(event.user == "sandbox:istiod" for event in cluster.audit())


def test_the_status_shows_the_versions_of_now(
    istio_cluster: IstioCluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    istio_cluster.reset()
    istio_cluster.upgrade(NEW)
    monkeypatch.setattr("sys.argv", ["sandbox", "status"])
    sandboxlib.cli.main()
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("istio ")]
    assert f"istio={NEW}" in row


def test_a_version_that_there_is_not_is_refused() -> None:
    with pytest.raises(SandboxError, match=r"--istio 1\.5\.10: there is no such release here, only 1\.30\.0, 1\.31\.0"):
        Options(istio="1.5.10")
