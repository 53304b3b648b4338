# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The marker in the hosted cluster: written where that is possible, and no reason not to stop the cluster where it is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted import quiesce_apply
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_apply import Quiesce
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_marker import MarkerReader, MarkerState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_plan import mark_steps
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import PriorMarker
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.transport import Answer, AnswerLost
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import WriteConflict
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.tests.unit.hosted_quiesce.clusters_to_stop import NO_MARKER, inventory, state

DEAD_WEBHOOK = 'Internal error occurred: failed calling webhook "check.example.com": connection refused'


class HostedApi:
    """A hosted cluster's API that has no marker and answers every write alike; None: the answer is lost."""

    server = "https://api.prod.example.com:6443"

    def __init__(self, answer: tuple[int, str, str] | None) -> None:
        self.answer = answer
        self.writes: list[str] = []

    def exchange(self, method: str, _path: str, query: list[tuple[str, str]], *_rest: object) -> Answer:
        """Answer one request."""
        if method == "GET":
            return self._status(404, "NotFound", "not found")
        self.writes.append(f"{method} {dict(query).get('dryRun', '')}".strip())
        if self.answer is None:
            raise AnswerLost("connection reset by peer")
        status, reason, message = self.answer
        return self._status(status, reason, message)

    @staticmethod
    def _status(status: int, reason: str, message: str) -> Answer:
        body: dict[str, Any] = {"kind": "Status", "reason": reason, "message": message, "metadata": {}}
        return Answer(status, {}, json.dumps(body).encode())


REFUSALS = [
    pytest.param((500, "InternalError", DEAD_WEBHOOK), "failed calling webhook", id="webhook"),
    pytest.param((503, "ServiceUnavailable", "etcd is slow"), "HTTP 503 ServiceUnavailable: etcd is slow", id="5xx"),
    pytest.param((403, "Forbidden", "no"), "HTTP 403 Forbidden: no", id="forbidden"),
    pytest.param(None, "the answer was lost: connection reset by peer", id="lost"),
]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiesce_apply, "_MARK_SECONDS", 0.1)


def quiesce(hosted: HostedApi) -> Quiesce:
    """What stops the cluster whose API this is."""
    api = Api(hosted)  # type: ignore[arg-type]
    return Quiesce(api, inventory(), MarkerReader(lambda: api), deadline=Deadline(60), stop_timeout=1, progress=Progress())


@pytest.mark.parametrize("found", [NO_MARKER, MarkerState(PriorMarker("present", "west"), "uid", "8")], ids=["new", "another"])
@pytest.mark.parametrize(("answer", "why"), REFUSALS)
def test_a_marker_that_is_not_taken_is_told_and_the_cluster_is_stopped(
    answer: tuple[int, str, str] | None, why: str, found: MarkerState
) -> None:
    hosted = HostedApi(answer)
    stopping = quiesce(hosted)
    (step,) = mark_steps(state(inventory(), found))
    assert stopping.apply(step).startswith("not written: ")
    (note,) = stopping.notes
    assert (note.severity, note.code) == ("warning", "marker-not-written")
    assert why in note.what
    stopping.dry_run(step)
    assert [one.code for one in stopping.notes] == ["marker-not-written"] * 2
    assert hosted.writes[-1].endswith(" All")


@pytest.mark.parametrize("found", [NO_MARKER, MarkerState(PriorMarker("present", "west"), "uid", "8")], ids=["new", "another"])
def test_a_marker_that_changes_meanwhile_is_looked_at_again(found: MarkerState) -> None:
    stopping = quiesce(HostedApi((409, "Conflict" if found.uid else "AlreadyExists", "changed")))
    (step,) = mark_steps(state(inventory(), found))
    with pytest.raises(WriteConflict):
        stopping.apply(step)
    assert stopping.notes == []
