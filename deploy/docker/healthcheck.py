"""Ends with 0 when the API of this container lives, else with 1."""

import http.client
import os
import sys

api = http.client.HTTPConnection(
    "127.0.0.1", int(os.environ.get("API_PORT") or 8000), timeout=4
)
try:
    api.request("GET", "/livez")
    sys.exit(api.getresponse().status != 200)
except OSError:
    sys.exit(1)
