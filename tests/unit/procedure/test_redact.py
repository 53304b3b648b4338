# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No secret survives redaction, and names do."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.redact import MASK, Redactor, is_secret_key, secret_values

PLAIN = st.text("abc 0:/{}\"'\\\n-é", max_size=12)
SECRETS = st.lists(st.text('xyzXYZ "\\\n-é01', min_size=6, max_size=20), min_size=1, max_size=3)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "image", "spec", "labels"]), inner, max_size=3),
    max_leaves=8,
)


def planted(data: Any, secret: str, draw: st.DrawFn) -> Any:
    """Return ``data`` with the secret in one of the places where secrets turn up."""
    return draw(
        st.sampled_from(
            [
                {"image": f"before {secret} after", "spec": data},
                [data, [{"args": ["--header", f"Authorization: {secret}"]}]],
                {"kind": "Secret", "data": {"entry": base64.b64encode(secret.encode()).decode()}, "spec": data},
                {"env": [{"name": "SOMETHING", "value": secret}, data]},
                {f"key of {secret}": data},
                {"message": f"cannot parse {json.dumps({'a': secret})}", "spec": data},
                {"message": f"cannot parse {json.dumps({'a': secret}, ensure_ascii=False)}", "spec": data},
                {"url": f"https://user:{secret}@example.com/", "number": data},
            ]
        )
    )


@st.composite
def secrets_in_data(draw: st.DrawFn) -> tuple[list[str], Any]:
    """Draw secrets, and data that holds each of them somewhere."""
    secrets = draw(SECRETS)
    data = draw(DATA)
    for secret in secrets:
        data = planted(data, secret, draw)
    return secrets, data


def every_text(data: Any) -> list[str]:
    """Return all texts in JSON-like data, keys included."""
    if isinstance(data, dict):
        return [text for key, item in data.items() for text in (key, *every_text(item))]
    if isinstance(data, list):
        return [text for item in data for text in every_text(item)]
    return [str(data)]


@settings(deadline=None)
@given(secrets_in_data())
def test_no_planted_secret_survives(drawn: tuple[list[str], Any]) -> None:
    secrets, data = drawn
    texts = every_text(Redactor(secrets).data(data))
    for secret in secrets:
        in_json = [json.dumps(secret, ensure_ascii=escaped)[1:-1] for escaped in (True, False)]
        for form in (secret, base64.b64encode(secret.encode()).decode(), *in_json):
            assert not [text for text in texts if form in text]


@settings(deadline=None)
@given(SECRETS, st.lists(PLAIN, max_size=4), st.data())
def test_no_secret_survives_in_a_text(secrets: list[str], plain: list[str], data: st.DataObject) -> None:
    text = "".join(data.draw(st.permutations([*secrets, *secrets, *plain])))
    redacted = Redactor(secrets).text(text)
    assert not [secret for secret in secrets if secret in redacted]


@settings(deadline=None)
@given(DATA, st.text("xyz", min_size=6))
def test_what_holds_no_secret_is_left_as_it_is(data: Any, secret: str) -> None:
    assume(not [text for text in every_text(data) if secret in text])
    assert Redactor([secret]).data(data) == data


@settings(deadline=None)
@given(DATA)
def test_redacting_twice_changes_nothing_more(data: Any) -> None:
    redactor = Redactor(["abcabc"])
    once = redactor.data({"password": data, "spec": data})
    assert redactor.data(once) == once


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "passwd",
        "adminPassword",
        "ADMIN_PASSWORD",
        "DB_PASSWORD_2",
        "authorization",
        "password1",
        "passwords",
        "db-password",
        "token",
        "apiToken",
        "api_token",
        "authtoken",
        "TOKEN",
        "bearerTokens",
        "key",
        "api.key",
        "tls.key",
        "private_key",
        "privateKey",
        "accesskey",
        "aws_secret_access_key",
        "apikey",
        "apiKey",
        "APIKEY",
        "key2",
        "secret",
        "client_secret",
        "clientSecret",
        "credentials",
        "passphrase",
    ],
)
def test_secret_keys(key: str) -> None:
    assert is_secret_key(key)
    redacted: Any = Redactor().data({key: "hunter2", "plain": "stays"})
    assert redacted == {key: MASK, "plain": "stays"}


@pytest.mark.parametrize(
    "key",
    [
        "name",
        "caBundleSecretName",
        "secretName",
        "key_file",
        "tokenPath",
        "passwordFile",
        "imagePullSecrets",
        "imagePullSecret",
        "topologyKey",
        "keyboard",
        "monkey",
        "keys",
        "tokenizer",
        "enableAuthorizationPolicies",
        "secretKeyRef",
        "configMapKeyRef",
        "automountServiceAccountToken2Name",
        "replicas",
        "image",
        "passwordless",
        "42",
        "_",
    ],
)
def test_plain_keys(key: str) -> None:
    assert not is_secret_key(key)
    assert Redactor().data({key: "stays"}) == {key: "stays"}


