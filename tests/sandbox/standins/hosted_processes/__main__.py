# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command line: lets the processes of hosted control planes follow their pods until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from playing import play

from .following import Follower

if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--cluster-directory", type=Path, required=True)
    options, sys.argv[1:] = parser.parse_known_args()
    play("hosted", __doc__, lambda api, say: Follower(api, options.cluster_directory, say).start())
