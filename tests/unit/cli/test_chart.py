# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Charts as directories and archives, the damaged and the hostile ones too."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.chart import ChartUnreadable, read_chart

FILES = {
    "Chart.yaml": b"{apiVersion: v2, name: osm-edge, version: 1.3.9, appVersion: v1.3.9, kubeVersion: '>=1.19.0-0'}\n",
    "values.yaml": b"osm:\n  meshName: osm\n",
    "values.schema.json": b'{"type": "object"}',
    "templates/a.yaml": b"{{ not yaml",
    "charts/dependency/Chart.yaml": b"{name: other, version: 0.0.1}",
}


def directory(top: Path, files: dict[str, bytes]) -> str:
    for name, content in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(top)


def archive(path: Path, files: dict[str, bytes], prefix: str = "osm-edge/", *extra: tarfile.TarInfo) -> str:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{prefix}{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in extra:
            tar.addfile(member)
    return str(path)


def link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


@pytest.mark.parametrize("packed", [False, True])
def test_a_chart_is_read(tmp_path: Path, packed: bool) -> None:
    path = archive(tmp_path / "osm-edge-1.3.9.tgz", FILES) if packed else directory(tmp_path / "chart", FILES)
    chart = read_chart(path)
    assert (chart.name, chart.version, chart.app_version, chart.kube_version) == ("osm-edge", "1.3.9", "v1.3.9", ">=1.19.0-0")
    assert chart.values == {"osm": {"meshName": "osm"}}
    assert chart.schema == {"type": "object"}
    assert chart.path == path


def test_a_small_chart(tmp_path: Path) -> None:
    chart = read_chart(archive(tmp_path / "c.tgz", {"Chart.yaml": b"{name: a, version: 1.0.0}"}, "./a/"))
    assert (chart.values, chart.schema, chart.app_version, chart.kube_version) == ({}, None, "", "")


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "no Chart.yaml"),
        ({"Chart.yaml": b"{name: a}"}, "no name or no version"),
        ({"Chart.yaml": b"- a"}, "Chart.yaml is not a mapping"),
        ({"Chart.yaml": b"{a: [", "values.yaml": b""}, "Chart.yaml is not valid YAML"),
        ({**FILES, "values.yaml": b"a: b: c"}, "values.yaml is not valid YAML"),
        ({**FILES, "values.schema.json": b"{"}, "values.schema.json is not valid JSON"),
        ({**FILES, "values.yaml": b"#" * (5 * 1024 * 1024 + 1)}, "values.yaml is larger than"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_wrong_is_told(tmp_path: Path, files: dict[str, bytes], why: str, packed: bool) -> None:
    (tmp_path / "chart").mkdir()
    path = archive(tmp_path / "c.tgz", files) if packed else directory(tmp_path / "chart", files)
    with pytest.raises(ChartUnreadable) as unreadable:
        read_chart(path)
    assert why in str(unreadable.value)
    assert path in str(unreadable.value)


def test_paths_that_lead_outside_are_refused(tmp_path: Path) -> None:
    for number, name in enumerate(("../evil/values.yaml", "osm-edge/../../values.yaml", "/etc/values.yaml")):
        path = archive(tmp_path / f"{number}.tgz", {**{f"osm-edge/{key}": value for key, value in FILES.items()}, name: b"a: b"}, "")
        with pytest.raises(ChartUnreadable, match="leads outside"):
            read_chart(path)


def test_links_and_doubles_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("token: abc")
    without = {name: content for name, content in FILES.items() if name != "values.yaml"}
    for number, files in enumerate((without, FILES)):
        path = archive(tmp_path / f"{number}.tgz", files, "osm-edge/", link("osm-edge/values.yaml", str(secret)))
        with pytest.raises(ChartUnreadable, match="not a plain file"):
            read_chart(path)


def test_an_archive_that_unpacks_to_too_much_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = archive(tmp_path / "bomb.tgz", {"templates/big": b"\0" * (101 * 1024 * 1024), **FILES})
    assert Path(path).stat().st_size < 1024 * 1024
    with pytest.raises(ChartUnreadable, match="unpacks to more than"):
        read_chart(path)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08\x00damaged"])
def test_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "chart.tgz"
    path.write_bytes(content)
    with pytest.raises(ChartUnreadable):
        read_chart(str(path))
    with pytest.raises(ChartUnreadable):
        read_chart(str(tmp_path / "absent.tgz"))


def test_a_cut_off_archive(tmp_path: Path) -> None:
    whole = Path(archive(tmp_path / "whole.tgz", {**FILES, "templates/noise": bytes(range(256)) * 400}))
    cut = tmp_path / "cut.tgz"
    cut.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(ChartUnreadable):
        read_chart(str(cut))
