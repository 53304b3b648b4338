# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a preflight found, with what the onboarding settles itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: onboard_findings
short_description: What a preflight found, with what the onboarding settles itself
version_added: 0.2.0
author:
  - meshops contributors (@meshops)
description:
  - A preflight judges a cluster as it is. Some of what it finds is settled by the onboarding that follows it, and must not stop that one.
    This lowers the severity of such findings to C(info) and says what settles them.
  - C(what) becomes a whole sentence, with the object that it is about.
options:
  _input:
    description: RV(meshops.lifecycle.mesh_preflight#module:findings).
    type: list
    elements: dict
    required: true
  api_server_access:
    description: How workloads get access to the Kubernetes API, V(none), V(exclude_ip) or V(egress).
    type: str
    default: none
  allow_move:
    description: Whether namespaces are taken from another mesh.
    type: bool
    default: false
  accept:
    description: Codes of findings that the user has accepted.
    type: list
    elements: str
    default: []
seealso:
  - module: meshops.lifecycle.mesh_preflight
"""

EXAMPLES = r"""
- name: Stop for what the onboarding does not settle
  ansible.builtin.fail:
    msg: "{{ __open | map(attribute='what') | join('; ') }}"
  vars:
    __told: "{{ preflight.findings | meshops.lifecycle.onboard_findings(accept=['reserved-port']) }}"
    __open: "{{ __told | selectattr('severity', 'equalto', 'error') }}"
  when: __open | length > 0
"""

RETURN = r"""
_value:
  description: The findings, in the same order.
  type: list
  elements: dict
"""


def onboard_findings(
    findings: Sequence[Mapping[str, Any]],
    api_server_access: str = "none",
    allow_move: bool = False,
    accept: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The findings as whole sentences; those that are settled have the severity ``info`` and say by what in ``remedy``."""
    settled = dict.fromkeys(accept, "accepted") | {"namespace-ignored": "enrolling takes the label away"}
    if allow_move:
        settled["other-mesh"] = "the namespace is moved"
    if api_server_access != "none":
        settled["api-server-access"] = "access to the API server is part of this onboarding"
    if api_server_access == "exclude_ip":
        settled["api-server-in-mesh"] = "the address of the API server is excluded from interception"
    return [_told(finding, settled.get(finding["code"], "")) for finding in findings]


def _told(finding: Mapping[str, Any], by: str) -> dict[str, Any]:
    told = {**finding, "what": f"{_object(finding)} {finding['what']}"}
    return {**told, "severity": "info", "remedy": f"nothing: {by}"} if by else told


def _object(finding: Mapping[str, Any]) -> str:
    about = finding["object"]
    place = f"{about['namespace']}/" if about.get("namespace") else ""
    return f"{about['kind']} {place}{about['name']}"


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"onboard_findings": onboard_findings}
