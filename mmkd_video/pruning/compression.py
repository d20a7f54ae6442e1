"""Pruning as a compression: its history in a checkpoint builds the narrow recognizer."""

from collections.abc import Mapping

from mmkd_video.core.compression import Compression
from mmkd_video.core.registry import COMPRESSIONS
from mmkd_video.pruning.history import PRUNING_KEY, checked_history
from mmkd_video.pruning.recognizer import unpruned_config


@COMPRESSIONS.register_module()
class Pruning(Compression):
    """See :class:`Compression`; the content is the JSON text of a ``PruningHistory``."""

    key = PRUNING_KEY
    may_follow = (PRUNING_KEY,)

    @classmethod
    def model_config(cls, model: Mapping, content: str) -> dict:
        """See :meth:`Compression.model_config`; the model may be of the unpruned recognizer or of a pruned one."""
        return dict(type='PrunedRecognizer', recognizer=unpruned_config(model), history=checked_history(content))
