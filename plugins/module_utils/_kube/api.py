# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API server as plain JSON: thread-safe, bounded in time, with retries where they do no harm.

The Python client's own DynamicClient is not used for requests: constructing it sends ``GET /version`` and ``GET /apis``
without a timeout and writes a cache with a guessable name into /tmp (kubernetes.core 6.x module_utils/client/discovery.py).
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Literal, TypeVar

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import (
    AlreadyExists,
    Call,
    Conflict,
    Gone,
    Invalid,
    KubeError,
    NotFound,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import BUILT_IN, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.retry import send
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.transport import Answer, Query, Transport
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.version import FIELD_MANAGER
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = dict[str, Any]
PatchType = Literal["merge", "strategic", "json"]
Propagation = Literal["Background", "Foreground", "Orphan"]
Item = TypeVar("Item")
Result = TypeVar("Result")

_PATCH_CONTENT = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
    # The body is JSON, which is YAML; the plain JSON spelling of this type exists only from Kubernetes 1.32 on.
    "apply": "application/apply-patch+yaml",
}
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_LIST_RESTARTS = 3


class Api:
    """Requests to one cluster; every method raises a KubeError when it fails.

    ``request_timeout`` is the time in seconds for one call including its retries (for a list: for each page).
    """

    def __init__(self, transport: Transport, *, request_timeout: float = 60.0, parallel: int = 8) -> None:
        self.server = transport.server
        self._transport = transport
        self._timeout = request_timeout
        self._parallel = max(1, parallel)
        self._answered = False
        self._kinds: dict[tuple[str, str], Kind | None] = dict(BUILT_IN)
        self._kinds_lock = threading.Lock()

    def within(self, seconds: float) -> Api:
        """Return the same connection with at most ``seconds`` for one call and its retries: for what the caller can do without."""
        other = copy.copy(self)
        other._timeout = min(self._timeout, seconds)
        return other

    # Reading

    def get(self, kind: Kind, name: str, namespace: str | None = None, *, metadata_only: bool = False) -> Object:
        """Return one object; raises NotFound."""
        accept = _METADATA if metadata_only else ""
        found = self._json(_call("get", kind, name, namespace, self.server), "GET", kind.path(namespace, name), accept=accept)
        return _named(found, kind)

    def get_or_none(self, kind: Kind, name: str, namespace: str | None = None, *, metadata_only: bool = False) -> Object | None:
        """Return one object, or None when it (or its namespace or its resource type) does not exist."""
        try:
            return self.get(kind, name, namespace, metadata_only=metadata_only)
        except NotFound:
            return None

    def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        metadata_only: bool = False,
        limit: int = 500,
    ) -> Iterator[Object]:
        """Yield the objects of ``kind`` in one namespace or in all, in pages of ``limit``; raises NotFound for an unknown resource type.

        When the continue token expires in the middle (HTTP 410) the list is started again, the last time in one single page;
        an object is never yielded twice.
        """
        query = [("labelSelector", label_selector), ("fieldSelector", field_selector)]
        query = [(key, value) for key, value in query if value]
        accept = _METADATA_LIST if metadata_only else ""
        seen: set[str] = set()
        for restart in range(_LIST_RESTARTS):
            page_size = limit if restart < _LIST_RESTARTS - 1 else 0
            try:
                for item in self._pages(kind, namespace, query, accept, page_size):
                    key = str(item["metadata"].get("uid") or (item["metadata"].get("namespace"), item["metadata"]["name"]))
                    if key not in seen:
                        seen.add(key)
                        yield _named(item, kind)
                return
            except Gone:
                if not page_size:
                    raise

    def _pages(self, kind: Kind, namespace: str | None, query: Query, accept: str, page_size: int) -> Iterator[Object]:
        what = [kind.plural, f"in namespace {namespace}" if namespace else "in all namespaces"] if kind.namespaced else [kind.plural]
        # It may be the user's own, and wrong.
        what += [f"with labels {value!r}" for key, value in query if key == "labelSelector"]
        call = Call("list", " ".join(what), kind.path(namespace), self.server)
        token = ""
        while True:
            paging = [("limit", str(page_size))] if page_size else []
            paging += [("continue", token)] if token else []
            page = self._json(call, "GET", call.path, query=[*query, *paging], accept=accept)
            yield from page.get("items") or ()
            token = page.get("metadata", {}).get("continue") or ""
            if not token:
                return

    def raw_get(self, path: str, **query: str) -> Object:
        """Return the JSON object at ``path`` (for instance ``/version``)."""
        return self._json(Call("get", path, path, self.server), "GET", path, query=list(query.items()))

    def raw_text(self, path: str, **query: str) -> str:
        """Return the text at ``path`` (for instance a container's log)."""
        return self._text(Call("get", path, path, self.server), "GET", path, query=list(query.items()), accept="*/*")[0]

    def kind_for(self, api_version: str, kind: str) -> Kind | None:
        """Return the resource type, asking the server once for a group version that is not built in; None when it has no such type."""
        with self._kinds_lock:
            if (api_version, kind) in self._kinds:
                return self._kinds[api_version, kind]
        path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        try:
            resources = self.raw_get(path).get("resources") or []
        except NotFound:
            resources = []
        found = {
            (api_version, str(resource["kind"])): Kind(api_version, resource["kind"], resource["name"], bool(resource["namespaced"]))
            for resource in resources
            if "/" not in resource["name"]
        }
        with self._kinds_lock:
            self._kinds.update(found)
            return self._kinds.setdefault((api_version, kind), None)

    # Writing

    def create(
        self, kind: Kind, body: Mapping[str, Any], namespace: str | None = None, *, dry_run: bool = False, strict: bool = False
    ) -> Object:
        """Create an object and return it as stored; raises AlreadyExists.

        After a lost answer the object is read: it is ours when it holds everything that was sent.
        """
        name, namespace = _identity(body, namespace)
        call = _call("create", kind, name, namespace, self.server)
        query = _write_query(dry_run, strict, FIELD_MANAGER)
        deadline, delay = Deadline(self._timeout), 0.25
        while True:
            try:
                # A dry run stores nothing, so it may be sent again.
                return _named(self._json(call, "POST", kind.path(namespace), query=query, body=dict(body), repeatable=dry_run), kind)
            except KubeError as error:
                if not error.uncertain or dry_run or not name:
                    raise
                found = self.get_or_none(kind, name, namespace)
                if found is not None:
                    if holds(found, body):
                        return found
                    raise AlreadyExists(
                        call, status=409, reason="AlreadyExists", message="found after the answer to the create was lost"
                    ) from error
                if deadline.remaining() <= delay:
                    raise
            deadline.sleep(delay)
            delay = min(8.0, delay * 2)

    def review(self, kind: Kind, body: Mapping[str, Any]) -> Object:
        """Ask a question that is sent as a create and stores nothing (SelfSubjectAccessReview)."""
        return self._json(Call("create", kind.kind, kind.path(), self.server), "POST", kind.path(), body=dict(body), repeatable=True)

    def post(self, kind: Kind, name: str, namespace: str | None, subresource: str, body: Mapping[str, Any]) -> Object:
        """Ask an object for something by one of its subresources (``eviction``, ``instantiate``) and return the answer.

        Sent again only when it surely was not carried out. Raises BudgetExhausted for an eviction that a PodDisruptionBudget does
        not allow now: that is an answer, so it is not asked again here.
        """
        call = _call(f"create {subresource} of", kind, name, namespace, self.server)
        path = kind.path(namespace, name, subresource)
        return self._json(call, "POST", path, query=_write_query(dry_run=False, strict=False, field_manager=FIELD_MANAGER), body=dict(body))

    def apply(self, kind: Kind, body: Mapping[str, Any], *, dry_run: bool = False, strict: bool = False) -> Object:
        """Server-side apply one of our own objects (field manager ``meshops.lifecycle``, no force), return it as stored.

        Raises FieldManagerConflict when another manager wants another value.
        """
        name, namespace = _identity(body, None)
        query = [*_write_query(dry_run, strict, FIELD_MANAGER), ("force", "false")]
        call = _call("apply", kind, name, namespace, self.server)
        content = _PATCH_CONTENT["apply"]
        return self._json(call, "PATCH", kind.path(namespace, name), query=query, body=dict(body), content=content, repeatable=True)

    def patch(
        self,
        kind: Kind,
        name: str,
        body: Any,
        namespace: str | None = None,
        *,
        patch_type: PatchType = "merge",
        uid: str | None = None,
        resource_version: str | None = None,
        subresource: str = "",
        dry_run: bool = False,
        strict: bool = False,
        field_manager: str = FIELD_MANAGER,
    ) -> Object:
        """Patch an object (or its ``subresource``, for instance ``status``) and return it as stored.

        ``body`` is an object for ``merge`` and ``strategic``, a list of operations for ``json``. With ``uid`` or
        ``resource_version`` a changed or replaced object raises Conflict.
        """
        conditions = {key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value}
        call = _call("patch", kind, name, namespace, self.server)
        query = _write_query(dry_run, strict, field_manager)
        try:
            stored = self._json(
                call,
                "PATCH",
                kind.path(namespace, name, subresource),
                query=query,
                body=_with_conditions(body, conditions, patch_type),
                content=_PATCH_CONTENT[patch_type],
                repeatable=bool(conditions) or dry_run,
            )
        except Invalid as error:
            if conditions and self._is_another(kind, name, namespace, conditions):
                raise Conflict(call, status=error.status, reason=error.reason, message=error.message) from error
            raise
        return _named(stored, kind)

    def _is_another(self, kind: Kind, name: str, namespace: str | None, conditions: Mapping[str, str]) -> bool:
        """Whether the object does not fulfil ``conditions``: a JSON patch whose ``test`` fails is answered like any other wrong
        patch, "the server rejected our request due to an error in our request" (seen with Kubernetes 1.34)."""
        metadata = self.get(kind, name, namespace, metadata_only=True)["metadata"]
        return any(metadata.get(key) != value for key, value in conditions.items())

    def replace(self, kind: Kind, body: Mapping[str, Any], *, dry_run: bool = False, strict: bool = False) -> Object:
        """Replace an object; with ``metadata.resourceVersion`` in ``body`` a changed object raises Conflict."""
        name, namespace = _identity(body, None)
        call = _call("update", kind, name, namespace, self.server)
        query = _write_query(dry_run, strict, FIELD_MANAGER)
        return _named(self._json(call, "PUT", kind.path(namespace, name), query=query, body=dict(body), repeatable=True), kind)

    def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: Propagation = "Background",
        dry_run: bool = False,
    ) -> bool:
        """Delete an object; return False when it was gone already.

        Raises Conflict when it is not the one with this ``uid`` or ``resource_version``.
        """
        body: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        conditions = {key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value}
        if conditions:
            body["preconditions"] = conditions
        if dry_run:
            body["dryRun"] = ["All"]
        call = _call("delete", kind, name, namespace, self.server)
        try:
            # The server obeys the body; the query is there so that the audit log tells a dry run from a deletion.
            query = [("dryRun", "All")] if dry_run else []
            self._text(call, "DELETE", kind.path(namespace, name), query=query, body=body, repeatable=True)
        except NotFound as error:
            # The answer to our own delete was lost, and asking again shows that it was done.
            return error.after_lost_answer
        return True

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Sequence[Result]:
        """Return ``function`` of every item, in order, computed by up to ``max_parallel_requests`` threads.

        When one raises, the first exception (in the order of the items) is raised after all have ended.
        """
        todo = [*items]
        if len(todo) < 2:
            return [function(item) for item in todo]
        with ThreadPoolExecutor(max_workers=min(self._parallel, len(todo)), thread_name_prefix="kube") as pool:
            futures = [pool.submit(function, item) for item in todo]
            wait(futures)
        return [future.result() for future in futures]

    # Sending

    def _json(self, call: Call, method: str, path: str, **request: Any) -> Object:
        text, status = self._text(call, method, path, **request)
        try:
            data = json.loads(text)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise KubeError(call, status=status, message="the answer is not a JSON object: is this the address of an API server?")
        return data

    def _text(
        self,
        call: Call,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: Any = None,
        content: str = "application/json",
        accept: str = "",
        repeatable: bool | None = None,
    ) -> tuple[str, int]:
        headers = {"Accept": accept or "application/json"}
        data: bytes | None = None
        if body is not None:
            headers["Content-Type"] = content
            data = json.dumps(body, separators=(",", ":")).encode()

        def exchange(connect: float, read: float) -> Answer:
            return self._transport.exchange(method, path, query, headers, data, connect, read)

        repeat = method == "GET" if repeatable is None else repeatable
        try:
            answer = send(call, exchange, repeatable=repeat, budget=self._timeout, known=self._answered)
        except KubeError as error:
            self._answered = self._answered or error.status is not None
            raise
        self._answered = True
        return answer.body.decode("utf-8", "replace"), answer.status


