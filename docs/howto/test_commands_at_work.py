"""The table of commands at work."""

from commands_at_work import commands, hooks


async def test_a_verb_may_be_shortened_and_an_argument_left_out(mud):
    async with mud(hooks) as hall:
        ann, bob = await hall.player(), await hall.player()
        await ann.type("sho hello", '"again', "knock", "knock 3", "knock much", "knock 11")
        await bob.sees("guest-1 shouts: hello")
        await bob.sees("guest-1 shouts: again")
        await ann.sees("Knock!")
        await ann.sees("Knock! Knock! Knock!")
        await ann.sees("Usage: knock [TIMES]")
        await ann.sees("Your knuckles would not like that.")


async def test_help_lists_the_verbs(mud):
    async with mud(hooks) as hall:
        ann = await hall.player()
        await ann.type("help", "help knock")
        await ann.sees("Knock at the door, once if no number is given.")


def test_every_argument_has_a_converter():
    commands.check()
