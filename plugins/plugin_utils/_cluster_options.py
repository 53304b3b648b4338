# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of modules that name their clusters in options of their own (``source``, ``destination``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.plugin_utils._live_progress import LiveProgressActionModule

_OPTIONS = ("source", "destination")


class ClusterOptionsActionModule(LiveProgressActionModule):
    """Finds and decrypts the kubeconfig of each cluster as the base class does it for one."""

    def run(self, tmp: Any = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run the module with the kubeconfigs that were found; AnsibleError when one is missing."""
        arguments = dict(self._task.args)
        for option in _OPTIONS:
            given = arguments.get(option)
            if isinstance(given, Mapping) and isinstance(given.get("kubeconfig"), str) and given["kubeconfig"]:
                found: dict[str, Any] = {}
                self.get_kubeconfig(given["kubeconfig"], self._connection.transport != "local", found)
                arguments[option] = {**given, **found}
        self._task.args = arguments
        result: dict[str, Any] = super().run(tmp, task_vars)
        return result
