# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The index: its two directions, and that it holds no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_index import Entry, index_from
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_redaction import without_secrets
from ansible_collections.meshops.lifecycle.tests.unit.hosted_set.sets import CANARY, ENCODED, index_of, write_set

RUN = "prod-20261121T231500Z-1f3a9c"
TOKEN = "IQoJb3JpZ2luX2VjE" * 40
SIGNED = f"https://backups.s3.eu-west-1.amazonaws.com/k/etcd.db?X-Amz-Signature={CANARY}&X-Amz-Security-Token={TOKEN}"


def test_what_is_written_is_read() -> None:
    index = index_of(
        RUN, objects=(Entry("objects/a.json", "ab", 3, "Secret", evidence=True),), node_pools=[{"name": "a"}], restored_from=True
    )
    again = index_from(json.loads(index.as_json()))
    assert again.as_dict() == index.as_dict()
    assert again.objects == index.objects
    data = json.loads(index.as_json())
    assert (data["format"], data["format_version"]) == ("meshops.lifecycle/backup-set", 1)
    assert [*data] == [*index.as_dict()]


@pytest.mark.parametrize(
    "text",
    [
        SIGNED,
        f"cannot read {SIGNED}: 403",
        f"'{SIGNED}'",
        f'{{"url": "{SIGNED}"}}',
        f'Get "{SIGNED}": dial tcp',
        f"…&X-Amz-Credential={CANARY}",
        f"k/etcd.db?AWSAccessKeyId=AKIA&Signature={CANARY}",
        f"https://user:{CANARY}@example.com/path",
        f"HTTPS://example.com?x={CANARY}",
        f"s3://bucket/key?token={CANARY}",
    ],
)
def test_no_link_gives_access(text: str) -> None:
    cut = json.dumps(without_secrets({"conditions": [{"message": text}], "etcd": (text,)}))
    assert CANARY not in cut
    assert TOKEN not in cut
    assert "********" in cut


TEXTS = st.text("abz:/?& \n\"'é", max_size=20).filter(lambda text: "://" not in text)


@given(
    st.recursive(
        st.none() | st.integers() | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=6,
    )
)
def test_everything_else_stays(data: Any) -> None:
    assert without_secrets(data) == data


def test_plain_values_stay() -> None:
    kept = {
        "issuer": "https://b.s3.eu-west-1.amazonaws.com/prod-x1",
        "api_url": "https://api.example.com:6443",
        "snapshot": {"key": "a/b.db"},
    }
    assert without_secrets(kept) == kept


def test_no_data_of_secrets() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "a"}, "data": {"key": ENCODED}, "stringData": {"key": CANARY}}
    assert without_secrets([{"owners": [secret]}]) == [{"owners": [{"kind": "Secret", "metadata": {"name": "a"}}]}]


def test_the_index_on_the_disk_has_no_secret(tmp_path: Path) -> None:
    conditions = [{"type": "Degraded", "message": f"etcd-init: curl {SIGNED}"}]
    path = write_set(tmp_path, None, conditions=conditions, left_out=[{"what": SIGNED}])
    text = (path / "index.json").read_text()
    assert not any(secret in text for secret in (CANARY, ENCODED, TOKEN))
    assert "curl https://backups.s3.eu-west-1.amazonaws.com/k/etcd.db?********" in text
