"""Who listens on a port of this machine, and what answers there."""

from __future__ import annotations

import http.client
import importlib
import ipaddress
import json
import socket
from collections.abc import Iterator
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTENS = "0A"
_ANSWERS_WITHIN = 5


def listeners(port: int) -> list[str] | None:
    """The addresses of this machine at which ``port`` is listened on; None where the system does not tell."""
    if _TABLES[0].is_file():
        return sorted({address for table in _TABLES if table.is_file() for address in _listening(table, port)})
    try:
        psutil = importlib.import_module("psutil")  # Dagster brings it on Windows
    except ImportError:
        return None
    found = psutil.net_connections(kind="tcp")
    return sorted({one.laddr.ip for one in found if one.status == psutil.CONN_LISTEN and one.laddr.port == port})


def reachable_from_elsewhere(address: str) -> bool:
    """Whether another machine can reach what listens there."""
    return not ipaddress.ip_address(address).is_loopback


def dagster_version_at(port: int) -> str | None:
    """The version of the Dagster UI that answers at ``port`` of this machine; None: none does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWERS_WITHIN)
    try:
        connection.request("GET", "/server_info")
        found = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return str(found["dagster_webserver_version"]) if "dagster_webserver_version" in found else None


def _listening(table: Path, port: int) -> Iterator[str]:
    for line in table.read_text("ascii").splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        address, _, number = local.partition(":")
        if state == _LISTENS and int(number, 16) == port:
            # words of four bytes, each in the machine's order
            words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
            family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
            found = ipaddress.ip_address(socket.inet_ntop(family, b"".join(words)))
            yield str(getattr(found, "ipv4_mapped", None) or found)
