from keep_a_body import hooks


# a browser
async def test_a_browser_comes_back_and_shows_what_its_dead_link_has_swallowed(mud):
    async with mud(hooks) as cellar:
        ann, bob = await cellar.web_player(), await cellar.player()
        await ann.type("Ann")
        await bob.type("Bob", "Can you hear me?")
        await ann.sees("Bob: Can you hear me?")
        ann.go_silent()  # nothing arrives, and the server does not notice
        await bob.type("Hello?")
        await bob.sees("Bob: Hello?")
        back = await ann.come_back()
        await back.sees("Bob: Hello?\nWhere were you?")
        assert "Can you hear me?" not in back.screen
        await bob.sees("Ann blinks, and is back.")
        await back.type("quit")
        await back.sees_the_end()
        assert back.close_code == 1000
