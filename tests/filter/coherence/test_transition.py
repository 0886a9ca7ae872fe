"""A change of prompts that glides."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turbolens.filter import SettingsError
from turbolens.filter.coherence.transition import PromptTransition, smoothstep

INK, OIL, PENCIL = (("ink", 1.0),), (("oil", 1.0),), (("pencil", 1.0),)


def _shares(prompts: tuple[tuple[str, float], ...]) -> dict[str, float]:
    total = sum(weight for _, weight in prompts)
    return {text: weight / total for text, weight in prompts}


def _between(duration_s: float = 2.0) -> PromptTransition:
    """A glide from ink to oil that starts at 1 s."""
    transition = PromptTransition()
    transition(INK, duration_s, 0.0)
    assert transition(OIL, duration_s, 1.0) == INK
    return transition


def test_the_first_prompts_are_shown_at_once() -> None:
    assert PromptTransition()(INK, 2.0, 100.0) == INK


def test_a_change_glides_from_the_old_to_the_new() -> None:
    transition = _between()
    assert _shares(transition(OIL, 2.0, 2.0)) == {"oil": 0.5, "ink": 0.5}
    assert _shares(transition(OIL, 2.0, 2.5))["oil"] == pytest.approx(smoothstep(0.75))
    assert transition.in_progress
    assert transition(OIL, 2.0, 3.0) == OIL
    assert not transition.in_progress


def test_smoothstep_is_slow_at_both_ends() -> None:
    assert [smoothstep(p) for p in (-1.0, 0.0, 0.5, 1.0, 2.0)] == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert smoothstep(0.01) == pytest.approx(1 - smoothstep(0.99))
    assert smoothstep(0.01) < 0.001


@pytest.mark.parametrize("duration_s", [0.0, -1.0, math.nan])
def test_without_a_duration_a_change_is_shown_at_once(duration_s: float) -> None:
    transition = PromptTransition()
    transition(INK, duration_s, 0.0)
    assert transition(OIL, duration_s, 0.1) == OIL


def test_a_duration_of_0_ends_the_glide_and_another_waits_for_the_next() -> None:
    transition = _between()
    assert _shares(transition(OIL, 9.0, 2.0))["oil"] == 0.5
    assert transition(OIL, 0.0, 2.1) == OIL
    assert transition(OIL, 2.0, 2.2) == OIL


def test_a_change_in_the_middle_of_a_glide_starts_from_what_is_shown() -> None:
    transition = _between()
    middle = transition(OIL, 2.0, 2.0)
    assert _shares(transition(PENCIL, 4.0, 2.0)) == _shares(middle)
    later = _shares(transition(PENCIL, 4.0, 4.0))
    assert later == {"pencil": 0.5, "oil": 0.25, "ink": 0.25}
    assert transition(PENCIL, 4.0, 6.0) == PENCIL


def test_turning_back_needs_no_third_prompt() -> None:
    transition = _between()
    transition(OIL, 2.0, 2.0)
    assert transition(INK, 2.0, 2.0) == (("ink", 0.5), ("oil", 0.5))
    assert _shares(transition(INK, 2.0, 3.0)) == {"ink": 0.75, "oil": 0.25}


@pytest.mark.parametrize("time_s", [1.9, -3.0, 7.1, 1e9, math.nan, math.inf])
def test_a_seek_ends_the_glide(time_s: float) -> None:
    transition = _between(100.0)
    transition(OIL, 100.0, 2.0)
    assert transition(OIL, 100.0, time_s) == OIL


def test_a_change_that_comes_with_a_seek_is_shown_at_once() -> None:
    transition = PromptTransition()
    transition(INK, 2.0, 50.0)
    assert transition(OIL, 2.0, 3.0) == OIL
    assert transition(PENCIL, 2.0, 3.1) == OIL


def test_other_weights_glide_as_other_texts_do() -> None:
    transition = PromptTransition()
    transition((("ink", 3.0), ("oil", 1.0)), 2.0, 0.0)
    wanted = (("ink", 1.0), ("oil", 3.0))
    transition(wanted, 2.0, 1.0)
    assert _shares(transition(wanted, 2.0, 2.0)) == {"ink": 0.5, "oil": 0.5}
    assert transition(wanted, 2.0, 3.0) == wanted


def test_the_same_mixture_in_other_words_does_not_glide() -> None:
    transition = PromptTransition()
    transition(INK, 2.0, 0.0)
    for same in ((("ink", 5.0),), (("ink", 1.0), ("oil", 0.0)), (("ink", 0.5), ("ink", 0.5))):
        shown = transition(same, 2.0, 0.1)
        assert not transition.in_progress
        assert shown == tuple(each for each in same if each[1] > 0)


def test_a_mixture_of_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match="at least one weight must be above 0"):
        PromptTransition()((("ink", 0.0),), 2.0, 0.0)


def test_after_a_reset_the_next_prompts_are_shown_at_once() -> None:
    transition = _between()
    transition.reset()
    assert transition(PENCIL, 2.0, 1.1) == PENCIL


def test_changing_for_ever_keeps_the_mixture_small() -> None:
    transition = PromptTransition()
    for frame in range(500):
        shown = transition(((f"look {frame}", 1.0), ("ink", 1.0)), 10.0, frame / 30)
        assert len(shown) <= 18
    assert transition((("ink", 1.0),), 10.0, 17.0)[0].text == "ink"


_PROMPTS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.floats(0.0, 100.0)), min_size=1, max_size=16
).filter(lambda prompts: any(weight > 0 for _, weight in prompts))
_CALLS = st.lists(
    st.tuples(_PROMPTS, st.floats(0.0, 3.0), st.floats(-0.5, 6.0)), min_size=1, max_size=12
)


@settings(deadline=None)
@given(_CALLS)
def test_whatever_is_asked_the_answer_is_a_mixture(
    calls: list[tuple[list[tuple[str, float]], float, float]],
) -> None:
    transition, time_s = PromptTransition(), 0.0
    for prompts, duration_s, passed_s in calls:
        time_s += passed_s
        shown = transition(tuple(prompts), duration_s, time_s)
        assert shown
        assert all(weight > 0 for _, weight in shown)
        assert {text for text, _ in shown} <= set("abcdefgh")
        if transition.in_progress:
            assert sum(weight for _, weight in shown) == pytest.approx(1.0)
    for _ in range(2):
        time_s += 3.0
        shown = transition(tuple(calls[-1][0]), calls[-1][1], time_s)
    assert shown == tuple(each for each in calls[-1][0] if each[1] > 0)


@settings(deadline=None)
@given(st.lists(st.sampled_from([INK, OIL, PENCIL]), min_size=2, max_size=40))
def test_from_frame_to_frame_the_mixture_moves_little(
    wanted: list[tuple[tuple[str, float], ...]],
) -> None:
    transition, duration_s, frame_s = PromptTransition(), 1.0, 1 / 30
    before = _shares(transition(wanted[0], duration_s, 0.0))
    for frame, prompts in enumerate(wanted, start=1):
        shown = _shares(transition(prompts, duration_s, frame * frame_s))
        moved = sum(abs(shown.get(text, 0) - before.get(text, 0)) for text in {*shown, *before})
        # A smoothstep's slope is at most 1.5; a change of all shares counts 2.
        assert moved <= 2 * 1.5 * frame_s / duration_s + 1e-9
        before = shown
