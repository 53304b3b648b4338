# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Lease: taken, renewed, watched, taken over, lost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import patch

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure import lease
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Interrupted, LifecycleError, Refused, WriteConflict
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.lease import SECONDS, Lease
from ansible_collections.meshops.lifecycle.tests.unit.procedure.toy_cluster import LEASE, Client, Clock, Killed, Leases, Server


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A clock on which waiting takes no time."""
    clock = Clock()
    with patch.object(lease, "time", clock):
        yield clock


def held_by(server: Server, holder: str, **spec: Any) -> None:
    """Let ``holder`` have the Lease."""
    fields = {"holderIdentity": holder, "leaseDurationSeconds": 20, "renewTime": "2026-01-01T00:00:00.000000Z", **spec}
    server.put(holder, LEASE, fields, None)


def holder_of(server: Server) -> str:
    """Return who has the Lease."""
    return str(server.objects[LEASE].fields["holderIdentity"])


def test_it_is_there_while_the_block_runs() -> None:
    server = Server()
    with Lease(Leases(Client(server, "me")), "me") as held:
        held.check()
        spec = server.objects[LEASE].fields
        assert spec["holderIdentity"] == "me"
        assert spec["leaseDurationSeconds"] == SECONDS
        assert str(spec["renewTime"]).endswith("Z")
    assert LEASE not in server.objects


def test_it_is_let_go_when_the_block_fails() -> None:
    server = Server()
    with pytest.raises(ZeroDivisionError), Lease(Leases(Client(server, "me")), "me"):
        raise ZeroDivisionError
    assert LEASE not in server.objects


def test_a_living_holder_is_named(clock: Clock) -> None:
    server = Server()
    told: list[str] = []
    held_by(server, "host-a/12/abc")
    clock.on_sleep = lambda: held_by(server, "host-a/12/abc", renewTime=f"2026-01-01T00:00:{clock.now:.0f}Z")
    with pytest.raises(Refused) as refusal, Lease(Leases(Client(server, "me")), "me", on_wait=told.append):
        pass
    assert clock.now - 1000 < 3
    assert "held by host-a/12/abc, last renewed 2026-01-01T00:00:" in refusal.value.why
    assert "expires 20 s after" in refusal.value.why
    assert refusal.value.object == LEASE
    assert refusal.value.details["holder"] == "host-a/12/abc"
    assert told == ["Lease default/toy is held by host-a/12/abc: waiting up to 20 s to see whether it is alive"]
    assert server.of("me") == []


def test_a_dead_holder_is_watched_for_its_own_duration(clock: Clock) -> None:
    server = Server()
    # What the clock of the holder's machine says does not matter.
    held_by(server, "dead", renewTime="2001-01-01T00:00:00.000000Z")
    with Lease(Leases(Client(server, "me")), "me"):
        assert clock.now - 1000 >= 20
        assert holder_of(server) == "me"


def test_somebody_else_takes_the_dead_ones_lease_first(clock: Clock) -> None:
    server = Server()
    held_by(server, "dead")

    def other() -> None:
        if clock.now > 1019:
            held_by(server, "other")

    clock.on_sleep = other
    with pytest.raises(Refused, match="Another run"), Lease(Leases(Client(server, "me")), "me"):
        pass
    assert holder_of(server) == "other"


@pytest.mark.usefixtures("clock")
def test_two_that_wait_do_not_both_get_it() -> None:
    """The other one's write comes between this one's last look and its write."""
    server = Server()
    held_by(server, "dead")
    client = Client(server, "me", before_write=lambda number: held_by(server, "other"))
    with pytest.raises(Refused) as refusal, Lease(Leases(client), "me"):
        pass
    assert refusal.value.details["holder"] == "other"


def test_watching_ends_with_the_deadline(clock: Clock) -> None:
    server = Server()
    held_by(server, "dead", leaseDurationSeconds=3600)
    with pytest.raises(Refused, match="Another run"), Lease(Leases(Client(server, "me")), "me", deadline=Deadline(0)):
        pass
    assert clock.now - 1000 < 10


def test_a_lease_that_its_holder_let_go_is_taken_at_once(clock: Clock) -> None:
    server = Server()
    held_by(server, "gone", holderIdentity="")
    with Lease(Leases(Client(server, "me")), "me"):
        assert holder_of(server) == "me"
    assert clock.now == 1000


class NoNamespace(Leases):
    """Every write is refused, as a create in a namespace that does not exist."""

    attempts = 0

    def write(self, spec: Mapping[str, object], resource_version: str) -> str:
        """Refuse."""
        assert spec["holderIdentity"]
        assert not resource_version
        self.attempts += 1
        raise WriteConflict("was written by somebody else", why="namespaces not found")


def test_a_lease_that_can_never_be_written_is_given_up() -> None:
    store = NoNamespace(Client(Server(), "me"))
    with pytest.raises(WriteConflict) as error, Lease(store, "me"):
        pass
    assert error.value.why == "namespaces not found"
    assert store.attempts < 10


class Unreliable(Leases):
    """Fails as told: ``lost`` stores the write but its answer is a conflict, as after the client's own repetition."""

    failure = ""

    def write(self, spec: Mapping[str, object], resource_version: str) -> str:
        """Write, or fail."""
        failure, self.failure = self.failure, self.failure if self.failure == "away" else ""
        if failure == "away":
            raise LifecycleError("no answer")
        version = super().write(spec, resource_version)
        if failure == "lost":
            raise WriteConflict("the repetition of a write that was stored")
        return version


