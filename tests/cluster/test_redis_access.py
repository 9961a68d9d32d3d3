"""The URL of a link to Redis, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from trio_mud.cluster.redis_access import RedisAccess, check_key_name


@pytest.mark.parametrize(
    ("url", "access"),
    [
        ("redis://redis", RedisAccess("redis")),
        ("redis://g1@10.0.0.7:7000/2", RedisAccess("10.0.0.7", 7000, "", 2, "g1")),
        ("rediss://w%401@redis.example/", RedisAccess("redis.example", user="w@1", uses_tls=True)),
        ("redis+unix:///run/redis.sock", RedisAccess("", 0, "/run/redis.sock")),
        ("redis+unix://g1@/run/redis.sock", RedisAccess("", 0, "/run/redis.sock", user="g1")),
        ("redis://[::1]:6380", RedisAccess("::1", 6380)),
    ],
)
def test_a_url_names_the_way_to_the_server(url: str, access: RedisAccess) -> None:
    assert RedisAccess.from_url(url) == access


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://redis", "no known scheme"),
        ("/run/mud.sock", "no known scheme"),
        ("redis://user:secret@redis?a=b", "has options"),
        ("http://user:secret@redis", "no known scheme"),
        ("redis://user:secret@", "incomplete"),
        ("redis://", "incomplete"),
        ("redis://redis/games", "incomplete"),
        ("redis://redis:port", "no URL"),
        ("redis://redis?ssl=true", "has options"),
        ("redis+unix://redis", "names no socket"),
    ],
)
def test_a_wrong_url_is_refused_with_what_to_do(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        RedisAccess.from_url(url)
    assert "secret" not in str(caught.value)


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    access = RedisAccess.from_url("redis://g1:pass%40word@redis")
    assert access.password == "pass@word"
    assert "pass" not in str(access)
    assert "pass@word" not in repr(access)
    with pytest.raises(ValueError, match="use one of them"):
        RedisAccess.from_url("redis://g1:secret@redis", password_file=tmp_path / "password")


def test_certificates_need_tls(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="use rediss://"):
        RedisAccess.from_url("redis://redis", ca_file=tmp_path / "ca.pem")


def test_what_is_logged_of_it_has_the_database_and_no_user() -> None:
    assert str(RedisAccess.from_url("redis://g1:secret@redis")) == "redis:6379/0"
    assert str(RedisAccess.from_url("redis://[::1]:6380/2")) == "[::1]:6380/2"
    assert str(RedisAccess.from_url("redis+unix:///run/redis.sock")) == "/run/redis.sock"


@pytest.mark.parametrize("name", ["", "a b", "g1}", "g:1", "g*", "-g", "x" * 65])
def test_a_name_that_would_leave_its_key_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="use 1 to 64 letters"):
        check_key_name(name, "the name of the gateway")
