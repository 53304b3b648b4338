# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which proxy leads to a server: the option's, the kubeconfig's, or the environment's, unless the server is excepted."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit


def proxy_for(server: str, given: str, no_proxy: str, environ: Mapping[str, str]) -> str:
    """Return the URL of the proxy for ``server``, empty for none; ``given`` and ``no_proxy`` go before the environment's."""
    proxy = given or _variable(f"{urlsplit(server).scheme}_proxy", environ) or _variable("all_proxy", environ)
    return "" if not proxy or bypasses_proxy(server, no_proxy or _variable("no_proxy", environ)) else proxy


def _variable(name: str, environ: Mapping[str, str]) -> str:
    """Return a variable in lower or upper case; an empty one in lower case switches the other off (urllib.request.getproxies)."""
    return environ[name] if name in environ else environ.get(name.upper(), "")


def bypasses_proxy(url: str, no_proxy: str) -> bool:
    """Return whether ``no_proxy`` (hosts, domains, addresses, networks, ``*``; comma-separated) names the host of ``url``."""
    host = (urlsplit(url).hostname or "").lower()
    for rule in filter(None, (part.strip().lower() for part in no_proxy.split(","))):
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(rule, strict=False):
                return True
        except ValueError:
            domain = rule.removeprefix("*").lstrip(".")
            if rule == "*" or host == domain or host.endswith(f".{domain}"):
                return True
    return False