def holds(found: Any, wanted: Any) -> bool:
    """Return whether ``found`` has every value of ``wanted``; lists must be equal in length and hold each other's items in order."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(key in found and holds(found[key], value) for key, value in wanted.items())
    if isinstance(wanted, (list, tuple)):
        return isinstance(found, (list, tuple)) and len(found) == len(wanted) and all(map(holds, found, wanted))
    return bool(found == wanted)


def _call(verb: str, kind: Kind, name: str, namespace: str | None, server: str) -> Call:
    ref = ObjectRef(kind.kind, name, namespace or "" if kind.namespaced else "")
    return Call(verb, str(ref), kind.path(namespace, name), server, ref)


def _named(item: Object, kind: Kind) -> Object:
    """Fill in what the server leaves out in lists, and put the real kind over PartialObjectMetadata."""
    item["apiVersion"], item["kind"] = kind.api_version, kind.kind
    return item


def _identity(body: Mapping[str, Any], namespace: str | None) -> tuple[str, str | None]:
    metadata = body.get("metadata") or {}
    return str(metadata.get("name") or ""), namespace or metadata.get("namespace")


def _write_query(dry_run: bool, strict: bool, field_manager: str) -> list[tuple[str, str]]:
    query = [("fieldManager", field_manager)]
    if dry_run:
        query.append(("dryRun", "All"))
    if strict:
        query.append(("fieldValidation", "Strict"))
    return query


def _with_conditions(body: Any, conditions: Mapping[str, str], patch_type: PatchType) -> Any:
    """Return the patch with what it expects of the object's metadata."""
    if not conditions:
        return body
    if patch_type == "json":
        return [*({"op": "test", "path": f"/metadata/{key}", "value": value} for key, value in conditions.items()), *body]
    patched = copy.deepcopy(dict(body))
    patched["metadata"] = {**patched.get("metadata", {}), **conditions}
    return patched
