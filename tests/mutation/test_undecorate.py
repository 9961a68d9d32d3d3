"""Code rewritten for mutmut behaves the same."""

from .undecorate import undecorated

SOURCE = '''
class Room:
    @property
    def name(self) -> str:
        """What it is called."""
        return "hall"

    @enable_ki_protection
    async def enter(self) -> None:
        pass

    @staticmethod
    def far() -> int:
        return 7
'''


def test_a_property_is_one_still_and_other_decorators_stay() -> None:
    rewritten = undecorated(SOURCE)
    assert "@property" not in rewritten
    assert "enable_ki_protection" not in rewritten
    names: dict[str, type] = {}
    exec(rewritten, names)
    room = names["Room"]()
    assert room.name == "hall"
    assert room.far() == 7
