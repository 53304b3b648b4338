# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that is killed at any write and run again ends in the wanted state, and nobody's edit is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure import lease
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused, WriteConflict
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import record_from_json
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.run import Report, run
from ansible_collections.meshops.lifecycle.tests.unit.procedure.toy_cluster import LEASE, RECORD, Client, Clock, Killed, Server
from ansible_collections.meshops.lifecycle.tests.unit.procedure.toy_procedure import (
    HISTORY,
    Seen,
    Toy,
    app,
    server_with,
)

APPS = {"a": 1, "b": 1, "c": 2}
NAMES = st.sampled_from(["a", "b", "c", "d"])


@contextmanager
def no_waiting() -> Iterator[Clock]:
    """Watch Leases on a clock that waits for nobody."""
    clock = Clock()
    with patch.object(lease, "time", clock):
        yield clock


def run_toy(client: Client, *, wanted: int = 2, **controls: Any) -> Report[Seen]:
    """Run the procedure as ``client``."""
    toy = Toy(client, wanted)
    with no_waiting():
        return run(toy.procedure(), toy.controls(**controls))


def assert_done(server: Server, last: str, before: Mapping[str, int], wanted: int = 2) -> None:
    """Everything is as wanted, the old versions were written down, and nothing of the runs is left.

    One thing may be: the Lease of a run that was killed when only the Lease was left to delete. A ``last`` run that finds
    nothing to do writes nothing at all, so it does not take that Lease over either.
    """
    versions = {ref.name: stored.fields["version"] for ref, stored in server.objects.items() if ref.kind == "App"}
    assert set(before) <= set(versions)
    assert set(versions.values()) <= {wanted}
    assert not [ref for ref in server.objects if ref.kind == "Obsolete"]
    assert RECORD not in server.objects
    assert LEASE not in server.objects or not server.of(last)
    if any(version != wanted for version in before.values()):
        assert server.objects[HISTORY].fields == {"before": dict(before)}


def writes_of_a_clean_run() -> int:
    """Return how many writes there are to be killed at."""
    client = Client(server_with(APPS, ["junk"]), "clean")
    run_toy(client)
    return client.begun


def test_a_run_that_nobody_disturbs() -> None:
    server = server_with(APPS, ["junk"])
    report = run_toy(Client(server, "first"))
    assert_done(server, "first", APPS)
    assert report.changed
    assert [(outcome.phase, outcome.id, outcome.outcome) for outcome in report.outcomes] == [
        ("versions", "set_version:App/default/a", "done"),
        ("versions", "set_version:App/default/b", "done"),
        ("history", "write:History/default/toy", "done"),
        ("cleanup", "delete:Obsolete/default/junk", "done"),
    ]
    written = [write.object for write in server.of("first")]
    assert written == [LEASE, RECORD, app("a"), app("b"), HISTORY, ("Obsolete", "junk", "default"), RECORD, LEASE]


def test_the_second_run_writes_nothing() -> None:
    server = server_with(APPS, ["junk"])
    run_toy(Client(server, "first"))
    report = run_toy(Client(server, "second"))
    assert not report.changed
    assert not report.plan.steps
    assert server.of("second") == []


@pytest.mark.parametrize("stored", [False, True], ids=["before-it-is-stored", "after-it-is-stored"])
@pytest.mark.parametrize("number", range(1, writes_of_a_clean_run() + 1))
def test_killed_at_every_write(number: int, stored: bool) -> None:
    server = server_with(APPS, ["junk"])
    with pytest.raises(Killed):
        run_toy(Client(server, "killed", kill_at=number, kill_after=stored))
    server.edit(app("a"), note="in between")
    recorded = RECORD in server.objects
    report = run_toy(Client(server, "resumed"))
    assert_done(server, "resumed", APPS)
    assert report.resumed == recorded
    assert server.objects[app("a")].fields["note"] == "in between"
    # No write is made twice: what the killed run has done is not in the plan of the next.
    done = [write.object for write in server.writes if write.client != "user" and write.object not in (LEASE, RECORD)]
    assert len(done) == len(set(done)) == 4


