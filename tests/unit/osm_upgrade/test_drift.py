# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was changed by hand is told before Helm puts it back, and nothing else is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.drift import drift, path_text
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.tests.unit.osm_upgrade.chart_objects import (
    NAMESPACE,
    Object,
    as_stored,
    autoscaler,
    config_map,
    disruption_budget,
    rendered,
    service,
)

MANIFESTS = [rendered(), service(), autoscaler(), disruption_budget(), config_map()]
# Without the autoscaler, which would explain a changed number of replicas.
UNSCALED = [manifest for manifest in MANIFESTS if manifest["kind"] != "HorizontalPodAutoscaler"]
LATER = [rendered("1.3.9"), *MANIFESTS[1:]]
ANEW = rendered("1.3.9", {"app": "osm-controller", "codebase": ""})
PROPERTY = settings(deadline=None, max_examples=150)

Edit = Callable[[Object], object]


def stored(manifests: Sequence[Object]) -> list[Object]:
    return [as_stored(manifest) for manifest in manifests]


def of_deployment(edit: Edit, after: Object | None = None, **options: Any) -> list[Finding]:
    """Findings about an edited osm-controller; ``edit`` gets its spec."""
    live = as_stored(rendered())
    edit(live["spec"])
    return drift([live], [rendered()], [after or rendered("1.3.9")], NAMESPACE, **options)


def pod(spec: Object) -> Object:
    found: Object = spec["template"]["spec"]
    return found


def controller(spec: Object) -> Object:
    found: Object = pod(spec)["containers"][1]
    return found


# Nothing was changed


@pytest.mark.parametrize("after", [MANIFESTS, LATER, [ANEW, *MANIFESTS[1:]]], ids=["same", "later", "anew"])
def test_as_helm_made_it(after: list[Object]) -> None:
    assert drift(stored(MANIFESTS), MANIFESTS, after, NAMESPACE, complete=("Service", "ConfigMap")) == []


def test_a_restart_and_another_way_to_write_a_quantity_are_no_edits() -> None:
    def edit(spec: Object) -> None:
        spec["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] = "2026-01-01T00:00:00Z"
        controller(spec)["resources"]["limits"]["memory"] = "1000M"

    assert of_deployment(edit) == []
    assert of_deployment(edit, ANEW) == []


def test_what_the_new_chart_wants_too_is_no_loss() -> None:
    after = rendered("1.3.9")
    after["spec"]["replicas"] = 3
    assert of_deployment(lambda spec: spec.update(replicas=3), after) == []


def test_what_an_upgrade_left_that_did_not_end_well_is_no_edit() -> None:
    live = stored(LATER)
    assert drift(live, MANIFESTS, [rendered("1.3.10"), *MANIFESTS[1:]], NAMESPACE, attempted=LATER) == []
    assert [finding.object.name for finding in drift(live, MANIFESTS, [rendered("1.3.10")], NAMESPACE)] == ["osm-controller"]


def test_a_new_default_of_the_chart_is_no_edit_of_the_server_s_default() -> None:
    after = rendered("1.3.9")
    after["spec"]["revisionHistoryLimit"] = 3
    pod(after["spec"])["terminationGracePeriodSeconds"] = 60
    controller(after["spec"])["terminationMessagePolicy"] = "FallbackToLogsOnError"
    assert of_deployment(lambda spec: None, after) == []


# Three ways


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda spec: spec.update(replicas=3), "spec.replicas: 3 → 1"),
        (
            lambda spec: controller(spec).update(image="hot/fix:1"),
            '[osm-controller].image: "hot/fix:1" → "flomesh/osm-edge-controller:1.3.9"',
        ),
        (lambda spec: controller(spec)["args"].append("--debug"), '[osm-controller].args: ["1.2.3", "--debug"] → ["1.3.9"]'),
        (lambda spec: controller(spec)["args"].remove("info"), '.args: ["1.2.3"] → ["info", "1.3.9"]'),
        (lambda spec: controller(spec)["resources"]["limits"].update(cpu="2"), '.resources.limits.cpu: "2" → "1.5"'),
        (lambda spec: controller(spec)["resources"]["limits"].pop("cpu"), '.resources.limits.cpu: (none) → "1.5"'),
        (lambda spec: controller(spec)["env"].pop(1), ".env[SIDECAR_CLASS]: (none) → (a value)"),
        (lambda spec: controller(spec)["env"][1].update(value="envoy"), ".env[SIDECAR_CLASS].value: (a value) → (another value)"),
        (lambda spec: controller(spec)["livenessProbe"].update(initialDelaySeconds=30), ".livenessProbe.initialDelaySeconds: 30 → 1"),
        (lambda spec: pod(spec).pop("tolerations"), "tolerations: (none) → "),
        (lambda spec: pod(spec)["tolerations"].append({"operator": "Exists"}), 'tolerations: [{"operator": "Exists"}] → []'),
        (lambda spec: pod(spec)["containers"].pop(0), "containers[osm-pipy-repo]: (none) → {"),
        (
            lambda spec: pod(spec)["volumes"][0].update(configMap=None, emptyDir={"medium": "Memory"}),
            'volumes[config].configMap: (none) → {"name": "fluentbit-configmap"}',
        ),
        (
            lambda spec: spec["template"]["metadata"]["annotations"].update({"prometheus.io/port": "1"}),
            '[prometheus.io/port]: "1" → "9091"',
        ),
        (lambda spec: pod(spec).pop("priorityClassName"), 'priorityClassName: (none) → "system-node-critical"'),
    ],
)
def test_what_the_chart_sets_is_put_back(edit: Edit, told: str) -> None:
    (finding,) = of_deployment(edit)
    assert (finding.severity, finding.code) == ("warning", "will-be-reverted")
    assert told in finding.what


