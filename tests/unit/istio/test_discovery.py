# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding the Istio of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.candidates import istio_candidates
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.discovery import IstioInstallation, find_istio
from ansible_collections.meshops.lifecycle.tests.unit.istio.raw_istio import CONFIGURATIONS, config_map, mesh_map, pod
from ansible_collections.meshops.lifecycle.tests.unit.kube.conftest import Reply, Request, ScriptedServer, failure

Object = dict[str, Any]


def istiod(
    name: str = "istiod", version: str = "1.30.0", *, revision: str = "default", env: Sequence[Object] = (), **labels: str
) -> Object:
    marks = {"istio.io/rev": revision} if revision else {}
    container = {"name": "discovery", "image": f"docker.io/istio/pilot:{version}", "env": [*env]}
    template = {"metadata": {"labels": marks}, "spec": {"containers": [container]}}
    metadata = {"name": name, "namespace": "istio-system", "uid": name, "labels": {"app": "istiod", **marks, **labels}}
    return {"metadata": metadata, "spec": {"template": template}}


def cluster(
    deployments: Sequence[Object] = (),
    configurations: Sequence[Object] = (),
    config_maps: dict[str, Object] | None = None,
    proxy_configs: Reply | None = None,
) -> Callable[[Request], Reply]:
    """Answers the lists and reads of discovery."""

    def reply(request: Request) -> Reply:
        last = request.path.rpartition("/")[2]
        if last == "deployments":
            assert request.query["labelSelector"] == "app=istiod"
            return Reply(200, {"items": [*deployments]})
        if last == "mutatingwebhookconfigurations":
            return Reply(200, {"items": [*configurations]})
        if last == "proxyconfigs":
            return proxy_configs or failure(404, "NotFound", "no such type")
        found = (config_maps or {}).get(last)
        return Reply(200, {"metadata": {"name": last}, **found}) if found else failure(404, "NotFound", f"{last} not found")

    return reply


def found_in(server: ScriptedServer, *parts: Any, **more: Any) -> IstioInstallation:
    server.answer = cluster(*parts, **more)
    found = find_istio(server.api())
    assert found is not None
    return found


MAPS = {
    "istio-sidecar-injector": config_map(),
    "istio": mesh_map(),
    "istio-sidecar-injector-1-31": config_map({"tag": "1.31.0"}),
    "istio-1-31": mesh_map(),
}


def test_revisions_and_tags(server: ScriptedServer) -> None:
    native = [{"name": "ENABLE_NATIVE_SIDECARS", "value": "true"}]
    deployments = [istiod(), istiod("istiod-1-31", "1.31.0", revision="1-31", env=native)]
    found = found_in(server, deployments, CONFIGURATIONS["revision_and_tag"], MAPS)
    assert {name: str(plane.version) for name, plane in found.control_planes.items()} == {"default": "1.30.0", "1-31": "1.31.0"}
    assert found.tags == {"default": "default", "stable": "1-31"}
    assert found.namespace == "istio-system"
    assert found.namespaces == {"istio-system"}
    assert {name: item.native for name, item in found.injectors.items()} == {"default": "", "1-31": "true"}
    assert found.injectors["1-31"].image_for(pod()) == "docker.io/istio/proxyv2:1.31.0"
    assert all(item.known for item in found.injectors.values())
    assert len(server.requests) == 3 + 2 * 2


def test_a_revision_that_is_no_default(server: ScriptedServer) -> None:
    found = found_in(server, [istiod("istiod-1-31", "1.31.0", revision="1-31")], [], MAPS)
    assert (found.namespace, [*found.injectors]) == ("istio-system", ["1-31"])


def test_asm_of_1_5_has_no_label_for_revisions(server: ScriptedServer) -> None:
    configuration = {
        "metadata": {"name": "istio-sidecar-injector", "labels": {"app": "sidecar-injector"}},
        "webhooks": [
            {
                "name": "sidecar-injector.istio.io",
                "clientConfig": {"service": {"namespace": "istio-system", "name": "istiod"}, "caBundle": "Y2E="},
                "rules": [{"operations": ["CREATE"], "resources": ["pods"]}],
                "namespaceSelector": {"matchLabels": {"istio-injection": "enabled"}},
            }
        ],
    }
    found = found_in(server, [istiod(version="1.5.10-asm.2", revision="")], [configuration], MAPS)
    (webhook,) = found.webhooks
    assert (webhook.revision, webhook.hook.dry_runs) == ("default", False)
    assert str(found.injectors["default"].version) == "1.5.10-asm.2"


def test_an_istiod_elsewhere_is_told_by_its_webhooks(server: ScriptedServer) -> None:
    found = found_in(server, [], CONFIGURATIONS["by_default"], {})
    plane = found.control_planes["default"]
    assert (plane.namespace, plane.name, plane.deployment, plane.version) == ("istio-system", "istiod", None, None)
    assert not found.injectors["default"].known


@pytest.mark.parametrize("reply", [failure(404, "NotFound", "none"), failure(403, "Forbidden", "no"), Reply(200, {"items": []})])
def test_proxy_configs_are_not_needed(server: ScriptedServer, reply: Reply) -> None:
    assert found_in(server, [istiod()], [], MAPS, proxy_configs=reply).injectors["default"].proxy_configs == []


def test_proxy_configs(server: ScriptedServer) -> None:
    item = {"metadata": {"name": "a", "namespace": "shop", "uid": "1"}, "spec": {"image": {"imageType": "debug"}}}
    found = found_in(server, [istiod()], [], MAPS, proxy_configs=Reply(200, {"items": [item]}))
    assert found.injectors["default"].image_for(pod()) == "docker.io/istio/proxyv2:1.30.0-debug"


def test_nothing_there(server: ScriptedServer) -> None:
    stranger = {"metadata": {"name": "policy"}, "webhooks": [{"name": "policy.example.org", "clientConfig": {"url": "https://x"}}]}
    server.answer = cluster([], [stranger])
    assert find_istio(server.api()) is None


def test_candidates(server: ScriptedServer) -> None:
    server.answer = cluster([istiod(), istiod("istiod-1-31", revision="1-31")])
    assert [candidate.target for candidate in istio_candidates(server.api())] == ["istio-system/istio"]
    server.answer = cluster()
    assert istio_candidates(server.api()) == []
