"""A task of a batch on several nodes of a Ray cluster: one Ray task on each, in a placement group of their own.

Ray reserves all nodes of a group or none, so that two runs cannot each hold a half of what both need. The group is
asked for when what the task waits for is done, and not before: a branch would else hold what its trunk needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

NOT_BEGUN = -1
"""What a task returns that was not begun, because what it waited for has failed, or nobody wants it any more."""


class Gang:
    """The Ray tasks ``work(folder, task, node_rank)`` with these ``options``, one a node; ``code`` is the answer of the
    first, or the error that ended it."""

    def __init__(
        self,
        work: Callable[..., int],
        options: Mapping[str, Any],
        which: tuple[str, int],
        nodes: int,
        waits: Sequence[Any],
    ) -> None:
        self._work = work
        self._options = options
        self._which = which
        self._nodes = nodes
        self._waits = waits
        self._group: Any = None
        self._is_unwanted = False
        self.code: Future[int] = ThreadPoolExecutor(1).submit(self._answer)

    def give_up(self) -> None:
        """Ask for no nodes any more, where they are not there yet; what has begun ends by its marks."""
        import ray

        self._is_unwanted = True
        if self._group is not None and ray.util.placement_group_table(self._group)["state"] == "PENDING":
            ray.util.remove_placement_group(self._group)

    def _answer(self) -> int:
        import ray
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        if any(code_of(one) for one in self._waits) or self._is_unwanted:
            return NOT_BEGUN
        bundle = bundle_of(self._options)
        self._group = ray.util.placement_group([bundle] * self._nodes, strategy="STRICT_SPREAD")
        begin = ray.remote(self._work)
        try:
            places = [PlacementGroupSchedulingStrategy(self._group, rank) for rank in range(self._nodes)]
            parts = [
                begin.options(**self._options, scheduling_strategy=place).remote(*self._which, rank)
                for rank, place in enumerate(places)
            ]
            return int(ray.get(parts[0]))
        finally:
            ray.util.remove_placement_group(self._group)


def code_of(task: Any) -> int:
    """The exit code of a task, a Gang's or one that is Ray's alone, waited for; RayError where it came to none."""
    import ray

    return int(task.code.result() if isinstance(task, Gang) else ray.get(task))


def ended_of(tasks: Sequence[Any]) -> list[Any]:
    """Those of the tasks that have ended."""
    import ray

    refs = [task for task in tasks if not isinstance(task, Gang)]
    gangs = [task for task in tasks if isinstance(task, Gang) and task.code.done()]
    return gangs + (ray.wait(refs, num_returns=len(refs), timeout=0)[0] if refs else [])


def bundle_of(options: Mapping[str, Any]) -> dict[str, float]:
    """What one node of the group is to have, for a task with these options."""
    asked = {"CPU": options["num_cpus"], "GPU": options["num_gpus"], "memory": options.get("memory", 0)}
    return {name: amount for name, amount in {**asked, **options["resources"]}.items() if amount}
