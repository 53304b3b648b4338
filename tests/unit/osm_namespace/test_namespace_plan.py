# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to namespaces: every row of what the command line does, everything it leaves undone, and nothing twice."""

from __future__ import annotations

import pytest
from hypothesis import given

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injection import must_inject
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_plan import after_of, namespace_steps
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_request import NamespaceRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_state import Enrolment, LiveNamespace
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import PhasePlan, Plan
from ansible_collections.meshops.lifecycle.tests.unit.osm_namespace import states
from ansible_collections.meshops.lifecycle.tests.unit.osm_namespace.states import (
    FSM_MESH,
    MESH,
    Keys,
    applied,
    enrolled,
    keys_of,
    live,
    scraped,
    state,
)

PRESENT, ABSENT, IGNORED = (NamespaceRequest(name, ("app",)) for name in ("present", "absent", "ignored"))
DISABLED = NamespaceRequest("present", ("app",), injection="disabled")
METRICS = NamespaceRequest("present", ("app",), metrics="enabled")
NO_METRICS = NamespaceRequest("present", ("app",), metrics="disabled")


def result(before: LiveNamespace, request: NamespaceRequest, mesh: Mesh = MESH) -> LiveNamespace:
    """The namespace when its steps are done."""
    for step in namespace_steps(state(before, request=request, mesh=mesh)):
        before = applied(before, step)
    return before


# One row each: what is there, what is asked, what is to be there (mesh, ignore, injection, metrics).
ROWS = {
    "enrol": (live(), PRESENT, Keys("osm", None, "enabled", None)),
    "enrol-disabled": (live(), DISABLED, Keys("osm", None, "disabled", None)),
    "enrol-keeps-metrics": (enrolled(mesh=None, metrics="enabled"), PRESENT, Keys("osm", None, "enabled", "enabled")),
    "already-there": (enrolled(injection="enabled"), PRESENT, Keys("osm", None, "enabled", None)),
    # osm namespace add returns early here and changes nothing
    "enable-injection": (enrolled(injection="disabled"), PRESENT, Keys("osm", None, "enabled", None)),
    "disable-injection": (enrolled(injection="enabled"), DISABLED, Keys("osm", None, "disabled", None)),
    "injection-was-stripped": (enrolled(), PRESENT, Keys("osm", None, "enabled", None)),
    "injection-was-invalid": (enrolled(injection="on"), PRESENT, Keys("osm", None, "enabled", None)),
    # the injector reads yes and true as well
    "injection-in-other-words": (enrolled(injection="Yes"), PRESENT, Keys("osm", None, "Yes", None)),
    "no-injection-in-other-words": (enrolled(injection="false"), DISABLED, Keys("osm", None, "false", None)),
    # there is no command to undo ignore; any value of the label is one
    "undo-ignored": (enrolled(injection="enabled", ignore="true"), PRESENT, Keys("osm", None, "enabled", None)),
    "undo-ignored-false": (enrolled(injection="enabled", ignore="false"), PRESENT, Keys("osm", None, "enabled", None)),
    "undo-ignored-empty": (enrolled(mesh=None, ignore=""), PRESENT, Keys("osm", None, "enabled", None)),
    "remove": (enrolled(injection="enabled", metrics="enabled"), ABSENT, Keys(None, None, None, None)),
    "remove-ignored": (enrolled(injection="enabled", ignore="true"), ABSENT, Keys(None, None, None, None)),
    # osm namespace remove returns early here and leaves everything
    "left-over-annotations": (enrolled(mesh=None, injection="enabled", metrics="enabled"), ABSENT, Keys(None, None, None, None)),
    "left-over-ignore": (enrolled(mesh=None, ignore="yes"), ABSENT, Keys(None, None, None, None)),
    "nothing-to-remove": (live(), ABSENT, Keys(None, None, None, None)),
    "ignore": (enrolled(injection="enabled", metrics="enabled"), IGNORED, Keys("osm", "true", "enabled", "enabled")),
    "ignore-outside": (live(), IGNORED, Keys(None, "true", None, None)),
    "ignored-in-other-words": (enrolled(ignore="yes"), IGNORED, Keys("osm", "yes", None, None)),
    "metrics": (enrolled(injection="enabled"), METRICS, Keys("osm", None, "enabled", "enabled")),
    "metrics-in-other-words": (enrolled(injection="enabled", metrics="TRUE"), METRICS, Keys("osm", None, "enabled", "TRUE")),
    "no-metrics": (enrolled(injection="enabled", metrics="enabled"), NO_METRICS, Keys("osm", None, "enabled", None)),
    "no-metrics-invalid": (enrolled(injection="enabled", metrics="on"), NO_METRICS, Keys("osm", None, "enabled", None)),
    "ignored-without-metrics": (
        enrolled(metrics="enabled"),
        NamespaceRequest("ignored", ("app",), metrics="disabled"),
        Keys("osm", "true", None, None),
    ),
}


