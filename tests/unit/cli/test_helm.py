# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What helm says and what it means, and how helm is called; the texts are helm's own, from 3.14 to 3.21 and 4.3."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli import helm_errors
from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm import Helm, is_local, parse_manifest
from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm_errors import (
    HelmError,
    HelmFailed,
    error_of_failure,
    schema_errors,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.process import (
    CommandFailed,
    CommandNotFound,
    CommandTimedOut,
    Completed,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline

SCHEMA_OLD = """Error: UPGRADE FAILED: values don't meet the specifications of the schema(s) in the following chart(s):
osm-edge:
- osm: Additional property foo is not allowed
- osm.controllerLogLevel: osm.controllerLogLevel must be one of the following: "debug", "info"
"""
SCHEMA_NEW = """Error: values don't meet the specifications of the schema(s) in the following chart(s):
osm-edge:
- at '/osm': validation failed
  - at '/osm/level': value must be one of 'a', 'b'
  - at '/osm': additional properties 'foo' not allowed
- at '': additional properties 'bar' not allowed
contour:
- at '/image': got string, want object
"""
IMMUTABLE = (
    'Error: UPGRADE FAILED: cannot patch "osm-controller" with kind Deployment: Deployment.apps "osm-controller" is invalid: '
    'spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{"app":"osm-controller"}}: field is immutable && '
    'cannot patch "osm-injector" with kind Deployment: Deployment.apps "osm-injector" is invalid: spec.selector: Invalid value: '
    "v1.LabelSelector{}: field is immutable"
)
IMMUTABLE_4 = (
    'level=WARN msg="upgrade failed" name=osm error="server-side apply failed for object osm-system/osm-controller apps/v1, '
    "Kind=Deployment: "
    'Deployment.apps \\"osm-controller\\" is invalid: spec.selector: Invalid value: {\\"matchLabels\\":{}}: field is immutable"\n'
    "Error: UPGRADE FAILED: server-side apply failed for object osm-system/osm-controller apps/v1, Kind=Deployment: "
    'Deployment.apps "osm-controller" is invalid: spec.selector: Invalid value: {"matchLabels":{}}: field is immutable\n'
)
CONFLICT = """level=WARN msg="upgrade failed" name=a error="conflict occurred while applying object default/fixture /v1, Kind=ConfigMap: \
Apply failed with 1 conflict: conflict with \\"kubectl-patch\\" using v1: .data.level"
Error: UPGRADE FAILED: conflict occurred while applying object default/fixture /v1, Kind=ConfigMap: Apply failed with 1 conflict: \
conflict with "kubectl-patch" using v1: .data.level && conflict occurred while applying object default/fixture apps/v1, Kind=Deployment: \
Apply failed with 3 conflicts: conflicts with "kube-controller-manager" with subresource "scale" using apps/v1 at 2026-01-02T03:04:05Z:
- .spec.replicas
conflicts with "kubectl-set" using apps/v1:
- .spec.template.spec.containers[name="main"].image
- .spec.template.spec.containers[name="main"].command
"""


def error_of(stderr: str) -> HelmError:
    failed = CommandFailed("helm failed", command=["helm"], completed=Completed(1, "", stderr, 0.1))
    return error_of_failure(failed, "Helm cannot upgrade release osm", "osm-system")


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        (SCHEMA_OLD, helm_errors.SchemaViolation),
        (SCHEMA_NEW, helm_errors.SchemaViolation),
        (
            "Error: chart requires kubeVersion: >=1.22.0-0 which is incompatible with Kubernetes v1.20.0\n\nUse --debug flag\n",
            helm_errors.KubeVersionMismatch,
        ),
        ('Error: chart "osm-edge" version "9.9.9" not found in http://127.0.0.1:18999 repository\n', helm_errors.ChartNotFound),
        ('Error: chart "osm" not found in http://127.0.0.1:18999 repository\n', helm_errors.ChartNotFound),
        (
            "Error: chart \"a\" matching 9.9.9 not found in foo index. (try 'helm repo update'): no chart version found for a-9.9.9\n",
            helm_errors.ChartNotFound,
        ),
        ("Error: chart \"x\" matching  not found in foo index. (try 'helm repo update'): no chart name found\n", helm_errors.ChartNotFound),
        ("Error: repo foo not found\n", helm_errors.ChartNotFound),
        ('Error: path "./nothere" not found\n', helm_errors.ChartNotFound),
        ("Error: non-absolute URLs should be in form of repo_name/path_to_chart, got: osm-edge\n", helm_errors.ChartNotFound),
        ("Error: failed to fetch http://127.0.0.1:18999/nothere-1.tgz : 404 File not found\n", helm_errors.ChartNotFound),
        ('Error: failed to perform "FetchReference" on source: 127.0.0.1:18999/x/osm-edge:1.0.0: not found\n', helm_errors.ChartNotFound),
        (
            'Error: failed to perform "FetchReference" on source: Get "https://127.0.0.1:1/v2/x": dial tcp: connection refused\n',
            helm_errors.RepositoryUnreachable,
        ),
        (
            'Error: looks like "http://127.0.0.1:1" is not a valid chart repository or cannot be reached: Get "http://x": dial tcp\n',
            helm_errors.RepositoryUnreachable,
        ),
        ("Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress\n", helm_errors.ReleasePending),
        ('Error: UPGRADE FAILED: "absent" has no deployed releases\n', helm_errors.ReleaseNotFound),
        ("Error: release: not found\n", helm_errors.ReleaseNotFound),
        ("Error: uninstall: Release not loaded: osm: release: not found\n", helm_errors.ReleaseNotFound),
        (IMMUTABLE, helm_errors.ImmutableField),
        (IMMUTABLE_4, helm_errors.ImmutableField),
        (CONFLICT, helm_errors.FieldConflict),
        ("Error: Kubernetes cluster unreachable: the server has asked for the client to provide credentials\n", HelmFailed),
        ("panic: something else", HelmFailed),
    ],
)
def test_each_failure_has_its_type(stderr: str, expected: type[HelmError]) -> None:
    error = error_of(stderr)
    assert error.__class__ is expected
    assert error.why
    assert "\n" not in error.why
    assert error.next
    assert error.output == stderr.strip()


