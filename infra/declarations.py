"""What a stage is built of: the platform's declarations, or others where a change of them is tried out."""

from collections.abc import Sequence
from dataclasses import dataclass

from callmissed.platform.functions import AUTHORIZER, FUNCTIONS, SCHEDULES, Function, Schedule
from callmissed.platform.queues import QUEUES, Queue
from callmissed.platform.routes import ROUTES, Route
from callmissed.platform.tables import TABLES, Table


@dataclass(frozen=True, slots=True)
class Declarations:
    """Tables, queues, functions, schedules and routes of one stage."""

    tables: Sequence[Table] = TABLES
    queues: Sequence[Queue] = QUEUES
    functions: Sequence[Function] = FUNCTIONS
    schedules: Sequence[Schedule] = SCHEDULES
    routes: Sequence[Route] = ROUTES

    @property
    def served(self) -> tuple[Function, ...]:
        """The functions that API Gateway calls."""
        called = {AUTHORIZER.name, *(route.function for route in self.routes)}
        return tuple(function for function in self.functions if function.name in called)

    @property
    def workers(self) -> tuple[Function, ...]:
        """The functions that schedules, queues and streams call."""
        served = self.served
        return tuple(function for function in self.functions if function not in served)

    @property
    def keeping_failures(self) -> tuple[Function, ...]:
        """The workers whose failed work comes from no queue, so that each has a queue to keep it in."""
        scheduled = {schedule.function for schedule in self.schedules}
        return tuple(worker for worker in self.workers if worker.follows or worker.name in scheduled)


PRODUCT = Declarations()
