# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is written somewhere while a test looks: by the audit logs of both clusters, and by what AWS was asked."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from hosted.aws import Aws
from hosted.bed import Hosted
from sandboxlib.audit import AuditLog, Event

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_reading import READ_ONLY


def commands(events: Iterable[Event]) -> list[list[str]]:
    """What was run in pods."""
    return [parse_qs(urlsplit(event.uri).query)["command"] for event in events if event.resource == "pods/exec"]


def reads_only(command: list[str]) -> bool:
    """Whether it is a command of the named list, behind the name of the program and where it asks."""
    program = command[0] in ("ls", "df") or command[:3] == ["env", "ETCDCTL_API=3", "/usr/bin/etcdctl"]
    return program and any(command[-len(known) :] == [*known] for known in READ_ONLY.values())


class Writes:
    """What is written to a hosted cluster, its management cluster and AWS from now on."""

    def __init__(self, hosted: Hosted, aws: Aws) -> None:
        self._logs = (AuditLog(hosted.bed.cluster.layout.audit_log), AuditLog(hosted.real.layout.audit_log))
        self._marks = [log.mark() for log in self._logs]
        self._aws, self._asked = aws, len(aws.requests())

    def objects(self) -> list[str]:
        """Writes of objects; a command run in a pod is none."""
        events = [event for log, mark in zip(self._logs, self._marks, strict=True) for event in log.writes(mark)]
        return [str(event) for event in events if event.resource != "pods/exec"]

    def commands(self) -> list[list[str]]:
        """What was run in pods, by whomever."""
        return commands(self._logs[0].events(self._marks[0]))

    def nothing(self) -> bool:
        """Whether nothing was, while something was looked at: in pods with what is on the list, in AWS with what only reads."""
        ran, asked = self.commands(), {str(request["operation"]) for request in self._aws.requests(self._asked)}
        assert ran, "nothing was run in a pod"
        assert asked, "AWS was not asked"
        written = (
            [command for command in ran if not reads_only(command)],
            {operation for operation in asked if not operation.startswith(("Get", "Head", "List"))},
            self.objects(),
        )
        assert not any(written), written
        return True
