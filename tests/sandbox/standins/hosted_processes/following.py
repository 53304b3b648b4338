# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real API server or etcd member runs as long as there is a pod of it, one that is ending included; a new pod starts it again.

What a test stopped by itself stays stopped: only what was stopped here is started here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from osm_family.api import Api, Object
from playing import Lookout
from sandboxlib import processes

_PODS = "/api/v1/pods"
_SELECTOR = "hypershift.openshift.io/hosted-control-plane,app in (kube-apiserver,etcd)"


class Follower:
    """Follows the pods of the hosted control planes below ``directory``, that of the cluster."""

    def __init__(self, api: Api, directory: Path, say: Callable[[str], None]) -> None:
        self._api, self._directory, self._say = api, directory, say
        # By process: one of the same name that was made anew has had no pods yet.
        self._had_pods: set[tuple[str, int]] = set()
        self._lookout = Lookout(api, ((_PODS, _SELECTOR),), self._look, say)

    def start(self) -> None:
        """Begin, in a thread."""
        self._lookout.start()

    def _look(self) -> None:
        there: dict[str, bool] = {}
        for pod in self._api.get(_PODS, labelSelector=_SELECTOR)["items"]:
            name = component(pod)
            there[name] = there.get(name, False) or _ready(pod)
        for name, pid_file in self._components():
            stopped = self._directory / f"{name}.stopped"
            process = processes.Process.load(pid_file)
            if process is None:
                continue
            if name not in there:
                if (name, process.pid) in self._had_pods and process.alive:
                    self._say(f"{name}: no pod is left")
                    stopped.touch()
                    processes.stop([process], patience=0.5)
            else:
                self._had_pods.add((name, process.pid))
                if there[name] and stopped.exists():
                    self._say(f"{name}: there is a pod again")
                    stopped.unlink()
                    if not process.alive:
                        processes.start(process.argv, Path(process.log), pid_file)

    def _components(self) -> Iterator[tuple[str, Path]]:
        for control_plane in (self._directory / "hosted").glob("*/backend.json"):
            for pid_file in (self._directory / "processes").glob(f"{control_plane.parent.name}-*.json"):
                yield pid_file.stem, pid_file


def component(pod: Object) -> str:
    """The process that a pod stands for: all pods of the API server for one, each etcd pod for its member."""
    metadata = pod["metadata"]
    app = metadata["labels"]["app"]
    return f"{metadata['namespace']}-{metadata['name'] if app == 'etcd' else app}"


def _ready(pod: Object) -> bool:
    ready = any(item["type"] == "Ready" and item["status"] == "True" for item in pod.get("status", {}).get("conditions", []))
    return ready and "deletionTimestamp" not in pod["metadata"]
