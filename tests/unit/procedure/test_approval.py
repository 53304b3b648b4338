# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing is written that was not shown: the cluster, the options and the risk may not change behind the reader's back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure import lease
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.approval import refuse_more_risk
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Interrupted, LifecycleError, Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import PhasePlan, Plan, Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import record_from_json, record_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.run import run
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step
from ansible_collections.meshops.lifecycle.tests.unit.procedure.toy_cluster import LEASE, RECORD, Client, Clock, Killed, Server
from ansible_collections.meshops.lifecycle.tests.unit.procedure.toy_procedure import HISTORY, Toy, app, obsolete, server_with

APPS = {"a": 1, "b": 1, "c": 2}


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A clock on which waiting for a Lease takes no time."""
    clock = Clock()
    with patch.object(lease, "time", clock):
        yield clock


def at_the_lease(change: Callable[[], None]) -> Callable[[int], None]:
    """Return a ``before_write`` that does ``change`` between the plan that is shown and the Lease."""

    def before_write(number: int) -> None:
        if number == 1:
            change()

    return before_write


def run_toy(client: Client, **controls: Any) -> Any:
    """Run the procedure as ``client``."""
    toy = Toy(client)
    return run(toy.procedure(), toy.controls(**controls))


def approved_by(server: Server) -> str:
    """Return the id that a planner sees."""
    return str(run_toy(Client(server, "planner"), check=True).plan.id)


def test_the_approved_plan_runs() -> None:
    server = server_with(APPS)
    assert run_toy(Client(server, "first"), expected_plan_id=approved_by(server)).changed


def test_resource_versions_are_not_part_of_the_approval() -> None:
    server = server_with(APPS)
    approved = approved_by(server)
    server.edit(app("a"), note="edited after the approval")
    run_toy(Client(server, "first"), expected_plan_id=approved)
    assert server.objects[app("a")].fields == {"version": 2, "note": "edited after the approval"}


def test_more_than_the_approved_plan_is_refused() -> None:
    server = server_with(APPS)
    approved = approved_by(server)
    server.edit(app("c"), version=1)
    client = Client(server, "first")
    with pytest.raises(Refused, match=f"not the approved one: approved {approved}, now ") as error:
        run_toy(client, expected_plan_id=approved)
    assert client.begun == 0
    # The message shows the plan, and the id with which it would be approved.
    assert f"expected_plan_id={approved_by(server)}\n" in error.value.next
    assert "App default/c" in error.value.next


def test_less_than_the_approved_plan_is_refused_too_when_no_run_has_begun_it() -> None:
    server = server_with(APPS)
    approved = approved_by(server)
    server.edit(app("a"), version=2)
    with pytest.raises(Refused, match="not the approved one"):
        run_toy(Client(server, "first"), expected_plan_id=approved)


def test_nothing_to_do_needs_no_approval() -> None:
    assert not run_toy(Client(server_with({"a": 2}), "first"), expected_plan_id="0123456789abcdef").changed


def test_more_to_do_than_was_shown_is_refused_under_the_lease() -> None:
    server = server_with(APPS)
    client = Client(server, "first", before_write=at_the_lease(lambda: server.edit(app("c"), version=1)))
    with pytest.raises(Refused, match="changed between planning and the first write") as error:
        run_toy(client)
    assert "App default/c" in error.value.next
    assert [write.object for write in server.of("first")] == [LEASE, LEASE]
    assert RECORD not in server.objects


def test_less_to_do_than_was_shown_goes_on_with_the_approved_id() -> None:
    """Also when the run is then killed: the id that was approved still is."""
    server = server_with(APPS, ["junk", "more"])
    approved = approved_by(server)
    change = at_the_lease(lambda: server.delete("user", obsolete("junk")))
    with pytest.raises(Killed), patch.object(lease, "time", Clock()):
        run_toy(Client(server, "killed", before_write=change, kill_at=3), expected_plan_id=approved)
    record = record_from_json(server.objects[RECORD].fields["text"])
    assert record is not None
    assert record.plan_id == approved
    with patch.object(lease, "time", Clock()):
        run_toy(Client(server, "second"), expected_plan_id=approved)
    assert server.objects[app("b")].fields["version"] == 2
    assert obsolete("more") not in server.objects


def test_a_refusal_that_appears_under_the_lease_counts_on_resume() -> None:
    server = server_with(APPS)
    with pytest.raises(Killed), patch.object(lease, "time", Clock()):
        run_toy(Client(server, "killed", kill_at=4))
    server.delete("user", LEASE)
    toy: Toy

    def refuse() -> None:
        toy.refusals = (Refusal("held", app("b"), "b is on hold", "its owner says so", "", "ask the owner"),)

    toy = Toy(Client(server, "second", before_write=at_the_lease(refuse)))
    with pytest.raises(Refused, match="b is on hold"):
        run(toy.procedure(), toy.controls())
    assert server.objects[app("b")].fields["version"] == 1


def test_a_later_phase_with_a_higher_risk_stops() -> None:
    server = server_with(APPS)
    toy = Toy(Client(server, "first"))
    toy.risk_of_history = lambda: "disruptive" if server.objects[app("b")].fields["version"] == 2 else "low"
    with pytest.raises(Interrupted, match="write:History/default/toy is disruptive") as error:
        run(toy.procedure(), toy.controls())
    assert error.value.object == HISTORY
    assert HISTORY not in server.objects
    # It was shown and accepted by running again.
    toy = Toy(Client(server, "second"))
    toy.risk_of_history = lambda: "disruptive"
    assert run(toy.procedure(), toy.controls()).changed
    assert HISTORY in server.objects


def test_a_destructive_step_that_was_not_shown_stops() -> None:
    server = server_with(APPS, ["junk"])
    toy = Toy(Client(server, "first"))

    def add_junk(step: Step) -> None:
        if step.object == app("b"):
            server.put("user", obsolete("precious"), {}, "")

    toy.before_apply = add_junk
    with pytest.raises(Interrupted, match="delete:Obsolete/default/precious is destructive"):
        run(toy.procedure(), toy.controls())
    assert obsolete("precious") in server.objects
    assert obsolete("junk") in server.objects


def test_a_provisional_step_that_turns_out_unnecessary_is_told_as_such() -> None:
    server = server_with(APPS, ["junk"])
    toy = Toy(Client(server, "first"))

    def tidy(step: Step) -> None:
        if step.object == app("b"):
            server.delete("user", obsolete("junk"))

    toy.before_apply = tidy
    report = run(toy.procedure(), toy.controls())
    assert {outcome.id: outcome.outcome for outcome in report.outcomes}["delete:Obsolete/default/junk"] == "unchanged"


def test_a_later_phase_that_was_planned_anew_is_still_the_approved_plan() -> None:
    """On entry the phase finds more (no riskier) work; a run killed in it goes on with the id that was approved."""
    server = server_with(APPS)
    approved = approved_by(server)

    class Later(Toy):
        def _plan_cleanup(self, seen: Any) -> list[Step]:
            steps = super()._plan_history(seen)
            done = seen.objects.get(HISTORY)
            wanted = {"found": sorted(seen.versions().items())}
            if steps or (done and done.fields.get("found") == wanted["found"]):
                return []
            after = {**done.fields, **wanted}
            return [Step("annotate", HISTORY, "", risk="none", desired=wanted, after=after, resource_version=done.version)]

    with patch.object(lease, "time", Clock()):
        # Lease, record, a, b, history, record again, and then the step that was not planned at first.
        toy = Later(Client(server, "killed", kill_at=7))
        with pytest.raises(Killed):
            run(toy.procedure(), toy.controls(expected_plan_id=approved))
        assert "found" not in server.objects[HISTORY].fields
        toy = Later(Client(server, "second"))
        assert run(toy.procedure(), toy.controls(expected_plan_id=approved)).changed
    assert server.objects[HISTORY].fields["found"] == [("a", 2), ("b", 2), ("c", 2)]


def test_what_is_back_after_it_was_removed_was_approved() -> None:
    """Somebody makes again what an earlier phase has deleted: the run deletes it once more, and its proof tells who it was."""
    step = Step("delete", HISTORY, "", risk="destructive", reversible=False)
    later = PhasePlan("cleanup", ())
    with pytest.raises(Interrupted):
        refuse_more_risk(later, (step,))
    with pytest.raises(Interrupted):
        refuse_more_risk(later, (step,), {"delete:Other/thing"})
    refuse_more_risk(later, (step,), {step.id})


def test_two_runs_at_once(clock: Clock) -> None:
    """The second is refused while the first lives, writes nothing, and finds nothing to do afterwards."""
    server = server_with(APPS)
    in_the_middle, go_on = threading.Event(), threading.Event()
    first = Toy(Client(server, "first"))

    def hold(step: Step) -> None:
        if step.object == app("b"):
            in_the_middle.set()
            assert go_on.wait(10)

    first.before_apply = hold
    failures: list[BaseException] = []

    def run_first() -> None:
        try:
            run(first.procedure(), first.controls())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run_first)
    thread.start()
    try:
        assert in_the_middle.wait(10)
        # The first one renews in real time; here its renewal is what happens while the second one sleeps.
        clock.on_sleep = lambda: server.edit(LEASE, renewTime=str(clock.now))
        second = Client(server, "second")
        with pytest.raises(Refused, match="Another run is working on this target") as error:
            run_toy(second)
        assert error.value.details["holder"] == "first"
        assert second.begun == 0
    finally:
        go_on.set()
        thread.join(30)
    assert failures == []
    assert not run_toy(Client(server, "third")).changed
    assert LEASE not in server.objects


def test_a_run_that_was_overtaken_stops_before_its_next_write(clock: Clock) -> None:
    """A run stands still for so long (a suspended machine) that another takes over; its stale write is refused by the server."""
    server = server_with(APPS, ["junk"])
    first = Toy(Client(server, "first"))
    overtaken_by: list[Client] = []

    def stand_still(step: Step) -> None:
        if not overtaken_by:
            assert step.object == app("a")
            overtaken_by.append(Client(server, "second"))
            server.edit(app("a"), note="kept")
            assert run_toy(overtaken_by[0]).changed

    first.before_apply = stand_still
    with pytest.raises(Interrupted, match="Stopped before the next write because the Lease was lost") as error:
        run(first.procedure(), first.controls())
    assert clock.now - 1000 >= 15
    assert [write.object for write in server.of("first")] == [LEASE, RECORD]
    assert error.value.next.startswith("make sure that no other run works on this target")
    assert server.objects[app("a")].fields == {"version": 2, "note": "kept"}
    assert LEASE not in server.objects
    assert RECORD not in server.objects


def test_a_lost_lease_stops_before_the_next_write(clock: Clock) -> None:
    server = server_with(APPS)
    toy = Toy(Client(server, "first"))

    def long(step: Step) -> None:
        # The renewals of the background thread, in real time, do not come within this test.
        assert step.object == app("a")
        clock.now += 11
        server.delete("user", LEASE)

    toy.before_apply = long
    with pytest.raises(LifecycleError, match="Lease was lost") as error:
        run(toy.procedure(), toy.controls())
    assert [write.object for write in server.of("first")] == [LEASE, RECORD, app("a")]
    assert error.value.why == "somebody deleted it"


def test_a_lost_lease_stops_a_phase_that_writes_while_it_is_entered(clock: Clock) -> None:
    server = server_with(APPS)
    toy = Toy(Client(server, "first"))

    def long() -> None:
        clock.now += 11
        server.delete("user", LEASE)

    toy.while_entering = long
    with pytest.raises(LifecycleError, match="Lease was lost") as error:
        run(toy.procedure(), toy.controls())
    assert toy.entered == ["history"]
    assert HISTORY not in server.objects
    assert [step["outcome"] for step in error.value.details["steps"]] == ["done", "done", "not_run"]


def test_a_lease_that_nobody_took_meanwhile_is_renewed_and_the_run_goes_on(clock: Clock) -> None:
    """The API server was away for longer than a Lease lasts, say."""
    server = server_with(APPS)
    toy = Toy(Client(server, "first"))

    def long(step: Step) -> None:
        assert step.writes
        clock.now += 20

    toy.before_apply = long
    assert run(toy.procedure(), toy.controls()).changed
    assert server.objects[app("a")].fields["version"] == 2
    assert LEASE not in server.objects


def test_a_step_that_only_waits_is_nobodys_to_approve() -> None:
    begun = Step("set_version", app("a"), why="", desired={"version": 2})
    waits = Step("wait", app("a"), why="it is under way", risk="none", writes=False)
    shown, left = (
        Plan("toy", "default/toy", (PhasePlan("versions", (begun,)),)),
        Plan("toy", "default/toy", (PhasePlan("versions", (waits,)),)),
    )
    assert record_of(shown, {}).covers(left)
    assert not record_of(left, {}).covers(shown)
    assert left.id == Plan("toy", "default/toy", (PhasePlan("versions", ()),)).id
