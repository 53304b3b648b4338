# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that say who asks AWS, without asking it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.meshops.lifecycle.plugins.doc_fragments.aws import ModuleDocFragment
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import AWS_SPEC, Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused

KEYS = {"access_key": "AKIACANARY0000000001", "secret_key": "canary-secret", "session_token": "canary-token"}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_what_is_documented_is_what_is_taken() -> None:
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert documented.keys() == AWS_SPEC.keys()
    for name, option in AWS_SPEC.items():
        assert {key: value for key, value in documented[name].items() if key != "description"} == {
            key: value for key, value in option.items() if key != "no_log"
        }


def test_what_is_secret_is_not_logged() -> None:
    assert {name for name, option in AWS_SPEC.items() if option.get("no_log")} == set(KEYS)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"profile": "dr", **KEYS}, "profile and keys"),
        ({"access_key": "AKIACANARY0000000001"}, "must be given together"),
        ({"session_token": "canary-token"}, "must be given together"),
        ({"aws_ca_bundle": "/nowhere/ca.pem"}, "no file /nowhere/ca.pem"),
        ({"endpoint_url": "s3.example.com"}, "no address"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(LifecycleError, match=why) as refused:
        Aws(options, name="test")
    assert "canary" not in str(refused.value)


def test_a_profile_that_is_not_there_is_told() -> None:
    with pytest.raises(LifecycleError, match="dr") as refused:
        Aws({"profile": "dr"}, name="test").client("s3")
    assert "list-profiles" in refused.value.next


def test_keys_and_tokens_are_known_as_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(Aws(KEYS, name="test").secrets) == set(KEYS.values())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT00001")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-environment")
    assert set(Aws({}, name="test").secrets) == {"AKIAENVIRONMENT00001", "secret-of-the-environment"}


def test_temporary_credentials_end_when_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Aws(KEYS, name="test").credentials_end is None
    for name, value in zip(("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"), KEYS.values(), strict=True):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2999-01-02T03:04:05Z")
    assert Aws({}, name="test").credentials_end == datetime(2999, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_the_region_is_the_options_then_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Aws({}, name="test").region == ""
    assert Aws({}, name="test").client("s3").meta.region_name == "us-east-1"
    with pytest.raises(LifecycleError, match="which region"):
        Aws({}, name="test").client("ec2")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert Aws({}, name="test").region == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert Aws({}, name="test").region == "us-west-2"
    assert Aws({"region": "us-east-2"}, name="test").client("ec2").meta.region_name == "us-east-2"


# Nothing listens there: whoever asks is told that it could not be reached.
PLAIN = "http://127.0.0.1:9"
CONFIG = f"""
[profile whole]
endpoint_url = {PLAIN}
[profile one-service]
services = elsewhere
[services elsewhere]
s3 =
  endpoint_url = {PLAIN}
[profile role]
role_arn = arn:aws:iam::111122223333:role/backups
source_profile = keys
services = of-roles
region = us-east-2
[services of-roles]
sts =
  endpoint_url = {PLAIN}
[profile keys]
aws_access_key_id = AKIACANARY0000000001
aws_secret_access_key = canary-secret
"""


@pytest.mark.parametrize(
    ("options", "environment", "told"),
    [
        ({"endpoint_url": PLAIN, **KEYS}, {}, "the option endpoint_url"),
        ({"endpoint_url": "HTTP://127.0.0.1:9", **KEYS}, {}, "the option endpoint_url"),
        (KEYS, {"AWS_ENDPOINT_URL": f"{PLAIN}/"}, "the variable AWS_ENDPOINT_URL"),
        (KEYS, {"AWS_ENDPOINT_URL": "https://127.0.0.1:9", "AWS_ENDPOINT_URL_S3": PLAIN}, "the variable AWS_ENDPOINT_URL_S3"),
        ({"profile": "whole"}, {}, "profile whole"),
        ({}, {"AWS_PROFILE": "one-service"}, "profile one-service"),
        # The SDK asks for the credentials of a role before it asks anything else, with a client of its own.
        ({"profile": "role"}, {}, "profile role"),
        ({"profile": "role"}, {"AWS_ENDPOINT_URL_STS": PLAIN}, "the variable AWS_ENDPOINT_URL_STS"),
    ],
    ids=["option", "upper-case", "variable", "variable-s3", "profile", "services", "role", "role-variable"],
)
def test_nothing_is_sent_in_clear(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: dict[str, str], environment: dict[str, str], told: str
) -> None:
    (tmp_path / "config").write_text(CONFIG)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Refused, match=rf"(?i){told}( of the configuration files of AWS)? says http://127\.0\.0\.1:9") as refused:
        Aws(options, name="test").client("s3", "us-east-2").get_bucket_location(Bucket="backups")
    assert told in refused.value.next
    assert "canary" not in str(refused.value) + refused.value.next


def test_other_services_are_asked_with_tls_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ROUTE_53", PLAIN)
    with pytest.raises(Refused, match="the variable AWS_ENDPOINT_URL_ROUTE_53"):
        Aws(KEYS, name="test").client("route53")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert Aws(KEYS, name="test").client("route53").meta.endpoint_url == "https://route53.amazonaws.com"


def test_one_client_for_each_service_and_region() -> None:
    aws = Aws({**KEYS, "region": "us-east-2"}, name="test")
    assert aws.client("s3") is aws.client("s3", "us-east-2")
    assert aws.client("s3") is not aws.client("s3", "us-east-1")


def test_the_sdk_is_not_loaded_before_something_is_asked() -> None:
    rooms = ("bucket", "upload", "objects", "presign", "records", "instances", "unfinished", "session")
    names = [f"ansible_collections.meshops.lifecycle.plugins.module_utils._aws.{room}" for room in rooms]
    code = f"import sys, {', '.join(names)}; print([name for name in sys.modules if name.startswith(('boto', 's3transfer'))])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
