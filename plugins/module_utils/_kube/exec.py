# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run commands in containers: their output, in bytes, and their exit code; no input, no terminal.

A WebSocket begins as a GET: API servers before 1.35 ask RBAC for ``get pods/exec``, later ones for ``create`` as well
(kubernetes PR 134577, AuthorizePodWebsocketUpgradeCreatePermission). Who has both can use either.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlencode

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import Connection
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import (
    Call,
    Forbidden,
    KubeError,
    Unreachable,
    error_of_answer,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.exec_channel import STDOUT, Channels, CutOff, open_channels
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import POD
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.pool import open_socket
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.retry import send
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.transport import Answer, AnswerLost
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_HANDSHAKE_SECONDS = 60.0
_ATTEMPTS = 3
_PAUSE_SECONDS = 0.5
# So much of what a command complains about is kept, its end.
_STDERR_SIZE = 1 << 14
_COMMAND_SHOWN = 120
# What the command's own shell would say, which is what kubelets do with a program that is not there.
_NOT_FOUND = 127
_EXIT_TEXT = re.compile(r"exit (?:status|code) (\d+)\s*$")
_MISSING_TEXT = re.compile(r"executable file not found|no such file or directory\s*$|stat \S+: no such file")
# kubelet pkg/kubelet/server, client-go tools/remotecommand: nothing was run.
_NOT_STARTED = ("error dialing backend", "unable to upgrade connection", "container not found", "container is not running")


class ExecResult(NamedTuple):
    """How a command ended; ``stderr`` is the end of what it complained about."""

    stdout: bytes
    stderr: str
    exit_code: int


class ExecCutOff(KubeError):
    """The connection ended, or the time was over, before the server said how the command ended: what came so far is worth nothing."""

    advice = "look at the pod, its node and what is between (API server, load balancer), then run again"


class ExecTimedOut(ExecCutOff):
    """The command had not ended in time; it may still be running in the container."""

    advice = "look at what the command waits for in the pod, or allow more time"


class ExecUnanswered(ExecTimedOut):
    """The API server took the request, and no answer came: it waits for the kubelet of a node that is off."""

    advice = "look at the node of the pod and its kubelet, and at what is between that and the API server"


class ExecNotRun(KubeError):
    """The command could not be run in the container; ``started`` is false when it surely was not."""

    advice = "look at the container's state in the pod's status and at the kubelet of its node, then run again"
    started = True


class ExecFailed(KubeError):
    """The command ended with another exit code than 0."""

    advice = "read what the command says"
    exit_code = 0
    stderr = ""


class PodExec:
    """``exec`` over one connection; thread-safe: every command has a WebSocket of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # Made here: it writes certificates into files for a moment, which two threads must not.
        self._pool = connection.pool

    def run(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        *,
        timeout: float,
        repeatable: bool = False,
        handshake: float = _HANDSHAKE_SECONDS,
    ) -> ExecResult:
        """Run ``command`` (a list, no shell) for at most ``timeout`` seconds and return how it ended, whatever its exit code.

        Its output is kept in memory. ``repeatable`` says that running it twice does no harm: then it is run again when the
        connection broke; one that is not is only tried again when it surely did not start. ``handshake`` is the time in seconds
        for the pod's node to answer at all. Raises KubeError: Forbidden, NotFound (no such pod), ExecNotRun, ExecUnanswered,
        ExecTimedOut, ExecCutOff.
        """
        deadline = Deadline(timeout)
        attempt = 1
        while True:
            call = self._call(namespace, pod, container, command)
            try:
                return self._run(call, container, command, deadline, repeatable, handshake)
            except (ExecCutOff, ExecNotRun) as error:
                again = repeatable if isinstance(error, ExecCutOff) or error.started else True
                if not again or isinstance(error, ExecTimedOut) or attempt == _ATTEMPTS or not deadline.sleep(_PAUSE_SECONDS * attempt):
                    raise
            attempt += 1

    def _run(
        self, call: Call, container: str, command: Sequence[str], deadline: Deadline, repeatable: bool, handshake: float
    ) -> ExecResult:
        channels = self._open(call, container, command, deadline, repeatable, handshake)
        try:
            output = _Output(call, channels)
            stdout = b"".join(output)
            code = output.exit_code()
            return ExecResult(stdout, output.stderr, code)
        finally:
            channels.close()

    @contextmanager
    def stream(
        self, namespace: str, pod: str, container: str, command: Sequence[str], *, timeout: float, repeatable: bool = False
    ) -> Iterator[Iterator[bytes]]:
        """Run ``command`` and give its stdout in pieces as they come, within ``timeout`` seconds altogether.

        Taking the last piece raises unless the command was seen to end well: ExecFailed, ExecNotRun, ExecTimedOut, ExecCutOff.
        Leaving the context ends the connection. With ``repeatable`` a lost answer to the start is followed by another start.
        """
        call = self._call(namespace, pod, container, command)
        channels = self._open(call, container, command, Deadline(timeout), repeatable, _HANDSHAKE_SECONDS)
        try:
            yield _whole(_Output(call, channels))
        finally:
            channels.close()

    def _call(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> Call:
        ref = ObjectRef(POD.kind, pod, namespace)
        text = shlex.join(command)
        shown = text if len(text) <= _COMMAND_SHOWN else f"{text[:_COMMAND_SHOWN]}…"
        return Call("run", f"`{shown}` in container {container} of {ref}", POD.path(namespace, pod, "exec"), self._connection.server, ref)

    def _open(self, call: Call, container: str, command: Sequence[str], deadline: Deadline, repeatable: bool, handshake: float) -> Channels:
        """Start the command; raises a KubeError when the server does not let us."""
        query = [("container", container), ("stdout", "true"), ("stderr", "true"), *(("command", part) for part in command)]
        url = f"{call.server}{call.path}?{urlencode(query)}"
        opened: list[Channels] = []

        def exchange(connect: float, read: float) -> Answer:
            if deadline.expired:
                raise ExecTimedOut(call, message="the time was over before it was begun")
            authorization = self._connection.authorization()
            headers = [*self._connection.headers, *([("Authorization", authorization)] if authorization else [])]
            connected = open_socket(self._pool, call.server, connect)
            answered = Deadline(min(read, handshake))
            try:
                found = open_channels(connected, url, headers, answered)
            except AnswerLost as error:
                if not answered.expired:
                    raise
                over = ", and the time is over" if deadline.expired else ""
                why = f"no answer within {answered.seconds:.3g} s (is the pod's node there?){over}"
                raise ExecUnanswered(call, message=why, uncertain=True) from error
            if isinstance(found, Answer):
                if found.status >= 500:
                    _raise_if_not_started(call, found)
                return found
            opened.append(found)
            return Answer(101, {}, b"")

        budget = min(deadline.remaining(), _HANDSHAKE_SECONDS)
        try:
            answer = send(call, exchange, repeatable=repeatable, budget=budget, known=True)
        except Forbidden as error:
            error.next = _grant(error, call)
            raise
        except Unreachable as error:
            if "attempts" in error.details or not deadline.expired:
                raise
            # One attempt, with the little time that was left, says nothing of the server.
            raise ExecTimedOut(call, message=f"the time was over while it was begun ({error.reason})", uncertain=error.uncertain) from error
        if not opened:
            message = "the answer is not that of a WebSocket: something between here and the API server does not pass them on"
            raise KubeError(call, status=answer.status, message=message)
        opened[0].until(deadline)
        return opened[0]


class _Output:
    """The pieces of a command's stdout; after the last one ``exit_code()``, and then ``stderr``."""

    def __init__(self, call: Call, channels: Channels) -> None:
        self.call = call
        self._channels = channels
        self._complaints = b""

    def __iter__(self) -> Iterator[bytes]:
        try:
            for channel, data in self._channels.messages():
                if channel == STDOUT:
                    yield data
                else:
                    self._complaints = (self._complaints + data)[-_STDERR_SIZE:]
        except CutOff as error:
            kind = ExecTimedOut if error.late else ExecCutOff
            said = f" (stderr: {self.stderr})" if self.stderr else ""
            raise kind(self.call, message=f"{error}{said}", uncertain=True) from error

    @property
    def stderr(self) -> str:
        """What the command complained about, or at least the end of it."""
        return self._complaints.decode("utf-8", "replace").strip()

    def exit_code(self) -> int:
        """Return the exit code; raises ExecNotRun when there is none."""
        status = self._channels.status or {}
        code = exit_code(status)
        if code is not None:
            if code == _NOT_FOUND and not self._complaints:
                self._complaints = str(status.get("message") or "").encode()
            return code
        error = ExecNotRun(self.call, reason=str(status.get("reason") or ""), message=str(status.get("message") or ""))
        error.started = not any(text in error.message for text in _NOT_STARTED)
        raise error


def _raise_if_not_started(call: Call, answer: Answer) -> None:
    """Raise ExecNotRun for a kubelet that the API server does not reach: that may be tried again, but not for as long as a request."""
    refused = error_of_answer(call, answer.status, answer.body)
    if any(text in refused.message for text in _NOT_STARTED):
        error = ExecNotRun(call, status=answer.status, reason=refused.reason, message=refused.message)
        error.started = False
        raise error


def _whole(output: _Output) -> Iterator[bytes]:
    """Yield the pieces of a command that then must have ended well."""
    yield from output
    code = output.exit_code()
    if code:
        raise failed(output.call, code, output.stderr)


def failed(call: Call, code: int, stderr: str) -> ExecFailed:
    """Return the error for a command that did not end well."""
    error = ExecFailed(call, message=f"exit code {code}" + (f": {stderr}" if stderr else ""))
    error.exit_code, error.stderr = code, stderr
    error.details["exit_code"] = code
    return error


def exit_code(status: Mapping[str, Any]) -> int | None:
    """Return the exit code that a ``Status`` tells, None when it tells of no command that ran.

    Kubelets say NonZeroExitCode with a cause ExitCode (kubelet, client-go tools/remotecommand/v4.go). Some runtimes, and KWOK,
    say InternalError and have the code, or that there is no such program, in the text.
    """
    if status.get("status") == "Success":
        return 0
    message = str(status.get("message") or "")
    if status.get("reason") == "NonZeroExitCode":
        causes = (status.get("details") or {}).get("causes") or ()
        text = next((str(cause.get("message")) for cause in causes if cause.get("reason") == "ExitCode"), "")
        return int(text) if text.isdecimal() else None
    found = _EXIT_TEXT.search(message)
    if found:
        return int(found[1])
    return _NOT_FOUND if _MISSING_TEXT.search(message) else None


def _grant(error: Forbidden, call: Call) -> str:
    """Return what to grant: the server only ever names the verb that it asked for first."""
    user = error.user or "this user"
    namespace = call.object.namespace if call.object else ""
    return (
        f"grant {user} the permissions get and create of pods/exec in namespace {namespace}: API servers before 1.35 ask for get, "
        "later ones for both (the module's documentation has the ClusterRole)"
    )
