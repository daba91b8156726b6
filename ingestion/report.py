"""What a run did, for its record and its summary."""

from dataclasses import dataclass, field
from datetime import datetime

from ingestion.objects import FailedObject, S3Object
from ingestion.plan import Plan
from warehouse.errors import UserError


@dataclass(frozen=True)
class Report:
    """What a run saw and did. Objects are counted, times are UTC.

    `new`: what the listing shows and no complete load holds (to fetch, `known`, and not
    considered); `known`: shown again and noted without a GET; `not_fetched`: new, but
    outside the selection, or not reached. `bytes` and `rows` are those of `loaded`.
    """

    listed_at: datetime | None
    listed: int
    ignored: int
    new: int
    known: int = 0
    loaded: int = 0
    failed: tuple[FailedObject, ...] = ()
    not_fetched: int = 0
    not_fetched_oldest: datetime | None = None
    bytes: int = 0
    rows: int = 0
    load_ids: tuple[str, ...] = ()


class IngestionStopped(UserError):
    """The run stopped on its way; `report` says what had landed for good by then."""

    def __init__(self, error: UserError, report: Report) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_code
        self.report = report


@dataclass
class Tally:
    """A report in the making: packages count only when their load is complete."""

    listed_at: datetime | None
    plan: Plan
    loaded: list[S3Object] = field(default_factory=list)
    known: list[S3Object] = field(default_factory=list)
    failed: list[FailedObject] = field(default_factory=list)
    rows: int = 0
    load_ids: list[str] = field(default_factory=list)

    def report(self) -> Report:
        """Return the state of things as a report."""
        done = {shown.key for shown in (*self.loaded, *self.known)}
        done |= {failure.object.key for failure in self.failed}
        new = [
            *self.plan.fetch,
            *(known.object for known in self.plan.known),
            *self.plan.left_out,
        ]
        missing = [shown for shown in new if shown.key not in done]
        return Report(
            listed_at=self.listed_at,
            listed=self.plan.listed,
            ignored=self.plan.ignored,
            new=len(new),
            known=len(self.known),
            loaded=len(self.loaded),
            failed=tuple(self.failed),
            not_fetched=len(missing),
            not_fetched_oldest=min(
                (shown.last_modified for shown in missing), default=None
            ),
            bytes=sum(shown.size for shown in self.loaded),
            rows=self.rows,
            load_ids=tuple(self.load_ids),
        )
