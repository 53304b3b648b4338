# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection to a cluster that is named by its inventory host, as a module takes it in an option of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: cluster_connection
short_description: The connection to a cluster that is named by its inventory host
version_added: 0.4.0
author:
  - meshops contributors (@meshops)
description:
  - Turns the name of an inventory host, which is a cluster, into what modules take in an option of their own, such as
    O(meshops.lifecycle.hosted_cluster_backup#module:source).
  - It is made of the variables of that host, C(meshops_kubeconfig), C(meshops_context), C(meshops_host), C(meshops_api_key),
    C(meshops_ca_cert), C(meshops_validate_certs) and C(meshops_expected_cluster). Those that are not defined are left out.
  - A dictionary is taken to be a connection already, and returned as it is.
options:
  _input:
    description: The name of an inventory host, or a dictionary.
    type: raw
    required: true
  hostvars:
    description: The variables of all hosts, which is Ansible's variable C(hostvars).
    type: dict
    required: true
  variable:
    description: Where the name comes from, for error messages.
    type: str
    default: hosted_cluster_source
seealso:
  - module: meshops.lifecycle.hosted_cluster_backup
"""

EXAMPLES = r"""
- name: See what a hosted cluster is made of
  meshops.lifecycle.hosted_cluster_info:
    source: "{{ hosted_cluster_source | meshops.lifecycle.cluster_connection(hostvars) }}"
    name: prod
  vars:
    hosted_cluster_source: management-1
"""

RETURN = r"""
_value:
  description: The connection.
  type: dict
  sample: {kubeconfig: ~/.kube/management-1.yml, expected_cluster: 0b1f6d5e-6f0c-4c5e-9a51-1f3f0b3e8a11}
"""

_PREFIX = "meshops_"
_OPTIONS = ("kubeconfig", "context", "host", "api_key", "ca_cert", "validate_certs", "expected_cluster")
# At least one of them says which cluster it is; the others only say how it is reached, or which one it must be.
_NAMING = ("kubeconfig", "context", "host", "api_key")


def cluster_connection(
    cluster: str | Mapping[str, Any], hostvars: Mapping[str, Mapping[str, Any]], variable: str = "hosted_cluster_source"
) -> dict[str, Any]:
    """The connection options of ``cluster``; AnsibleFilterError says what has to be defined when there are none."""
    if isinstance(cluster, Mapping) and cluster:
        return dict(cluster)
    if not isinstance(cluster, str) or not cluster:
        raise AnsibleFilterError(
            f"{variable} is not defined: define it for this host as the inventory name of its management cluster, or as a dictionary "
            "of connection options such as {kubeconfig: PATH}"
        )
    if cluster not in hostvars:
        raise AnsibleFilterError(
            f"{variable} is {cluster}, which is no host of the inventory: add a host {cluster} with meshops_kubeconfig (or meshops_host "
            f"and meshops_api_key), or define {variable} as a dictionary of connection options such as {{kubeconfig: PATH}}"
        )
    variables = hostvars[cluster]
    found = {option: variables[_PREFIX + option] for option in _OPTIONS if _PREFIX + option in variables}
    if not any(found.get(option) for option in _NAMING):
        named = ", ".join(_PREFIX + option for option in _NAMING)
        raise AnsibleFilterError(
            f"{variable} is {cluster}, and nothing says how this cluster is reached: define at least one of {named} for the host {cluster}"
        )
    return found


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"cluster_connection": cluster_connection}