def lost_within(held: Lease, seconds: float) -> Interrupted:
    """Wait until ``held`` is lost, and return what is told about it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            held.check()
        except Interrupted as error:
            return error
        time.sleep(0.01)
    pytest.fail(f"still held after {seconds} s")


def test_it_is_renewed() -> None:
    server = Server()
    with Lease(Leases(Client(server, "me")), "me", seconds=3) as held:
        first = server.objects[LEASE].version
        time.sleep(1.5)
        held.check()
        assert server.objects[LEASE].version != first
    assert LEASE not in server.objects


def test_it_is_lost_to_another_holder_who_keeps_it() -> None:
    server = Server()
    with Lease(Leases(Client(server, "me")), "me", seconds=3) as held:
        held_by(server, "other")
        assert lost_within(held, 5).why == "other has taken it"
    assert holder_of(server) == "other"


def test_it_is_lost_when_somebody_deletes_it() -> None:
    server = Server()
    with Lease(Leases(Client(server, "me")), "me", seconds=3) as held:
        server.delete("user", LEASE)
        assert lost_within(held, 5).why == "somebody deleted it"
    assert LEASE not in server.objects


def test_a_lost_answer_is_not_a_lost_lease() -> None:
    server = Server()
    store = Unreliable(Client(server, "me"))
    with Lease(store, "me", seconds=3) as held:
        store.failure = "lost"
        time.sleep(1.5)
        held.check()
    assert LEASE not in server.objects


def test_the_holder_stops_before_others_may_take_over() -> None:
    server = Server()
    store = Unreliable(Client(server, "me"))
    with Lease(store, "me", seconds=3) as held:
        store.failure = "away"
        held.check()
        error = lost_within(held, 3)
        assert "could not be renewed" in error.why
        assert error.msg.startswith("Stopped before the next write")
        assert error.object == LEASE


def test_one_that_comes_back_late_and_is_still_named_renews(clock: Clock) -> None:
    server = Server()
    store = Unreliable(Client(server, "me"))
    with Lease(store, "me") as held:
        clock.now += 20
        held.check()
        store.failure = "lost"
        clock.now += 20
        held.check()
        held_by(server, "other")
        clock.now += 20
        with pytest.raises(Interrupted) as error:
            held.check()
    assert error.value.why == "other has taken it"


class Slow(Leases):
    """The write is stored at once, its answer comes late."""

    clock: Clock

    def write(self, spec: Mapping[str, object], resource_version: str) -> str:
        """Write."""
        version = super().write(spec, resource_version)
        self.clock.now += 12
        return version


def test_a_late_answer_does_not_make_the_lease_younger(clock: Clock) -> None:
    """Others have been watching the Lease since it was stored, not since the answer came."""
    store = Slow(Client(Server(), "me"))
    store.clock = clock
    with Lease(store, "me") as held, pytest.raises(Interrupted, match="Lease was lost"):
        held.check()


class Stuck(Leases):
    """The Lease cannot be deleted."""

    def delete(self, resource_version: str) -> None:
        """Refuse."""
        assert resource_version
        raise LifecycleError("no answer")


def test_not_being_able_to_let_go_changes_nothing_else() -> None:
    told: list[str] = []
    with Lease(Stuck(Client(Server(), "me")), "me", on_wait=told.append):
        pass
    assert told == ["could not delete Lease default/toy; it expires in 15 s"]


@pytest.mark.usefixtures("clock")
def test_a_killed_holder_leaves_it() -> None:
    server = Server()
    client = Client(server, "killed", kill_at=2)
    with pytest.raises(Killed), Lease(Leases(client), "killed"):
        client.put(LEASE._replace(name="other"), {}, "")
    assert holder_of(server) == "killed"
    with Lease(Leases(Client(server, "me")), "me"):
        assert holder_of(server) == "me"
