"""A function is run in slices, and only while its caller waits."""

from __future__ import annotations

import threading

import pytest

from trio_mud.program.slices import SlicedCall


def test_a_function_runs_up_to_each_pause_and_returns_its_result() -> None:
    done: list[object] = []

    def work() -> str:
        done.append(threading.current_thread())
        call.pause()
        done.append(2)
        call.pause()
        done.append(3)
        return "over"

    call = SlicedCall(work, 0)
    assert done == []
    for count in (1, 2, 3):
        assert not call.is_over
        call.run_slice()
        assert len(done) == count
    assert call.is_over
    assert call.result() == "over"
    assert done[0] is not threading.current_thread()
    assert done[0] not in threading.enumerate()


def test_a_short_slice_is_not_ended_by_a_pause() -> None:
    def work() -> int:
        for _ in range(100):
            call.pause()
        return 7

    call = SlicedCall(work, 3600)
    call.run_slice()
    assert call.is_over
    assert call.result() == 7


@pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit(3)])
def test_what_the_function_raises_is_raised_to_the_caller(error: BaseException) -> None:
    def work() -> None:
        call.pause()
        raise error

    call = SlicedCall(work, 0)
    call.run_slice()
    call.run_slice()
    with pytest.raises(type(error)) as caught:
        call.result()
    assert caught.value is error


def test_an_abandoned_function_ends_at_its_pause_and_cleans_up_before_the_caller_goes_on() -> None:
    steps = []

    def work() -> None:
        try:
            steps.append("begun")
            call.pause()
            steps.append("never")
        finally:
            steps.append("cleaned up")

    call = SlicedCall(work, 0)
    call.run_slice()
    call.abandon()
    assert steps == ["begun", "cleaned up"]
    assert call.is_over
    call.abandon()


def test_a_function_that_was_not_begun_is_abandoned_without_running() -> None:
    call = SlicedCall(lambda: pytest.fail("it ran"), 0)
    call.abandon()
    assert not call.is_over


def test_a_pause_in_another_thread_has_no_effect() -> None:
    call: SlicedCall[None] = SlicedCall(lambda: call.pause(), 0)
    call.pause()
    call.run_slice()
    call.pause()
    call.run_slice()
    assert call.is_over


def test_a_function_whose_caller_does_not_come_back_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trio_mud.program.slices.PATIENCE", 0.01)
    ended = threading.Event()

    def work() -> None:
        try:
            call.pause()
        finally:
            ended.set()

    call = SlicedCall(work, 0)
    call.run_slice()
    assert ended.wait(30)
    call._thread.join()
    with pytest.raises(TimeoutError, match=r"not continued for 0\.01 s"):
        call.result()
