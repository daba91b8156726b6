"""The marts over HTTP. Reads only."""

from api.app import create_app
from api.keys import MIN_KEY_LENGTH, parse_keys
from api.server import is_loopback, listen, serve

__all__ = [
    "MIN_KEY_LENGTH",
    "create_app",
    "is_loopback",
    "listen",
    "parse_keys",
    "serve",
]
