# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps namespaces from being touched, all at once; what is only told; what reading back shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_findings import namespace_findings, unproven
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_refusals import namespace_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_request import NamespaceRequest, refuse_contradictions
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_state import LiveNamespace, NamespacesState
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.tests.unit.osm_namespace.states import MESH, enrolled, injector, live, scraped, state

PRESENT, ABSENT, IGNORED = (NamespaceRequest(name, ("app",)) for name in ("present", "absent", "ignored"))
STATES = [PRESENT, ABSENT, IGNORED]
MOVE = NamespaceRequest("present", ("app",), allow_move=True)
CREATE = NamespaceRequest("present", ("app",), create=True)
SERVED = replace(MESH, webhooks=(injector(endpoints=1),))
DEAD = replace(MESH, webhooks=(injector(endpoints=0),))


def codes(seen: NamespacesState) -> list[str]:
    """The codes of its refusals."""
    return [refusal.code for refusal in namespace_refusals(seen)]


@pytest.mark.parametrize("request_", STATES)
def test_nothing_stands_in_the_way(request_: NamespaceRequest) -> None:
    assert codes(state(live(), enrolled("in", injection="enabled"), live("default"), request=request_)) == []


CASES: dict[str, tuple[LiveNamespace, dict[NamespaceRequest, str]]] = {
    "control-plane": (
        live("osm-system"),
        {PRESENT: "control-plane-namespace", ABSENT: "control-plane-namespace", IGNORED: "control-plane-namespace"},
    ),
    "kube": (live("kube-system"), {PRESENT: "system-namespace", IGNORED: "system-namespace"}),
    "openshift": (live("openshift-monitoring"), {PRESENT: "system-namespace", IGNORED: "system-namespace"}),
    "only-begins-alike": (live("kubeflow"), {}),
    "terminating": (live(terminating=True), {PRESENT: "namespace-terminating", IGNORED: "namespace-terminating"}),
    "another-mesh": (
        enrolled(mesh="other"),
        {PRESENT: "namespace-of-another-mesh", ABSENT: "namespace-of-another-mesh", IGNORED: "namespace-of-another-mesh"},
    ),
    # Keys of another product are another mesh's too, but what is not ours need not be taken away or ignored.
    "another-product": (enrolled(mesh="fsm", product=FSM), {PRESENT: "namespace-of-another-mesh"}),
    "same-name-of-another-product": (enrolled(mesh="osm", product=FSM), {PRESENT: "namespace-of-another-mesh"}),
}


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("request_", [*STATES, MOVE])
def test_namespaces_that_are_refused(case: str, request_: NamespaceRequest) -> None:
    namespace, refused = CASES[case]
    seen = state(namespace, request=request_, control_planes={"osm-system": "the control plane of mesh osm"})
    expected = refused.get(PRESENT if request_ == MOVE else request_)
    if request_ == MOVE and expected == "namespace-of-another-mesh":
        expected = None
    assert codes(seen) == ([expected] if expected else [])
    for refusal in namespace_refusals(seen):
        assert all((refusal.what, refusal.why, refusal.state, refusal.next))
        assert namespace.name in refusal.what


def test_another_mesh_is_named() -> None:
    (joining,) = namespace_refusals(state(enrolled(mesh="other"), request=PRESENT))
    assert (joining.what, "allow_move=true" in joining.next) == ("namespace app belongs to mesh other, not osm", True)
    (leaving,) = namespace_refusals(state(enrolled(mesh="other"), request=ABSENT))
    assert leaving.what == "namespace app belongs to mesh other, not osm"
    assert "mesh_name=other" in leaving.next
    assert "kubectl label namespace app openservicemesh.io/monitored-by-" in leaving.next


def test_a_missing_namespace_with_its_nearest_names() -> None:
    (refusal,) = namespace_refusals(state(live("bookstore"), live("bookbuyer"), live("payments"), request=PRESENT, targets=["bookstroe"]))
    assert refusal.code == "namespace-missing"
    assert "did you mean bookstore" in refusal.next
    assert "create=true" in refusal.next
    assert codes(state(live(), request=ABSENT, targets=["nowhere"])) == ["namespace-missing"]


