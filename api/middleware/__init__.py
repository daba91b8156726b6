"""What every request passes through before and after its route, a file for each."""

from api.middleware.bodies import Compress, Head
from api.middleware.cors import Cors
from api.middleware.guard import Guard
from api.middleware.headers import FixedHeaders
from api.middleware.requests import RequestLog

__all__ = ["Compress", "Cors", "FixedHeaders", "Guard", "Head", "RequestLog"]
