# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of each cluster, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.filter.fleet_outcomes import fleet_outcomes
from ansible_collections.meshops.lifecycle.plugins.filter.result_lines import result_lines

FINDING = {
    "severity": "warning",
    "code": "c",
    "object": {},
    "what": "egress stays closed",
    "why": "defaults do not move",
    "remedy": "set it",
}


def planned(uid: str = "uid", **more: Any) -> dict[str, Any]:
    """The result of planning an upgrade from 1.2.3 to 1.3.9."""
    return {
        "changed": True,
        "plan": {"id": "f00", "target": "osm-system/osm"},
        "plan_table": "mesh_upgrade osm-system/osm: plan f00, 1 steps\nphase  action",
        "steps": [{"id": "helm_upgrade:Release/osm", "phase": "control_plane", "outcome": "would_do", "duration": 0, "message": ""}],
        "summary": {"before": "1.2.3", "after": "1.3.9", "stale_pods": 0},
        "findings": [],
        "duration": 1.0,
        "cluster": {"server": "https://x", "uid": uid},
        **more,
    }


def applied(**more: Any) -> dict[str, Any]:
    """The result of applying it."""
    return planned(
        steps=[{"id": "helm_upgrade:Release/osm", "phase": "control_plane", "outcome": "done", "duration": 1.5, "message": "revision 2"}],
        duration=20.04,
        **more,
    )


FAILED = {"failed": True, "msg": "cannot be\nreached", "next": "start it", "cluster": {"server": "https://x", "uid": ""}}


def only(plan: dict[str, Any], apply: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    (record,) = fleet_outcomes({"east": plan}, {"east": apply or {}}, **options)
    return record


@pytest.mark.parametrize(
    ("plan", "apply", "outcome", "line"),
    [
        (planned(), {}, "planned", "east  1.2.3 → 1.3.9  planned  1.0 s"),
        (planned(changed=False, summary={"before": "1.3.9", "after": "1.3.9"}), {}, "planned", "east  1.3.9  nothing to do  1.0 s"),
        (planned(), applied(), "changed", "east  1.2.3 → 1.3.9  changed  20.0 s"),
        (
            planned(),
            applied(summary={"stale_pods": 3}),
            "changed",
            "east  1.2.3 → 1.3.9  changed  20.0 s  (3 pods still run another sidecar than new pods would get)",
        ),
        (planned(), applied(changed=False), "unchanged", "east  1.2.3 → 1.3.9  unchanged  20.0 s"),
        (planned(), {**applied(), **FAILED}, "failed", "east  1.2.3  failed  20.0 s: cannot be reached"),
        (FAILED, {}, "unplanned", "east  ?  unplanned  0.0 s: cannot be reached"),
        (planned(**FAILED, refusals=[{}]), {}, "refused", "east  1.2.3  refused  1.0 s: cannot be reached"),
        ({}, {}, "unplanned", "east  ?  unplanned  0.0 s: the host did not answer"),
    ],
)
def test_outcome_and_line(plan: dict[str, Any], apply: dict[str, Any], outcome: str, line: str) -> None:
    record = only(plan, apply)
    assert (record["outcome"], record["line"]) == (outcome, line)


REFRESH = {"pods": 14, "current_pods": 2, "leftover_pods": 1, "refreshed_pods": 0}
ONBOARD = {"state": "present", "namespaces": 3, "enrolled": 2, "pods": 0, "pods_to_refresh": 9}


@pytest.mark.parametrize(
    ("summary", "done", "line"),
    [
        (REFRESH, None, "east  11 of 14 pods to refresh  planned  1.0 s"),
        (
            REFRESH,
            {**REFRESH, "refreshed_pods": 11},
            "east  11 of 14 pods refreshed  changed  20.0 s  (1 pod still runs another sidecar than new pods would get)",
        ),
        (ONBOARD, None, "east  2 of 3 namespaces to enrol, 9 pods to refresh  planned  1.0 s"),
        (ONBOARD, {**ONBOARD, "refreshed_pods": 9}, "east  2 of 3 namespaces enrolled, 9 pods refreshed  changed  20.0 s"),
        ({**ONBOARD, "state": "absent"}, {"refreshed_pods": 9}, "east  2 of 3 namespaces taken out, 9 pods refreshed  changed  20.0 s"),
    ],
)
def test_line_of_procedures_that_replace_pods(summary: dict[str, Any], done: dict[str, Any] | None, line: str) -> None:
    record = only(planned(summary=summary), applied(summary=done) if done else None)
    assert record["line"] == line


def artefact(outcome: str, name: str, what: str = "osm-crd", kind: str = "CustomResourceDefinition") -> dict[str, Any]:
    """An artefact of a mesh that is uninstalled."""
    about = {"kind": kind, "namespace": "", "name": name}
    return {"what": what, "object": about, "outcome": outcome, "why": "not asked for", "found_by": "its name", "documented": True}


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ([artefact("to_remove", "a"), artefact("kept", "b")], None, "1 artefact to remove, 1 kept"),
        (
            [artefact("to_remove", "a")],
            [artefact("gone", "a"), artefact("gone", "b"), artefact("failed", "c")],
            "2 artefacts gone, 1 not removed",
        ),
        ([], None, "nothing of a mesh"),
        ([artefact("to_remove", "a")], [], "1 artefact to remove"),
    ],
)
def test_what_an_uninstallation_is_about(before: list[Any], after: list[Any] | None, what: str) -> None:
    numbers = {"pods": 12, "namespaces": 3}
    record = only(planned(summary=numbers, artefacts=before), None if after is None else applied(summary=numbers, artefacts=after))
    assert (record["what"], record["artefacts"]) == (what, after or before)