@pytest.mark.parametrize(
    "edit",
    [
        lambda spec: pod(spec).update(nodeSelector={"zone": "a"}),
        lambda spec: pod(spec).update(hostNetwork=True),
        lambda spec: pod(spec)["containers"].append({"name": "debug", "image": "busybox"}),
        lambda spec: controller(spec)["env"].append({"name": "HTTP_PROXY", "value": "secret"}),
        lambda spec: controller(spec)["ports"].append({"containerPort": 7777, "protocol": "TCP"}),
        lambda spec: controller(spec)["resources"]["limits"].update({"ephemeral-storage": "1Gi"}),
        lambda spec: pod(spec)["volumes"].append({"name": "more", "emptyDir": {}}),
        lambda spec: pod(spec)["volumes"][0]["configMap"].update(optional=True),
        lambda spec: spec["template"]["metadata"].update(labels={"app": "osm-controller", "team": "mesh"}),
        lambda spec: spec["strategy"]["rollingUpdate"].update(maxSurge=1),
        lambda spec: spec.update(paused=True, minReadySeconds=20),
    ],
)
def test_what_no_manifest_sets_stays_with_a_patch_and_goes_with_the_object(edit: Edit) -> None:
    assert of_deployment(edit) == []
    (finding,) = of_deployment(edit, ANEW)
    assert (finding.severity, finding.code) == ("warning", "edit-lost")
    assert "secret" not in str(finding.as_dict())


def test_what_the_new_chart_has_no_more_is_removed_with_what_was_added_to_it() -> None:
    after = rendered("1.3.9")
    del controller(after["spec"])["livenessProbe"], pod(after["spec"])["volumes"], controller(after["spec"])["volumeMounts"]

    def edit(spec: Object) -> None:
        controller(spec)["livenessProbe"]["httpGet"]["httpHeaders"] = [{"name": "Host", "value": "mesh"}]

    (finding,) = of_deployment(edit, after)
    assert '.livenessProbe.httpGet.httpHeaders: [{"name": "Host", ' in finding.what
    assert "volumes" not in finding.what


