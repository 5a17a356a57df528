"""A pool that leaves no connection open after it was disposed of."""

from __future__ import annotations

import logging

from sqlalchemy import QueuePool
from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["ClosingPool"]


class ClosingPool(QueuePool):
    """Closes a connection that comes back after `dispose`, such as one that another thread was using.

    SQLAlchemy's own keeps it in a pool that nothing refers to, open until the garbage is collected.
    """

    _disposed = False

    def dispose(self) -> None:
        """Close every connection: those that are in use when they come back."""
        self._disposed = True
        super().dispose()

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        if self._disposed:
            record.close()
        super()._do_return_conn(record)


# SQLAlchemy logs under the name of the class, which would put its own events into the service's log.
logging.getLogger(f"{__name__}.{ClosingPool.__name__}").setLevel(logging.WARNING)
