# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sample applications (``tests/sandbox/apps/``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import yaml

from . import paths
from .errors import SandboxError
from .options import Options
from .rollouts import wait_for_rollouts

if TYPE_CHECKING:
    from .cluster import Cluster


def manifest(options: Options) -> str:
    """The manifest of the application set that the options ask for, enrolled in their mesh."""
    path = paths.APPS / f"{options.apps}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(entry.stem for entry in paths.APPS.glob("*.yaml")))
        raise SandboxError(f"--apps {options.apps}: there is no such set of applications, only {known}")
    text = path.read_text(encoding="utf-8").replace("MESH_NAME", options.mesh_name)
    return text.replace("openservicemesh.io/", "flomesh.io/") if options.mesh.startswith("fsm=") else text


def deploy_apps(cluster: Cluster, options: Options, say: Callable[[str], None]) -> None:
    """Apply the applications and wait until all their pods are ready."""
    text = manifest(options)
    cluster.kubectl("apply", "-f", "-", stdin=text)
    namespaces = [item["metadata"]["name"] for item in yaml.safe_load(text)["items"] if item["kind"] == "Namespace"]
    wait_for_rollouts(cluster.api, namespaces)
    say(f"applications {options.apps} are ready in {', '.join(namespaces)}")
