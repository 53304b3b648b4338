# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command line: plays the pods of every mesh in one cluster until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import datetime
import os
import signal
import threading
import traceback
from pathlib import Path
from typing import TextIO

from .api import Api
from .control_plane import ControlPlane
from .endpoint import Endpoints
from .kubelet import serve_logs
from .node import Node
from .pod_logs import PodLogs
from .products import APP_NAMES, PROXY_LABELS
from .secret_owners import SecretOwners
from .watching import Watch

_PODS = "/api/v1/pods"
_SETTLE_SECONDS = 20.0


class Log:
    """A line per event, with the time of day."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        now = datetime.datetime.now().strftime("%H:%M:%S.%f")[:-3]
        with self._lock:
            print(now, text, file=self._file, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="osm", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True, help="a user who may do everything")
    parser.add_argument("--log", type=Path, required=True, help="file that gets a line per event")
    parser.add_argument(
        "--bootstrap-seconds", type=float, default=3.0, help="how long osm-bootstrap takes for all definitions (default: 3)"
    )
    parser.add_argument("--pod-logs", type=Path, help="directory for what the pods' containers write (default: pods beside the log)")
    parser.add_argument("--kubelet-port", type=int, default=0, help="answer for the nodes' kubelets on this port: logs of the pods")
    parser.add_argument("--ready-file", type=Path, help="file to make when the meshes that are there are played")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    ended = threading.Event()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    threading.excepthook = die
    with options.log.open("a", encoding="utf-8") as file:
        log = Log(file)
        start(options, log)
        ended.wait()
        log.say("ended")
        # The threads are daemons: the process ends at once, and with it everything that listens, as when pods are lost.


def die(failed: threading.ExceptHookArgs) -> None:
    """A thread that ended by a mistake of ours must not leave half a control plane behind."""
    traceback.print_exception(failed.exc_type, failed.exc_value, failed.exc_traceback)
    os._exit(1)


def start(options: argparse.Namespace, log: Log) -> None:
    """Start to watch; the ready file is made by a thread of its own, so that SIGTERM is heard while the API server is down."""
    api = Api(options.kubeconfig)
    pod_logs = options.pod_logs or options.log.parent / "pods"
    pod_logs.mkdir(exist_ok=True)
    control_plane = ControlPlane(Node(api, Endpoints(), PodLogs(pod_logs), options.bootstrap_seconds, log.say))
    if options.kubelet_port:
        serve_logs(api, options.kubelet_port, pod_logs)
    owners = SecretOwners(api, control_plane.controlled_meshes, log.say)
    owners.start()
    names = f"app.kubernetes.io/name in ({','.join(APP_NAMES)})"
    programs = Watch(api, _PODS, names, control_plane.changed, control_plane.gone, log.say)
    injected = [Watch(api, _PODS, label, owners.changed, owners.gone, log.say, metadata_only=True) for label in PROXY_LABELS]
    for watch in (programs, *injected):
        watch.start()

    def ready() -> None:
        for watch in (programs, *injected):
            watch.listed.wait()
        control_plane.wait_until_settled(_SETTLE_SECONDS)
        log.say("ready")
        if options.ready_file:
            options.ready_file.touch()

    threading.Thread(target=ready, name="ready", daemon=True).start()


if __name__ == "__main__":
    main()
