"""Many objects read at once, in order, within a bound on memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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


def read_ahead(
    objects: Iterable[S3Object],
    read: Callable[[S3Object], T],
    *,
    threads: int = THREADS,
    max_bytes: int = MAX_BYTES_AHEAD,
    max_objects: int = MAX_OBJECTS_AHEAD,
) -> Iterator[tuple[S3Object, T | ObjectFailed]]:
    """Yield each object, in the given order, with what `read` returns for it.

    For one that cannot be had, that is the ObjectFailed which `read` raised.

    No more than `max_objects` and `max_bytes` are held beside the one being yielded,
    except that one object alone may be larger. All other exceptions of `read` are
    raised at that object's turn.
    """
    waiting: deque[tuple[S3Object, Future[T | ObjectFailed]]] = deque()
    ahead = 0
    with ThreadPoolExecutor(threads, thread_name_prefix="fetch") as pool:
        try:
            for wanted in objects:
                while waiting and (
                    len(waiting) >= max_objects or ahead + wanted.size > max_bytes
                ):
                    done, found = waiting.popleft()
                    ahead -= done.size
                    yield done, found.result()
                waiting.append((wanted, pool.submit(_attempt, read, wanted)))
                ahead += wanted.size
            while waiting:
                done, found = waiting.popleft()
                yield done, found.result()
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
