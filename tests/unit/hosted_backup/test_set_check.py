# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A set on disk is verified without AWS when nobody asks for its snapshot, and then it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_check import check_set
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.tests.unit.hosted_set.sets import write_set


@pytest.fixture(autouse=True)
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A profile that does not exist: whatever needs credentials fails."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


def checked(place: str, snapshot_check: str) -> dict[str, Any]:
    """What the module would return."""
    module = Mock(params={"set": place, "snapshot_check": snapshot_check, "encryption": None})
    # Attributes of this name are not given to the constructor.
    module.name = "hosted_cluster_backup"
    return check_set(module)


def test_a_set_on_disk_without_its_snapshot(tmp_path: Path) -> None:
    made = write_set(tmp_path / "sets", None)
    result = checked(str(made), "none")
    assert (result["verified"], result["set"]["path"]) == (True, str(made))
    assert [(finding["severity"], finding["code"]) for finding in result["findings"]] == [("warning", "snapshot-not-checked")]
    # What is not whole is found all the same.
    next(path for path in made.rglob("*.json") if "objects" in str(path)).write_text("{}")
    with pytest.raises(LifecycleError, match="not whole") as broken:
        checked(str(made), "none")
    assert "file-edited" in {finding["code"] for finding in broken.value.details["findings"]}


@pytest.mark.parametrize(("place", "look"), [("{tmp}", "metadata"), ("{tmp}", "content"), ("s3://backups/prod-x", "none")])
def test_whatever_is_in_a_bucket_needs_credentials(tmp_path: Path, place: str, look: str) -> None:
    with pytest.raises(LifecycleError, match="nowhere"):
        checked(place.format(tmp=write_set(tmp_path / "sets", None)), look)
