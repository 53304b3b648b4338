# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the front until it is ended."""

from __future__ import annotations

import argparse
import signal
import ssl
from pathlib import Path

from .answers import Keys
from .server import Front, serve


def main() -> None:
    """Listen; the file ``--ready-file`` is made when it does."""
    parser = argparse.ArgumentParser(prog="aws")
    parser.add_argument("--moto-port", type=int, required=True, help="where moto answers on 127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="for TLS")
    parser.add_argument("--proxy-port", type=int, required=True, help="for HTTPS_PROXY")
    parser.add_argument("--certificate", type=Path, required=True, help="PEM, with the key")
    parser.add_argument("--keys", type=Path, required=True, help="JSON with the access keys that are known")
    parser.add_argument("--ready-file", type=Path, required=True)
    arguments = parser.parse_args()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments.certificate)
    context.set_alpn_protocols(["http/1.1"])
    serve(Front(arguments.moto_port, Keys(arguments.keys), context), arguments.port, arguments.proxy_port)
    arguments.ready_file.touch()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


main()