def test_schema_violations_are_listed() -> None:
    assert schema_errors(SCHEMA_OLD) == [
        "osm: Additional property foo is not allowed",
        'osm.controllerLogLevel: osm.controllerLogLevel must be one of the following: "debug", "info"',
    ]
    assert schema_errors(SCHEMA_NEW) == [
        "at '/osm/level': value must be one of 'a', 'b'",
        "at '/osm': additional properties 'foo' not allowed",
        "at '': additional properties 'bar' not allowed",
        "contour: at '/image': got string, want object",
    ]
    assert error_of(SCHEMA_OLD).details["schema_errors"] == schema_errors(SCHEMA_OLD)


@pytest.mark.parametrize("text", [IMMUTABLE, IMMUTABLE_4])
def test_an_immutable_field_is_named(text: str) -> None:
    error = error_of(text)
    assert isinstance(error, helm_errors.ImmutableField)
    assert (str(error.object), error.field) == ("Deployment osm-system/osm-controller", "spec.selector")


def test_owners_of_conflicting_fields_are_named() -> None:
    error = error_of(CONFLICT)
    assert isinstance(error, helm_errors.FieldConflict)
    container = '.spec.template.spec.containers[name="main"]'
    assert [str(conflict) for conflict in error.conflicts] == [
        "ConfigMap default/fixture: .data.level belongs to kubectl-patch",
        "Deployment default/fixture: .spec.replicas belongs to kube-controller-manager",
        f"Deployment default/fixture: {container}.image, {container}.command belong to kubectl-set",
    ]
    assert error.details["conflicts"][0]["owner"] == "kubectl-patch"


