"""Posting: letters to players with an account, who may be away."""

from trio_mud import Dialog, Text, join, link, markup
from trio_mud.accounts import Accounts
from trio_mud.commands import Commands, Mistake
from trio_mud.errors import NotSaved, UnreadableRecord
from trio_mud.storage import Store

from ..letters import LONGEST_LETTER, Letter, Mailbox, deliver, open_mailbox
from ..people import character_called
from ..phrases import PHRASES
from ..quoting import quote
from ..sky import date_of
from ..social_phrases import SOCIAL_PHRASES
from ..villager import Villager

__all__ = ["mention_letters", "post_commands"]

MOST_LINES = 100  # of one letter


def post_commands(accounts: Accounts) -> Commands[Villager]:
    """Return the commands of players who have a mailbox."""
    commands = Commands[Villager](help_verbs=())

    @commands.verb("mail")
    async def read_mail(who: Villager, number: int | None = None) -> None:
        """List your letters, or read one of them.

        mail       lists them
        mail 2     shows the second one
        """
        mailbox = await mailbox_of(accounts.store, who)
        if number is None:
            list_letters(who, mailbox)
        else:
            show_letter(who, number, mailbox.open(number))

    @commands.verb("letter")
    async def write_letter(who: Villager, name: str) -> None:
        """Write a letter to a player, who may be away.

        If your link dies while you write, the letter waits for you.
        """
        check_account(who)
        who.check_speech()
        reader, _ = await reader_called(accounts, name)
        shown = reader.name

        async def compose(dialog: Dialog) -> None:
            await write_to(dialog, who, shown, accounts)
            who.prompt()

        if who.connection is not None:
            who.connection.start_dialog(compose)

    @commands.verb("discard")
    async def discard_letter(who: Villager, number: int) -> None:
        """Throw a letter away."""
        letter = (await mailbox_of(accounts.store, who)).discard(number)
        who.write(SOCIAL_PHRASES.letter_discarded.format(number=number, name=letter.name))

    return commands


async def mention_letters(who: Villager) -> None:
    """Show a player who comes in how many letters are new."""
    text: Text
    try:
        count = (await mailbox_of(who.world.store, who)).unread
    except Mistake as mistake:
        text = str(mistake)
    else:
        if not count:
            return
        phrase = SOCIAL_PHRASES.new_letter if count == 1 else SOCIAL_PHRASES.new_letters
        text = markup(phrase, count=count, mail=link("mail"))
    who.write(text)
    who.prompt()


async def write_to(dialog: Dialog, who: Villager, name: str, accounts: Accounts) -> None:
    """Let a player write a letter, and send it. It is a draft until it is in the mailbox, so no dead link loses it."""

    def keep(text: str) -> None:
        who.letter_draft = text

    phrases = SOCIAL_PHRASES
    who.write(phrases.letter_resumed if who.letter_draft else phrases.letter_begun.format(name=name))
    text = await dialog.edit(who.letter_draft, most_lines=MOST_LINES, most_bytes=LONGEST_LETTER, draft=keep)
    if text is None or not text.strip():
        who.letter_draft = ""
        who.write(phrases.letter_given_up)
        return
    try:
        await send(who, name, text, accounts)
    except Mistake as mistake:
        who.write(str(mistake))


async def send(who: Villager, name: str, text: str, accounts: Accounts) -> None:
    """Put a letter into the mailbox of a player; return when it is on disk.

    A player who ignores the writer gets nothing. The writer reads the same in both cases.

    Raises:
        Mistake: There is no such player any more, the mailbox is full, or the writer is muted.
    """
    who.check_speech()
    reader, mailbox = await reader_called(accounts, name)
    # From here to the end of the delivery nothing waits.
    who.letter_draft = ""
    if not reader.ignores(who):
        deliver(accounts.store, mailbox, Letter(who.name, str(date_of(who.world)), text))
        reader.write(markup(SOCIAL_PHRASES.letter_came, name=who.name, mail=link("mail")))
    try:
        await accounts.store.saved()
    except NotSaved:
        who.write(SOCIAL_PHRASES.letter_slow.format(name=name))
    else:
        who.write(SOCIAL_PHRASES.letter_sent.format(name=name))


async def reader_called(accounts: Accounts, name: str) -> tuple[Villager, Mailbox]:
    """Return the player of this name in full, and a mailbox with room for a letter.

    Raises:
        Mistake: There is no such player, or the mailbox is full.
    """
    reader = await character_called(accounts.store, name)
    account = await accounts.find(reader.account) if reader is not None else None
    if reader is None or account is None or account.is_deleted:
        raise Mistake(SOCIAL_PHRASES.letter_unknown.format(name=name))
    mailbox = await mailbox_of(accounts.store, reader)
    if mailbox.is_full:
        raise Mistake(SOCIAL_PHRASES.letter_full.format(name=reader.name))
    return reader, mailbox


async def mailbox_of(store: Store, who: Villager) -> Mailbox:
    """Return the mailbox of a player.

    Raises:
        Mistake: The player is a guest, or the mailbox is damaged.
    """
    check_account(who)
    try:
        return await open_mailbox(store, who.key)
    except UnreadableRecord:
        raise Mistake(SOCIAL_PHRASES.unreadable.format(name=who.name)) from None


def check_account(who: Villager) -> None:
    """Raise Mistake if a player is a guest."""
    if not who.account:
        raise Mistake(PHRASES.no_account)


def list_letters(who: Villager, mailbox: Mailbox) -> None:
    """Show a player what is in the mailbox."""
    if not mailbox.letters:
        raise Mistake(SOCIAL_PHRASES.no_letters)
    lines = [
        markup(
            SOCIAL_PHRASES.letter_listed if letter.is_read else SOCIAL_PHRASES.letter_listed_new,
            number=link(str(number), send=f"mail {number}"),
            name=letter.name,
            date=letter.date,
        )
        for number, letter in enumerate(mailbox.letters, 1)
    ]
    who.read(join("\n", lines))


def show_letter(who: Villager, number: int, letter: Letter) -> None:
    """Show a player one letter; each of its lines is marked."""
    head = markup(SOCIAL_PHRASES.letter_head, number=number, name=letter.name, date=letter.date)
    who.read(join("\n", [head, quote(letter.text, who.page_columns)]))