@pytest.mark.parametrize("row", list(ROWS))
def test_rows(row: str) -> None:
    before, request, wanted = ROWS[row]
    after = result(before, request)
    assert keys_of(after, OSM_EDGE) == wanted
    assert (after == before) is (keys_of(before, OSM_EDGE) == wanted)


@pytest.mark.parametrize("row", list(ROWS))
def test_rows_with_the_keys_of_fsm(row: str) -> None:
    before, request, wanted = ROWS[row]
    renamed = before._replace(
        labels={
            key.replace(OSM_EDGE.key_domain, FSM.key_domain): "fsm" if value == "osm" else value for key, value in before.labels.items()
        },
        annotations={key.replace(OSM_EDGE.key_domain, FSM.key_domain): value for key, value in before.annotations.items()},
    )
    after = result(renamed, request, FSM_MESH)
    assert keys_of(after, FSM) == wanted._replace(mesh="fsm" if wanted.mesh else None)
    assert keys_of(after, OSM_EDGE) == Keys(None, None, None, None)


# Everything


@given(states.namespaces(), states.requests, states.meshes)
def test_planned_again_there_is_nothing_to_do(before: LiveNamespace, request: NamespaceRequest, mesh: Mesh) -> None:
    after = result(before, request, mesh)
    assert namespace_steps(state(after, request=request, mesh=mesh)) == ()


@given(states.namespaces(), states.requests, states.meshes)
def test_what_is_shown_is_what_comes_of_it(before: LiveNamespace, request: NamespaceRequest, mesh: Mesh) -> None:
    seen = state(before, request=request, mesh=mesh)
    after = result(before, request, mesh)
    assert after_of(seen, "app") == after._replace(resource_version=before.resource_version)
    for step in namespace_steps(seen):
        assert (step.uid, step.resource_version) == (before.uid, before.resource_version)
        assert step.before != step.after
        assert step.why != ""


@given(states.namespaces(), states.requests, states.meshes)
def test_other_peoples_keys_are_left_alone(before: LiveNamespace, request: NamespaceRequest, mesh: Mesh) -> None:
    """Those of the family's other half too, unless the namespace is moved from there."""
    after = result(before, request, mesh)
    ours = {OSM_EDGE.key_domain, FSM.key_domain} if request.state == "present" else {mesh.product.key_domain}
    for now, then in ((before.labels, after.labels), (before.annotations, after.annotations)):
        assert {key: value for key, value in now.items() if key.partition("/")[0] not in ours} == {
            key: value for key, value in then.items() if key.partition("/")[0] not in ours
        }


@given(states.namespaces(), states.requests, states.meshes)
def test_the_state_is_enforced(before: LiveNamespace, request: NamespaceRequest, mesh: Mesh) -> None:
    now = result(before, request, mesh).enrolment(mesh.product)
    if request.state == "absent":
        assert now == Enrolment()
        return
    assert now.ignored is (request.state == "ignored")
    if request.state == "present":
        assert now.mesh == mesh.name
    if request.metrics is not None:
        assert (now.metrics.lower() in ("enabled", "yes", "true")) is (request.metrics == "enabled")


@given(states.namespaces(), states.requests, states.meshes)
def test_new_pods_get_what_was_declared(before: LiveNamespace, request: NamespaceRequest, mesh: Mesh) -> None:
    """By the rules of the webhook (pkg/injector/webhook.go)."""
    after = result(before, request, mesh)
    pod = {"metadata": {}, "spec": {}}
    injected = must_inject(pod, after.facts().as_namespace(), mesh.product, mesh.name, mesh.namespace).inject
    assert injected is (request.state == "present" and request.injection != "disabled")


@given(states.namespaces(), states.requests)
def test_where_the_command_line_does_something_the_outcome_is_the_same(before: LiveNamespace, request: NamespaceRequest) -> None:
    """Where it returns early or refuses, what was declared is enforced or refused."""
    now = keys_of(before, OSM_EDGE)
    then = keys_of(result(before, request), OSM_EDGE)
    try:
        if request.state == "present":
            model = states.osm_namespace_add(now, "osm", disable_injection=request.injection == "disabled")
        elif request.state == "absent":
            model = states.osm_namespace_remove(now, "osm")
        else:
            model = states.osm_namespace_ignore(now)
        if request.metrics is not None and request.state == "present":
            model = states.osm_metrics(model, enable=request.metrics == "enabled")
    except PermissionError:
        return
    if request.state == "present" and now.mesh != "osm":
        # An ignore label of another value than "true" is left by the command line, and the namespace is not injected after all.
        same_words = then._replace(metrics=model.metrics) if _same(then.metrics, model.metrics) else then
        same_words = same_words._replace(injection=model.injection) if _same(then.injection, model.injection) else same_words
        assert same_words == model._replace(ignore=None)
    elif request.state == "absent" and now.mesh == "osm":
        assert then == model
    elif request.state == "ignored" and request.metrics is None:
        assert then._replace(ignore="true") == model


