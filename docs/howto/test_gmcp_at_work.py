from gmcp_at_work import hooks


async def test_a_drink_fills_the_gauge(mud):
    async with mud(hooks) as tavern:
        ann = await tavern.player(gmcp=["Char", "Tavern"])
        await ann.type("an ale please")
        await ann.sees("You drink your ale")
        assert ann.gmcp[-1] == ("Char.Vitals", {"hp": 15, "maxhp": 20})


async def test_a_button_orders_as_words_do(mud):
    async with mud(hooks) as tavern:
        ann = await tavern.player(gmcp=["Tavern"])
        await ann.send_gmcp("Tavern.Order", {"drink": "milk"})
        await ann.sees("You drink your milk")
        await ann.send_gmcp("Tavern.Order", ["milk"])
        await ann.catches_up()
        assert ann.gmcp == [("Tavern.Refusal", "We do not serve that.")]
