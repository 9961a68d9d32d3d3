"""The plugin: what the author of a game gets by writing `mud` among a test's arguments."""

from __future__ import annotations

import importlib.util
import textwrap

import pytest
import trio

from trio_mud.testing import threads, virtual

GAME = """
    import pytest
    import time
    import trio
    from trio_mud import Hooks, Input

    SLOW = 3600  # seconds, none of which is to pass: the test would be ended long before
    hooks = Hooks()

    @hooks.on(Input)
    def answer(event):
        connection = event.connection
        connection.after(SLOW, lambda: connection.write(f"A while ago you said {event.line}.") and None)
"""
ON_AND_OFF = pytest.mark.parametrize("trio_mode", ["true", "false"])


@pytest.fixture
def play(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Runs the tests of a small game as its author would."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setattr(virtual, "DEADLOCK", 0.5)
    return Play(pytester)


class Play:
    """One run of pytest over some tests of a game that answers after a while."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester

    def __call__(self, tests: str, *arguments: str, trio_mode: str = "true") -> pytest.RunResult:
        """Run them as pytest does with this configuration, in this process because another takes a second to start."""
        self.pytester.makeini(
            f"[pytest]\ntrio_mode = {trio_mode}\naddopts = --strict-markers\nfilterwarnings =\n  error\n"
            "  ignore:The configuration option .asyncio_default:pytest.PytestDeprecationWarning\n"  # if it is installed
        )
        self.pytester.makepyfile(textwrap.dedent(GAME) + textwrap.dedent(tests))
        return self.pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:cacheprovider", *arguments)


@ON_AND_OFF
def test_a_test_that_uses_mud_runs_in_virtual_time_whatever_trio_mode_is(play: Play, trio_mode: str) -> None:
    result = play(
        """
        import unittest

        async def test_no_time_passes(mud):
            async with mud(hooks) as place:
                ann = await place.player()
                await ann.type("hello")
                await ann.sees("A while ago you said hello.", within=SLOW + 1)
            assert trio.current_time() >= SLOW

        @pytest.fixture
        async def ann(mud):
            async with mud(hooks) as place:
                yield await place.player()

        async def test_a_fixture_that_uses_mud_brings_virtual_time_with_it(ann):
            await ann.type("hello")
            await ann.sees("hello", within=SLOW + 1)

        class TestInAClass:
            async def test_no_time_passes(self, mud):
                async with mud(hooks):
                    await trio.sleep(SLOW)
                assert trio.current_time() >= SLOW

        @pytest.mark.parametrize("word", ["one", "two"])
        async def test_parameters_are_welcome(mud, word):
            async with mud(hooks) as place:
                ann = await place.player()
                await ann.type(word)
                await ann.sees(word, within=SLOW + 1)

        async def test_a_clock_of_its_own_stays(mud, mock_clock):
            async with mud(hooks):
                assert isinstance(mock_clock, trio.testing.MockClock)
                before = trio.current_time()
                mock_clock.jump(5)
                assert trio.current_time() == before + 5
                mock_clock.autojump_threshold = 0  # so that the shutdown ends

        def test_a_plain_test_is_left_alone(mud):
            async def main():
                async with mud(hooks) as place:
                    await place.player()
            trio.run(main)
        """,
        trio_mode=trio_mode,
    )
    result.assert_outcomes(passed=7)


def test_without_mud_a_test_keeps_the_true_clock(play: Play) -> None:
    result = play(
        """
        async def test_time_passes_by_itself():
            start = time.monotonic()
            await trio.sleep(0.05)
            assert time.monotonic() - start >= 0.05
        """
    )
    result.assert_outcomes(passed=1)


@ON_AND_OFF
def test_a_failed_expectation_comes_out_as_itself_and_points_at_the_line(play: Play, trio_mode: str) -> None:
    result = play(
        """
        async def test_what_does_not_come(mud):
            async with mud(hooks) as place:
                ann = await place.player()
                async with trio.open_nursery() as nursery:
                    await ann.sees("hello")

        async def test_what_a_fixture_breaks(mud):
            async with mud(hooks) as place:
                raise KeyError("ann")
        """,
        trio_mode=trio_mode,
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            '>*await ann.sees("hello")',
            "E*AssertionError: player 1 did not see 'hello' within 10 s",
            "E*unread: ''",
            "*test_a_failed_expectation*:*: AssertionError",
            ">*raise KeyError*",
            "E*KeyError: 'ann'",
        ]
    )
    result.stdout.no_fnmatch_line("*ExceptionGroup*")
    result.stdout.no_fnmatch_line("*run_in_virtual_time*")
    result.stdout.no_fnmatch_line("*During handling of*")


def test_skipping_and_expected_failures_work_inside_the_block(play: Play) -> None:
    result = play(
        """
        async def test_skipped(mud):
            async with mud(hooks) as place:
                await place.player()
                pytest.skip("not today")

        async def test_expected_to_fail(mud):
            async with mud(hooks) as place:
                pytest.xfail("not yet")
        """
    )
    result.assert_outcomes(skipped=1, xfailed=1)


@pytest.mark.unmeasured
@ON_AND_OFF
def test_a_hypothesis_test_runs_every_example_in_virtual_time_from_the_start(play: Play, trio_mode: str) -> None:
    result = play(
        """
        from hypothesis import given, settings, strategies as st

        times = []

        @given(word=st.text("abc", min_size=1, max_size=9))
        @settings(max_examples=20, database=None)
        async def test_whatever_is_said_is_answered(mud, word):
            times.append(trio.current_time())
            async with mud(hooks) as place:
                ann = await place.player()
                await ann.type(word)
                await ann.sees(f"you said {word}.", within=SLOW + 1)

        def test_each_example_had_a_clock_of_its_own():
            assert len(times) == 20
            assert max(times) < SLOW

        @pytest.mark.parametrize("end", ["?", "!"])
        @given(word=st.sampled_from(["one", "two"]))
        async def test_parameters_are_welcome(mud, word, end):
            async with mud(hooks) as place:
                ann = await place.player()
                await ann.type(word + end)
                await ann.sees(f"you said {word}{end}.", within=SLOW + 1)

        @pytest.fixture
        async def price():
            await trio.sleep(0)
            return 5

        @given(word=st.sampled_from(["one", "two"]))
        @settings(suppress_health_check=["function_scoped_fixture"])
        async def test_other_fixtures_are_welcome(mud, price, word):
            async with mud(hooks):
                await trio.sleep(SLOW)
                assert price == 5
        """,
        trio_mode=trio_mode,
    )
    result.assert_outcomes(passed=5)


def test_a_failing_hypothesis_example_comes_out_as_itself(play: Play) -> None:
    result = play(
        """
        from hypothesis import given, settings, strategies as st

        @given(number=st.integers(0, 100))
        @settings(database=None)
        async def test_small_numbers_only(mud, number):
            async with mud(hooks) as place:
                async with trio.open_nursery() as nursery:
                    assert number < 10
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*assert 10 < 10*", "E*: test_small_numbers_only(*", "E*number=10*"])
    result.stdout.no_fnmatch_line("*ExceptionGroup*")


def test_a_test_that_would_wait_for_ever_fails_and_says_where_it_waits(play: Play) -> None:
    result = play(
        """
        from hypothesis import given, strategies as st

        async def test_waiting_for_godot(mud):
            async with mud(hooks) as place:
                await trio.Event().wait()

        async def test_a_thread_at_work_is_no_deadlock(mud):
            async with mud(hooks) as place:
                await trio.to_thread.run_sync(time.sleep, 0.1)
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["E*AssertionError: deadlock: every task waits*", "E*test_waiting_for_godot*.py:*, in test_waiting*"]
    )


@pytest.mark.unmeasured
def test_a_deadlock_of_a_hypothesis_example_is_found_too(play: Play) -> None:
    result = play(
        """
        from hypothesis import given, settings, strategies as st

        @given(number=st.just(1))
        @settings(database=None, deadline=None)
        async def test_waiting_for_godot(mud, number):
            async with mud(hooks) as place:
                await trio.Event().wait()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*AssertionError: deadlock: every task waits*"])


@ON_AND_OFF
def test_a_test_fails_with_what_the_games_code_raised_and_points_at_its_line(play: Play, trio_mode: str) -> None:
    result = play(
        """
        failing = Hooks()

        @failing.on(Input)
        def stumble(event):
            words = {}
            if event.line == "fall":
                raise LookupError("fallen")
            words[event.line]

        async def test_a_hook_raises(mud):
            async with mud(failing) as place:
                ann = await place.player()
                await ann.type("look")

        async def test_an_expectation_fails_because_of_it(mud):
            async with mud(failing) as place:
                ann = await place.player()
                await ann.type("look")
                await ann.sees("You see a tavern.")

        async def test_two_are_a_group(mud):
            async with mud(failing) as place:
                ann = await place.player()
                await ann.type("look", "fall")

        async def test_it_is_meant_to_fail(mud):
            async with mud(failing, allow_errors=True) as place:
                ann = await place.player()
                await ann.type("look")
                await trio.testing.wait_all_tasks_blocked()
                assert [type(error) for error in place.errors] == [KeyError]
        """,
        trio_mode=trio_mode,
    )
    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines(
        [
            "*test_a_hook_raises*",
            ">*words?event.line?",
            "E*KeyError: 'look'",
            "E*hook stumble at *.py:* failed for Input of guest-1*allow_errors=True*",
            "*test_an_expectation_fails_because_of_it*",
            "E*AssertionError: player 1 did not see 'You see a tavern.'*",
            "E*the game's code had failed before:",
            "E*words?event.line?",
            "E*KeyError: 'look'",
            "*test_two_are_a_group*",
            "*ExceptionGroup: 2 failures in the game's code*",
        ]
    )


def test_whatever_of_the_games_code_raises_fails_the_test(play: Play) -> None:
    result = play(
        """
        from trio_mud import Admitted

        async def fail(dialog=None):
            await trio.sleep(1)
            raise LookupError("lost")

        def fail_at_once():
            raise LookupError("lost")

        WAYS = {
            "a dialog": lambda connection: connection.start_dialog(fail),
            "work of a connection": lambda connection: connection.start_soon(fail),
            "work of the server": lambda connection: connection.server.start_soon(fail),
            "a timer": lambda connection: connection.after(1, fail_at_once),
            "a slow timer of the server": lambda connection: connection.server.after(1, fail),
        }

        @pytest.mark.parametrize("way", WAYS)
        async def test_it(mud, way):
            failing = Hooks()
            failing.on(Admitted)(lambda event: WAYS[way](event.connection) and None)
            with pytest.raises(LookupError, match="lost"):
                async with mud(failing) as place:
                    await place.player()
                    await trio.sleep(5)
                    place.server.shutdown()

        async def test_each_of_two_servers_has_its_own(mud):
            failing = Hooks()
            failing.on(Admitted)(lambda event: fail_at_once())
            async with mud(hooks) as sound:
                async with mud(failing, allow_errors=True) as broken:
                    await sound.player()
                    await broken.player()
                assert len(broken.errors) == 1
                await sound.player()
            assert sound.errors == []
        """
    )
    result.assert_outcomes(passed=6)


@ON_AND_OFF
def test_the_clock_waits_for_threads_whatever_their_limiter(play: Play, trio_mode: str) -> None:
    result = play(
        """
        from hypothesis import given, settings, strategies as st
        from trio_mud.testing.threads import watch_threads

        def work():
            time.sleep(0.05)
            return "done"

        thinking = Hooks()

        @thinking.on(Input)
        async def think(event):
            limiter = trio.CapacityLimiter(1) if event.line == "own" else None
            event.connection.write(await trio.to_thread.run_sync(work, limiter=limiter))

        @pytest.mark.parametrize("line", ["own", "usual"])
        async def test_no_time_passes(mud, line):
            async with mud(thinking) as place:
                ann = await place.player()
                await ann.type(line)
                before = trio.current_time()
                await ann.sees("done")
                assert trio.current_time() == before

        async def test_nothing_to_see_means_that_no_thread_will_say_anything(mud):
            async with mud(thinking) as place:
                ann = await place.player()
                await ann.type("usual")
                assert await ann.catches_up() == "done\\n"
                await ann.sees_nothing()

        async def test_many_at_once_one_after_the_other(mud):
            limiter = trio.CapacityLimiter(1)
            async with mud(hooks), trio.open_nursery() as nursery:
                before = trio.current_time()
                for _ in range(4):
                    nursery.start_soon(lambda: trio.to_thread.run_sync(work, limiter=limiter))
            assert trio.current_time() == before

        @given(number=st.just(1))
        @settings(database=None, deadline=None)
        async def test_with_hypothesis_too(mud, number):
            async with mud(hooks):
                before = trio.current_time()
                await trio.to_thread.run_sync(work)
                assert trio.current_time() == before

        async def test_a_clock_of_ones_own_waits_too(mud, autojump_clock):
            async with mud(hooks):
                await trio.to_thread.run_sync(work)
                assert trio.current_time() == 0
                await trio.sleep(10)
                assert trio.current_time() == 10

        @pytest.mark.parametrize("abandon", [True, False])
        async def test_a_thread_that_waits_for_trio_does_not_hold_the_clock(mud, abandon):
            async def wait():
                await trio.lowlevel.checkpoint()
                assert not watch_threads().is_holding
                await trio.sleep(3600)

            async with mud(hooks):
                for _ in range(2):
                    await trio.to_thread.run_sync(trio.from_thread.run, wait, abandon_on_cancel=abandon)
                assert trio.current_time() == 7200

        class HourlyLimiter:
            async def acquire_on_behalf_of(self, borrower):
                await trio.sleep(3600)

            def release_on_behalf_of(self, borrower):
                pass

        async def test_nor_does_a_limiter_that_waits(mud):
            async with mud(hooks):
                await trio.to_thread.run_sync(work, limiter=HourlyLimiter())
                assert trio.current_time() == 3600
        """,
        trio_mode=trio_mode,
    )
    result.assert_outcomes(passed=9)


def test_the_clock_waits_for_each_call_so_long_and_no_longer(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads.PATIENCE == 10.0
    monkeypatch.setattr(threads, "PATIENCE", 0.1)
    result = play(
        """
        import threading

        async def test_a_thread_that_hangs_until_virtual_time_has_passed(mud):
            gate = threading.Event()
            async with mud(hooks), trio.open_nursery() as nursery:
                nursery.start_soon(trio.to_thread.run_sync, gate.wait)
                for _ in range(100):
                    await trio.sleep(3600)
                gate.set()

        async def test_a_thread_that_hangs_for_ever(mud):
            gate = threading.Event()
            try:
                async with mud(hooks):
                    await trio.to_thread.run_sync(gate.wait, abandon_on_cancel=True)
            finally:
                gate.set()
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E*AssertionError: deadlock: every task waits*", "*in test_a_thread_that*"])


def test_without_pytest_trio_it_says_what_to_install(play: Play) -> None:
    play.pytester.makeini("[pytest]")
    play.pytester.makepyfile("async def test_it(mud): pass")
    result = play.pytester.runpytest_inprocess("-p", "no:trio", "-p", "no:cacheprovider")
    result.stderr.fnmatch_lines(["*test_it uses `mud`, which needs pytest-trio: install trio-mud?testing?*"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


ASYNCIO = """
    import pytest

    def pytest_addoption(parser):
        parser.addoption("--asyncio-mode", dest="asyncio_mode")
        parser.addini("asyncio_mode", "auto or strict", default="strict")

    def pytest_configure(config):
        config.pluginmanager.register(object(), "asyncio")
"""


@pytest.mark.parametrize(("mode", "works"), [("strict", True), ("auto", False)])
def test_beside_pytest_asyncio_it_works_unless_that_takes_all_tests(play: Play, mode: str, works: bool) -> None:
    """If pytest-asyncio is not installed, a plugin of the same name and options replaces it."""
    play.pytester.makeini(f"[pytest]\nasyncio_mode = {mode}")
    if importlib.util.find_spec("pytest_asyncio") is None:
        play.pytester.makeconftest(ASYNCIO)
    play.pytester.makepyfile("async def test_it(mud): pass")
    result = play.pytester.runpytest_inprocess("-p", "no:cacheprovider")
    if works:
        result.assert_outcomes(passed=1)
    else:
        result.stderr.fnmatch_lines(
            ["*test_it uses `mud`, which runs on trio, but asyncio_mode = auto*set it to strict*"]
        )
        assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_virtual_time_runs_without_pytest_too() -> None:
    async def an_hour() -> float:
        start = trio.current_time()
        await trio.sleep(3600)
        return trio.current_time() - start

    assert virtual.run_in_virtual_time(an_hour) == 3600
