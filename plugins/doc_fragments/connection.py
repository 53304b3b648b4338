# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of every module, beside ``kubernetes.core.k8s_auth_options``; mirrors ``_kube/module.py`` ``lifecycle_spec``."""

from __future__ import annotations


class ModuleDocFragment:
    """Which cluster, and how it is spoken to."""

    DOCUMENTATION = r"""
options:
  expected_cluster:
    description:
      - The UID of the Namespace C(kube-system), which identifies a cluster whatever its address or context is called.
      - When it is given and the connection leads to another cluster, the module fails before it reads or writes anything else.
      - C(kubectl get namespace kube-system -o jsonpath={.metadata.uid}) shows it, and every result has it in C(cluster.uid).
    type: str
  request_timeout:
    description:
      - Seconds that one request to the API server may take, its retries included.
      - Requests are retried after HTTP 429 (honouring C(Retry-After)), 500, 502, 503, 504 and broken connections,
        when sending them twice does no harm.
    type: int
    default: 60
  max_parallel_requests:
    description:
      - The most requests that are sent to one cluster at the same time.
    type: int
    default: 8
requirements:
  - python >= 3.11
  - kubernetes >= 24.2.0
  - PyYAML >= 5.1
"""

    EXPLICIT = r"""
notes:
  - The cluster must be named. The module refuses to take whatever cluster is current; one of O(kubeconfig), O(context), O(host) or
    O(api_key) must be given, as an option, in C(module_defaults) for C(group/meshops.lifecycle.all), or as a C(K8S_AUTH_*) variable.
"""
