# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a backup, and the address of a set that is there."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_request import BackupRequest, backup_request
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_check import store_of, verify
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused

OPTIONS: dict[str, Any] = {
    "name": "prod",
    "namespace": "clusters",
    "mode": "online",
    "dest": "/var/backups/hosted",
    "bucket": "backups",
    "prefix": "",
    "kms_key_id": None,
    "encryption": None,
    "upload_set": False,
    "management_cluster_name": None,
    "stop_timeout": 300,
}
RUN = "prod-20261121T231500Z-1f3a9c"


def request(**options: Any) -> BackupRequest:
    return backup_request({**OPTIONS, **options})


@pytest.mark.parametrize("prefix", ["nightly/east", "/nightly/east", "nightly/east/", "/nightly/east/"])
def test_slashes_around_a_prefix_mean_nothing(prefix: str) -> None:
    made = request(prefix=prefix)
    assert made.key(RUN) == f"nightly/east/{RUN}/etcd.db"
    assert made.address(RUN) == f"s3://backups/nightly/east/{RUN}"


def test_without_a_prefix_the_run_comes_first() -> None:
    assert (request().key(RUN), request().key(RUN, "index.json")) == (f"{RUN}/etcd.db", f"{RUN}/index.json")
    assert request().address(RUN) == f"s3://backups/{RUN}"


@pytest.mark.parametrize("prefix", ["a b", "a//b", "..", "a/../b", "../a", "ü", "a?b", "a#b", "a%2f", "a\nb", "a\\b", "s3://x"])
def test_a_prefix_that_tools_read_differently_is_refused(prefix: str) -> None:
    with pytest.raises(Refused) as refused:
        request(prefix=prefix)
    assert repr(prefix.strip("/")) in refused.value.msg
    assert (bool(refused.value.why), bool(refused.value.next), refused.value.state) == (True, True, "nothing was written")


@pytest.mark.parametrize("prefix", ["a", "a.b", "a..b", "2026-11-21", "it's(me)!", "a_b*c"])
def test_plain_ones_are_fine(prefix: str) -> None:
    assert request(prefix=prefix).key(RUN).startswith(f"{prefix}/")


def test_a_set_leaves_this_machine_encrypted_only() -> None:
    with pytest.raises(Refused, match=r"encryption\.key_file"):
        request(upload_set=True)
    assert request(upload_set=True, encryption={"key_file": "/etc/key"}).key_file == "/etc/key"


@pytest.mark.parametrize("seconds", [0, -1])
def test_no_time_to_stop_is_no_time(seconds: int) -> None:
    with pytest.raises(Refused, match="stop_timeout"):
        request(stop_timeout=seconds)


def test_the_rest_is_taken_as_it_is() -> None:
    made = request(mode="quiesce", kms_key_id="alias/x", management_cluster_name="mgmt-1", stop_timeout=7)
    assert (made.quiesce, made.kms_key_id) == (True, "alias/x")
    assert (made.management_cluster_name, made.stop_timeout, made.target.annotated) == ("mgmt-1", 7, "clusters/prod")
    assert (request().kms_key_id, request().quiesce) == ("", False)


@pytest.mark.parametrize(
    ("place", "where"),
    [
        (f"/var/backups/{RUN}", f"/var/backups/{RUN}"),
        (f"/var/backups/{RUN}/", f"/var/backups/{RUN}"),
        (f"~/backups/{RUN}", f"/srv/someone/backups/{RUN}"),
        (f"$HOME/{RUN}", f"/srv/someone/{RUN}"),
        (f"s3://backups/{RUN}", f"s3://backups/{RUN}"),
        (f"s3://backups/nightly/east/{RUN}/", f"s3://backups/nightly/east/{RUN}"),
    ],
)
def test_where_a_set_is(place: str, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/srv/someone")
    assert store_of(place, Aws({}, name="test")).where == where


@pytest.mark.parametrize("place", ["s3://backups", "s3://backups/", "s3:///prefix/run", "s3:/backups/run", "s3:backups"])
def test_an_address_without_a_bucket_or_a_run_is_none(place: str) -> None:
    with pytest.raises(Refused, match="not the address of a backup set") as refused:
        store_of(place, Aws({}, name="test"))
    assert "s3://BUCKET/PREFIX/RUN-ID" in refused.value.next


@pytest.mark.parametrize("check", ["metadata", "content"])
def test_a_set_is_not_read_in_clear_either(monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    """Whichever way it is asked for: nothing listens at the port, which would be told as "could not be reached"."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    aws = Aws({"access_key": "AKIACANARY0000000001", "secret_key": "canary-secret"}, name="test")
    found = verify(store_of(f"s3://backups/{RUN}", aws), None, aws, check)
    assert (found.ok, [finding.code for finding in found.findings]) == (False, ["set-unreadable"])
    assert "the variable AWS_ENDPOINT_URL says http://127.0.0.1:9, which has no TLS" in found.findings[0].why
