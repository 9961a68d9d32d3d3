"""The plugin: what the author of a game gets by writing `mud` among a test's arguments."""

from __future__ import annotations

import textwrap

import pytest
import trio

from trio_mud.testing import virtual

GAME = """
    import pytest
    import time
    import trio
    from trio_mud import Hooks, Input

    SLOW = 3  # seconds, none of which is to pass
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
            f"[pytest]\ntrio_mode = {trio_mode}\naddopts = --strict-markers\nfilterwarnings = error\n"
        )
        self.pytester.makepyfile(textwrap.dedent(GAME) + textwrap.dedent(tests))
        return self.pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:cacheprovider", *arguments)


@ON_AND_OFF
def test_a_test_that_uses_mud_runs_in_virtual_time_whatever_trio_mode_is(play: Play, trio_mode: str) -> None:
    result = play(
        """
        import unittest

        async def test_no_time_passes(mud):
            start = time.monotonic()
            async with mud(hooks) as place:
                ann = await place.player()
                await ann.type("hello")
                await ann.sees("A while ago you said hello.", within=SLOW + 1)
            assert time.monotonic() - start < SLOW

        @pytest.fixture
        async def ann(mud):
            async with mud(hooks) as place:
                yield await place.player()

        async def test_a_fixture_that_uses_mud_brings_virtual_time_with_it(ann):
            await ann.type("hello")
            await ann.sees("hello", within=SLOW + 1)

        class TestInAClass:
            async def test_no_time_passes(self, mud):
                start = time.monotonic()
                async with mud(hooks):
                    await trio.sleep(SLOW)
                assert time.monotonic() - start < SLOW

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


@ON_AND_OFF
def test_a_hypothesis_test_runs_every_example_in_virtual_time_from_the_start(play: Play, trio_mode: str) -> None:
    result = play(
        """
        from hypothesis import given, settings, strategies as st

        times, start = [], time.monotonic()

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
            assert time.monotonic() - start < 20 * SLOW / 2
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
        ["E*AssertionError: every task waits, no deadline is left*", "E*test_waiting_for_godot*.py:*, in test_waiting*"]
    )


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
    result.stdout.fnmatch_lines(["E*AssertionError: every task waits, no deadline is left*"])


def test_without_pytest_trio_it_says_what_to_install(play: Play) -> None:
    play.pytester.makeini("[pytest]")
    play.pytester.makepyfile("async def test_it(mud): pass")
    result = play.pytester.runpytest_inprocess("-p", "no:trio", "-p", "no:cacheprovider")
    result.stderr.fnmatch_lines(["*test_it uses `mud`, which needs pytest-trio: install trio-mud?testing?*"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_virtual_time_runs_without_pytest_too() -> None:
    async def an_hour() -> float:
        start = trio.current_time()
        await trio.sleep(3600)
        return trio.current_time() - start

    assert virtual.run_in_virtual_time(an_hour) == 3600
