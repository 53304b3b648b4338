# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The management cluster that a procedure on hosted clusters works on; mirrors ``_kube/module.py`` ``source_spec``."""

from __future__ import annotations


class ModuleDocFragment:
    """The cluster, and how it is spoken to."""

    DOCUMENTATION = r"""
options:
  source:
    description:
      - The management cluster of the hosted cluster, and how to connect to it. The suboptions are those of the modules of
        C(kubernetes.core), and one that says which cluster it must be.
      - It must name a cluster by at least one of C(kubeconfig), C(context), C(host) and C(api_key). C(K8S_AUTH_*) environment variables do
        not count, because a procedure may be about two clusters.
      - Required by whatever looks at a cluster.
    type: dict
    suboptions:
      expected_cluster:
        description:
          - The UID of the Namespace C(kube-system), which identifies a cluster whatever its address or context is called.
          - When it is given and the connection leads to another cluster, the module fails before it reads or writes anything else.
        type: str
      kubeconfig:
        description:
          - Path of a kubeconfig file, or its content as a dictionary. Several paths may be joined by colons.
        type: raw
      context:
        description: The context to use of the kubeconfig. By default its current one.
        type: str
      host:
        description: URL of the API server.
        type: str
      api_key:
        description: A bearer token.
        type: str
      username:
        description: User name for basic authentication.
        type: str
      password:
        description: Password for basic authentication.
        type: str
      validate_certs:
        description: Whether the certificate of the API server is verified.
        type: bool
        aliases: [verify_ssl]
      ca_cert:
        description: Path of the certificate of the authority that the certificate of the API server is verified with.
        type: path
        aliases: [ssl_ca_cert]
      client_cert:
        description: Path of a client certificate.
        type: path
        aliases: [cert_file]
      client_key:
        description: Path of the key of the client certificate.
        type: path
        aliases: [key_file]
      proxy:
        description: URL of an HTTP proxy on the way to the API server.
        type: str
      no_proxy:
        description: Hosts that are asked without the proxy, separated by commas.
        type: str
      proxy_headers:
        description: Headers for the proxy.
        type: dict
        suboptions:
          proxy_basic_auth:
            description: User and password for the proxy, joined by a colon.
            type: str
          basic_auth:
            description: User and password for basic authentication, joined by a colon.
            type: str
          user_agent:
            description: The User-Agent header.
            type: str
      persist_config:
        description: Whether refreshed tokens are written back to the kubeconfig.
        type: bool
      impersonate_user:
        description: User to impersonate.
        type: str
      impersonate_groups:
        description: Groups to impersonate.
        type: list
        elements: str
  request_timeout:
    description:
      - Seconds that one request to the API server may take, its retries included.
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
