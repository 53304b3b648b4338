# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stand-in for the get-pip script that ansible-test would download: the interpreter brings a pip of its own.

tools/sanity puts it where ansible-test looks for a script it has already downloaded.
"""

from __future__ import annotations

import subprocess
import sys

# ensurepip in this process would set PIP_CONFIG_FILE to /dev/null for everything after it.
subprocess.check_call([sys.executable, "-m", "ensurepip", "--upgrade"], stdout=subprocess.DEVNULL)
packages = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *packages]))
