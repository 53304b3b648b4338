# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a mesh of the OSM family says about pods, for a refresh."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.data_plane import data_plane
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.refresh_rules import OsmRules, osm_rules
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import SidecarRules
from ansible_collections.meshops.lifecycle.tests.unit.osm.presets import PRESET_1_3
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import healthy, namespace, observed, pod

Object = dict[str, Any]
NOW_IMAGE, OLD_IMAGE = "flomesh/pipy:0.90.3-38", "flomesh/pipy:0.70.0-46"
NOW_INIT, OLD_INIT = "flomesh/osm-edge-sidecar-init:1.3.9", "flomesh/osm-edge-sidecar-init:1.2.3"
KEY = OSM_EDGE.injection_annotation
NO_API = cast(Api, None)
RULES = """iptables-restore --noflush <<RULES
*nat
-A OSM_PROXY_OUTBOUND -o lo ! -d 127.0.0.1/32 -m owner --uid-owner 1500 -j OSM_PROXY_IN_REDIRECT
-A OSM_PROXY_OUTBOUND -d 127.0.0.1/32 -j RETURN
-I OSM_PROXY_INBOUND -p tcp --match multiport --dports 8080,9090 -j RETURN
-A OSM_PROXY_OUTBOUND -d 10.96.0.1/32 -j RETURN
-A OSM_PROXY_OUTBOUND -j OSM_PROXY_OUT_REDIRECT
COMMIT
RULES
"""


def rules(**changes: Any) -> OsmRules:
    """Those of mesh ``osm`` 1.3.9."""
    seen = observed(healthy(**changes))
    return osm_rules(NO_API, seen.meshes[0], seen)


def with_spec(change: Callable[[Object], Any]) -> OsmRules:
    spec = copy.deepcopy(PRESET_1_3)
    change(spec)
    return rules(spec=spec)


def test_what_it_serves() -> None:
    found: SidecarRules = rules()
    assert (found.target, found.namespace) == ("osm-system/osm", "osm-system")
    assert found.selects(namespace("shop", mesh="osm"))
    assert not found.selects(namespace("shop", mesh="red"))
    assert not found.selects(namespace("shop"))


PODS = st.builds(
    pod,
    st.sampled_from(["shop", "default", "osm-system", "unlisted"]),
    image=st.sampled_from(["", NOW_IMAGE, OLD_IMAGE]),
    init=st.sampled_from(["", NOW_INIT, OLD_INIT]),
    mesh=st.sampled_from(["osm", "red", ""]),
    annotations=st.sampled_from([{}, {KEY: "enabled"}, {KEY: "disabled"}, {KEY: "maybe"}]),
    hostNetwork=st.booleans(),
)


@given(PODS)
def test_verdicts_are_those_that_mesh_info_counts(raw: Object) -> None:
    seen = observed(healthy(), pods=[raw])
    found = osm_rules(NO_API, seen.meshes[0], seen).judge(raw)
    counted = data_plane(seen.meshes[0], seen)
    assert counted is not None
    if found.state != "outside":
        assert counted.by_namespace[raw["metadata"]["namespace"]][found.state] == 1
    assert list(counted.stale) == ([found.reason] if found.state == "stale" else [])
    assert counted.unexpected == (found.state == "unexpected")


def test_ended_and_leaving_pods_are_judged_as_well() -> None:
    raw = pod(image=OLD_IMAGE, init=NOW_INIT)
    raw["status"]["phase"] = "Succeeded"
    raw["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert rules().judge(raw) == ("stale", f"runs {OLD_IMAGE}, new pods get {NOW_IMAGE}")


def started_with(script: str = RULES, level: str = "error", annotations: dict[str, str] | None = None) -> Object:
    raw = pod(image=NOW_IMAGE, init=NOW_INIT, annotations=annotations)
    raw["spec"]["initContainers"][0]["args"] = ["-c", script]
    raw["spec"]["containers"][-1]["args"] = ["pipy", f"--log-level={level}", "http://repo/"]
    return raw


def other_list(field: str) -> str:
    return f"was started with another {field} than new pods"


PORT_ANNOTATION = {"openservicemesh.io/outbound-port-exclusion-list": " 6379"}
PORT_RULE = "-A OSM_PROXY_OUTBOUND -p tcp --match multiport --dports 6379 -j RETURN\nCOMMIT"
INCLUSION_RULE = "-A OSM_PROXY_OUTBOUND -d 10.0.0.0/8 -j OSM_PROXY_OUT_REDIRECT\nCOMMIT"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (started_with(), ""),
        (started_with(level="debug"), "was started with log level debug, new pods get error"),
        (started_with(RULES.replace("10.96.0.1/32", "10.96.0.2/32")), other_list("outboundIPRangeExclusionList")),
        (started_with(RULES.replace("8080,9090", "9090,8080")), ""),
        (started_with(RULES.replace("8080,9090", "8080")), other_list("inboundPortExclusionList")),
        (started_with(RULES.replace("COMMIT", INCLUSION_RULE)), other_list("outboundIPRangeInclusionList")),
        (started_with(annotations=PORT_ANNOTATION), other_list("outboundPortExclusionList")),
        (started_with(RULES.replace("COMMIT", PORT_RULE), annotations=PORT_ANNOTATION), ""),
        (started_with("an eBPF program does it"), ""),
    ],
)
def test_configuration_that_can_be_seen(raw: Object, reason: str) -> None:
    def change(spec: Object) -> None:
        spec["traffic"].update(outboundIPRangeExclusionList=["10.96.0.1/32"], inboundPortExclusionList=[8080, 9090])

    found = with_spec(change).judge(raw)
    assert found == (("stale", reason) if reason else ("current", ""))


