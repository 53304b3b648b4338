# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What helm's error texts mean. Helm has no machine-readable errors; the texts here were seen with helm 3.14 to 3.21 and 4.3."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.process import CommandFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


class HelmError(LifecycleError):
    """A helm command that failed; ``output`` is helm's own text, masked."""

    def __init__(self, msg: str, *, output: str, object: ObjectRef | None = None, why: str = "", next: str = "") -> None:
        super().__init__(msg, object=object, why=why, next=next, details={"helm_output": output[-4000:]})
        self.output = output


class HelmFailed(HelmError):
    """Any other failure than those below."""


class ChartNotFound(HelmError):
    """The chart, its version or its repository does not exist; ``versions`` are the existing ones, newest first, when known."""

    def __init__(self, msg: str, *, output: str, why: str, versions: Sequence[str] = (), next: str = "") -> None:
        self.versions = list(versions)
        text = f"{why}; existing versions: {', '.join(self.versions)}" if self.versions else why
        super().__init__(msg, output=output, why=text, next=next or "correct chart_ref, chart_repo or chart_version")
        self.details["versions"] = self.versions


class RepositoryUnreachable(HelmError):
    """The repository or registry did not answer, or is none."""


class SchemaViolation(HelmError):
    """The values do not fit the chart's values.schema.json; ``errors`` has one line per violation."""

    def __init__(self, msg: str, *, output: str, errors: Sequence[str]) -> None:
        self.errors = list(errors)
        next_step = "correct the values that are named; the chart's values.schema.json has the rules"
        super().__init__(msg, output=output, why="; ".join(self.errors), next=next_step)
        self.details["schema_errors"] = self.errors


class ReleasePending(HelmError):
    """Another helm operation on this release is running, or one was killed."""


class ReleaseNotFound(HelmError):
    """There is no such release, or it was never deployed."""


class KubeVersionMismatch(HelmError):
    """The chart does not support the cluster's Kubernetes version."""


class ImmutableField(HelmError):
    """The API server refuses the change of a field that cannot change; ``object`` and ``field`` say which."""

    def __init__(self, msg: str, *, output: str, object: ObjectRef, field: str, why: str) -> None:
        self.field = field
        super().__init__(msg, output=output, object=object, why=why, next="the object must be deleted and created anew")


class OwnedFields(NamedTuple):
    """Fields of an object, written as server-side apply writes them (".spec.replicas"), and the field manager that owns them."""

    object: ObjectRef
    owner: str
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.object}: {', '.join(self.fields)} {'belong' if len(self.fields) > 1 else 'belongs'} to {self.owner}"


class FieldConflict(HelmError):
    """Helm 4 applies on the server and does not take over fields that somebody else set; ``conflicts`` are all of them."""

    def __init__(self, msg: str, *, output: str, conflicts: Sequence[OwnedFields]) -> None:
        self.conflicts = list(conflicts)
        next_step = (
            "put what is wanted into the chart's values and let the owner give the field up (pause a GitOps controller, for instance)"
        )
        super().__init__(msg, output=output, object=self.conflicts[0].object, why="; ".join(map(str, self.conflicts)), next=next_step)
        self.details["conflicts"] = [
            {**conflict.object.as_dict(), "owner": conflict.owner, "fields": list(conflict.fields)} for conflict in self.conflicts
        ]


_SCHEMA = "values don't meet the specifications of the schema(s)"
_IMMUTABLE = re.compile(
    r'(?P<kind>[A-Z]\w*)(?:\.[\w.-]+)? "(?P<name>[^"]+)" is invalid: (?P<field>[\w.\[\]]+): Invalid value:.*?field is immutable', re.S
)
# helm 4 pkg/kube/client.go patchResourceServerSide; after the colon the API server's text (structured-merge-diff merge/conflict.go).
_CONFLICT = re.compile(
    r"conflict occurred while applying object (?P<namespace>\S*)/(?P<name>\S+) (?P<version>\S+), Kind=(?P<kind>\w+): "
    r"Apply failed with \d+ conflicts?: (?P<what>.*?)(?= && |\Z)",
    re.S,
)
_OWNED = re.compile(r'conflicts? with "(?P<owner>[^"]+)"[^:]* using \S+(?: at \S+)?:(?P<fields> \S+|(?:\n- [^\n]+)+)')
_KUBE_VERSION = re.compile(r"chart requires kubeVersion: .* which is incompatible with Kubernetes \S+")
_NO_CHART = re.compile(
    r'chart "[^"]*"(?: version "[^"]*")?(?: matching .*?)? not found in .*|path "[^"]*" not found|non-absolute URLs should be in form.*'
)
_NO_IMAGE = re.compile(r"\S+: not found$|failed to fetch \S+ : 404.*|repo \S+ not found")
_UNAUTHORIZED = re.compile(r"Unauthorized|must be logged in to the server|provide credentials")
_NO_REPOSITORY = re.compile(
    r"looks like .* is not a valid chart repository or cannot be reached.*|could not find protocol handler.*"
    r"|failed to perform .*|failed to do request: .*",
    re.S,
)