def test_manifests_are_parsed() -> None:
    text = "---\n# Source: a/b.yaml\n\n---\nkind: A\nmetadata: {name: x}\n---\n---\nkind: B\n"
    assert [item["kind"] for item in parse_manifest(text)] == ["A", "B"]
    with pytest.raises(HelmFailed, match="syntax error in line 2"):
        parse_manifest("a: b\nc: d: e\n")


def test_what_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "alias" / "chart").mkdir(parents=True)
    for ref in ("./x", "../x", "/x", "~/x", "alias/chart"):
        assert is_local(ref)
    for ref in ("other/chart", "chart", "oci://host/chart", "https://host/chart-1.tgz"):
        assert not is_local(ref)


RECORDER = """#!/usr/bin/env python3
import json, os, sys
path = next((sys.argv[number + 1] for number, word in enumerate(sys.argv) if word == "--values"), None)
with open(os.environ["RECORD"], "a") as record:
    values = {"mode": oct(os.stat(path).st_mode & 0o777), "values": json.load(open(path)), "path": path} if path else None
    record.write(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ), "file": values}) + "\\n")
exec(os.environ.get("THEN", ""))
"""


class Recorded:
    """A program in helm's place that writes down how it was called; ``THEN`` is what it does after that."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.program, self._record = directory / "helm", directory / "record"
        self.program.write_text(RECORDER)
        self.program.chmod(0o700)
        self.scratch = directory / "scratch"
        self.scratch.mkdir()
        monkeypatch.setenv("RECORD", str(self._record))
        self.helm = Helm(str(self.program), kubeconfig_path="/private/kubeconfig", directory=str(self.scratch), mask=["t0ken-value"])

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._record.read_text().splitlines()]


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    return Recorded(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("said", "next_step"),
    [
        ("Error: UPGRADE FAILED: query: failed to query with labels: Unauthorized", "renew the credentials"),
        ('Error: UPGRADE FAILED: secrets is forbidden: User "jane" cannot create resource "secrets"', "grant what the message names"),
        ("Error: UPGRADE FAILED: something else", "read helm's message"),
    ],
)
def test_what_to_do_about_refused_requests(said: str, next_step: str) -> None:
    assert next_step in error_of(said).next


def test_an_upgrade_is_exactly_this(recorded: Recorded) -> None:
    values = {"osm": {"password": "t0ken-value", "level": "off", "number": 1}}
    recorded.helm.upgrade("osm", "/charts/osm-edge", "osm-system", values, deadline=Deadline(300), description="why", max_history=7)
    (call,) = recorded.calls
    assert call["argv"][:5] == ["upgrade", "osm", "/charts/osm-edge", "--namespace", "osm-system"]
    assert call["argv"][5:8] == ["--reset-values", "--values", call["file"]["path"]]
    assert call["argv"][8:] == ["--history-max", "7", "--timeout", call["argv"][11], "--description", "why"]
    assert 290 <= int(call["argv"][11].removesuffix("s")) < 300
    assert "t0ken-value" not in " ".join(call["argv"])
    assert call["file"]["values"] == values
    assert call["file"]["mode"] == "0o600"
    # It is gone afterwards.
    assert os.listdir(recorded.scratch) == []


@pytest.mark.parametrize(("said", "more"), [("v3.21.4", []), ("v4.3.1", ["--force-conflicts"])])
def test_what_others_set_is_set_back(recorded: Recorded, monkeypatch: pytest.MonkeyPatch, said: str, more: list[str]) -> None:
    monkeypatch.setenv("THEN", f"print('{said}')")
    recorded.helm.upgrade("osm", "/c", "ns", {}, server_side=True, deadline=Deadline(300))
    recorded.helm.rollback("osm", 1, "ns", server_side=True, deadline=Deadline(300))
    upgrade, rollback = (call["argv"] for call in recorded.calls if call["argv"][0] != "version")
    assert upgrade[12:] == more
    assert rollback[9:] == more


def test_an_uninstallation_runs_no_hooks_and_waits_for_nothing(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    assert recorded.helm.uninstall("osm", "osm-system", deadline=Deadline(300)) is True
    argv = recorded.calls[0]["argv"]
    assert argv == ["uninstall", "osm", "--namespace", "osm-system", "--timeout", argv[5], "--no-hooks"]
    monkeypatch.setenv("THEN", "sys.exit('Error: uninstall: Release not loaded: osm: release: not found')")
    assert recorded.helm.uninstall("osm", "osm-system", deadline=Deadline(300), no_hooks=False) is False
    assert "--no-hooks" not in recorded.calls[1]["argv"]
    monkeypatch.setenv("THEN", "sys.exit('Error: failed to delete release: osm')")
    with pytest.raises(HelmFailed, match="Helm cannot uninstall release osm in osm-system: failed to delete release: osm"):
        recorded.helm.uninstall("osm", "osm-system", deadline=Deadline(300))


def test_the_environment_leads_only_to_this_cluster(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HELM_KUBETOKEN", "HELM_KUBECONTEXT", "HELM_NAMESPACE", "HELM_DRIVER", "HELM_DRIVER_SQL_CONNECTION_STRING", "KUBECONFIG"):
        monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setenv("HELM_REPOSITORY_CONFIG", "/etc/helm/repositories.yaml")
    recorded.helm.rollback("osm", 3, "osm-system", deadline=Deadline(60))
    (call,) = recorded.calls
    assert call["argv"][:5] == ["rollback", "osm", "3", "--namespace", "osm-system"]
    helm_variables = {name: value for name, value in call["env"].items() if name.startswith(("HELM_", "KUBE"))}
    assert helm_variables == {"KUBECONFIG": "/private/kubeconfig", "HELM_REPOSITORY_CONFIG": "/etc/helm/repositories.yaml"}


def test_a_template_is_rendered_for_the_cluster(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THEN", "print('---\\nkind: A\\n---\\nkind: B')")
    rendered = recorded.helm.template(
        "osm", "/c", "ns", {}, kube_version="1.34.4", api_versions=["a/v1", "b/v1"], is_upgrade=False, deadline=Deadline(30)
    )
    assert [item["kind"] for item in rendered] == ["A", "B"]
    argv = recorded.calls[0]["argv"]
    assert argv[7:] == ["--kube-version", "1.34.4", "--no-hooks", "--api-versions", "a/v1", "--api-versions", "b/v1"]


@pytest.mark.parametrize(("said", "version"), [("v3.14.4", (3, 14, 4)), ("v3.21", (3, 21, 0)), ("v4.0.1+g123", (4, 0, 1))])
def test_versions_are_read(recorded: Recorded, monkeypatch: pytest.MonkeyPatch, said: str, version: tuple[int, int, int]) -> None:
    monkeypatch.setenv("THEN", f"print('{said}')")
    assert recorded.helm.version(Deadline(30)) == version
    assert recorded.helm.version(Deadline(30)) == version
    assert len(recorded.calls) == 1


def test_no_helm_and_no_end(recorded: Recorded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("THEN", "import time; time.sleep(60)")
    with pytest.raises(CommandTimedOut):
        recorded.helm.upgrade("osm", "/c", "ns", {}, deadline=Deadline(1))
    assert os.listdir(recorded.scratch) == []
    with pytest.raises(CommandNotFound, match="helm"):
        Helm(str(tmp_path / "no" / "helm"), kubeconfig_path="/k", directory=str(tmp_path)).version(Deadline(5))
    monkeypatch.setenv("THEN", "print('hello')")
    with pytest.raises(HelmFailed, match="not helm"):
        recorded.helm.version(Deadline(30))


def test_a_local_chart_is_not_pulled(recorded: Recorded, tmp_path: Path) -> None:
    chart = tmp_path / "chart.tgz"
    chart.write_bytes(b"")
    assert recorded.helm.pull(str(chart), deadline=Deadline(5)) == str(chart)
    with pytest.raises(helm_errors.ChartNotFound, match="no such file"):
        recorded.helm.pull("./absent", deadline=Deadline(5))
    assert not (tmp_path / "record").exists()
