# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes with a chart that calls a Deployment something else, or has it no more."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.removed_workloads import removed_workloads


def manifests(*names: str, kind: str = "Deployment") -> list[dict[str, Any]]:
    return [{"kind": kind, "metadata": {"name": name}} for name in ("osm-controller", *names)]


@pytest.mark.parametrize(
    ("product", "before", "after", "code", "words"),
    [
        (OSM_EDGE, manifests("jaeger"), manifests("osm-jaeger"), "renamed", ("called osm-jaeger", "traces", "memory")),
        (OSM_EDGE, manifests("osm-jaeger"), manifests("jaeger"), "renamed", ("called jaeger", "deletes osm-jaeger")),
        (OSM, manifests("jaeger"), manifests(), "removed", ("Helm deletes it", "traces")),
        (OSM_EDGE, manifests("osm-multicluster-gateway"), manifests(), "removed", ("does not have it", "other clusters")),
        (OSM_EDGE, manifests("osm-prometheus"), manifests(), "removed", ("metrics",)),
        (OSM_EDGE, manifests("osm-interceptor", kind="DaemonSet"), manifests(kind="DaemonSet"), "removed", ("traffic",)),
        (FSM, manifests("fsm-egress-gateway-mesh"), manifests(), "removed", ("to the outside",)),
        (FSM, manifests("somebody"), manifests(), "removed", ("Helm deletes it",)),
    ],
)
def test_what_goes_is_told(product: Product, before: list[Any], after: list[Any], code: str, words: tuple[str, ...]) -> None:
    (finding,) = removed_workloads(before, after, product, "osm-system")
    assert (finding.severity, finding.code, finding.object.name) == ("info", code, before[1]["metadata"]["name"])
    assert [word for word in words if word not in f"{finding.what} {finding.why}"] == []


def test_what_comes_or_stays_is_no_news() -> None:
    assert removed_workloads(manifests("jaeger"), manifests("jaeger", "osm-grafana"), OSM_EDGE, "osm-system") == []
    elsewhere = [{"kind": "Deployment", "metadata": {"name": "x", "namespace": "other"}}]
    assert removed_workloads([*manifests(), *elsewhere], manifests(), OSM_EDGE, "osm-system") == []
