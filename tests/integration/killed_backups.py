# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups that are killed: where, and what they may leave."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backup_cases import Backups, eventually, sets_in, unfinished_in
from failures import Result, story
from faults.front import ApiFront
from faults.request import Request
from hosted.aws import Fault
from run_module import Module
from write_gate import Held, WriteGate

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_store import DirectorySet
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_verify import verify_set

# MESHOPS_ALL_FAULTS=1 in the environment chooses every place to be killed at instead of a fixed selection.
EVERYWHERE = os.environ.get("MESHOPS_ALL_FAULTS", "0") not in ("", "0")
_HOOK = Path(__file__).parent / "killed_at"


class NotThere(AssertionError):
    """A run came to its end before it came to where it was to be killed; ``result`` is what it told."""

    def __init__(self, result: Result) -> None:
        super().__init__(story(result))
        self.result = result


def ended(process: Module) -> None:
    """Wait for a process that was killed."""
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL


def kill(process: Module) -> None:
    """End it as a machine does that loses its power."""
    process.kill()
    ended(process)


def whole(directory: Path) -> bool:
    """Whether that is a set; where its snapshot is does not count."""
    return verify_set(DirectorySet(str(directory)), None, None).ok


def left_by(backups: Backups) -> str:
    """The one run that has left something in dest, of which nothing looks whole; what those before it left is gone."""
    (run_id,) = {Path(name).stem.removeprefix(".") for name in unfinished_in(backups.dest)}
    nothing_looks_whole(backups)
    return run_id


def nothing_looks_whole(backups: Backups) -> None:
    """Assert that what has the name of a set is one, and nothing else is."""
    unfinished = [backups.dest / name for name in unfinished_in(backups.dest) if name.endswith(".partial")]
    assert [path for path in unfinished if whole(path)] == []
    assert all(map(whole, sets_in(backups.dest)))


@contextmanager
def killed_at(
    gate: WriteGate, backups: Backups, matches: Callable[[Request], bool], *, nth: int = 1, committed: bool = False, **options: Any
) -> Iterator[Held]:
    """Run until a request that matches, which never reaches the server (``committed``: the answer does not come); then kill it."""
    held = gate.hold(matches, nth=nth, committed=committed, any_kind=True)
    process = backups.start(front=gate.kubeconfig, **options)
    with ThreadPoolExecutor(1) as pool:
        # Its result is more than a pipe holds.
        result = pool.submit(process.communicate)
        try:
            eventually("the request to be killed at", lambda: held.arrived or result.done())
            if not held.arrived:
                raise NotThere(json.loads(result.result()[0].splitlines()[-1]))
            yield held
        finally:
            process.kill()
            held.drop()
            result.result()


def killed_on_hit(backups: Backups, fault: Fault) -> None:
    """Run until a fault has hit a request to the bucket, and kill it."""
    backups.aws.add(fault)
    process = backups.start()
    eventually(f"{fault.operation} to be killed at", lambda: hits(backups, fault.fault) > 0)
    kill(process)
    backups.aws.clear()


def started_to_be_killed(backups: Backups, place: str, **options: Any) -> Module:
    """A backup that is killed when it does that with a file: the event, a pattern for the path, and the number of it."""
    path = os.pathsep.join([str(_HOOK), *filter(None, [os.environ.get("PYTHONPATH")])])
    return backups.start(env={"PYTHONPATH": path, "KILLED_AT": place}, **options)


def stored_and_in_the_pod(front: ApiFront) -> Callable[[Request], bool]:
    """Whether a request is the removal of a run's own file: all of it has come out of the pod before, and is in the bucket."""

    def matches(request: Request) -> bool:
        return "rm" in request.command and any("cat" in earlier.command for earlier in front.requests)

    return matches


def hits(backups: Backups, fault: str) -> int:
    """How many requests to the bucket a fault has hit."""
    return sum(rule["hit"] for rule in backups.aws.faults() if (rule["bucket"], rule["fault"]) == (backups.bucket, fault))
