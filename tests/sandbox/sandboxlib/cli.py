# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command ``sandbox``."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import time
from types import FrameType
from typing import NoReturn

from . import binaries, state
from .binary_sets import CLUSTER_SETS, ISTIO_VERSIONS, SETS
from .cluster import Cluster, all_clusters
from .errors import SandboxError
from .istio import DEFAULT
from .options import DEFAULTS, KUBERNETES_VERSIONS, Options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sandbox", description="Real Kubernetes control planes on loopback, without containers.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="bring a cluster up; nothing happens when it is up with the same options")
    up.add_argument("name")
    up.add_argument("--nodes", type=int, default=DEFAULTS.nodes, help="number of nodes (default: %(default)s)")
    up.add_argument("--node-cpu", default=DEFAULTS.node_cpu, metavar="QUANTITY", help="CPU that each node has for pods, for example 2")
    up.add_argument("--node-memory", default=DEFAULTS.node_memory, metavar="QUANTITY", help="memory of each node, for example 4Gi")
    up.add_argument("--mesh", default="", metavar="PRODUCT=VERSION", help="install a mesh, for example osm-edge=1.2.3")
    up.add_argument("--mesh-name", default="", metavar="NAME", help="(default: osm, or fsm)")
    up.add_argument("--mesh-namespace", default="", metavar="NAMESPACE", help="(default: osm-system, or fsm-system)")
    up.add_argument("--istio", default="", choices=ISTIO_VERSIONS, metavar="VERSION", help=f"install Istio: {' or '.join(ISTIO_VERSIONS)}")
    up.add_argument("--istio-native-sidecars", action="store_true", help="inject proxies as init containers that go on running")
    up.add_argument(
        "--hosted", default="", metavar="NAMES", help="a management cluster with these hosted clusters and AWS, as prod,stage=single"
    )
    up.add_argument("--apps", default="", metavar="SET", help="deploy sample applications, for example bookstore")
    up.add_argument("--kubernetes-version", default=DEFAULTS.kubernetes_version, choices=KUBERNETES_VERSIONS, help="(default: %(default)s)")
    up.add_argument("--api-only", action="store_true", help="only etcd and the API server: no controllers, no nodes")
    kubeconfig = commands.add_parser("kubeconfig", help="print the path of a cluster's kubeconfig")
    kubeconfig.add_argument("name")
    commands.add_parser("status", help="list the clusters and whether they are alive")
    aws = commands.add_parser("aws", help="print the environment in which AWS is that of a management cluster")
    aws.add_argument("name")
    slow = commands.add_parser("slow", help="let a cluster answer late, through a kubeconfig of its own, until Ctrl-C")
    slow.add_argument("name")
    slow.add_argument("--latency-ms", type=int, default=100, metavar="MILLISECONDS", help="(default: %(default)s)")
    down = commands.add_parser("down", help="end a cluster and remove everything of it")
    which = down.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?")
    which.add_argument("--all", action="store_true", help="every cluster")
    build = commands.add_parser("build", help="build the binaries that are not in the cache yet")
    build.add_argument("sets", nargs="*", metavar="SET", help=f"{', '.join(SETS)} (default: what a cluster needs)")
    return parser


def _up(arguments: argparse.Namespace) -> None:
    options = Options(**{name: getattr(arguments, name) for name in vars(arguments) if name not in ("command", "name")})
    started = time.monotonic()
    cluster = Cluster(arguments.name)
    if cluster.up(options, _say):
        _say(f"{cluster.name} is up after {time.monotonic() - started:.1f} s: export KUBECONFIG={cluster.kubeconfig}")
    else:
        _say(f"{cluster.name} is up already, with these options: export KUBECONFIG={cluster.kubeconfig}")


def _status() -> None:
    rows = [("NAME", "STATE", "KUBERNETES", "NODES", "MESH", "SERVER", "SINCE")]
    for cluster in all_clusters():
        record = state.Record.load(cluster.directory)
        if record is None:
            rows.append((cluster.name, "half-started", "", "", "", "", ""))
            continue
        options, dead = record.layout.options, cluster.dead_components()
        condition = f"not running: {', '.join(dead)}" if dead else "up" if record.complete else "half-started"
        nodes = "api-only" if options.api_only else str(options.nodes)
        mesh = ", ".join(_meshes(cluster, options)) or "-"
        rows.append((cluster.name, condition, options.kubernetes_version, nodes, mesh, record.layout.server, record.created))
    if len(rows) == 1:
        print("no clusters")
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _meshes(cluster: Cluster, options: Options) -> list[str]:
    """The meshes of a cluster: Istio's versions as they are now, or as they were asked for when the cluster cannot be asked."""
    meshes = [f"{options.mesh_name} {options.mesh}"] if options.mesh else []
    try:
        revisions = {} if options.api_only else cluster.istio.revisions
    except OSError:
        revisions = {DEFAULT: options.istio} if options.istio else {}
    meshes += [f"istio{'' if name == DEFAULT else f'-{name}'}={version}" for name, version in sorted(revisions.items())]
    return meshes


def _aws(name: str) -> None:
    from hosted.aws import Aws

    aws = Aws(Cluster(name))
    if not aws.alive:
        raise SandboxError(f"cluster {name} has no AWS: bring one up with --hosted NAMES")
    for variable, value in aws.environment().items():
        print(f"export {variable}={shlex.quote(value)}")


def _slow(name: str, milliseconds: int) -> NoReturn:
    from faults.front import ApiFront

    with ApiFront(Cluster(name), latency=milliseconds / 1000) as front:
        _say(f"{name} answers {milliseconds} ms later than it does, until Ctrl-C: export KUBECONFIG={front.kubeconfig}")
        while True:
            signal.pause()


def _down(arguments: argparse.Namespace) -> None:
    for cluster in all_clusters() if arguments.all else [Cluster(arguments.name)]:
        _say(f"{cluster.name} is down" if cluster.down() else f"there is no cluster {cluster.name}")


def _build(names: list[str]) -> None:
    if unknown := sorted(set(names) - set(SETS)):
        raise SandboxError(f"unknown set of binaries: {', '.join(unknown)} (there are {', '.join(SETS)})")
    wanted = names or list(CLUSTER_SETS)
    binaries.build(wanted)
    for name in wanted:
        print(binaries.directory(name))


def _say(text: str) -> None:
    print(text, flush=True)


def _terminated(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> None:
    """Run one command; exits with 1 and the reason on stderr when it cannot be done."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, _terminated)  # so that an interrupted start-up is cleaned, as with Ctrl-C
    try:
        if arguments.command == "up":
            _up(arguments)
        elif arguments.command == "kubeconfig":
            print(Cluster(arguments.name).kubeconfig)
        elif arguments.command == "status":
            _status()
        elif arguments.command == "aws":
            _aws(arguments.name)
        elif arguments.command == "slow":
            _slow(arguments.name, arguments.latency_ms)
        elif arguments.command == "down":
            _down(arguments)
        else:
            _build(arguments.sets)
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("sandbox: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
