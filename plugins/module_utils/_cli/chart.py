# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a chart's own files without helm: name, versions, default values, schema."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

_FILES = ("Chart.yaml", "values.yaml", "values.schema.json")
# Helm's own limits (helm pkg/chart/loader/archive.go, MaxDecompressedFileSize and MaxDecompressedChartSize).
_TEMPLATES = "templates/"
_MOST_FILE, _MOST_ARCHIVE = 5 * 1024 * 1024, 100 * 1024 * 1024


class Chart(NamedTuple):
    """What a chart says about itself.

    ``kube_version`` is a constraint such as ``>=1.22.0-0`` or empty; ``templates`` are its template files by name.
    """

    name: str
    version: str
    app_version: str
    kube_version: str
    values: dict[str, Any]
    schema: dict[str, Any] | None
    path: str
    templates: dict[str, bytes]


class ChartUnreadable(LifecycleError):
    """The path does not hold a chart, or a damaged or hostile one."""


def read_chart(path: str) -> Chart:
    """Return the chart at ``path``, a directory or a ``.tgz``; nothing is unpacked to disk. Raises ChartUnreadable."""
    files = _from_directory(path) if os.path.isdir(path) else _from_archive(path)
    if "Chart.yaml" not in files:
        raise _unreadable(path, "it has no Chart.yaml")
    about = _mapping(path, "Chart.yaml", files)
    if not about.get("name") or not about.get("version"):
        raise _unreadable(path, "Chart.yaml has no name or no version")
    return Chart(
        name=str(about["name"]),
        version=str(about["version"]),
        app_version=str(about.get("appVersion") or ""),
        kube_version=str(about.get("kubeVersion") or ""),
        values=_mapping(path, "values.yaml", files),
        schema=_schema(path, files),
        path=path,
        templates={name: data for name, data in files.items() if name.startswith(_TEMPLATES)},
    )


def _from_directory(path: str) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for name in [*_FILES, *_template_names(path)]:
        try:
            with open(os.path.join(path, name), "rb") as stream:
                files[name] = _limited(path, name, stream)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _unreadable(path, f"{name}: {error.strerror}") from error
    return files


def _template_names(path: str) -> list[str]:
    found = (os.path.join(place, name) for place, _folders, names in os.walk(os.path.join(path, _TEMPLATES)) for name in names)
    return sorted(os.path.relpath(name, path).replace(os.sep, "/") for name in found)


def _from_archive(path: str) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    size = 0
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                size += member.size
                if size > _MOST_ARCHIVE:
                    raise _unreadable(path, f"it unpacks to more than {_MOST_ARCHIVE} bytes")
                top, _slash, name = member.name.removeprefix("./").partition("/")
                if member.name.startswith("/") or ".." in member.name.split("/"):
                    raise _unreadable(path, f"it has a path that leads outside: {member.name!r}")
                if name not in _FILES and not (name.startswith(_TEMPLATES) and member.isreg()):
                    continue
                stream = archive.extractfile(member) if member.isreg() else None
                if stream is None or name in files:
                    raise _unreadable(path, f"{top}/{name} is not a plain file, or is there twice")
                files[name] = _limited(path, name, stream)
    except (OSError, EOFError, tarfile.TarError) as error:
        raise _unreadable(path, str(error)) from error
    return files


def _limited(path: str, name: str, stream: IO[bytes]) -> bytes:
    data = stream.read(_MOST_FILE + 1)
    if len(data) > _MOST_FILE:
        raise _unreadable(path, f"{name} is larger than {_MOST_FILE} bytes")
    return data


def _mapping(path: str, name: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    import yaml

    try:
        data = yaml.load(files.get(name, b""), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise _unreadable(path, f"{name} is not valid YAML: {' '.join(str(error).split())[:300]}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise _unreadable(path, f"{name} is not a mapping")
    return data


def _schema(path: str, files: Mapping[str, bytes]) -> dict[str, Any] | None:
    if "values.schema.json" not in files:
        return None
    try:
        schema = json.loads(files["values.schema.json"])
    except ValueError as error:
        raise _unreadable(path, f"values.schema.json is not valid JSON: {error}") from error
    return schema if isinstance(schema, dict) else None


def _unreadable(path: str, why: str) -> ChartUnreadable:
    return ChartUnreadable(f"Chart {path} cannot be read", why=why, next="check the path, or pull the chart again")