def test_pods_that_an_uninstallation_leaves_are_told() -> None:
    record = only(planned(artefacts=[]), applied(summary={"leftover_pods": 1}, artefacts=[artefact("gone", "a")]))
    assert record["line"].endswith("(1 pod still has a sidecar)")


SET = {
    "run_id": "prod-1",
    "path": "/sets/prod-1",
    "index": "/sets/prod-1/index.json",
    "files": 3,
    "bytes": 12,
    "uploaded_to": "s3://b/prod-1",
}
SNAPSHOT = {"bucket": "b", "key": "prod-1/etcd.db", "size": 104861728, "revision": 7, "sha256": "9f86", "total_keys": 4, "version_id": ""}
LEFT_OUT = [{"what": "persistent volumes", "why": "they stay", "number": 0}, {"what": "token Secrets", "why": "made anew", "number": 4}]


def backup(**more: Any) -> dict[str, Any]:
    """The result of planning a backup."""
    plan = {"id": "f00", "target": "clusters/prod", "procedure": "hosted_cluster_backup"}
    return planned(plan=plan, summary={}, index={"mode": "online"}, left_out=LEFT_OUT, **more)


def test_what_a_backup_is_about() -> None:
    nowhere = only(backup(set={**SET, "path": "", "uploaded_to": ""}))
    assert (nowhere["line"], nowhere["set"]) == ("east  online backup  planned  1.0 s", {})
    done = only(backup(), {**applied(), **backup(set=SET, snapshot=SNAPSHOT)})
    assert (done["what"], done["set"], done["snapshot"]) == ("online backup, prod-1, snapshot of 104.9 MB", SET, SNAPSHOT)
    failed = only(backup(resume_commands=["kubectl scale"]), FAILED)
    assert (failed["what"], failed["set"], failed["left_out"], failed["resume_commands"]) == (
        "online backup",
        {},
        LEFT_OUT,
        ["kubectl scale"],
    )


def test_the_same_hosted_cluster_of_the_same_cluster_is_refused() -> None:
    records = fleet_outcomes({"a": backup(), "b": backup()})
    assert [record["reason"] for record in records] == [f"the same hosted cluster of the same cluster as {name} (uid uid)" for name in "ba"]


def test_a_connection_that_is_not_defined_is_told_without_what_is_around_it() -> None:
    wrapped = "Error while resolving value for 'source': The filter plugin 'meshops.lifecycle.cluster_connection' failed: define it"
    assert only({**FAILED, "msg": wrapped})["reason"] == "define it"


def test_lines_of_a_backup_tell_where_the_set_is_and_what_it_does_not_have() -> None:
    assert result_lines(
        {**applied(), **backup(steps=[], plan_table="", set=SET, snapshot=SNAPSHOT, resume_commands=["kubectl scale"])}
    ) == [
        "set prod-1: /sets/prod-1 and s3://b/prod-1, 3 files, 12 bytes",
        "snapshot: s3://b/prod-1/etcd.db, 104861728 bytes, revision 7, sha256 9f86",
        "not in the set, for reasons that left_out and the report have: persistent volumes; token Secrets (4)",
        "The hosted cluster is stopped. These commands bring it back:",
        "  kubectl scale",
    ]