TEMPLATE = {"metadata": {"namespace": "shop", "labels": {"app": "a"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}


def test_injects_and_written_in() -> None:
    found = rules()
    assert found.injects(TEMPLATE)
    assert not found.injects({**TEMPLATE, "metadata": {"namespace": "shop", "annotations": {KEY: "disabled"}}})
    assert not found.injects({**TEMPLATE, "metadata": {"namespace": "default"}})
    assert not found.written_in(TEMPLATE)
    assert found.written_in(pod(image=OLD_IMAGE))


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: spec["sidecar"].update(sidecarImage="mirror/pipy:1"),
        lambda spec: spec["sidecar"]["sidecarDrivers"][0].update(sidecarImage="mirror/pipy:1"),
        lambda spec: spec["sidecar"]["sidecarDrivers"][0].update(proxyServerPort=6061),
        lambda spec: spec["sidecar"].update(initContainerImage="mirror/init:1"),
        lambda spec: spec["sidecar"].update(logLevel="debug"),
        lambda spec: spec["sidecar"].update(enablePrivilegedInitContainer=True),
        lambda spec: spec["sidecar"].update(resources={"limits": {"cpu": "1"}}),
        lambda spec: spec["sidecar"].update(localDNSProxy={"enable": True}),
        lambda spec: spec["sidecar"].update(localProxyMode="PodIP"),
        lambda spec: spec["traffic"].update(interceptionMode="none"),
        lambda spec: spec["traffic"].update(outboundIPRangeExclusionList=["10.0.0.0/8"]),
        lambda spec: spec["traffic"].update(outboundIPRangeInclusionList=["10.0.0.0/8"]),
        lambda spec: spec["traffic"].update(outboundPortExclusionList=[1]),
        lambda spec: spec["traffic"].update(inboundPortExclusionList=[1]),
        lambda spec: spec["traffic"].update(networkInterfaceExclusionList=["net1"]),
    ],
)
def test_fingerprint_changes_with_what_only_new_pods_get(change: Callable[[Object], Any]) -> None:
    before, after = rules().fingerprint(TEMPLATE), with_spec(change).fingerprint(TEMPLATE)
    assert before != after
    assert len(before) == len(after) == 16


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: spec["traffic"].update(enableEgress=False),
        lambda spec: spec["sidecar"].update(sidecarImage=NOW_IMAGE),
        lambda spec: spec["sidecar"].update(configResyncInterval="30s"),
        lambda spec: spec["sidecar"]["sidecarDrivers"][1].update(sidecarImage="envoyproxy/envoy:other"),
        lambda spec: spec["traffic"].update(outboundPortExclusionList=None),
    ],
)
def test_fingerprint_stays_otherwise(change: Callable[[Object], Any]) -> None:
    assert rules().fingerprint(TEMPLATE) == with_spec(change).fingerprint(TEMPLATE)


def test_fingerprint_of_namespace_and_pod() -> None:
    key = "openservicemesh.io/sidecar-resource-limits-cpu"
    space = namespace("shop", mesh="osm", injection="enabled")
    richer = copy.deepcopy(space)
    richer["metadata"]["annotations"][key] = "200m"
    plain, rich = rules(namespaces=[space]), rules(namespaces=[richer])
    own: Object = copy.deepcopy(TEMPLATE)
    own["metadata"]["annotations"] = {key: "100m"}
    assert plain.fingerprint(TEMPLATE) != rich.fingerprint(TEMPLATE)
    assert plain.fingerprint(own) == rich.fingerprint(own)
    windows: Object = copy.deepcopy(TEMPLATE)
    windows["spec"]["nodeSelector"] = {"kubernetes.io/os": "windows"}
    assert plain.fingerprint(windows) != plain.fingerprint(TEMPLATE)
    out: Object = {**TEMPLATE, "metadata": {"namespace": "default"}}
    assert plain.fingerprint(out) == rich.fingerprint(out) != plain.fingerprint(TEMPLATE)


@pytest.mark.parametrize(
    ("annotations", "place", "reason"),
    [
        ({}, "shop", ""),
        ({KEY: "maybe"}, "shop", "'maybe'"),
        ({KEY: "maybe"}, "default", ""),
        ({"openservicemesh.io/inbound-port-exclusion-list": "80, 443"}, "shop", ""),
        ({"openservicemesh.io/inbound-port-exclusion-list": "80,http"}, "shop", "'http'"),
        ({"openservicemesh.io/outbound-ip-range-exclusion-list": "10.0.0.1/8"}, "shop", ""),
        ({"openservicemesh.io/outbound-ip-range-exclusion-list": "10.0.0.1"}, "shop", "'10.0.0.1'"),
        ({"openservicemesh.io/outbound-ip-range-exclusion-list": "10.0.0.1", KEY: "disabled"}, "shop", ""),
    ],
)
def test_denied_pods(annotations: Object, place: str, reason: str) -> None:
    denied = rules().denies({"metadata": {"namespace": place, "annotations": annotations}, "spec": {"containers": []}})
    assert reason in denied
    assert bool(denied) == bool(reason)