def test_only_the_chart_s_keys_are_left_of_a_strategy_that_it_sets() -> None:
    before, after = rendered(), rendered("1.3.9")
    for manifest in (before, after):
        manifest["spec"]["strategy"] = {"type": "RollingUpdate"}
    live = as_stored(before)
    assert drift([live], [before], [after], NAMESPACE) == []
    live["spec"]["strategy"]["rollingUpdate"]["maxSurge"] = 1
    (finding,) = drift([live], [before], [after], NAMESPACE)
    assert 'spec.strategy.rollingUpdate: {"maxSurge": 1, "maxUnavailable": "25%"} → (none)' in finding.what


def test_an_empty_list_and_a_null_of_the_chart_remove_what_is_live() -> None:
    before, after = rendered(), rendered("1.3.9")
    for manifest in (before, after):
        pod(manifest["spec"]).update(tolerations=[], affinity=None)
    live = as_stored(before)
    live["spec"]["template"]["spec"].update(tolerations=[{"operator": "Exists"}], affinity={"nodeAffinity": {"x": 1}})
    (finding,) = drift([live], [before], [after], NAMESPACE)
    assert 'tolerations: [{"operator": "Exists"}] → []' in finding.what
    assert 'affinity: {"nodeAffinity": {"x": 1}} → (none)' in finding.what


def test_the_selector_of_a_disruption_budget_is_replaced_as_a_whole() -> None:
    live = as_stored(disruption_budget())
    live["spec"]["selector"]["matchLabels"]["team"] = "mesh"
    (finding,) = drift([live], [disruption_budget()], [disruption_budget()], NAMESPACE)
    assert finding.what.count("spec.selector:") == 1


def test_a_service_keeps_what_the_server_and_people_added() -> None:
    live = as_stored(service())
    live["spec"].update(type="LoadBalancer", externalTrafficPolicy="Local")
    live["spec"]["ports"].append({"name": "mine", "port": 1, "targetPort": 1, "protocol": "TCP", "nodePort": 30001})
    assert drift([live], [service()], [service()], NAMESPACE) == []
    live["spec"]["ports"][0]["targetPort"] = 1
    (finding,) = drift([live], [service()], [service()], NAMESPACE)
    assert "spec.ports[6060].targetPort: 1 → 6060" in finding.what


# Autoscalers, missing objects, secrets


@pytest.mark.parametrize("after", [rendered("1.3.9"), ANEW])
def test_replicas_that_an_autoscaler_sets_are_no_edit(after: Object) -> None:
    live = as_stored(rendered())
    live["spec"]["replicas"] = 4
    somebody_s = autoscaler()
    somebody_s["metadata"]["name"] = "mine"
    assert drift([live, somebody_s], [rendered()], [after], NAMESPACE) == []
    assert len(drift([live], [rendered()], [after], NAMESPACE)) == 1


def test_what_was_deleted_is_created_again() -> None:
    (finding,) = drift([], [service()], [service()], NAMESPACE, complete=("Service",))
    assert finding.code == "will-be-reverted"
    assert finding.what.startswith("deleted")
    assert drift([], [service()], [service()], NAMESPACE) == []
    assert drift([], [], [service()], NAMESPACE, complete=("Service",)) == []


def test_secrets_are_not_told() -> None:
    before, live = config_map(), as_stored(config_map())
    live["data"]["fluent-bit.conf"] = "[OUTPUT]\n  SharedKey hush-hush\n"
    (finding,) = drift([live], [before], [before], NAMESPACE)
    assert "data[fluent-bit.conf]: (a text) → (another text)" in finding.what

    def edit(spec: Object) -> None:
        controller(spec)["args"] += ["--vault-token", "hush-hush", "--api-key=hush-hush", "--verbosity=trace"]
        pod(spec)["initContainers"][0]["env"] = [{"name": "ANYTHING", "value": "hush-hush"}]

    findings = [finding, *of_deployment(edit), *of_deployment(edit, ANEW)]
    assert len(findings) == 3
    assert "hush-hush" not in str([item.as_dict() for item in findings])
    assert "--vault-token" in findings[1].what