POD = {
    "kind": "Pod",
    "metadata": {"name": "bookbuyer", "labels": {"app": "bookbuyer"}},
    "spec": {
        "automountServiceAccountToken": False,
        "imagePullSecrets": [{"name": "registry"}],
        "tolerations": [{"key": "dedicated", "operator": "Exists"}, {"key": "dedicated", "effect": "NoSchedule"}],
        "affinity": {"podAntiAffinity": {"topologyKey": "kubernetes.io/hostname"}},
        "containers": [
            {
                "name": "bookbuyer",
                "env": [
                    {"name": "BOOKSTORE", "value": "bookstore"},
                    {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
                ],
            }
        ],
        "volumes": [
            {"name": "tls", "secret": {"secretName": "tls", "items": [{"key": "tls.key", "path": "key.pem"}]}},
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token", "audience": "osm"}}]}},
        ],
    },
}


def test_the_names_in_a_pod_are_left() -> None:
    assert Redactor().data(POD) == POD


def test_an_environment_variable_is_masked_by_its_name() -> None:
    env = [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "BOOKSTORE", "value": "bookstore"}]
    assert Redactor().data(env) == [{"name": "DB_PASSWORD", "value": MASK}, {"name": "BOOKSTORE", "value": "bookstore"}]


def test_a_secret_shows_its_entries_but_not_what_they_hold() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "db"}, "data": {"user": "cm9vdA=="}, "stringData": {"user": "root"}, "type": "Opaque"}
    shown: Any = Redactor().data({"before": secret, "after": None})
    assert shown["before"] == {**secret, "data": {"user": MASK}, "stringData": {"user": MASK}}


def test_a_list_of_secrets_shows_nothing() -> None:
    shown = Redactor().data({"kind": "SecretList", "items": [{"metadata": {"name": "db"}, "data": {"user": "cm9vdA=="}}]})
    assert "cm9vdA" not in str(shown)


def test_what_kubectl_apply_has_kept_is_masked() -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"user":"cm9vdA=="}}', "team": "mesh"}
    shown: Any = Redactor().data({"kind": "Secret", "metadata": {"name": "db", "annotations": annotations}})
    assert shown["metadata"]["annotations"] == {"kubectl.kubernetes.io/last-applied-configuration": MASK, "team": "mesh"}


def test_values_below_a_secret_key_are_masked_and_switches_are_not() -> None:
    shown = Redactor().data({"credentials": {"user": "root", "pins": [1, 2], "enabled": True, "old": None}})
    assert shown == {"credentials": {"user": MASK, "pins": [MASK, MASK], "enabled": True, "old": None}}


def test_a_secret_number_is_masked() -> None:
    assert Redactor(["12345678"]).data({"pin": 12345678, "port": 8080}) == {"pin": MASK, "port": 8080}


def test_short_values_do_not_blot_out_words() -> None:
    assert Redactor(["on", "", None, True, "osm"]).text("osm is on") == "osm is on"


def test_the_longer_secret_goes_first() -> None:
    assert Redactor(["secret", "secret-and-more"]).text("secret-and-more") == MASK


def test_the_data_that_was_given_is_not_changed() -> None:
    data = {"password": "hunter2", "list": [{"token": "hunter2"}]}
    Redactor().data(data)
    assert data == {"password": "hunter2", "list": [{"token": "hunter2"}]}


def test_secret_values_are_found_where_they_would_be_masked() -> None:
    values = {
        "vault": {"token": "hvs.12345"},
        "extraEnv": [{"name": "DB_PASSWORD", "value": "hunter22"}],
        "credentials": ["short", "longer"],
    }
    assert sorted(secret_values(values)) == ["hunter22", "hvs.12345", "longer"]
    assert list(secret_values(POD)) == []


@settings(deadline=None)
@given(secrets_in_data())
def test_secret_values_are_those_that_redaction_masks(drawn: tuple[list[str], Any]) -> None:
    _secrets, data = drawn
    data = {"password": data, "spec": data}
    texts = every_text(Redactor(secret_values(data)).data(data))
    assert not [value for value in secret_values(data) for text in texts if value in text]


def test_settings_of_authorization_are_shown_and_its_header_is_not() -> None:
    spec = {
        "traffic": {"inboundExternalAuthorization": {"statPrefix": "inboundExtAuthz", "timeout": "1s"}},
        "observability": {"remoteLogging": {"authorization": "Basic QWxhZGRpbg=="}},
    }
    assert list(secret_values(spec)) == ["Basic QWxhZGRpbg=="]
    shown = Redactor(secret_values(spec)).data(spec)
    assert shown == {"traffic": spec["traffic"], "observability": {"remoteLogging": {"authorization": MASK}}}
