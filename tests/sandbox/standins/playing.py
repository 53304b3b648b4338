# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stand-ins for a controller have in common: the command line, and looking at everything whenever something changed."""

from __future__ import annotations

import argparse
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from osm_family.__main__ import Log, die
from osm_family.api import Api, Object, Unreachable
from osm_family.watching import Watch

Say = Callable[[str], None]
_LOOK_SECONDS = 1.0


class Lookout(threading.Thread):
    """Calls ``look`` whenever an object of ``watched`` (paths and label selectors) changed, and every second."""

    def __init__(self, api: Api, watched: Sequence[tuple[str, str]], look: Callable[[], None], say: Say) -> None:
        super().__init__(name="lookout", daemon=True)
        self._look, self._say = look, say
        self._news = threading.Event()
        self._watches = [Watch(api, path, selector, self._noticed, self._noticed, say) for path, selector in watched]

    def run(self) -> None:
        for watch in self._watches:
            watch.start()
        while True:
            self._news.wait(_LOOK_SECONDS)
            self._news.clear()
            try:
                self._look()
            except Unreachable as error:
                self._say(str(error))
                time.sleep(_LOOK_SECONDS)

    def again(self) -> None:
        """Look again at once."""
        self._news.set()

    def _noticed(self, _item: Object) -> None:
        self._news.set()


def play(program: str, description: str | None, start: Callable[[Api, Say], None]) -> None:
    """Run a stand-in until SIGTERM or SIGINT; ``start`` returns when it works, in threads of its own."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--kubeconfig", type=Path, required=True, help="a user who may do everything")
    parser.add_argument("--log", type=Path, required=True, help="file that gets a line per event")
    parser.add_argument("--ready-file", type=Path, required=True, help="file to make when it works")
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    threading.excepthook = die
    with options.log.open("a", encoding="utf-8") as file:
        log = Log(file)
        start(Api(options.kubeconfig), log.say)
        log.say("ready")
        options.ready_file.touch()
        ended.wait()
