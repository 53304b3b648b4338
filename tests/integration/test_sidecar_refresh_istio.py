# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""sidecar_refresh on the real Istio: istioctl changes the version of the control plane, the real istiod injects."""

from __future__ import annotations

import pytest
import workload_objects as objects
from failures import assert_told, unchanged
from istio_clusters import NEW, OLD, IstioCluster
from mesh_clusters import told
from refreshing import codes, outcomes

ENABLED = {"istio-injection": "enabled"}


@pytest.mark.parametrize("native", [False, True], ids=["containers", "native-sidecars"])
def test_every_proxy_follows_the_control_plane(istio_cluster: IstioCluster, *, native: bool) -> None:
    istio_cluster.reset(native_sidecars=native)
    istio_cluster.namespace("shop", ENABLED)
    istio_cluster.namespace("plain", {})
    apps = {"web": 2, "db": 2, "lonely": 1, "asking": 1}
    istio_cluster.apply(
        objects.deployment("web", "shop", 2),
        objects.stateful_set("db", "shop", 2),
        objects.replica_set("lonely", "shop"),
        objects.deployment("asking", "plain", labels={"sidecar.istio.io/inject": "true"}),
        objects.deployment("outside", "plain"),
        objects.deployment("leaving", "shop", labels={"sidecar.istio.io/inject": "false"}),
    )
    istio_cluster.upgrade()
    cluster = istio_cluster.cluster
    with unchanged(cluster):
        planned = istio_cluster.refresh(check=True, pods_per_minute=0)
    done = istio_cluster.refresh(pods_per_minute=0, expected_plan_id=planned["plan"]["id"])
    assert not done.get("failed"), told(done)
    assert outcomes(done) == {
        "rollout:Deployment/plain/asking": "done",
        "rollout:Deployment/shop/web": "done",
        "evict:ReplicaSet/shop/lonely": "done",
        "rollout:StatefulSet/shop/db": "done",
    }
    for app, replicas in apps.items():
        found = istio_cluster.proxies("plain" if app == "asking" else "shop", app)
        assert found == [NEW] * replicas, app
    with unchanged(cluster):
        again = istio_cluster.refresh(pods_per_minute=0)
    assert (again["changed"], again["steps"]) == (False, [])


def test_a_namespace_that_leaves_loses_its_proxies(istio_cluster: IstioCluster) -> None:
    istio_cluster.reset()
    istio_cluster.namespace("shop", ENABLED)
    istio_cluster.apply(objects.deployment("web", "shop", 2))
    kept = istio_cluster.refresh(state="absent", namespaces=["shop"])
    assert codes(kept) == {"still-injected": 2}
    istio_cluster.cluster.kubectl("label", "namespace", "shop", "istio-injection-")
    done = istio_cluster.refresh(state="absent", namespaces=["shop"], pods_per_minute=0)
    assert not done.get("failed"), told(done)
    assert [proxy for proxy in istio_cluster.proxies("shop", "web") if proxy] == []


def test_nothing_is_touched_while_istiod_does_not_answer(istio_cluster: IstioCluster) -> None:
    istio_cluster.reset()
    istio_cluster.namespace("shop", ENABLED)
    istio_cluster.apply(objects.deployment("web", "shop"))
    istio_cluster.upgrade()
    istio_cluster.cluster.istio.stop()
    try:
        with unchanged(istio_cluster.cluster):
            result = istio_cluster.refresh()
        assert_told(result, "istiod", cluster=istio_cluster.cluster)
        assert istio_cluster.proxies("shop", "web") == [OLD]
    finally:
        istio_cluster.cluster.istio.start()


def test_labels_that_contradict_each_other_and_a_revision_that_is_gone_are_told(istio_cluster: IstioCluster) -> None:
    istio_cluster.reset()
    istio_cluster.namespace("shop", {**ENABLED, "istio.io/rev": "canary"})
    istio_cluster.apply(objects.deployment("web", "shop"))
    result = istio_cluster.refresh(check=True)
    assert "both-istio-labels" in [finding["code"] for finding in result["findings"]]

    istio_cluster.upgrade()
    istio_cluster.cluster.kubectl("label", "namespace", "shop", "istio-injection-")
    # Nobody injects for it any more: a restart would only take the proxy away.
    with unchanged(istio_cluster.cluster):
        gone = istio_cluster.refresh()
    assert_told(gone, "canary", cluster=istio_cluster.cluster)
    assert [refusal["code"] for refusal in gone["refusals"]] == ["injector-webhook-missing"]
    assert istio_cluster.proxies("shop", "web") == [OLD]
