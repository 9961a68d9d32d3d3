"""The texts that the valley brings along as files: its channels, its gestures, and its help.

They are read when the game is imported, so a fault in one of them ends the start with the name of the file.
"""

from importlib.resources import files

from .channels import read_channels
from .social_phrases import SOCIAL_PHRASES
from .socials import read_socials
from .toml_tables import read_text
from .topics import Topic, read_topics

__all__ = ["CHANNELS", "SOCIALS", "TOPICS"]

HERE = files("trio_mud.mudlib")

CHANNELS = read_channels(read_text(HERE / "channels.toml"), "channels.toml")
"""The channels, by name."""

SOCIALS = read_socials(read_text(HERE / "socials.toml"), "socials.toml")
"""The gestures, by word."""

TOPICS = {
    **read_topics(HERE / "help"),
    "socials": Topic(SOCIAL_PHRASES.socials_title, f"{', '.join(sorted(SOCIALS))}\n\n{SOCIAL_PHRASES.socials_text}"),
}
"""The topics of the help, by name."""
