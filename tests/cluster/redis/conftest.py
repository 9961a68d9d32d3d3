"""A redis-server for each test; without one, the tests are skipped by name."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from .server import PROGRAM, RedisServer

StartRedis = Callable[..., RedisServer]


def pytest_configure(config: pytest.Config) -> None:
    """Ignore streams that coredis leaves unclosed whenever a connection breaks; no other tests break any."""
    config.addinivalue_line("filterwarnings", "ignore:Unclosed <MemoryObject:ResourceWarning")


@pytest.fixture
def start_redis(tmp_path: Path) -> Generator[StartRedis]:
    """Start servers with options; all are ended with the test."""
    if PROGRAM is None:
        pytest.skip("needs redis-server: apt-get install redis-server")
    servers: list[RedisServer] = []

    def start(*options: str, port: int = 0) -> RedisServer:
        folder = tmp_path / f"redis-{len(servers)}"
        folder.mkdir()
        servers.append(RedisServer(folder, *options, port=port))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def redis(start_redis: StartRedis) -> RedisServer:
    """A server that stores nothing on disk."""
    return start_redis()
