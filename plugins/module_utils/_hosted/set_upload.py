# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A finished set to a bucket as well, so that it survives the controller: encrypted only, the index last."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_index import index_from
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_key import METHOD, Key
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_names import INDEX, MAC
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_store import SetStore
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


def upload_set(store: SetStore, key: Key | None, put: Callable[[str, bytes], object], *, parallel: int = 8) -> None:
    """Give every file of a finished set to ``put`` (path in the set, bytes as stored): what proves the index and the index last, alone.

    A killed upload has no index, so it is no set. Refused without a key: the files hold Secrets. What ``put`` raises is raised.
    """
    ref = ObjectRef("BackupSet", store.where)
    if key is None:
        raise Refused(
            f"Backup set {store.where} is not uploaded",
            object=ref,
            why="it is not encrypted, and it holds the Secrets of the hosted cluster",
            next="set encryption.key_file, or upload_set: false",
        )
    content = store.read(INDEX)
    index = index_from(json.loads(content))
    if index.method != METHOD or index.encryption.get("key_id") != key.id:
        raise Refused(
            f"Backup set {store.where} is not uploaded", object=ref, why="it is not encrypted with this key", next="make another backup"
        )
    _put_all(store, [entry.path for entry in index.objects], put, parallel)
    for name, data in ((MAC, store.read(MAC)), (INDEX, content)):
        put(name, data)


def _put_all(store: SetStore, names: list[str], put: Callable[[str, bytes], object], parallel: int) -> None:
    def one(name: str) -> None:
        put(name, store.read(name))

    with ThreadPoolExecutor(parallel) as pool:
        tasks = [pool.submit(one, name) for name in names]
        done = wait(tasks, return_when=FIRST_EXCEPTION).done
        if any(task.exception() is not None for task in done):
            # The rest would only make more to remove.
            pool.shutdown(cancel_futures=True)
            failed = next(error for task in done if (error := task.exception()) is not None)
            raise failed
