# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When waiting is given up: only for what waiting does not end, seen twice, some seconds apart."""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.reading import Diagnosis
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Trouble
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.watch import Watch


def trouble(component: str, *, lasts: bool, number: int = 1) -> Trouble:
    ref = ObjectRef("Pod", f"{component}-{number}", "osm-system")
    return Trouble(ref, "cli-mismatch" if lasts else "insufficient-cpu", "text", "remedy", component, lasts)


class Scene:
    """A clock that is moved by hand, and what is found at that time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.found: list[Trouble] = []
        self.looks = 0
        self.watch = Watch(self._look, lambda: self.now)

    def _look(self) -> Diagnosis:
        self.looks += 1
        return Diagnosis(tuple(self.found))

    def wait(self, seconds: float) -> list[Trouble]:
        """Ask twice a second, as a wait does; return the first answer that is not empty."""
        for _half in range(int(seconds * 2)):
            self.now += 0.5
            if lasting := self.watch.hopeless():
                return lasting
        return []


def test_a_quick_rollout_is_not_looked_at() -> None:
    scene = Scene()
    scene.found = [trouble("osm-controller", lasts=True)]
    assert scene.wait(2.5) == []
    assert scene.looks == 0


def test_what_lasts_ends_the_wait_after_it_was_confirmed() -> None:
    scene = Scene()
    scene.found = [trouble("osm-controller", lasts=True)]
    assert scene.wait(10.5) == []
    assert scene.wait(4) == scene.found
    assert scene.looks == 3


def test_what_may_pass_never_does() -> None:
    scene = Scene()
    scene.found = [trouble("osm-injector", lasts=False)]
    assert scene.wait(600) == []
    assert scene.looks == 150
    assert scene.watch.brief == ", osm-injector: text"


def test_what_went_and_came_back_is_confirmed_anew() -> None:
    scene = Scene()
    scene.found = [trouble("osm-controller", lasts=True)]
    scene.wait(8)
    scene.found = []
    scene.wait(4)
    assert scene.watch.brief == ""
    scene.found = [trouble("osm-controller", lasts=True)]
    assert scene.wait(8) == []
    assert scene.wait(8) != []


def test_another_pod_with_the_same_trouble_confirms_it() -> None:
    scene = Scene()
    scene.found = [trouble("osm-controller", lasts=True)]
    scene.wait(5)
    scene.found = [trouble("osm-controller", lasts=True, number=2)]
    assert scene.wait(9) == scene.found


def test_only_what_lasts_is_returned() -> None:
    scene = Scene()
    scene.found = [trouble("osm-injector", lasts=False), trouble("osm-controller", lasts=True)]
    assert [item.component for item in scene.wait(20)] == ["osm-controller"]
