"""Roles."""

from trio_mud.commands import Role


def test_a_higher_role_is_a_greater_number_with_room_between() -> None:
    assert [role.name for role in sorted(Role)] == ["GUEST", "PLAYER", "BUILDER", "ADMIN", "OWNER"]
    assert [int(role) for role in sorted(Role)] == [0, 10, 20, 30, 40]
    assert Role.BUILDER < 25 < Role.ADMIN
