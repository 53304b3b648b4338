# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that ask for a backup and those that ask for a look at a set do not go together."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_options import require_one_purpose
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused

DEFAULTS: dict[str, Any] = {
    "verify_set": False,
    "mode": "online",
    "upload_set": False,
    "expected_plan_id": None,
    "set": None,
    "snapshot_check": "metadata",
    # Of no consequence, and perhaps said for all tasks of a play.
    "dest": "/var/backups/hosted",
    "bucket": "backups",
    "management_cluster_name": "mgmt-1",
}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"set": "/var/backups/x"}, "set is given without verify_set"),
        ({"set": "/var/backups/x", "snapshot_check": "content"}, "set and snapshot_check are given without"),
        ({"snapshot_check": "none"}, "snapshot_check is given without"),
        ({"verify_set": True, "set": "x", "mode": "quiesce"}, "mode: quiesce is given with verify_set"),
        ({"verify_set": True, "set": "x", "upload_set": True}, "upload_set is given with"),
        ({"verify_set": True, "set": "x", "expected_plan_id": "abc"}, "expected_plan_id is given with"),
    ],
)
def test_an_option_without_effect_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words) as refused:
        require_one_purpose({**DEFAULTS, **options})
    assert (refused.value.state, bool(refused.value.why), "leave out" in refused.value.next) == ("nothing was read or written", True, True)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "quiesce", "upload_set": True, "expected_plan_id": "abc"},
        {"verify_set": True, "set": "x", "snapshot_check": "content"},
        {"verify_set": True, "set": "x", "snapshot_check": "none"},
    ],
)
def test_one_purpose_is_fine(options: dict[str, Any]) -> None:
    require_one_purpose({**DEFAULTS, **options})
