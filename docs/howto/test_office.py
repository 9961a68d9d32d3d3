"""The office, as its operators use it."""

from office import hooks

from trio_mud import ConsoleOperator


async def test_an_operator_counts_and_warns_the_players(mud):
    async with mud(hooks) as place:
        ann = await place.player()
        note = ConsoleOperator()
        place.server.operator_commands(note, "players")
        assert note.answer == "1 players\n"
        place.server.operator_commands(note, "warn The mill opens late today.")
        await ann.sees("The mill opens late today.")