def _same(one: str | None, other: str | None) -> bool:
    words = {"yes": "enabled", "true": "enabled", "no": "disabled", "false": "disabled"}
    return words.get((one or "").lower(), (one or "").lower()) == words.get((other or "").lower(), (other or "").lower())


# Plans


def plan(*namespaces: LiveNamespace, request: NamespaceRequest) -> Plan:
    """As the procedure makes it."""
    return Plan("mesh_namespace", "osm-system/osm", (PhasePlan("namespaces", namespace_steps(state(*namespaces, request=request))),))


def test_the_same_wish_is_the_same_plan_whatever_is_there() -> None:
    """So that a step is still the approved one when somebody has done a part of it."""
    ids = {plan(before, request=PRESENT).id for before in (live(), enrolled(injection="disabled"), enrolled(ignore="true"))}
    assert len(ids) == 1


def test_another_wish_is_another_plan() -> None:
    requests = [PRESENT, DISABLED, METRICS, NO_METRICS, ABSENT, IGNORED]
    before = enrolled(injection="maybe", metrics="maybe")
    assert len({plan(before, request=request).id for request in requests}) == len(requests)


@pytest.mark.parametrize("foreign", [enrolled(mesh="other"), enrolled(mesh="fsm", product=FSM)])
def test_a_move_is_said_and_is_more_than_an_enrolment(foreign: LiveNamespace) -> None:
    request = NamespaceRequest("present", ("app",), allow_move=True)
    moving, joining = (namespace_steps(state(before, request=request))[0] for before in (foreign, live()))
    assert (moving.risk, joining.risk) == ("disruptive", "low")
    assert moving.desired["leaves"] == foreign.enrolment(FSM if foreign.labels.get(FSM.monitored_by_label) else OSM_EDGE).mesh
    assert moving.desired != joining.desired
    after = result(foreign, request)
    assert keys_of(after, OSM_EDGE) == Keys("osm", None, "enabled", None)
    assert keys_of(after, FSM) == Keys(None, None, None, None)


def test_a_namespace_that_is_taken_away_meanwhile_is_another_step() -> None:
    """A write that answers 409 is planned again; that is refused when it would now be a move."""
    steps = [namespace_steps(state(before, request=ABSENT))[0].desired for before in (enrolled(), enrolled(mesh="other"))]
    assert steps[0] != steps[1]


def test_an_ignored_namespace_is_said_to_be_taken_in_again() -> None:
    step = namespace_steps(state(enrolled(ignore="yes", injection="enabled"), request=PRESENT))[0]
    assert step.why == "ignore yes → (none) (it was ignored, and state=present undoes that)"


def test_a_missing_namespace_is_created_with_its_keys() -> None:
    request = NamespaceRequest("present", ("new",), create=True, metrics="enabled")
    (step,) = namespace_steps(state(request=request, targets=["new"]))
    assert (step.action, step.before) == ("create", None)
    assert [str(permission) for permission in step.permissions] == ["create namespaces (cluster-wide)"]
    assert {key: value for key, value in step.desired["labels"].items() if value} == {OSM_EDGE.monitored_by_label: "osm"}
    assert namespace_steps(state(request=PRESENT, targets=["new"])) == ()


def test_permissions_are_those_of_the_single_objects() -> None:
    request = NamespaceRequest("present", ("app",), metrics="enabled")
    steps = namespace_steps(state(live(), request=request, scrape={"app": (scraped("a"),)}))
    assert [(step.action, *step.permissions) for step in steps] == [
        ("patch", ("patch", "", "namespaces", "app", "app", "")),
        ("annotate_pods", ("patch", "", "pods", "app", "", "")),
    ]


def test_pods_come_after_their_namespace() -> None:
    pods = {"app": (scraped("a"), scraped("b", {"prometheus.io/port": "8080"}))}
    first, second = namespace_steps(state(enrolled(), request=METRICS, scrape=pods))
    assert second.needs == (first.id,)
    assert second.simulated != ""
    ours = {"prometheus.io/scrape": "true", "prometheus.io/port": "15010", "prometheus.io/path": "/stats/prometheus"}
    assert second.before == {"pods": {"a": {}, "b": {"prometheus.io/port": "8080"}}}
    assert second.after == {"pods": {"a": ours, "b": ours}}
    assert second.desired == {"annotations": ours}


def test_a_thousand_namespaces_fit_into_a_record() -> None:
    many = [live(f"team-{number:04}-with-a-name-as-long-as-a-name-can-be-in-kubernetes-63") for number in range(5000)]
    steps = namespace_steps(state(*many, request=PRESENT))
    # The record has the id of a step and 16 hexadecimal digits; a ConfigMap takes a mebibyte.
    assert len(steps) == 5000
    assert sum(len(step.id) + 24 for step in steps) < 1024 * 1024
