"""Draws: the numbers of an epoch's samples, and the processes that draw them.

Kept apart from the loop: the processes would import all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from RadiomicsPersonaLib.errors import InputError

BY_SAMPLE = "Caught "
"""What PyTorch's account of an error begins with that the drawing of a sample raised, not the loss of its process."""
BY_WATCH = "DataLoader worker"
"""What PyTorch's watch over the processes begins with; it speaks up at any moment, also in the middle of a step."""


class DrawingEnded(InputError):
    """A process that draws samples is gone."""

    def __init__(self):
        super().__init__(
            "A process that draws samples was ended, most likely by the system for lack of memory: close other programs or set "
            "fewer workers, and go on with --resume."
        )


class DrawSampler(Sampler[int]):
    """The numbers of an epoch's pairs: epoch e takes the e-th run of `per_epoch` numbers, shared out among the processes.

    A run that stops and goes on draws what an unbroken one would have drawn.

    Args:
        epoch: tells, when an epoch begins, which it is.
    """

    def __init__(self, per_epoch: int, epoch: Callable[[], int], rank: int = 0, world: int = 1):
        self.per_epoch, self.epoch, self.rank, self.world = per_epoch, epoch, rank, world

    def __iter__(self) -> Iterator[int]:
        first = self.epoch() * self.per_epoch
        return iter(range(first + self.rank, first + self.per_epoch, self.world))

    def __len__(self) -> int:
        return len(range(self.rank, self.per_epoch, self.world))


class SampleLoader(DataLoader):
    """Batches of samples from processes that draw them, and one sentence where no sample comes.

    A process that is gone is missed by PyTorch's watch over it, or earlier by the connection its sample should come through.
    The processes import what samples need and no more, and use one thread each.

    Args:
        samples: by number; has to be picklable.
        batch: samples in each batch.
        sampler: the numbers of an epoch.
        workers: processes.
    Raises:
        InputError: a process is gone, or a prepared scan cannot be read.
    """

    def __init__(self, samples: Dataset, batch: int, sampler: Sampler[int], workers: int):
        super().__init__(
            samples,
            batch,
            sampler=sampler,
            num_workers=workers,
            prefetch_factor=4,
            persistent_workers=True,
            # forked, they now and then hang: a thread of this process may hold a lock of Python's at that moment
            multiprocessing_context="spawn",
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_one_thread,
        )

    def __iter__(self) -> Iterator:
        try:
            yield from super().__iter__()
        except (RuntimeError, OSError, EOFError) as error:
            if not str(error).startswith(BY_SAMPLE):
                raise DrawingEnded from error
            if not isinstance(error, OSError):
                raise
            raise InputError(
                f"A prepared scan cannot be read ({str(error).strip().splitlines()[-1]}): was the cache's folder moved? "
                "Go on with --resume."
            ) from error


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)
