"""Many objects read at once, in order, within a bound on memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from ingestion.objects import ObjectFailed, S3Object

THREADS = 16
MAX_BYTES_AHEAD = 128 * 1024 * 1024
MAX_OBJECTS_AHEAD = 32 * THREADS
"""More than a bundle has of hourly objects: while it is written, the next is read."""

MAX_OBJECT_BYTES = 512 * 1024 * 1024
"""A larger object fails without being read: it could not be decoded either."""

Read = Callable[[S3Object], bytes]

T = TypeVar("T")
R = TypeVar("R")


def read_ahead(
    objects: Iterable[S3Object], read: Callable[[S3Object], T]
) -> Iterator[tuple[S3Object, T | ObjectFailed]]:
    """Yield each object, in the given order, with what `read` returns for it.

    For one that cannot be had, that is the ObjectFailed which `read` raised.
    """
    return work_ahead(
        objects,
        partial(_attempt, read),
        size=lambda wanted: wanted.size,
        threads=THREADS,
        max_items=MAX_OBJECTS_AHEAD,
        max_size=MAX_BYTES_AHEAD,
    )


def work_ahead(
    items: Iterable[T],
    work: Callable[[T], R],
    *,
    size: Callable[[T], int],
    threads: int,
    max_items: int,
    max_size: int,
) -> Iterator[tuple[T, R]]:
    """Yield each item, in the given order, with what `work` returns for it.

    No more than `max_items`, of `max_size` together, are held beside the one being
    yielded, except that one alone may be larger. Exceptions of `work` are raised at
    that item's turn.
    """
    waiting: deque[tuple[T, Future[R]]] = deque()
    ahead = 0
    with ThreadPoolExecutor(threads, thread_name_prefix="ahead") as pool:
        try:
            for item in items:
                while waiting and (
                    len(waiting) >= max_items or ahead + size(item) > max_size
                ):
                    done, result = waiting.popleft()
                    ahead -= size(done)
                    yield done, result.result()
                waiting.append((item, pool.submit(work, item)))
                ahead += size(item)
            while waiting:
                done, result = waiting.popleft()
                yield done, result.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _attempt(read: Callable[[S3Object], T], wanted: S3Object) -> T | ObjectFailed:
    if wanted.size > MAX_OBJECT_BYTES:
        return ObjectFailed(
            f"it has {wanted.size:,} bytes, more than {MAX_OBJECT_BYTES:,}: split it"
        )
    try:
        return read(wanted)
    except ObjectFailed as failure:
        return failure


def one_ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield what the iterator yields, whose next item is made meanwhile."""
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
