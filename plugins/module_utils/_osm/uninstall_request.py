# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of an uninstallation as a user writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import UninstallRequest, UserResource
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_options import refresh_options

_NAMESPACE: dict[str, Literal["no", "empty", "force"]] = {"false": "no", "true": "empty", "force": "force"}
# Options of a refresh that an uninstallation does not have: it is about all sidecars of the mesh.
_WHOLE_MESH: dict[str, Any] = {
    "state": "absent",
    "namespaces": [],
    "namespace_selector": None,
    "exclude_namespaces": [],
    "selector": None,
    "token": None,
}


def uninstall_request(params: Mapping[str, Any], api: Api) -> UninstallRequest:
    """Return the request in a module's parameters; raises Refused for what makes no sense, asking the server which kinds it knows."""
    mesh_name, confirm = params["mesh_name"] or "", params["confirm"] or ""
    if not params["phases"]:
        raise _invalid("phases is empty", "there would be nothing to do", "name at least one phase, or leave the option out")
    return UninstallRequest(
        mesh_name=mesh_name,
        namespace=params["mesh_namespace"] or "",
        confirm=confirm,
        remove_sidecars=params["remove_sidecars"],
        delete_namespace=_NAMESPACE[params["delete_namespace"]],
        cluster_wide=frozenset(params["delete_cluster_wide_resources"]),
        delete_custom_resources=params["delete_custom_resources"],
        user_resources=tuple(dict.fromkeys(_user_resource(item, api) for item in params["user_resources"])),
        parts=frozenset(params["phases"]),
        managed=params["managed"],
        edit_templates=params["edit_pod_templates"],
        refresh=refresh_options({**params, **_WHOLE_MESH}),
    )


def _user_resource(item: Mapping[str, Any], api: Api) -> UserResource:
    api_version, name, namespace = item["api_version"], item["name"], item["namespace"] or ""
    described = f"user_resources: {item['kind']} {name}"
    kind = api.kind_for(api_version, item["kind"])
    if kind is None:
        why = f"the API server has no kind {item['kind']} in {api_version}"
        raise _invalid(described, why, "correct api_version and kind (kubectl api-resources lists them)")
    if kind.namespaced and not namespace:
        raise _invalid(described, "its kind lives in namespaces, and none is given", "add namespace")
    if not kind.namespaced and namespace:
        raise _invalid(described, f"its kind lives in no namespace, and {namespace} is given", "leave namespace out")
    return UserResource(kind, name, namespace)


def _invalid(what: str, why: str, advice: str) -> Refused:
    return Refused(what, why=why, state="nothing was written", next=advice)
