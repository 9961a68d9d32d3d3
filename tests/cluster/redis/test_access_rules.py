"""Users, passwords, TLS, and what a gateway in foreign hands cannot do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trustme

from tests.ports import free_port
from trio_mud.cluster.ends import Commit, LinkUnavailable
from trio_mud.cluster.redis_access import RedisAccess
from trio_mud.cluster.redis_link import RedisGatewayEnd, RedisWorldEnd

from .conftest import StartRedis
from .server import AOF, RedisServer
from .test_redis_link import Gateway, World, frame, running, until

PAGE = Path(__file__).resolve().parents[3] / "docs/howto/run-on-three-machines.md"


def documented_users() -> list[str]:
    """The access rules of the how-to, each with a password."""
    rules = re.findall(r"^user (?:g1|w1|default) .*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rules) == 3
    return [rule.replace("#<hash>", ">secret") for rule in rules]


@pytest.fixture
def guarded(start_redis: StartRedis, tmp_path: Path) -> RedisServer:
    """A server with the users of the how-to, and one more gateway."""
    rules = documented_users()
    rules.append(next(rule for rule in rules if " g1 " in rule).replace("g1", "g2"))
    rules.append("user tester on >secret ~* &* +@all")
    file = tmp_path / "users.acl"
    file.write_text("\n".join(rules) + "\n", encoding="utf-8")
    return start_redis("--aclfile", str(file))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """The file with the password."""
    file = tmp_path / "password"
    file.write_text("secret\n", encoding="utf-8")
    return file


def as_user(part: Gateway | World, redis: RedisServer, user: str, secret: Path) -> None:
    """Let an end log in as a user."""
    access = redis.access(user, secret)
    part.end = (
        RedisGatewayEnd(access, "w1", part.name, alive=0.6)
        if isinstance(part, Gateway)
        else RedisWorldEnd(access, "w1", alive=0.6)
    )


def test_a_restart_keeps_what_the_scripts_of_a_documented_user_have_written(
    start_redis: StartRedis, tmp_path: Path
) -> None:
    """The server reads its file as the user `default`; a script that has written twice is a transaction there."""
    file = tmp_path / "users.acl"
    file.write_text("\n".join(documented_users()) + "\n", encoding="utf-8")
    redis = start_redis("--aclfile", str(file), *AOF)
    login, keys = ("--user", "w1", "--pass", "secret"), ("tm:{w1}:one", "tm:{w1}:two")
    script = "redis.call('set', KEYS[1], '1') redis.call('set', KEYS[2], '2') return 'done'"
    assert redis.ask("eval", script, "2", *keys, login=login) == "done"
    redis.kill()
    redis.restart()
    assert redis.ask("mget", *keys, login=login).split() == ["1", "2"]
    assert redis.ask("get", keys[0]).startswith("NOAUTH")


async def test_the_documented_users_can_do_all_that_the_ends_need(
    guarded: RedisServer, secret: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, world = Gateway(guarded), Gateway(guarded, "g2"), World(guarded)
    as_user(first, guarded, "g1", secret)
    as_user(second, guarded, "g2", secret)
    as_user(world, guarded, "w1", secret)
    async with running(first, second, world):
        await first.send(1)
        await second.send(2)
        await until(lambda: len(world.received) == 2)
        await world.commit(b"down", held={b"a": b"1", b"b": None})
        await until(lambda: bool(first.received))
        second.scope.cancel()
        await until(lambda: world.lost == ["g2"])
        await world.end.release()
    assert "cluster link" not in caplog.text


FORBIDDEN = [
    ("xread", "streams", "tm:{w1}:in:g1", "0"),  # what its own players type is gone once it is sent
    ("xread", "streams", "tm:{w1}:in:g2", "0"),
    ("xread", "streams", "tm:{w1}:out:g2", "0"),
    ("xadd", "tm:{w1}:in:g2", "*", "m", "forged"),
    ("xadd", "tm:{w1}:out:g2", "*", "m", "forged"),
    ("xtrim", "tm:{w1}:in:g2", "maxlen", "0"),
    ("set", "tm:{w1}:alive:g2", "1"),
    ("set", "tm:{w1}:lease", "mine"),
    ("hset", "tm:{w1}:state", "epoch", "1"),
    ("hgetall", "tm:{w1}:held"),
    ("smembers", "tm:{w1}:gateways"),
    ("srem", "tm:{w1}:gateways", "g2"),
    ("eval", "return redis.call('hgetall', 'tm:{w1}:held')", "0"),
    ("keys", "*"),
    ("monitor",),
    ("flushall",),
    ("config", "get", "*"),
    ("acl", "list"),
    ("client", "list"),
    ("get", "tm:{w2}:lease"),
]


def test_a_gateway_in_foreign_hands_is_refused_everything_else(guarded: RedisServer) -> None:
    login = ("--user", "g1", "--pass", "secret", "--no-auth-warning")
    assert guarded.ask("ping", login=login) == "PONG"
    obeyed = [command for command in FORBIDDEN if "NOPERM" not in guarded.ask(*command, login=login)]
    assert obeyed == []


async def test_the_default_user_is_refused(guarded: RedisServer) -> None:
    with pytest.raises(LinkUnavailable, match="refuses the user 'default'"):
        await guarded.access().check()


async def test_a_wrong_password_is_refused_with_a_sentence(guarded: RedisServer, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong")
    with pytest.raises(LinkUnavailable, match=r"refuses the user 'g1'.*check the user of the link, its password file"):
        await guarded.access("g1", wrong).check()


async def test_a_password_file_that_is_missing_is_named(redis: RedisServer, tmp_path: Path) -> None:
    with pytest.raises(LinkUnavailable, match="no-such-file"):
        await redis.access("g1", tmp_path / "no-such-file").check()


async def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(LinkUnavailable, match=f"cannot reach the cluster link at 127.0.0.1:{port}.*start Redis"):
        await RedisAccess.from_url(f"redis://127.0.0.1:{port}").check()


async def test_a_server_that_does_not_answer_is_named(redis: RedisServer) -> None:
    redis.sleep()
    with pytest.raises(LinkUnavailable, match="cannot reach the cluster link"):
        await redis.access().check()


async def test_a_server_that_answers_is_found(redis: RedisServer) -> None:
    await redis.access().check()


async def test_frames_cross_tls_with_certificates_of_both_sides(start_redis: StartRedis, tmp_path: Path) -> None:
    authority, port = trustme.CA(), free_port()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server, process = authority.issue_cert("localhost", "127.0.0.1"), authority.issue_cert("gateway")
    server.private_key_pem.write_to_path(tmp_path / "server.key")
    server.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    process.private_key_and_cert_chain_pem.write_to_path(tmp_path / "process.pem")
    options = ("--tls-port", str(port), "--tls-ca-cert-file", str(tmp_path / "ca.pem"))
    redis = start_redis(
        *options, "--tls-cert-file", str(tmp_path / "server.pem"), "--tls-key-file", str(tmp_path / "server.key")
    )
    access = RedisAccess.from_url(
        f"rediss://localhost:{port}", ca_file=tmp_path / "ca.pem", certificate_file=tmp_path / "process.pem"
    )
    await access.check()
    gateway, world = Gateway(redis), World(redis)
    gateway.end, world.end = RedisGatewayEnd(access, "w1", "g1"), RedisWorldEnd(access, "w1")
    async with running(gateway, world):
        await gateway.send(1)
        await until(lambda: world.received == [frame("g1", 1)])
        await world.end.commit(Commit(1, {"g1": [b"down"]}))
        await until(lambda: gateway.received == [b"down"])

    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    stranger = RedisAccess.from_url(f"rediss://localhost:{port}", ca_file=tmp_path / "other.pem")
    with pytest.raises(LinkUnavailable, match=r"(?i)certificate"):
        await stranger.check()
