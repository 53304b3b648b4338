# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The charts of this directory as archives, and as a chart repository on loopback.

A release is named "PRODUCT-VERSION": the product is the name of its chart.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from sandboxlib.binaries import binary
from sandboxlib.errors import SandboxError

HERE = Path(__file__).resolve().parent


class Derived(NamedTuple):
    """A release that differs from a chart that is here only in words: what its Chart.yaml, values.yaml and schema say instead."""

    chart: str
    replace: Mapping[str, str]


def _patch(chart: str, pipy: tuple[str, str], version: str) -> Derived:
    return Derived(f"osm-edge-{chart}", {chart: version, pipy[0]: pipy[1]})


# Sidecar images of osm-edge as in the published archives (branch gh-pages), except for the pre-release 1.3.0-beta.4, which
# has that of 1.3.0 here. Those of FSM and Open Service Mesh were not compared with the published ones.
DERIVED: Mapping[str, Derived] = {
    "osm-edge-1.1.0": Derived("osm-edge-1.1.3", {"1.1.3": "1.1.0", "1.1.1": "1.1.0"}),
    "osm-edge-1.1.2": Derived("osm-edge-1.1.3", {"1.1.3": "1.1.2", "1.1.1": "1.1.2"}),
    "osm-edge-1.2.0": _patch("1.2.3", ("0.70.0-46", "0.70.0-2"), "1.2.0"),
    "osm-edge-1.2.1": _patch("1.2.3", ("0.70.0-46", "0.70.0-46"), "1.2.1"),
    "osm-edge-1.2.2": _patch("1.2.3", ("0.70.0-46", "0.70.0-46"), "1.2.2"),
    # Image tags have no suffix, the chart has: a pre-release to SemVer, and older than 1.2.3.
    "osm-edge-1.2.3-ubi8": Derived(
        "osm-edge-1.2.3",
        {
            "\nversion: 1.2.3": "\nversion: 1.2.3-ubi8",
            'appVersion: "1.2.3"': 'appVersion: "1.2.3-ubi8"',
            "flomesh/pipy:": "flomesh/pipy-ubi8:",
        },
    ),
    "osm-edge-1.3.0-beta.4": _patch("1.3.9", ("0.90.3-38", "0.90.0-18"), "1.3.0-beta.4"),
    "osm-edge-1.3.0": _patch("1.3.9", ("0.90.3-38", "0.90.0-18"), "1.3.0"),
    "osm-edge-1.3.6": _patch("1.3.9", ("0.90.3-38", "0.90.2-14"), "1.3.6"),
    "osm-edge-1.3.8": _patch("1.3.9", ("0.90.3-38", "0.90.2-14"), "1.3.8"),
    "osm-1.2.3": Derived("osm-1.2.4", {"1.2.4": "1.2.3", "sha256:010204": "sha256:010203"}),
    "fsm-1.5.0": Derived("fsm-1.5.1", {"1.5.1\n": "1.5.0\n", '"1.5.1"': '"1.5.0"', "1.5.10": "1.5.9"}),
    # The modes were renamed in 1.5.
    "fsm-1.4.0": Derived(
        "fsm-1.5.1",
        {"1.5.1\n": "1.4.0\n", '"1.5.1"': '"1.4.0"', "1.5.10": "1.5.3", "PodLevel": "iptables", "NodeLevel": "ebpf"},
    ),
}


def releases() -> list[str]:
    """Every release there is a chart of, as "PRODUCT-VERSION"."""
    return sorted({path.parent.name for path in HERE.glob("*/Chart.yaml")} | set(DERIVED))


def product_and_version(release: str) -> tuple[str, str]:
    """Split the name of a release: "osm-edge-1.3.0-beta.4" is ("osm-edge", "1.3.0-beta.4")."""
    found = re.fullmatch(r"([a-z-]+)-(\d.*)", release)
    if found is None:
        raise SandboxError(f"{release} is no name of a release, such as osm-edge-1.2.3")
    return found[1], found[2]


def write_chart(release: str, directory: Path) -> Path:
    """Write the chart of ``release`` (such as "osm-edge-1.2.0") as a directory below ``directory``; SandboxError when there is none."""
    if release not in releases():
        raise SandboxError(f"there is no chart {release}, only {', '.join(releases())}")
    derived = DERIVED.get(release, Derived(release, {}))
    target = directory / release
    shutil.copytree(HERE / derived.chart, target)
    for name in ("Chart.yaml", "values.yaml", "values.schema.json"):
        text = (target / name).read_text(encoding="utf-8")
        for old, new in derived.replace.items():
            text = text.replace(old, new)
        (target / name).write_text(text, encoding="utf-8")
    return target


def chart_archive(release: str, directory: Path) -> Path:
    """Package the chart of ``release`` into ``directory`` and return the path of its .tgz."""
    with tempfile.TemporaryDirectory() as scratch:
        _helm("package", str(write_chart(release, Path(scratch))), "--destination", str(directory))
    return directory / f"{release}.tgz"


def _helm(*arguments: str) -> None:
    done = subprocess.run([str(binary("helm")), *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise SandboxError(f"helm {' '.join(arguments)} failed ({done.returncode}): {done.stderr.strip()}")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: requests are no news in a test."""


class ChartRepository:
    """A chart repository (index.yaml and archives) on a free port of 127.0.0.1, while the context lasts.

    >>> with ChartRepository(["osm-edge-1.2.3", "osm-edge-1.3.9"]) as repository:
    ...     cluster.helm("pull", "osm-edge", "--repo", repository.url, "--version", "1.3.9")
    """

    def __init__(self, wanted: Sequence[str] | None = None) -> None:
        self._wanted = releases() if wanted is None else wanted

    def __enter__(self) -> ChartRepository:
        self._directory = tempfile.TemporaryDirectory()
        path = Path(self._directory.name)
        try:
            for release in self._wanted:
                chart_archive(release, path)
            self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(path)))
            _helm("repo", "index", str(path), "--url", self.url)
        except BaseException:
            self._directory.cleanup()
            raise
        self._thread = threading.Thread(target=self._server.serve_forever, name="chart-repository", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._directory.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"