@pytest.mark.parametrize("stored", [False, True], ids=["before-it-is-stored", "after-it-is-stored"])
@pytest.mark.parametrize("number", range(1, writes_of_a_clean_run() + 1))
def test_the_approved_id_is_good_until_the_end(number: int, stored: bool) -> None:
    """Killed twice: the plan that was approved once is enough, and an approval of what is left is, too."""
    server = server_with(APPS, ["junk"])
    approved = run_toy(Client(server, "planner"), check=True).plan.id
    with pytest.raises(Killed):
        run_toy(Client(server, "killed", kill_at=number, kill_after=stored), expected_plan_id=approved)
    try:
        # Lease, record or not, one more step.
        run_toy(Client(server, "killed again", kill_at=3), expected_plan_id=approved)
    except Killed:
        pass
    left = run_toy(Client(server, "planner"), check=True).plan
    if left.steps and left.id != approved:
        try:
            run_toy(Client(server, "approved what is left", kill_at=3, kill_after=True), expected_plan_id=left.id)
        except Killed:
            approved = left.id
    run_toy(Client(server, "last"), expected_plan_id=approved)
    assert_done(server, "last", APPS)


def test_another_id_is_refused_on_resume() -> None:
    server = server_with(APPS)
    with pytest.raises(Killed):
        run_toy(Client(server, "killed", kill_at=4))
    before = dict(server.objects)
    with pytest.raises(Refused, match="not the approved one: approved 0123456789abcdef") as refusal:
        run_toy(Client(server, "resumed"), expected_plan_id="0123456789abcdef")
    assert server.objects == before
    assert str(refusal.value.details["plan_table"]) in refusal.value.next


def test_the_approved_id_does_not_cover_other_options() -> None:
    server = server_with(APPS)
    approved = run_toy(Client(server, "planner"), check=True).plan.id
    with pytest.raises(Killed):
        run_toy(Client(server, "killed", kill_at=4), expected_plan_id=approved)
    with pytest.raises(Refused, match="not the approved one"):
        run_toy(Client(server, "resumed"), wanted=3, expected_plan_id=approved)
    # Without an approval the new wish counts, and what the first run has destroyed is still known.
    run_toy(Client(server, "resumed"), wanted=3)
    assert_done(server, "resumed", APPS, wanted=3)


@settings(deadline=None)
@given(
    before=st.dictionaries(NAMES, st.integers(1, 3), min_size=1),
    junk=st.sets(NAMES, max_size=2),
    kills=st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=4),
    edits=st.lists(st.tuples(st.integers(1, 12), NAMES, st.text("xyz", min_size=1, max_size=3)), max_size=8),
    parallel=st.integers(1, 4),
)
def test_no_edit_is_lost(
    before: dict[str, int], junk: set[str], kills: list[tuple[int, bool]], edits: list[tuple[int, str, str]], parallel: int
) -> None:
    """Users edit the objects right before writes of killed runs and of the last one."""
    server = server_with(before, sorted(junk))
    notes: dict[str, str] = {}

    def edit(number: int) -> None:
        for when, name, note in edits:
            if when == number and name in before:
                server.edit(app(name), note=note)
                notes[name] = note

    for kill_at, kill_after in kills:
        try:
            client = Client(server, f"killed at {kill_at}", kill_at=kill_at, kill_after=kill_after, before_write=edit)
            run_toy(client, parallel=parallel)
        except (Killed, WriteConflict):
            continue
    last = "last"
    try:
        run_toy(Client(server, last, before_write=edit), parallel=parallel)
    except WriteConflict:
        # Users who edit one object before every attempt: the run gives up, and is run again when they rest.
        last = "last again"
        run_toy(Client(server, last), parallel=parallel)
    assert_done(server, last, before)
    assert {name: server.objects[app(name)].fields["note"] for name in notes} == notes


