"""The interface of compressions: what a smaller student's checkpoint holds beside its weights, and how to read it."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from torch import nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import COMPRESSIONS


class Compression:
    """A way to make a student smaller that adds a key of its own to a checkpoint, as pruning and quantization do.

    A subclass that is registered in ``COMPRESSIONS`` is found by its key: ``StudentCheckpoint`` rebuilds it, and
    publishing a checkpoint keeps what it wrote.

    Attributes:
        key: Top-level key of a checkpoint, below which it writes what rebuilds it.
        may_follow: Keys of the compressions that a student may have already when this one begins, its own perhaps.
        needed: Whether the weights fit only what is rebuilt; False where the student computes without it, in float.
    """

    key: ClassVar[str]
    may_follow: ClassVar[tuple[str, ...]] = ()
    needed: ClassVar[bool] = True

    @classmethod
    def model_config(cls, model: Mapping, content: Any) -> dict:
        """Return the config of the model that the weights fit.

        Args:
            model: The config without this compression; it is not changed.
            content: The part of the checkpoint below :attr:`key`.

        Raises:
            ValueError: The content is something else.
        """
        return dict(model)

    @classmethod
    def apply(cls, model: nn.Module, content: Any) -> None:
        """Finish a model that has its weights, in place.

        Args:
            model: Model that was built from :meth:`model_config`.
            content: The part of the checkpoint below :attr:`key`.

        Raises:
            ValueError: The content is something else, or belongs to another model.
        """


def compressions() -> dict[str, type[Compression]]:
    """Return every registered compression by its key; those of users too."""
    return {each.key: each for each in COMPRESSIONS.module_dict.values()}


def in_order(keys: Collection[str]) -> list[type[Compression]]:
    """Return the compressions of one student, each behind those that it followed.

    Args:
        keys: Keys of registered compressions.

    Raises:
        ValueError: Two of them do not go together.
    """
    known, found = compressions(), []
    waiting = sorted(keys)
    for first in waiting:
        for second in waiting:
            if first < second and not (first in known[second].may_follow or second in known[first].may_follow):
                raise WrongValueError(
                    f'the compressions {first!r} and {second!r} do not go together; expected one of them'
                )
    while waiting:
        free = [key for key in waiting if not set(waiting) & set(known[key].may_follow) - {key}]
        key = (free or waiting)[0]  # where each may follow the other, any order will do
        waiting.remove(key)
        found.append(known[key])
    return found
