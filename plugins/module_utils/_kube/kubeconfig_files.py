# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read kubeconfig files as kubectl and the Python client do: several files are one, and the first entry of a name counts."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError


class Pem(NamedTuple):
    """Certificates or a key, and where they come from: a path, or the name of the option or field that holds them."""

    data: bytes = b""
    source: str = ""


class Entry(NamedTuple):
    """A cluster or a user; relative paths in it start from ``directory``, that of its file (empty: inline)."""

    fields: Mapping[str, Any]
    directory: str = ""

    def path(self, name: str) -> str:
        """Return the path that field ``name`` holds; empty when there is none."""
        return os.path.normpath(os.path.join(self.directory, str(self.fields[name]))) if self.fields.get(name) else ""


class Chosen(NamedTuple):
    """One context with its cluster and its user (no fields when it names none); ``where`` says in words which kubeconfig it is of."""

    context: str
    where: str
    cluster: Entry
    user: Entry

    def unusable(self, why: str) -> LifecycleError:
        """Return the error that says that this context is broken."""
        return LifecycleError(
            f"Context {self.context} of {self.where} cannot be used",
            why=why,
            next="correct the context's cluster and user in that file; kubectl --context shows the same error",
        )

    def pem(self, entry: Entry, name: str) -> Pem:
        """Return what ``NAME-data`` holds, or else the file that ``NAME`` names."""
        data = entry.fields.get(f"{name}-data")
        if data:
            try:
                return Pem(base64.standard_b64decode(data), f"{name}-data")
            except (ValueError, TypeError) as error:
                raise self.unusable(f"{name}-data is not base64") from error
        path = entry.path(name)
        return read_pem(path) if path else Pem()


def read_pem(path: str) -> Pem:
    """Return the content of a certificate or key file."""
    try:
        with open(path, "rb") as stream:
            return Pem(stream.read(), path)
    except OSError as error:
        raise LifecycleError(
            f"Certificate or key file {path} cannot be read", why=error.strerror or str(error), next="correct its path"
        ) from error


def choose(source: str | Mapping[str, Any], wanted: str | None) -> Chosen:
    """Return the context ``wanted`` (default: the current one) of a path list or of an inline kubeconfig.

    Raises LifecycleError for a missing or broken file, and for an unknown context, naming the existing ones.
    """
    documents = [("", source)] if isinstance(source, Mapping) else _read_files(source)
    where = "the inline kubeconfig" if isinstance(source, Mapping) else f"kubeconfig {source}"
    context = _context(documents, wanted, where)
    fields = _named(documents, "contexts", context)
    chosen = Chosen(context, where, Entry({}), Entry({}))
    names = fields.fields if fields is not None else {}
    cluster = _named(documents, "clusters", names.get("cluster"))
    user = _named(documents, "users", names.get("user")) if names.get("user") else Entry({})
    if cluster is None:
        raise chosen.unusable(f"there is no cluster {names.get('cluster')} in it")
    if user is None:
        raise chosen.unusable(f"there is no user {names.get('user')} in it")
    return chosen._replace(cluster=cluster, user=user)


def _read_files(paths: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return directory and content of each file of a path list; at least one must exist, and all that exist must be readable."""
    import yaml

    # libyaml, where PyYAML has it, reads the kubeconfig of a fleet in a twentieth of the time.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents: list[tuple[str, Mapping[str, Any]]] = []
    for path in filter(None, map(os.path.expanduser, paths.split(os.pathsep))):
        try:
            with open(path, encoding="utf-8") as stream:
                data = yaml.load(stream, Loader=loader)
        except FileNotFoundError:
            continue
        except (OSError, UnicodeError) as error:
            raise LifecycleError(f"kubeconfig {path} cannot be read", why=str(error), next="correct the path or its permissions") from error
        except yaml.YAMLError as error:
            # Not the parser's own text: it quotes the line, which may hold a token.
            mark = getattr(error, "problem_mark", None)
            place = f"line {mark.line + 1}" if mark is not None else "an unknown line"
            raise LifecycleError(f"kubeconfig {path} is not valid YAML", why=f"syntax error in {place}", next="correct the file") from error
        if not isinstance(data, Mapping):
            raise LifecycleError(
                f"kubeconfig {path} is not a kubeconfig", why="it is empty or not a mapping", next="correct the path or the file"
            )
        documents.append((os.path.dirname(os.path.abspath(path)), data))
    if not documents:
        raise LifecycleError(
            f"kubeconfig {paths} does not exist", why="no such file", next="correct the option kubeconfig (or K8S_AUTH_KUBECONFIG)"
        )
    return documents


def _context(documents: Sequence[tuple[str, Mapping[str, Any]]], wanted: str | None, where: str) -> str:
    names = {str(entry.get("name")) for _directory, document in documents for entry in _entries(document, "contexts")}
    current = [str(document["current-context"]) for _directory, document in documents if document.get("current-context")]
    # The last file wins, as in the Python client (config/kube_config.py, KubeConfigMerger).
    context = wanted or (current[-1] if current else "")
    existing = ", ".join(sorted(names)) or "none"
    if not context:
        raise LifecycleError(f"{where} has no current context", why=f"contexts in it: {existing}", next="set the option context")
    if context not in names:
        raise LifecycleError(f"{where} has no context {context}", why=f"contexts in it: {existing}", next="correct the option context")
    return context


def _named(documents: Sequence[tuple[str, Mapping[str, Any]]], section: str, name: object) -> Entry | None:
    """Return the entry of a section; its fields are below the singular of the section's name."""
    for directory, document in documents:
        for entry in _entries(document, section):
            if str(entry.get("name")) == str(name):
                fields = entry.get(section.removesuffix("s"))
                return Entry(fields if isinstance(fields, Mapping) else {}, directory)
    return None


def _entries(document: Mapping[str, Any], section: str) -> list[Mapping[str, Any]]:
    entries = document.get(section)
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []
