# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read from the last log lines of a container that ends again and again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.crash_log import MASK, masked, read_log
from ansible_collections.meshops.lifecycle.tests.unit.workloads.troubled_pods import log_line

START = log_line("Starting osm-bootstrap 1.3.9; ; ", level="info")
CLI = log_line("Error validating CLI parameters", "Please specify the mesh name using --mesh-name", reason="FatalInvalidCLIParameters")
PATCHING = 'Patching conversion webhook configuration for crd: {}, setting to "None"'
STORED = (
    'CustomResourceDefinition.apiextensions.k8s.io "trafficsplits.split.smi-spec.io" is invalid: status.storedVersions[1]: '
    'Invalid value: "v1alpha4": must appear in spec.versions'
)
ENUM = (
    'MeshConfig.config.openservicemesh.io "osm-mesh-config" is invalid: spec.traffic.interceptionMode: Unsupported value: "": '
    'supported values: "iptables", "ebpf", "none"'
)
USAGE = "\n".join(f"      --flag-{index} string   something about an unknown flag: x" for index in range(30))
PANIC = """panic: assignment to entry in nil map

goroutine 1 [running]:
main.applyOrUpdateCRDs(0xc000123456)
\t/osm/cmd/osm-bootstrap/osm-bootstrap.go:253 +0x4a5
main.main()
"""


def test_parameters_that_a_program_wants() -> None:
    clue = read_log(f"{START}\n{CLI}\n")
    assert clue is not None
    assert clue.cause == "cli-mismatch"
    assert clue.quote == "Error validating CLI parameters: Please specify the mesh name using --mesh-name"


@pytest.mark.parametrize("line", ["unknown flag: --mesh-nam", "Error: unknown flag: --mesh-nam", "unknown shorthand flag: 'x' in -x"])
@pytest.mark.parametrize("order", ["{line}\n{usage}", "{usage}\n{line}", "{line}\n{usage}\n{line}"])
def test_parameters_that_a_program_does_not_know(line: str, order: str) -> None:
    """pflag prints the complaint before and after its usage text, which is no complaint (osm#1600)."""
    clue = read_log(order.format(line=line, usage=USAGE))
    assert clue is not None
    assert (clue.cause, clue.quote) == ("cli-mismatch", line.removeprefix("Error: "))


def test_a_usage_text_alone_is_no_complaint() -> None:
    assert read_log(USAGE) is None


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("FatalInitializationError", "initialization-failed"),
        ("FatalInvalidCertificateManager", "certificate-failed"),
        ("FatalCertificateIssuanceFailure", "certificate-failed"),
    ],
)
def test_other_fatal_reasons(reason: str, cause: str) -> None:
    clue = read_log(log_line("Error fetching certificate manager", "no such Secret", reason=reason))
    assert clue is not None
    assert (clue.cause, clue.quote) == (cause, "Error fetching certificate manager: no such Secret")


def test_a_definition_without_labels_is_named_by_the_line_before() -> None:
    lines = [log_line(PATCHING.format(name), level="info") for name in ("retries.policy.openservicemesh.io", "tcproutes.specs.smi-spec.io")]
    clue = read_log("\n".join([START, *lines, PANIC]))
    assert clue is not None
    assert (clue.cause, clue.subject) == ("crd-without-labels", {"crd": "tcproutes.specs.smi-spec.io"})


def test_a_definition_without_labels_that_nothing_names() -> None:
    clue = read_log(PANIC)
    assert clue is not None
    assert (clue.cause, clue.subject["crd"]) == ("crd-without-labels", "")


def test_another_panic() -> None:
    clue = read_log("panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV]\ngoroutine 1 [running]:\n")
    assert clue is not None
    assert (clue.cause, clue.quote) == ("crash-loop", "panic: runtime error: invalid memory address or nil pointer dereference")


def test_a_stored_version_that_an_older_program_does_not_know() -> None:
    clue = read_log(log_line("Error updating conversion webhook configuration for crd : trafficsplits.split.smi-spec.io", STORED))
    assert clue is not None
    assert clue.cause == "crd-stored-version"
    assert clue.subject == {"crd": "trafficsplits.split.smi-spec.io", "at": "1", "version": "v1alpha4"}


def test_a_value_that_the_definition_refuses() -> None:
    clue = read_log(log_line("Error setting up default MeshConfig osm-mesh-config from ConfigMap preset-mesh-config", ENUM))
    assert clue is not None
    assert clue.cause == "object-refused"
    assert clue.subject == {
        "kind": "MeshConfig.config.openservicemesh.io",
        "name": "osm-mesh-config",
        "path": "spec.traffic.interceptionMode",
        "value": '""',
        "supported": '"iptables", "ebpf", "none"',
    }


def test_any_other_fatal_line() -> None:
    clue = read_log(f"{log_line('Error setting up default MeshConfig', 'configmaps not found')}\n")
    assert clue is not None
    assert (clue.cause, clue.quote) == ("crash-loop", "Error setting up default MeshConfig: configmaps not found")


@pytest.mark.parametrize(
    "text", ["", "\n\n", START, "just text with vault token s.abcdef", '{"level":"fatal"}', '{"broken', '["level"]', "{}"]
)
def test_lines_that_are_not_known_are_not_quoted(text: str) -> None:
    assert read_log(text) is None


def test_a_time_before_the_line() -> None:
    clue = read_log(f"2026-01-01T00:00:00Z {CLI}")
    assert clue is not None
    assert clue.cause == "cli-mismatch"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("dial https://osm:hunter2secret@vault:8200/v1: refused", "hunter2secret"),
        ("Authorization: Bearer eyJhbGciOi.abc.def refused", "eyJhbGciOi.abc.def"),
        ("unknown flag: --vault-token=s3cretvalue", "s3cretvalue"),
        ('body {"password":"hunter2secret"}', "hunter2secret"),
        ("permission denied for hvs.CAESIJAbcdefghijklmnopqrstuv", "CAESIJAbcdefghijklmnopqrstuv"),
        ("permission denied for s.AbCdEfGhIjKlMnOpQrStUvWx", "AbCdEfGhIjKlMnOpQrStUvWx"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, secret: str) -> None:
    clue = read_log(log_line(text))
    assert clue is not None
    assert secret not in clue.quote
    assert MASK in clue.quote


def test_what_only_names_a_secret_is_not() -> None:
    text = "Please specify the CA bundle secret name using --ca-bundle-secret-name: secrets osm-ca-bundle not found"
    assert masked(text) == text


@given(st.text(max_size=3000))
def test_any_text_can_be_read(text: str) -> None:
    clue = read_log(text)
    assert clue is None or len(clue.quote) <= 400
    assert len(masked(text)) <= 400
    assert "\n" not in masked(text)
