# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of M(meshops.lifecycle.mesh_uninstall)."""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.plugin_utils._live_progress import LiveProgressActionModule


class ActionModule(LiveProgressActionModule):
    """Finds and decrypts the kubeconfig on the controller, and prints live progress."""