def test_a_failure_that_wrote_something_is_a_change() -> None:
    record = only(planned(), {**applied(), **FAILED})
    assert (record["changed"], record["after"], record["next"]) == (True, "", "start it")


def test_a_rollback_tells_its_steps_and_where_it_led_to() -> None:
    steps = [{"id": "helm_rollback:Release/osm", "phase": "control_plane", "outcome": "done", "duration": 1.0, "message": ""}]
    failed = applied(failed=True, msg="it broke", rollback={"proven": True, "version": "1.2.3", "steps": steps})
    record = only(planned(), failed)
    assert (record["outcome"], record["after"], record["rollback"]) == ("failed", "1.2.3", steps)
    unproven = only(planned(), applied(failed=True, msg="it broke", rollback={"proven": False, "steps": steps}))
    assert unproven["after"] == ""


def test_a_plan_that_may_not_be_applied_is_refused() -> None:
    record = only(planned(findings=[{**FINDING, "code": "apply-needs-permissions"}]))
    assert (record["outcome"], record["reason"], record["next"]) == ("refused", "egress stays closed", "set it")


def test_the_same_mesh_of_the_same_cluster_is_refused() -> None:
    other_mesh = planned(plan={"id": "f00", "target": "line-1/line-1"})
    records = fleet_outcomes({"a": planned(), "b": planned("other"), "c": planned(), "d": other_mesh})
    assert [record["outcome"] for record in records] == ["refused", "planned", "refused", "planned"]
    assert records[0]["reason"] == "the same mesh of the same cluster as c (uid uid)"


def test_hosts_without_a_plan_are_not_the_same_cluster() -> None:
    records = fleet_outcomes({"a": FAILED, "b": FAILED})
    assert [record["outcome"] for record in records] == ["unplanned", "unplanned"]


def test_at_the_end_what_is_only_planned_was_not_reached() -> None:
    records = fleet_outcomes(
        {"a": planned("1"), "b": planned("2"), "c": planned("3")}, {"a": applied(), "b": {**applied(), **FAILED}}, ended=True
    )
    assert [record["outcome"] for record in records] == ["changed", "failed", "not_reached"]
    assert (records[2]["reason"], records[2]["changed"], records[2]["after"]) == ("the run was stopped because of b", False, "")


def test_lines_of_a_plan_are_its_table_and_findings() -> None:
    assert result_lines(planned(findings=[FINDING, {**FINDING, "severity": "info"}])) == [
        "mesh_upgrade osm-system/osm: plan f00, 1 steps",
        "phase  action",
        "warning: egress stays closed. defaults do not move. Remedy: set it",
    ]


def test_lines_of_an_applied_plan_are_its_steps() -> None:
    assert result_lines(applied()) == ["done          1.5 s  helm_upgrade:Release/osm  revision 2"]


def test_pods_that_are_left_are_told_by_reason() -> None:
    left = {"code": "bare-pod", "reason": "nobody creates them again", "remedy": "do it", "pods": 3, "objects": ["Pod a/b"], "more": 2}
    assert result_lines(applied(leftovers=[left]))[1:] == [
        "left (3 pods): nobody creates them again: Pod a/b and 2 more. Remedy: do it",
    ]


def test_artefacts_are_told_by_what_becomes_of_them() -> None:
    webhook = artefact("gone", "osm-webhook-osm", "mutating-webhook", "MutatingWebhookConfiguration")
    secret = artefact("failed", "osm-ca-bundle", "ca-secret", "Secret")
    many = [artefact("kept", f"crd-{number}") for number in range(21)]
    objects = [{**artefact("gone", name, "custom-resources"), "count": count} for name, count in (("a", 2), ("b", None), ("c", 0))]
    assert result_lines(applied(artefacts=[webhook, *many, secret, *objects]))[1:] == [
        "not removed (1) ca-secret: Secret osm-ca-bundle: not asked for",
        f"kept (21) osm-crd: CustomResourceDefinition {', '.join(f'crd-{number}' for number in range(20))} and 1 more: not asked for",
        "gone (1) mutating-webhook: MutatingWebhookConfiguration osm-webhook-osm",
        "gone (3) custom-resources: CustomResourceDefinition a (2), b (not counted), c",
    ]


def test_lines_of_an_empty_plan() -> None:
    assert result_lines(planned(steps=[], plan_table="mesh_upgrade osm-system/osm: nothing to do")) == [
        "mesh_upgrade osm-system/osm: nothing to do"
    ]
