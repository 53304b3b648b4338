# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm by its own program (3.14 or newer, or 4): kubernetes.core's wrapper builds strings, has no timeout and ends the module."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm_errors import (
    ChartNotFound,
    HelmError,
    HelmFailed,
    ReleaseNotFound,
    error_of_failure,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.process import CommandFailed, CommandNotFound, Completed, run
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline

# Variables that would lead helm to another cluster, namespace or storage than the one that was asked for.
_FOREIGN = re.compile(r"HELM_(KUBE\w*|NAMESPACE|DRIVER\w*|DEBUG|MAX_HISTORY)|KUBECONFIG")
_SHOWN_VERSIONS = 15
_OLDEST, _OLDEST_TEXT = (3, 14, 0), "3.14"
# The first that applies on the server (--server-side, by default as the release's newest revision was applied).
_SERVER_SIDE = (4, 0, 0)


class Helm:
    """``kubeconfig_path`` is the connection's private kubeconfig, ``directory`` the module's own temporary directory.

    The user's repositories, registry logins and plugins are used as they are (HELM_CONFIG_HOME and friends); only helm's
    cache is written to. ``on_line`` gets helm's output lines.
    """

    def __init__(
        self,
        binary: str = "helm",
        *,
        kubeconfig_path: str,
        directory: str,
        mask: Iterable[str] = (),
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self._binary = binary or "helm"
        self._kubeconfig_path = kubeconfig_path
        self._directory = directory
        self._mask = tuple(mask)
        self._on_line = on_line
        self._version: tuple[int, int, int] | None = None

    def version(self, deadline: Deadline) -> tuple[int, int, int]:
        """Return helm's version; raises CommandNotFound when there is no helm."""
        if self._version is None:
            try:
                text = self._run("Helm cannot tell its version", ["version", "--template", "{{.Version}}"], deadline).stdout
            except CommandNotFound as error:
                error.next = f"install helm {_OLDEST_TEXT} or newer, or set binary_path"
                raise
            except HelmFailed as error:
                text = error.output
            match = re.fullmatch(r"v(\d+)\.(\d+)(?:\.(\d+))?(?:[-+]\S*)?", text.strip())
            if match is None:
                said = " ".join(text.split())[:200] or "nothing"
                why = f"asked for its version it said: {said}"
                raise HelmFailed(f"{self._binary} is not helm", output=text, why=why, next="correct binary_path, or leave it out")
            self._version = (int(match[1]), int(match[2]), int(match[3] or 0))
        return self._version

    def require(self, deadline: Deadline) -> None:
        """Raise an error unless this is a helm that works here: CommandNotFound or HelmFailed."""
        version = self.version(deadline)
        if version < _OLDEST:
            text = ".".join(map(str, version))
            why = f"{_OLDEST_TEXT} is the oldest that is tested"
            raise HelmFailed(f"{self._binary} is helm {text}", output="", why=why, next="install a newer one, or set binary_path to one")

    def pull(self, ref: str, *, repo: str = "", version: str = "", deadline: Deadline) -> str:
        """Return the path of the chart: ``ref`` itself when it is a directory or archive here, else a downloaded archive.

        ``ref`` is a path, ``alias/chart``, ``oci://…``, an archive's URL, or a chart's name in the repository at URL ``repo``.
        ``version`` may be a range; empty is the newest. Raises ChartNotFound (with the versions that exist, when the
        repository tells) and RepositoryUnreachable.
        """
        if not repo and is_local(ref):
            path = os.path.expanduser(ref)
            if not os.path.exists(path):
                raise ChartNotFound(f"Chart {ref} was not found", output="", why="no such file or directory", next="correct chart_ref")
            return path
        target = tempfile.mkdtemp(prefix="chart-", dir=self._directory)
        what = f"Helm cannot get chart {ref}" + (f" {version}" if version else "") + (f" from {repo}" if repo else "")
        arguments = ["pull", ref, "--destination", target]
        arguments += ["--repo", repo] if repo else []
        arguments += ["--version", version] if version else []
        try:
            self._run(what, arguments, deadline)
        except ChartNotFound as error:
            versions = self._known_versions(ref, repo, deadline)
            raise ChartNotFound(what, output=error.output, why=error.why, versions=versions[:_SHOWN_VERSIONS]) from error
        archives = [name for name in os.listdir(target) if name.endswith(".tgz")]
        if len(archives) != 1:
            raise HelmFailed(what, output="", why=f"helm pull left {len(archives)} archives", next="try helm pull by hand")
        return os.path.join(target, archives[0])

    def versions(self, ref: str, *, repo: str = "", deadline: Deadline) -> list[str]:
        """Return the versions of a chart in a repository, newest first; an empty list for ``oci://`` (helm cannot list those) and paths."""
        if "://" in ref or (not repo and is_local(ref)):
            return []
        if not repo:
            return self._search(ref, [], deadline)
        with tempfile.TemporaryDirectory(prefix="repository-", dir=self._directory) as scratch:
            # A repository file of our own: the user's is not written to.
            options = ["--repository-config", os.path.join(scratch, "repositories.yaml"), "--repository-cache", scratch]
            self._run(f"Helm cannot read the repository {repo}", ["repo", "add", "wanted", repo, *options], deadline)
            return self._search(f"wanted/{ref}", options, deadline)

    def template(
        self,
        release: str,
        chart: str,
        namespace: str,
        values: Mapping[str, Any],
        *,
        deadline: Deadline,
        is_upgrade: bool = True,
        kube_version: str = "",
        api_versions: Sequence[str] = (),
        include_hooks: bool = False,
    ) -> list[dict[str, Any]]:
        """Return the chart's objects as helm would send them, without asking the cluster. ``values`` are all the user's values.

        Raises SchemaViolation, KubeVersionMismatch or HelmFailed.
        """
        what = f"Helm cannot render {os.path.basename(chart)} for release {release}"
        with self._values_file(values) as path:
            arguments = ["template", release, chart, "--namespace", namespace, "--values", path]
            arguments += ["--is-upgrade"] if is_upgrade else []
            arguments += ["--kube-version", kube_version] if kube_version else []
            arguments += [] if include_hooks else ["--no-hooks"]
            for api_version in api_versions:
                arguments += ["--api-versions", api_version]
            output = self._run(what, arguments, deadline, quiet=True).stdout
        return parse_manifest(output)

    def upgrade(
        self,
        release: str,
        chart: str,
        namespace: str,
        values: Mapping[str, Any],
        *,
        deadline: Deadline,
        description: str = "",
        max_history: int = 10,
        server_side: bool = False,
    ) -> None:
        """Upgrade a release to ``chart`` with exactly ``values`` as its user values; does not wait for the rollout.

        ``server_side`` says how the newest revision was applied (``Release.server_side``): fields of the chart that somebody
        else has set since are set back, as Helm does for all other releases. Never sent twice: after a failure the release
        must be looked at. Raises ReleasePending, ReleaseNotFound, SchemaViolation, KubeVersionMismatch, ImmutableField,
        FieldConflict, HelmFailed or CommandTimedOut.
        """
        with self._values_file(values) as path:
            arguments = ["upgrade", release, chart, "--namespace", namespace, "--reset-values", "--values", path]
            arguments += ["--history-max", str(max_history), "--timeout", _duration(deadline)]
            arguments += ["--description", description] if description else []
            arguments += self._setting_back(server_side, deadline)
            self._run(f"Helm cannot upgrade release {release} in {namespace}", arguments, deadline, namespace=namespace)

    def rollback(
        self, release: str, revision: int, namespace: str, *, deadline: Deadline, max_history: int = 10, server_side: bool = False
    ) -> None:
        """Roll a release back to ``revision``; does not wait for the rollout. Errors as for upgrade.

        ``server_side`` says how ``revision`` was applied.
        """
        arguments = ["rollback", release, str(revision), "--namespace", namespace]
        arguments += ["--history-max", str(max_history), "--timeout", _duration(deadline)]
        arguments += self._setting_back(server_side, deadline)
        what = f"Helm cannot roll back release {release} in {namespace} to revision {revision}"
        self._run(what, arguments, deadline, namespace=namespace)

    def uninstall(self, release: str, namespace: str, *, deadline: Deadline, no_hooks: bool = True) -> bool:
        """Delete a release's objects and all its revisions; return False when there was no release (any more).

        Does not wait until the objects are gone: helm 3 does with ``--wait`` only, helm 4 waits for hooks only when that is not set.
        With hooks, helm waits for them until the deadline. A release that a killed helm left ``uninstalling`` or ``pending`` is
        uninstalled like any other, one that is ``uninstalled`` (``--keep-history``) is forgotten (helm pkg/action/uninstall.go).
        Raises HelmFailed or CommandTimedOut; sending it again is safe.
        """
        arguments = ["uninstall", release, "--namespace", namespace, "--timeout", _duration(deadline)]
        arguments += ["--no-hooks"] if no_hooks else []
        try:
            self._run(f"Helm cannot uninstall release {release} in {namespace}", arguments, deadline, namespace=namespace)
        except ReleaseNotFound:
            return False
        return True

    def _setting_back(self, server_side: bool, deadline: Deadline) -> list[str]:
        """Return the option that makes server-side apply set back what others have set; it is refused for client-side apply."""
        return ["--force-conflicts"] if server_side and self.version(deadline) >= _SERVER_SIDE else []

    def _known_versions(self, ref: str, repo: str, deadline: Deadline) -> list[str]:
        try:
            return self.versions(ref, repo=repo, deadline=deadline)
        except HelmError:
            # Only an addition to an error that is already there.
            return []

    def _search(self, ref: str, options: Sequence[str], deadline: Deadline) -> list[str]:
        output = self._run(
            f"Helm cannot search {ref}", ["search", "repo", ref, "--versions", "--output", "json", *options], deadline
        ).stdout
        try:
            found = json.loads(output)
            return [str(entry["version"]) for entry in found if entry["name"] == ref]
        except (ValueError, KeyError, TypeError) as error:
            raise HelmFailed(f"Helm cannot search {ref}", output=output, why="its output is not the JSON that was expected") from error

    @contextmanager
    def _values_file(self, values: Mapping[str, Any]) -> Iterator[str]:
        """Yield the path of a private file with the values: they may be secret, and arguments are visible to everybody."""
        descriptor, path = tempfile.mkstemp(prefix="values-", suffix=".json", dir=self._directory)
        try:
            with open(descriptor, "w", encoding="utf-8") as stream:
                json.dump(values, stream)
            yield path
        finally:
            os.unlink(path)

    def _run(self, what: str, arguments: Sequence[str], deadline: Deadline, *, namespace: str = "", quiet: bool = False) -> Completed:
        env = {name: value for name, value in os.environ.items() if not _FOREIGN.fullmatch(name)}
        env["KUBECONFIG"] = self._kubeconfig_path
        try:
            # Helm dies with the module at once: on SIGTERM it would wait for the answer to its request, while another run may
            # take over. What it leaves pending is known by the run's record.
            return run(
                [self._binary, *arguments],
                deadline=deadline,
                env=env,
                mask=self._mask,
                on_line=None if quiet else self._on_line,
            )
        except CommandFailed as error:
            raise error_of_failure(error, what, namespace) from error


def is_local(ref: str) -> bool:
    """Return whether a chart reference is a path here, in helm's order: an existing path, or one that is written as a path."""
    return os.path.exists(os.path.expanduser(ref)) or ref.startswith(("/", "./", "../", "~"))


def parse_manifest(text: str) -> list[dict[str, Any]]:
    """Return the objects of a multi-document YAML text, empty documents left out; raises HelmFailed when it is not YAML."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return [document for document in yaml.load_all(text, Loader=loader) if isinstance(document, dict)]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark is not None else "an unknown line"
        raise HelmFailed(
            "The rendered chart is not valid YAML", output="", why=f"syntax error in {place}", next="render it with helm template"
        ) from error


def _duration(deadline: Deadline) -> str:
    """Return what is left as helm writes durations; helm gives up by itself shortly before it would be stopped."""
    return f"{max(1, int(deadline.remaining()) - 2)}s"
