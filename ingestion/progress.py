"""Who is told how far a run is."""

from typing import Protocol


class Progress(Protocol):
    """Who shows how far the run is."""

    def start(self, objects: int, size: int) -> None:
        """Be told how many objects and bytes are to be fetched."""

    def advance(self, objects: int, size: int) -> None:
        """Be told how many more have been fetched, or failed to be."""

    def landed(self, objects: int) -> None:
        """Be told how many more are in the database for good, or failed to be."""
