# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of hosted_cluster_backup that saves objects: all lists, what they refer to, cleaned, put together and written."""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import UTC, datetime

from backup_own_copy import Caller

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.collecting import collected
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.contents_reading import read_contents
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_reading import read_inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_names import new_run_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_objects import files_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_writer import SetWriter
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import connect


def main() -> None:
    """Usage: backup_own_objects.py KUBECONFIG NAMESPACE NAME DEST; prints the paths of the objects in the set."""
    kubeconfig, namespace, name, dest = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        api = connect(Caller({"kubeconfig": kubeconfig}, directory), explicit=True).api
        inventory = read_inventory(api, Target(namespace, name))
        contents = read_contents(api, inventory)
        items = collected(inventory, contents).items
        with SetWriter(dest, new_run_id(name, datetime.now(UTC)), None) as writer:
            writer.write_files(files_of(items))
            print(json.dumps([item.path for item in items]))
            writer.discard()


if __name__ == "__main__":
    main()