class KilledRuns(RuleBasedStateMachine):
    """Users, planners and runs that are killed take turns; the record always knows the versions from before the first write."""

    @initialize(before=st.dictionaries(NAMES, st.integers(1, 3), min_size=1), junk=st.sets(NAMES, max_size=2))
    def a_cluster(self, before: dict[str, int], junk: set[str]) -> None:
        self.server = server_with(before, sorted(junk))
        self.notes = dict.fromkeys(before, "")
        self.before: dict[str, int] = {}
        self.runs = 0

    def _client(self, kill_at: int = 0, kill_after: bool = False) -> Client:
        self.runs += 1
        return Client(self.server, f"run {self.runs}", kill_at=kill_at, kill_after=kill_after)

    @precondition(lambda self: self.notes)
    @rule(data=st.data(), note=st.text("xyz", max_size=3))
    def a_user_writes_a_note(self, data: st.DataObject, note: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.notes)))
        self.server.edit(app(name), note=note)
        self.notes[name] = note

    @precondition(lambda self: self.notes)
    @rule(data=st.data(), version=st.integers(1, 3))
    def a_user_sets_a_version(self, data: st.DataObject, version: int) -> None:
        self.server.edit(app(data.draw(st.sampled_from(sorted(self.notes)))), version=version)

    @rule(name=NAMES, version=st.integers(1, 3))
    def a_user_adds_an_application(self, name: str, version: int) -> None:
        if name not in self.notes:
            self.server.put("user", app(name), {"version": version, "note": ""}, "")
            self.notes[name] = ""

    @rule()
    def somebody_plans(self) -> None:
        client = self._client()
        run_toy(client, check=True)
        assert client.begun == 0

    @rule(kill_at=st.integers(1, 10), kill_after=st.booleans(), parallel=st.integers(1, 3))
    def a_run_is_killed(self, kill_at: int, kill_after: bool, parallel: int) -> None:
        try:
            run_toy(self._client(kill_at, kill_after), parallel=parallel)
        except Killed:
            return
        self._ended()

    @rule()
    def a_run_ends(self) -> None:
        run_toy(self._client())
        self._ended()

    def _ended(self) -> None:
        assert_done(self.server, f"run {self.runs}", self.before or dict.fromkeys(self.notes, 2))

    @invariant()
    def what_the_first_write_destroyed_is_not_forgotten(self) -> None:
        stored = self.server.objects.get(RECORD)
        if stored is None:
            # Proven and done, even when the run was killed right after that.
            self.before = {}
        else:
            record = record_from_json(stored.fields["text"])
            assert record is not None
            recorded = record.merge_base["versions"]
            assert isinstance(recorded, dict)
            assert self.before in ({}, recorded)
            self.before = recorded

    @invariant()
    def no_note_is_lost(self) -> None:
        assert {name: self.server.objects[app(name)].fields["note"] for name in self.notes} == self.notes


TestKilledRuns = KilledRuns.TestCase
TestKilledRuns.settings = settings(deadline=None, max_examples=60, stateful_step_count=15)


def test_an_abandoned_lease_goes_with_the_next_run_that_has_work() -> None:
    server = server_with(APPS)
    with pytest.raises(Killed):
        run_toy(Client(server, "killed", kill_at=7))
    run_toy(Client(server, "idle"))
    assert LEASE in server.objects
    run_toy(Client(server, "busy"), wanted=3)
    assert LEASE not in server.objects


def test_a_failed_step_leaves_the_record_for_the_next_run() -> None:
    server = server_with(APPS)
    toy = Toy(Client(server, "first"))

    def fail_at_b(step: Any) -> None:
        if step.object == app("b"):
            raise LifecycleError("no")

    toy.before_apply = fail_at_b
    with pytest.raises(LifecycleError, match="no"):
        run(toy.procedure(), toy.controls())
    assert RECORD in server.objects
    assert LEASE not in server.objects
    assert run_toy(Client(server, "second")).resumed
    assert_done(server, "second", APPS)
