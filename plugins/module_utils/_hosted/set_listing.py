# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which backup sets are in a directory."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_files import file_system_error
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_index import FORMAT
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_names import INDEX, is_run_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_store import DirectorySet
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError


class ListedSet(NamedTuple):
    """A set as its index describes it; nothing of it was verified. ``hosted_cluster`` is NAMESPACE/NAME."""

    run_id: str
    path: str
    created: str
    mode: str
    hosted_cluster: str
    encrypted: bool


def list_sets(dest: str) -> tuple[ListedSet, ...]:
    """Return the sets in ``dest``, oldest first; none when it does not exist. What is not whole is none.

    LifecycleError when the directory cannot be read.
    """
    path = os.path.abspath(dest)
    try:
        names = sorted(name for name in os.listdir(path) if is_run_id(name))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise file_system_error(error, "cannot be read", path) from error
    found = [listed for name in names if (listed := _listed(os.path.join(path, name), name)) is not None]
    return tuple(sorted(found, key=_age))


def _age(listed: ListedSet) -> tuple[str, str]:
    return listed.created, listed.run_id


def _listed(path: str, name: str) -> ListedSet | None:
    try:
        data: Any = json.loads(DirectorySet(path).read(INDEX))
    except (LifecycleError, ValueError):
        return None
    if not isinstance(data, dict) or data.get("format") != FORMAT or data.get("run_id") != name:
        return None
    cluster, encryption = (data[field] if isinstance(data.get(field), dict) else {} for field in ("hosted_cluster", "encryption"))
    return ListedSet(
        run_id=name,
        path=path,
        created=str(data.get("created") or ""),
        mode=str(data.get("mode") or ""),
        hosted_cluster=f"{cluster.get('namespace')}/{cluster.get('name')}",
        encrypted=bool(encryption.get("method")),
    )
