"""A wallet's address, as the marts have it."""


def read_wallet(text: str) -> str:
    """Return the address in lower case: of ASCII letters alone, as dbt does it."""
    return text.encode().lower().decode()
