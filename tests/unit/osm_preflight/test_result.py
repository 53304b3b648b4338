# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which namespaces are looked at, what the result says, and when it is a failure."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import preflight
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import NamespaceFacts
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Facts
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_scope import chosen
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused
from ansible_collections.meshops.lifecycle.tests.unit.osm_preflight.cases import ALL_PRODUCTS, facts, mesh, namespace, service, workload

ENROLLED = {"openservicemesh.io/monitored-by": "osm"}
KNOWN: dict[str, NamespaceFacts] = {
    item.name: item
    for item in (
        namespace("bookbuyer", labels=ENROLLED),
        namespace("bookstore", labels=ENROLLED),
        namespace("legacy", labels={**ENROLLED, "openservicemesh.io/ignore": "true"}),
        namespace("outside"),
    )
}


def choose(names: list[str], selected: list[str] | None = None) -> list[str]:
    return [*chosen(mesh(), KNOWN, names, selected)]


def test_namespaces_by_name_and_by_selector() -> None:
    assert choose(["outside", "bookbuyer", "outside"]) == ["bookbuyer", "outside"]
    assert choose(["outside"], ["bookstore"]) == ["bookstore", "outside"]
    assert choose([], ["bookstore"]) == ["bookstore"]


def test_without_either_all_of_the_mesh_are_looked_at() -> None:
    assert choose([]) == ["bookbuyer", "bookstore"]


def test_namespaces_that_do_not_exist() -> None:
    with pytest.raises(Refused) as refused:
        choose(["bookstor", "outside", "xyz", ""])
    assert "bookstor (did you mean bookstore?)" in refused.value.msg
    assert refused.value.details["missing_namespaces"] == ["bookstor", "xyz", ""]
    assert refused.value.details["nearest"]["bookstor"][0] == "bookstore"


def test_nothing_to_look_at() -> None:
    with pytest.raises(Refused, match="selector matches no namespace"):
        choose([], [])
    with pytest.raises(Refused, match="No namespace is enrolled"):
        chosen(mesh(name="blue"), KNOWN, [], None)


def case(of: Any = None) -> Facts:
    """An error, a warning and an info each."""
    pods = [workload(securityContext={"runAsUser": 1500}), workload("CronJob", "nightly")]
    return facts(*pods, of=of, services=[service(ports=[{"name": "web", "port": 80}])], outside=[])


def test_the_most_severe_first() -> None:
    result = preflight.result(case())
    assert [finding["severity"] for finding in result["findings"]] == ["error", "warning", "info"]
    assert result["summary"] == {
        "mesh": "osm",
        "mesh_namespace": "osm-system",
        "product": "osm-edge",
        "version": "1.3.9",
        "permissive": True,
        "namespaces": 1,
        "workloads": 2,
        "injected_workloads": 2,
        "errors": 1,
        "warnings": 1,
        "infos": 1,
    }


@pytest.mark.parametrize(("fail_on", "first"), [("error", "1 error"), ("warning", "1 error and 1 warning"), ("never", None)])
def test_what_makes_it_fail(fail_on: str, first: str | None) -> None:
    result = preflight.result(case())
    if first is None:
        preflight.fail_if_needed(result, fail_on)
        return
    with pytest.raises(LifecycleError) as failure:
        preflight.fail_if_needed(result, fail_on)
    assert failure.value.msg.startswith(f"{first} in the namespaces")
    assert "reserved-user" in failure.value.msg
    assert failure.value.details == result


def test_infos_never_make_it_fail() -> None:
    quiet = facts(workload(), services=[service(ports=[{"name": "web", "port": 80}])])
    preflight.fail_if_needed(preflight.result(quiet), "warning")


@pytest.mark.parametrize("policy", [{}, {"kind": "Egress"}, {"kind": "Egress", "metadata": {"name": "x"}}, {"metadata": "x"}])
def test_policies_that_are_no_manifests(policy: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="Element 0 of policies"):
        preflight.preflight(None, preflight.Request(policies=[policy]))  # type: ignore[arg-type]


@pytest.mark.parametrize("of", ALL_PRODUCTS, ids=lambda each: each.product.id)
def test_every_finding_says_everything(of: Any) -> None:
    findings = preflight.findings_of(case(of))
    assert findings
    assert [finding for finding in findings if not (finding.what and finding.why and finding.remedy and finding.object.name)] == []


_SPECS = st.fixed_dictionaries(
    {},
    optional={
        "hostNetwork": st.booleans(),
        "securityContext": st.sampled_from([{"runAsUser": 1500}, {"runAsNonRoot": True}, {}]),
        "nodeSelector": st.sampled_from([{"kubernetes.io/os": "windows"}, {"kubernetes.io/os": "linux"}]),
        "annotations": st.sampled_from(
            [{"openservicemesh.io/sidecar-injection": value} for value in ("enabled", "disabled", "x")]
            + [{"openservicemesh.io/outbound-ip-range-exclusion-list": "x"}]
        ),
    },
)


@given(st.lists(st.tuples(st.sampled_from(["Deployment", "Job", "Pod"]), _SPECS), max_size=6), st.randoms())
def test_the_order_of_what_was_read_does_not_matter(specs: list[tuple[str, dict[str, Any]]], chance: random.Random) -> None:
    workloads = [workload(kind, f"w{number}", **spec) for number, (kind, spec) in enumerate(specs)]
    shuffled = [*workloads]
    chance.shuffle(shuffled)
    services = [service(f"s{number}") for number in range(2)]
    first = preflight.result(facts(*workloads, services=services, windows_nodes=["w"]))
    second = preflight.result(facts(*shuffled, services=services[::-1], windows_nodes=["w"]))
    assert first["findings"] == second["findings"]
    codes = {finding["object"]["name"]: [] for finding in first["findings"]}  # type: dict[str, list[str]]
    for finding in first["findings"]:
        codes[finding["object"]["name"]].append(finding["code"])
    # Whoever gets no sidecar because of its own annotation has no finding about a sidecar.
    for item in workloads:
        if item.annotations.get("openservicemesh.io/sidecar-injection") == "disabled":
            assert set(codes.get(item.ref.name, [])) <= {"opted-out", "host-network"}
