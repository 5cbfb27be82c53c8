"""chat.qwen.ai on loopback (upstream.md 3): visitors, chats, turns, files, and its defence against robots."""

from .answers import Answer
from .mood import Mood
from .site import Site

__all__ = ["Answer", "Mood", "Site"]
