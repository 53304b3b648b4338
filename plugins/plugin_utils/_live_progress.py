# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of every module: find the kubeconfig as kubernetes.core does, and print live progress."""

from __future__ import annotations

import gc
import json
import os
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible.utils.display import Display
from ansible_collections.kubernetes.core.plugins.action.k8s_info import ActionModule as KubeconfigActionModule

FILE_NAME = "progress.jsonl"
LINE_INTERVAL = 1.0
_POLL_INTERVAL = 0.2
_MOST_CHARACTERS = 200
_MOST_LINES = 5000
_MOST_READ = 65536

display = Display()


class LiveProgressActionModule(KubeconfigActionModule):  # type: ignore[misc]
    """Runs the module while a thread prints what it appends to ``progress.jsonl`` in its temporary directory."""

    _supports_async = True

    def _execute_module(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        # The base class does not know async; as in ansible.builtin's action plugin "normal".
        kwargs.setdefault("wrap_async", bool(self._task.async_val) and not self._connection.has_native_async)
        with self._tailing(kwargs.get("task_vars") or {}), without_garbage_collection():
            result: dict[str, Any] = super()._execute_module(*args, **kwargs)
        return result

    def _ensure_invocation(self, result: dict[str, Any]) -> dict[str, Any]:
        """Return ``result`` as it is: the base class would add the raw options, secrets included, when the module did not end by itself."""
        return result

    @contextmanager
    def _tailing(self, task_vars: Mapping[str, Any]) -> Iterator[None]:
        tail: Tail | None = None
        try:
            tail = self._start_tail(str(task_vars.get("inventory_hostname") or "localhost"))
        except Exception as error:
            # Progress is a courtesy: whatever is wrong with it, the module runs.
            display.vvv(f"no live progress: {error}")
        try:
            yield
        finally:
            if tail is not None:
                tail.stop()

    def _start_tail(self, host: str) -> Tail | None:
        if self._task.async_val or self._connection.transport != "local" or self._play_context.become:
            return None
        # Made here so that the module gets it (as _ansible_tmpdir) even with pipelining, which makes none.
        if self._connection._shell.tmpdir is None:
            self._make_tmp_path()
        path = os.path.join(self._connection._shell.tmpdir, FILE_NAME)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        return Tail(path, lambda text: display.display(f"[{host}] {text}"))


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Pack and run a module without looking for cycles: among the syntax trees of all its files that takes a third of the time.

    What is left lying around (25 MiB) goes with the process: a worker is forked for one task and ends with it.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Tail:
    """Follows a file of JSON lines and shows their texts, at most one per second: the newest, and the last one always."""

    def __init__(self, path: str, show: Callable[[str], None]) -> None:
        self._show = show
        self._file = open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")  # noqa: SIM115
        self._rest = b""
        self._pending = ""
        self._shown_at = 0.0
        self._lines = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="live-progress", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Show what is left and end."""
        self._stop.set()
        self._thread.join(timeout=5.0)

    def _follow(self) -> None:
        try:
            while not self._stop.wait(_POLL_INTERVAL):
                self._read()
                if time.monotonic() - self._shown_at >= LINE_INTERVAL:
                    self._flush()
            self._read()
            self._flush()
        except Exception as error:
            display.vvv(f"live progress ended: {error}")
        finally:
            self._file.close()

    def _read(self) -> None:
        while chunk := self._file.read(_MOST_READ):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            # A line without an end is no line of ours.
            self._rest = self._rest[-_MOST_READ:]
            for line in lines:
                self._pending = text_of(line) or self._pending

    def _flush(self) -> None:
        if self._pending and self._lines < _MOST_LINES:
            self._show(self._pending)
            self._lines += 1
            self._shown_at = time.monotonic()
        self._pending = ""


def text_of(line: bytes) -> str:
    """Return the text of one progress record, safe for a terminal; the empty string when it is none."""
    try:
        text = json.loads(line)["text"]
    except (ValueError, KeyError, TypeError):
        return ""
    clean = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in str(text)[: 4 * _MOST_CHARACTERS])
    clean = " ".join(clean.split())
    return clean if len(clean) <= _MOST_CHARACTERS else f"{clean[: _MOST_CHARACTERS - 1]}…"