@pytest.mark.parametrize("name", ["", "Team", "team_a", "-team", "team-", "a.b", "x" * 64, "team a", "ä"])
def test_a_name_that_none_can_have_is_not_created(name: str) -> None:
    assert codes(state(request=CREATE, targets=[name])) == ["namespace-name-invalid"]


def test_new_namespaces_may_be_created_but_not_everywhere() -> None:
    assert codes(state(request=CREATE, targets=["new", "default", "a", "x" * 63])) == []
    assert codes(state(request=CREATE, targets=["kube-new"])) == ["system-namespace"]


def test_all_reasons_at_once() -> None:
    seen = state(
        live("osm-system"),
        live("kube-system"),
        live("leaving", terminating=True),
        enrolled("other", mesh="other"),
        request=NamespaceRequest("present", metrics="enabled", selector="a=(", names=("x",)),
        mesh=DEAD,
        targets=["osm-system", "kube-system", "leaving", "other", "nowhere", "No"],
        control_planes={"osm-system": "the control plane of mesh osm"},
        bad_selector="unable to parse requirement",
        pods=None,
        scrape=None,
        pods_unread="not allowed to list pods",
    )
    assert codes(seen) == [
        "invalid-selector",
        "injector-down",
        "pods-not-readable",
        "namespace-name-invalid",
        "namespace-missing",
        "control-plane-namespace",
        "system-namespace",
        "namespace-terminating",
        "namespace-of-another-mesh",
    ]


def test_a_thousand_reasons_can_be_read() -> None:
    missing = namespace_refusals(state(live(), request=PRESENT, targets=[f"nowhere-{number}" for number in range(1000)]))
    assert len(missing) == 21
    assert missing[-1].what.startswith("980 more namespaces for the same reason: nowhere-20, ")
    assert missing[-1].what.endswith("nowhere-999")


# The injector


@pytest.mark.parametrize(
    ("mesh", "namespace", "request_", "refused"),
    [
        (DEAD, live(), PRESENT, True),
        (DEAD, enrolled(injection="enabled", ignore="true"), PRESENT, True),
        (DEAD, live(), ABSENT, False),
        (DEAD, enrolled(injection="enabled"), PRESENT, False),
        # It is sent every new pod already, whatever its annotations say.
        (DEAD, enrolled(injection="disabled"), PRESENT, False),
        (SERVED, live(), PRESENT, False),
        (replace(MESH, webhooks=(injector(endpoints=-1),)), live(), PRESENT, True),
        (replace(MESH, webhooks=(injector(endpoints=None),)), live(), PRESENT, False),
        (replace(MESH, webhooks=(injector(endpoints=0, fails_closed=False),)), live(), PRESENT, False),
    ],
)
def test_namespaces_do_not_join_while_no_pod_could_be_created(
    mesh: Mesh, namespace: LiveNamespace, request_: NamespaceRequest, refused: bool
) -> None:
    assert codes(state(namespace, request=request_, mesh=mesh)) == (["injector-down"] if refused else [])


# Options


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (NamespaceRequest(), "both are empty"),
        (NamespaceRequest("absent", ("app",), injection="disabled"), "injection=disabled says nothing"),
        (NamespaceRequest("ignored", ("app",), injection="enabled"), "injection=enabled says nothing"),
        (NamespaceRequest("absent", ("app",), metrics="enabled"), "metrics=enabled contradicts"),
        (NamespaceRequest("ignored", ("app",), metrics="enabled"), "metrics=enabled contradicts"),
        (NamespaceRequest("absent", ("app",), create=True), "create contradicts"),
        (NamespaceRequest("ignored", ("app",), allow_move=True), "allow_move contradicts"),
    ],
)
def test_contradictions(request_: NamespaceRequest, words: str) -> None:
    with pytest.raises(Refused, match=words):
        refuse_contradictions(request_)


