"""What carries out steps where ``KODOMO_EXECUTOR`` is Celery: ``kodomo worker`` on as many machines as a city has.

A worker reads the same environment as the daemon and reaches the same store, data folder and keys. Each step is a
process of its own that ends with it: a changed city.yaml holds from the next step on, and nothing stays in memory. A
step whose process is killed is done again by whichever worker is free; of a machine that is gone after a while.
"""

from __future__ import annotations

import celery
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_task

# a step begins as a copy of a process that has read the program: of its own it takes seconds for that
import kodomo_assets.definitions  # noqa: F401


def app_of(broker: str, lost_after: int) -> celery.Celery:
    """The Celery app of the workers that take their steps from ``broker``; ``lost_after`` as of ``work``."""
    app: celery.Celery = make_app({"broker": broker, "backend": broker})  # type: ignore[no-untyped-call]
    app.conf.update(
        worker_max_tasks_per_child=1,
        worker_prefetch_multiplier=1,
        broker_transport_options={"visibility_timeout": lost_after},
        broker_connection_retry_on_startup=True,
    )
    create_task(app, acks_late=True, reject_on_worker_lost=True)  # type: ignore[no-untyped-call]
    return app


def work(broker: str, concurrency: int, lost_after: int) -> int:
    """Carries out steps from ``broker`` until it is ended; the exit code.

    Args:
        concurrency: so many at a time.
        lost_after: seconds after which a step of which nobody said that it ended is given to another worker. One that
            takes longer is begun twice: the second one writes the same.
    """
    words = ("worker", "--queues", "dagster", "--concurrency", str(concurrency), "--loglevel", "warning")
    app_of(broker, lost_after).worker_main(list(words))
    return 0
