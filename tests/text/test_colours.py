"""Colours: what is shown where not all can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.text.colours import RGB, channels, colour_named, nearest_of_16, nearest_of_256


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("black", 0),
        ("white", 7),
        ("bright-black", 8),
        ("bright-white", 15),
        ("#ff8800", RGB | 0xFF8800),
        ("#f80", RGB | 0xFF8800),
        ("#000", RGB),
        ("#ABCDEF", RGB | 0xABCDEF),
        *[
            (name, None)
            for name in ("", "#", "#ff", "#ff88", "#ff88000", "#gggggg", "#fff\n", "orange", "bright-", "bright-#fff")
        ],
    ],
)
def test_colours_have_names(name: str, expected: int | None) -> None:
    assert colour_named(name) == expected


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [(0x000000, 0), (0xFF0000, 9), (0xC00000, 1), (0x00FF00, 10), (0xFFFFFF, 15), (0x808080, 8), (0xFF8800, 3)],
)
def test_the_nearest_of_sixteen(rgb: int, expected: int) -> None:
    assert nearest_of_16(RGB | rgb) == expected


@pytest.mark.parametrize("colour", range(16))
def test_one_of_the_sixteen_is_its_own_nearest(colour: int) -> None:
    assert nearest_of_16(colour) == colour


@pytest.mark.parametrize("step", range(216))
def test_what_is_in_the_cube_is_its_own_nearest(step: int) -> None:
    levels = (0, 95, 135, 175, 215, 255)
    rgb = levels[step // 36] << 16 | levels[step // 6 % 6] << 8 | levels[step % 6]
    assert nearest_of_256(RGB | rgb) == 16 + step


@pytest.mark.parametrize("grey", range(24))
def test_a_grey_is_its_own_nearest(grey: int) -> None:
    assert nearest_of_256(RGB | (8 + 10 * grey) * 0x010101) == 232 + grey


@given(st.integers(0, 0xFFFFFF))
def test_nothing_in_the_palette_is_nearer(rgb: int) -> None:
    levels = (0, 95, 135, 175, 215, 255)
    palette = {
        16 + 36 * r + 6 * g + b: (levels[r], levels[g], levels[b]) for r in range(6) for g in range(6) for b in range(6)
    }
    palette |= {232 + grey: (8 + 10 * grey,) * 3 for grey in range(24)}

    def distance(number: int) -> int:
        return sum(
            weight * (one - other) ** 2
            for weight, one, other in zip((2, 4, 3), palette[number], channels(rgb), strict=True)
        )

    assert distance(nearest_of_256(RGB | rgb)) == min(map(distance, palette))
