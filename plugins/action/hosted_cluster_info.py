# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of M(meshops.lifecycle.hosted_cluster_info)."""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.plugin_utils._cluster_options import ClusterOptionsActionModule


class ActionModule(ClusterOptionsActionModule):
    """Finds and decrypts the kubeconfig of each cluster on the controller, and prints live progress."""
