"""nginx and Caddy in front of a web port, with the configuration files that the documentation shows."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from .terminal import SEARCHED, until

HOWTO = Path(__file__).parents[2] / "docs/howto"
HOST: Final = "localhost"  # the certificate is for it
READ_TIMEOUT: Final = 2  # seconds


@dataclass(frozen=True)
class ProxyProgram:
    """A web server as a proxy.

    Attributes:
        executable: The program, and the name of its Debian package.
        file: The configuration that the documentation shows.
        local: What is replaced in it, so that it serves this machine alone.
        impatient: What is replaced for a proxy that ends a link after `READ_TIMEOUT` seconds of silence.
        frame: What a whole configuration has around it.
        command: How it is started in the foreground.
    """

    executable: str
    file: str
    local: Mapping[str, str]
    impatient: Mapping[str, str]
    frame: str
    command: str


NGINX: Final = ProxyProgram(
    "nginx",
    "mud.nginx",
    {
        "listen 443 ssl;\n    listen [::]:443 ssl;": "listen 127.0.0.1:{port} ssl;",
        "server_name mud.example;": f"server_name {HOST};",
        "/etc/letsencrypt/live/mud.example/fullchain.pem": "{certificate}",
        "/etc/letsencrypt/live/mud.example/privkey.pem": "{certificate}",
        "127.0.0.1:4080;": "127.0.0.1:{web_port};",
    },
    {"proxy_read_timeout 60s;": f"proxy_read_timeout {READ_TIMEOUT}s;"},
    """
daemon off;
master_process off;
pid {folder}/pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
{site}
}}
""",
    "nginx -e stderr -p {folder} -c {file}",
)
CADDY: Final = ProxyProgram(
    "caddy",
    "mud.caddy",
    {
        "mud.example {": f"https://{HOST}:{{port}} {{\n\tbind 127.0.0.1\n\ttls {{certificate}} {{certificate}}",
        "127.0.0.1:4080": "127.0.0.1:{web_port}",
    },
    {"{web_port}": f"{{web_port}} {{\n\t\ttransport http {{\n\t\t\tread_timeout {READ_TIMEOUT}s\n\t\t}}\n\t}}"},
    """
{{
	admin off
	auto_https off
}}
{site}
""",
    "caddy run --adapter caddyfile --config {file}",
)
PROXIES: Final = {proxy.executable: proxy for proxy in (NGINX, CADDY)}


class RunningProxy:
    """A proxy in front of a web port. Made by `proxy_before`.

    Attributes:
        port: Its port, which speaks TLS.
    """

    def __init__(self, command: list[str], folder: Path, port: int, trusted: ssl.SSLContext) -> None:
        self._command = command
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port
        self.trusted = trusted

    async def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        log = self._folder / "log"
        variables = {"HOME": str(self._folder), "PATH": f"{SEARCHED}:/usr/sbin:/sbin"}
        with log.open("ab") as file:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - it is started in a moment
                self._command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=variables, cwd=self._folder
            )
        await until(self._accepts, lambda: f"a proxy; its log is:\n{log.read_text()}")

    async def stop(self) -> None:
        """End it, and with it all its links."""
        if (process := self._process) is None:
            return
        self._process = None
        process.terminate()
        with trio.CancelScope(shield=True):
            try:
                await until(lambda: process.poll() is not None, lambda: "the end of a proxy")
            finally:
                process.kill()

    def _accepts(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


@asynccontextmanager
async def proxy_before(
    web_port: int, program: ProxyProgram, folder: Path, certificate: Path, trusted: ssl.SSLContext, *, impatient: bool
) -> AsyncGenerator[RunningProxy]:
    """Run a proxy before a web port, with TLS.

    Args:
        impatient: True for a proxy that ends a link after `READ_TIMEOUT` seconds of silence.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    site = (HOWTO / program.file).read_text(encoding="utf-8")
    words = {"port": port, "web_port": web_port, "certificate": certificate}
    site = _replaced(site, program.local)
    if impatient:
        site = _replaced(site, program.impatient)
    for word, value in words.items():
        site = site.replace(f"{{{word}}}", str(value))
    file = folder / program.file
    file.write_text(program.frame.format(folder=folder, site=site), encoding="utf-8")
    proxy = RunningProxy(program.command.format(folder=folder, file=file).split(), folder, port, trusted)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()


def _replaced(text: str, words: Mapping[str, str]) -> str:
    for old, new in words.items():
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text
