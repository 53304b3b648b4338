# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record while a cluster is being stopped: taken away, changed or exchanged it ends the run, which says how it is put back."""

from __future__ import annotations

import shlex
from typing import cast

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import PRIOR_ANNOTATION
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import UNKNOWN_MARKER, current
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_record import KeptRecord
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Interrupted
from ansible_collections.meshops.lifecycle.tests.unit.hosted_quiesce.answering import Answering
from ansible_collections.meshops.lifecycle.tests.unit.hosted_quiesce.clusters_to_stop import TARGET, inventory

NOW = current(inventory(), UNKNOWN_MARKER, "run-1", "2026-11-21T23:15:00Z").as_json()
CHANGES = [
    (None, "it is not there"),
    ("{}", "cannot be read: its format is None"),
    (NOW.replace('"kube-apiserver": 3', '"kube-apiserver": 0'), '"kube-apiserver": 0'),
    (NOW.replace("uid-prod", "uid-other"), "that of another HostedCluster (uid uid-other)"),
]


@pytest.mark.parametrize("by_this_run", [True, False], ids=["written", "found"])
@pytest.mark.parametrize(("text", "told"), CHANGES, ids=["gone", "unreadable", "changed", "of another"])
def test_a_record_that_is_not_what_it_was_ends_the_run(by_this_run: bool, text: str | None, told: str) -> None:
    cluster = Answering(inventory())
    kept = KeptRecord(cast(Api, cluster), TARGET)
    cluster.annotate(NOW)
    if by_this_run:
        kept.written(NOW)
    else:
        kept.require()
    cluster.annotate(text)
    with pytest.raises(Interrupted, match=f"{PRIOR_ANNOTATION} of HostedCluster clusters/prod") as ended:
        kept.require()
    assert told in ended.value.why
    # What puts it back puts back what was there.
    command = ended.value.next.partition("put it back: ")[2].partition("; then run")[0]
    assert f"{PRIOR_ANNOTATION}={NOW}" in shlex.split(command)


def test_the_same_record_in_another_spelling_is_the_same() -> None:
    cluster = Answering(inventory())
    kept = KeptRecord(cast(Api, cluster), TARGET)
    kept.written(NOW)
    cluster.annotate(NOW.replace(", ", ",\n"))
    kept.require()


def test_a_record_that_nobody_has_seen_cannot_be_put_back() -> None:
    kept = KeptRecord(cast(Api, Answering(inventory())), TARGET)
    with pytest.raises(Interrupted) as ended:
        kept.require()
    assert "put it back" not in ended.value.next
