# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields that an API server left out."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.filter.dropped_fields import dropped_fields


def manifest(name: str = "cart") -> dict[str, Any]:
    spec = {"sources": [{"kind": "ServiceAccount", "name": "shop"}], "rules": [], "port": 0}
    return {
        "apiVersion": "access.smi-spec.io/v1alpha3",
        "kind": "TrafficTarget",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": spec,
    }


def test_nothing_is_missing_when_all_came_back_with_more() -> None:
    returned = manifest()
    returned["metadata"]["uid"] = "u"
    returned["spec"]["rules"] = [{"kind": "TCPRoute"}]
    returned["spec"]["port"] = 14001
    assert dropped_fields([manifest()], {"result": returned}) == []


def test_fields_at_any_depth_of_several_manifests() -> None:
    first, second = manifest("a"), manifest("b")
    returned = [copy.deepcopy(first), copy.deepcopy(second)]
    del returned[0]["spec"]["sources"][0]["name"]
    del returned[1]["spec"]["port"]
    found = dropped_fields([first, second], {"result": {"results": [{"result": each} for each in returned]}})
    assert found == ["TrafficTarget shop/a: spec.sources[0].name", "TrafficTarget shop/b: spec.port"]


def test_empty_fields_may_be_left_out() -> None:
    returned = manifest()
    del returned["spec"]["rules"]
    assert dropped_fields([manifest()], {"result": returned}) == []
