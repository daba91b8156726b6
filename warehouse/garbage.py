"""How often Python looks for garbage in a command that runs once."""

import gc


def collect_rarely() -> None:
    """Let Python look for cyclic garbage after 50,000 new objects instead of 700.

    dlt and dbt make very many objects while they are imported, which all stay: Python
    would look through them again and again. What is in no cycle is freed at once all
    the same.
    """
    gc.set_threshold(50_000, 20, 20)
