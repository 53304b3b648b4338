# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the user asked for, and the chart that it names."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.chart import Chart, read_chart
from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm import Helm, is_local
from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm_errors import ChartNotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.values import Policy, deep_merge
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused

MeshConfigPolicy = Literal["merge", "preserve"]

_KINDS: dict[type, str] = {list: "a list", str: "a text"}


@dataclass(frozen=True)
class UpgradeRequest:
    """Options of one upgrade; empty strings where the user said nothing.

    ``values`` are those of the files and of the task, merged.

    ``given_inline`` are the task's alone: only their strings may be shown.
    """

    chart_ref: str = ""
    chart_repo: str = ""
    chart_version: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    given_inline: Mapping[str, Any] = field(default_factory=dict)
    values_policy: Policy = "reset_then_reuse"
    mesh_config: Mapping[str, Any] = field(default_factory=dict)
    mesh_config_policy: MeshConfigPolicy = "merge"
    allow_downgrade: bool = False
    rollback_on_failure: bool = False


def read_values(files: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of YAML ``files`` in order with ``values`` over them; raises LifecycleError for a file that is no mapping."""
    import yaml

    merged: dict[str, Any] = {}
    for path in files:
        try:
            with open(path, encoding="utf-8") as stream:
                content = yaml.safe_load(stream)
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise _bad_file(path, why or str(error)) from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
            raise _bad_file(path, f"{place}{getattr(error, 'problem', None) or 'it is not valid YAML'}") from error
        if content is not None and not isinstance(content, Mapping):
            raise _bad_file(path, f"it holds {_KINDS.get(type(content), 'a single value')}, not a mapping of values")
        merged = deep_merge(merged, content or {})
    # As Helm reads YAML, by way of JSON: dates become text and numbers as keys do.
    result: dict[str, Any] = json.loads(json.dumps(deep_merge(merged, values), default=str))
    return result


def _bad_file(path: str, why: str) -> LifecycleError:
    return LifecycleError(
        f"Values file {path} cannot be used", why=why, state="nothing was written", next="correct the file or values_files"
    )


def fetch_chart(helm: Helm, product: Product, request: UpgradeRequest, deadline: Deadline) -> Chart:
    """Return the chart that the request names, downloaded once; the default is the product's own published chart.

    Raises Refused when a chart from a repository is asked for without a version: what an upgrade does must not depend on its date.
    """
    ref = request.chart_ref or product.chart_name
    local = not request.chart_repo and is_local(ref)
    aliased = "/" in ref and not request.chart_repo
    repo = "" if local or aliased else request.chart_repo or product.chart_repository
    if not local and not request.chart_version:
        raise Refused(
            "chart_version is missing",
            why=f"chart {ref} comes from a repository, and the newest version there may be another one tomorrow",
            state="nothing was written",
            next="set chart_version (helm search repo lists the versions)",
        )
    if not local:
        helm.require(deadline)
    try:
        chart = read_chart(helm.pull(ref, repo=repo, version=request.chart_version, deadline=deadline))
    except ChartNotFound as error:
        close = difflib.get_close_matches(request.chart_version, error.versions, n=2, cutoff=0.5)
        if close:
            error.next = f"did you mean {' or '.join(close)}? correct chart_version"
        elif not error.versions and ref != product.chart_name:
            error.next += f"; the chart of {product.title} is {product.chart_name}, in {product.chart_repository} and its mirrors"
        raise
    if not local and request.chart_version.removeprefix("v") != chart.version.removeprefix("v"):
        raise Refused(
            f"chart_version {request.chart_version} is a range",
            why=f"it means {chart.version} of {ref} today, and may mean a newer one tomorrow",
            state="nothing was written",
            next=f"name one version, for instance chart_version: {chart.version}",
        )
    if local and request.chart_version and request.chart_version != chart.version:
        raise Refused(
            f"The chart at {ref} is version {chart.version}, not {request.chart_version}",
            why="chart_version and chart_ref name different charts",
            state="nothing was written",
            next="correct one of them, or leave out chart_version",
        )
    return chart
