# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credential plugins of a kubeconfig: commands that print an ExecCredential (client.authentication.k8s.io)."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.process import run
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kubeconfig_files import Chosen, Entry
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.redact import Redactor

_EARLY = timedelta(minutes=5)
_SECONDS = 120
_CLUSTER_FIELDS = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url")


class CredentialPlugin:
    """Authorization by the command in ``users[].user.exec`` (client.authentication.k8s.io, ExecCredential).

    ``certificate`` and ``key`` are what the first call of the command gave (PEM); a token is asked for again when it expires.
    """

    def __init__(self, chosen: Chosen) -> None:
        self._chosen = chosen
        self.certificate = self.key = b""
        self._token = ""
        self._expiry: datetime | None = None
        self._ask()

    def __call__(self) -> str:
        """Return the Authorization header, empty when the command gives certificates only."""
        if self._token and self._expiry is not None and datetime.now(UTC) >= self._expiry - _EARLY:
            try:
                self._ask()
            except LifecycleError:
                # The old token is good to its last minute.
                if datetime.now(UTC) >= self._expiry:
                    raise
        return f"Bearer {self._token}" if self._token else ""

    def _ask(self) -> None:
        plugin = self._chosen.user.fields["exec"]
        try:
            status = _status(self._run(plugin), str(plugin["apiVersion"]))
            token, certificate, key = (str(status.get(name) or "") for name in ("token", "clientCertificateData", "clientKeyData"))
            if not token and not (certificate and key):
                raise ValueError("it answered without token, and without clientCertificateData and clientKeyData")
            expiry = datetime.fromisoformat(str(status["expirationTimestamp"])) if status.get("expirationTimestamp") else None
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            why = f"users[].user.exec has no {error}" if isinstance(error, KeyError) else str(error)
            raise self._failure(why) from error
        self._token, self._expiry = token, expiry if expiry is None or expiry.tzinfo else expiry.replace(tzinfo=UTC)
        self.certificate, self.key = self.certificate or certificate.encode(), self.key or key.encode()

    def _run(self, plugin: Mapping[str, Any]) -> str:
        """Return what the command printed."""
        own = {str(item["name"]): str(item["value"]) for item in plugin.get("env") or ()}
        spec: dict[str, Any] = {"interactive": False}
        if plugin.get("provideClusterInfo"):
            spec["cluster"] = self._cluster_info(self._chosen.cluster)
        info = {"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": spec}
        directory, command = self._chosen.user.directory, str(plugin["command"])
        # A path, unlike a bare name, starts from the kubeconfig.
        command = os.path.join(directory, command) if os.sep in command else command
        try:
            done = run(
                [command, *map(str, plugin.get("args") or ())],
                deadline=Deadline(_SECONDS),
                env={**os.environ, **own, "KUBERNETES_EXEC_INFO": json.dumps(info)},
                cwd=directory or None,
                mask=own.values(),
                check=False,
            )
        except LifecycleError as error:
            # Not the error itself: it shows the command with its arguments.
            raise self._failure(error.why) from error
        if done.returncode != 0:
            raise self._failure(f"exit status {done.returncode}: {_masked(done.stderr, own).strip() or 'it said nothing'}")
        return done.stdout

    def _cluster_info(self, cluster: Entry) -> dict[str, Any]:
        info = {name: cluster.fields[name] for name in _CLUSTER_FIELDS if name in cluster.fields}
        authority = self._chosen.pem(cluster, "certificate-authority").data
        if authority:
            info["certificate-authority-data"] = base64.b64encode(authority).decode("ascii")
        for extension in cluster.fields.get("extensions") or ():
            if extension.get("name") == "client.authentication.k8s.io/exec":
                info["config"] = extension.get("extension")
        return info

    def _failure(self, why: str) -> LifecycleError:
        return LifecycleError(
            f"The credential plugin of context {self._chosen.context} in {self._chosen.where} gave no credentials",
            why=why,
            next="run the plugin's command by hand (users[].user.exec in that file), and log in again if it asks for that",
        )


def _status(output: str, api_version: str) -> Mapping[str, Any]:
    """Return the status of an ExecCredential; ValueError for anything else, without quoting it: it may hold a token."""
    try:
        answer = json.loads(output)
    except ValueError:
        raise ValueError("its answer is not JSON") from None
    if not isinstance(answer, Mapping) or not isinstance(answer.get("status"), Mapping):
        raise ValueError("its answer is no ExecCredential with a status")
    if answer.get("apiVersion") != api_version:
        raise ValueError(f"its answer is of apiVersion {answer.get('apiVersion')}, {api_version} was asked for")
    status: Mapping[str, Any] = answer["status"]
    return status


def _masked(text: str, secrets: Mapping[str, str]) -> str:
    return Redactor(secrets.values()).text(text)