def test_all_contradictions_at_once() -> None:
    with pytest.raises(Refused) as caught:
        refuse_contradictions(NamespaceRequest("absent", injection="enabled", metrics="enabled", create=True, allow_move=True))
    assert caught.value.msg.count(";") == 4


# Findings


def finding_codes(*namespaces: LiveNamespace, request: NamespaceRequest = PRESENT, mesh: Mesh = SERVED, **more: Any) -> list[str]:
    """The codes of what is told."""
    return [finding.code for finding in namespace_findings(state(*namespaces, request=request, mesh=mesh, **more))]


def test_nothing_to_tell() -> None:
    assert finding_codes(live()) == []


@pytest.mark.parametrize(
    ("namespace", "request_", "code"),
    [
        (live(labels={"control-plane": "x"}), PRESENT, "left-out-by-webhook"),
        (live(labels={"name": "osm-system"}), PRESENT, "left-out-by-webhook"),
        (enrolled(metrics="on"), PRESENT, "metrics-annotation-invalid"),
        (live(annotations={"argocd.argoproj.io/tracking-id": "x"}), PRESENT, "namespace-managed-elsewhere"),
        (enrolled(**{"kapp.k14s.io/app": "x"}), ABSENT, "namespace-managed-elsewhere"),
    ],
)
def test_what_is_told(namespace: LiveNamespace, request_: NamespaceRequest, code: str) -> None:
    assert finding_codes(namespace, request=request_) == [code]


def test_what_is_not_told() -> None:
    assert finding_codes(live(labels={"control-plane": "x"}), request=ABSENT) == []
    assert finding_codes(enrolled(metrics="on"), request=NamespaceRequest("present", ("app",), metrics="enabled")) == []
    assert finding_codes(enrolled(injection="enabled", **{"kapp.k14s.io/app": "x"})) == [], "nothing changes"


def test_a_mesh_without_a_webhook() -> None:
    assert finding_codes(live(), mesh=MESH) == ["injector-webhook-not-found"]
    assert finding_codes(live(), mesh=MESH, request=ABSENT) == []


def test_a_selector_that_matches_nothing() -> None:
    assert finding_codes(live(), request=NamespaceRequest("absent", selector="a=b"), targets=[]) == ["selector-matches-nothing"]
    assert finding_codes(live(), request=NamespaceRequest("absent", selector="a=("), targets=[], bad_selector="no") == []


def test_pods_that_may_not_be_read() -> None:
    unread = {"pods": None, "scrape": None, "pods_unread": "not allowed to list pods"}
    assert finding_codes(live(), **unread) == ["pods-not-read"]
    assert codes(state(live(), request=PRESENT, **unread)) == []
    assert codes(state(live(), request=ABSENT, **unread)) == []
    assert codes(state(live(), request=NamespaceRequest("absent", ("app",), metrics="disabled"), **unread)) == ["pods-not-readable"]


# The proof


def test_what_is_as_it_is_wanted_is_proven() -> None:
    assert unproven(state(enrolled(injection="enabled"), request=PRESENT)) == []


def test_what_somebody_has_taken_back_is_not() -> None:
    (finding,) = unproven(state(enrolled(), live("fine"), request=PRESENT, targets=["app"]))
    assert (finding.severity, finding.code) == ("error", "namespace-not-as-wanted")
    assert "sidecar-injection (none) → enabled" in finding.what


def test_what_is_gone_is_not() -> None:
    assert [finding.what for finding in unproven(state(request=PRESENT, targets=["app"]))] == ["it does not exist any more"]
    assert [finding.what for finding in unproven(state(request=CREATE, targets=["app"]))] == ["it does not exist any more"]


def test_pods_without_their_annotations_are_not() -> None:
    seen = state(enrolled(injection="enabled", metrics="enabled"), request=NamespaceRequest("present", ("app",), metrics="enabled"))
    (finding,) = unproven(replace(seen, scrape={"app": (scraped("a"),)}))
    assert finding.what == "1 of its pods do not have the wanted annotations"
