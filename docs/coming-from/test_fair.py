from fair import Visitor, game


async def come_in(place, name):
    player = await place.player()
    await player.type(name)
    await player.sees("Exits: ")
    return player


async def test_the_pedlar_greets_who_comes_and_answers_a_question(mud):
    async with mud(game) as fair:
        ann = await come_in(fair, "Ann")
        await ann.sees("thin pedlar says: Come closer", within=2)
        await ann.type("'what is the price of this box?")
        await ann.sees("thin pedlar says: For you, nearly nothing.", within=3)


async def test_a_tune_goes_on_after_a_restart(mud):
    async with mud(game) as fair:
        ann = await come_in(fair, "Ann")
        await ann.type("wind box")
        await ann.sees("Tink, tank.", within=6)
        await fair.pass_time(1)
    async with mud(game, storage=fair.storage) as fair:
        ann = await come_in(fair, "Ann")
        await ann.type("wind box")
        await ann.sees("It is wound up already.")
        await ann.sees("Tonk.", within=6)
        await ann.sees("Tink-a-tonk.", within=6)


async def test_a_box_plays_for_those_where_it_is_and_winds_in_the_hand(mud):
    async with mud(game) as fair:
        ann, bob = await come_in(fair, "Ann"), await come_in(fair, "Bob")
        await ann.type("wind pedlar", "take box", "east", "wind box")
        await ann.sees("You cannot do that with thin pedlar.")
        await ann.sees("Tink, tank.", within=6)
        await bob.type("wind box")
        await bob.sees('You see no "box" here.')


async def test_wounds_heal_over_time(mud):
    async with mud(game) as fair:
        await come_in(fair, "Ann")
        (ann,) = fair.store.all(Visitor)
        ann.health = 18
        await fair.pass_time(31)
        assert ann.health == 20