def test_a_long_list_of_edits_is_cut() -> None:
    def edit(spec: Object) -> None:
        controller(spec)["env"] += [{"name": f"V{number}", "value": "x"} for number in range(40)]

    (finding,) = of_deployment(edit, ANEW)
    assert "and 28 more" in finding.what


def test_another_namespace_is_none_of_ours() -> None:
    live = as_stored(service())
    live["spec"]["selector"]["app"] = "other"
    live["metadata"]["namespace"] = "elsewhere"
    assert drift([live], [service()], [service()], NAMESPACE) == []


# Properties


def leaves(manifest: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Places of everything that a chart sets and that can be edited alone: texts, numbers, and lists that are replaced as one."""
    if isinstance(manifest, dict):
        for key, value in manifest.items():
            if path or key not in ("apiVersion", "kind"):
                yield from leaves(value, (*path, key))
    elif isinstance(manifest, list) and manifest and isinstance(manifest[0], dict) and path[-1] not in ("tolerations", "metrics"):
        for at, item in enumerate(manifest):
            yield from leaves(item, (*path, at))
    elif manifest not in ("", []):
        yield path


# Names tell objects and elements of lists apart: another name is another object. A selector makes the Deployment anew.
IDENTITY = {"name", "namespace", "containerPort", "mountPath", "port"}
PLACES = [
    (at, path)
    for at, manifest in enumerate(UNSCALED)
    for path in leaves(manifest)
    if path[-1] not in IDENTITY or "httpGet" in path or "configMap" in path
    if path[:2] != ("spec", "selector") or manifest["kind"] != "Deployment"
]


def place_text(manifest: Any, path: tuple[Any, ...]) -> str:
    """The place as a finding names it: elements of lists by their name or port."""
    if path[:2] == ("spec", "selector") and manifest["kind"] == "PodDisruptionBudget":
        return "spec.selector"
    parts: list[str] = []
    for key in path:
        manifest = manifest[key]
        identity = ("mountPath", "name", "port") if "volumeMounts" in parts else ("containerPort", "port", "name")
        parts.append(key if isinstance(key, str) else f"[{next(manifest[name] for name in identity if name in manifest)}]")
    return path_text(tuple(parts))


def other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 7
    return [*value, "another"] if isinstance(value, list) else f"{value}-other"


@PROPERTY
@given(place=st.sampled_from(PLACES), later=st.booleans())
def test_an_edit_of_what_the_chart_sets_is_told_once(place: tuple[int, tuple[Any, ...]], later: bool) -> None:
    at, path = place
    live = stored(UNSCALED)
    parent: Any = live[at]
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = other(parent[path[-1]]) if path[-1] != "cpu" else "7"
    after = [rendered("1.3.9"), *UNSCALED[1:]] if later else UNSCALED
    (finding,) = drift(live, UNSCALED, after, NAMESPACE, complete=("Service", "ConfigMap", "PodDisruptionBudget"))
    assert finding.object.name == live[at]["metadata"]["name"]
    assert f": {place_text(UNSCALED[at], path)}: " in finding.what
    assert finding.what.count(" → ") == 1


@PROPERTY
@given(versions=st.tuples(st.sampled_from(["1.2.3", "1.3.8", "1.3.9"]), st.sampled_from(["1.2.3", "1.3.8", "1.3.9"])), anew=st.booleans())
def test_without_edits_there_is_nothing_to_tell(versions: tuple[str, str], anew: bool) -> None:
    before, after = rendered(versions[0]), rendered(versions[1], {"app": "osm-controller", "codebase": ""} if anew else None)
    live = [as_stored(before), *stored(MANIFESTS[1:])]
    manifests = copy.deepcopy(MANIFESTS[1:])
    assert drift(live, [before, *manifests], [after, *manifests], NAMESPACE, complete=("Service", "ConfigMap")) == []
