# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module of kubernetes.core's making that connects and then does nothing: what any module built on it costs before its first read."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule

if __name__ == "__main__":
    module = AnsibleK8SModule(module_class=AnsibleModule, argument_spec=AUTH_ARG_SPEC, supports_check_mode=True)
    get_api_client(module)
    module.exit_json(changed=False)