def error_of_failure(failed: CommandFailed, what: str, namespace: str = "") -> HelmError:
    """Return the typed error for a failed helm command; ``what`` is for instance ``Helm cannot upgrade release osm``."""
    output = failed.stderr.strip() or failed.why
    why = first_error(output)
    if _SCHEMA in output:
        return SchemaViolation(f"{what}: the values do not fit the chart's schema", output=output, errors=schema_errors(output))
    if _KUBE_VERSION.search(output):
        return KubeVersionMismatch(what, output=output, why=why, next="choose a chart version for this Kubernetes version")
    if "another operation (install/upgrade/rollback) is in progress" in output:
        return ReleasePending(what, output=output, why=why, next="wait until it has ended; a killed one must be recovered")
    if "has no deployed releases" in output or re.search(r"\brelease: not found", output):
        return ReleaseNotFound(what, output=output, why=why, next="helm list -A -a shows the releases that exist")
    immutable = _IMMUTABLE.search(output)
    if immutable is not None:
        ref = ObjectRef(immutable["kind"], immutable["name"], namespace)
        return ImmutableField(what, output=output, object=ref, field=immutable["field"], why=f"{ref}: {immutable['field']} is immutable")
    conflicts = field_conflicts(output)
    if conflicts:
        return FieldConflict(f"{what}: somebody else has set fields of its objects", output=output, conflicts=conflicts)
    if _NO_CHART.search(output) or _NO_IMAGE.search(why):
        return ChartNotFound(what, output=output, why=why)
    if _NO_REPOSITORY.search(output):
        next_step = "check the address, the network path and the login (helm registry login, helm repo add)"
        return RepositoryUnreachable(what, output=output, why=why, next=next_step)
    if _UNAUTHORIZED.search(output):
        return HelmFailed(what, output=output, why=why, next="renew the credentials of this connection, then run the same command again")
    if "is forbidden: User" in output:
        return HelmFailed(what, output=output, why=why, next="grant what the message names, then run the same command again")
    return HelmFailed(what, output=output, why=why, next="read helm's message; running again is safe: the release is looked at first")


def first_error(output: str) -> str:
    """Return the text after ``Error:``, on one line."""
    text = output.rpartition("Error: ")[2] if "Error: " in output else output
    return " ".join(text.split())[:1000]


def field_conflicts(output: str) -> list[OwnedFields]:
    """Return the fields that server-side apply refused to change, by object and owner."""
    # Helm 4 logs the same text with escaped quotes before.
    text = output.rpartition("Error: ")[2]
    found = []
    for conflict in _CONFLICT.finditer(text):
        ref = ObjectRef(conflict["kind"], conflict["name"], conflict["namespace"])
        for owned in _OWNED.finditer(conflict["what"]):
            fields = tuple(line.removeprefix("- ") for line in owned["fields"].strip().splitlines())
            found.append(OwnedFields(ref, owned["owner"], fields))
    return found


def schema_errors(output: str) -> list[str]:
    """Return one line per violation, without the lines that only say that something below them is wrong.

    Helm up to 3.17 writes ``- osm: Additional property foo is not allowed``, later ones ``- at '/osm': additional
    properties 'foo' not allowed`` with nested lines. Lines of a dependency get its name in front.
    """
    errors: list[str] = []
    chart, main = "", ""
    for line in output.partition(_SCHEMA)[2].splitlines()[1:]:
        text = line.strip()
        if text.startswith("- "):
            if not text.endswith(": validation failed"):
                errors.append(text[2:] if chart == main else f"{chart}: {text[2:]}")
        elif text.endswith(":") and line == text:
            chart = text[:-1]
            main = main or chart
    return list(dict.fromkeys(errors))
