"""Training in int8 as a compression: the quantizers in a checkpoint."""

from collections.abc import Mapping

from torch import nn

from mmkd_video.core.compression import Compression
from mmkd_video.core.registry import COMPRESSIONS
from mmkd_video.pruning import PRUNING_KEY
from mmkd_video.quantization.operators import choose_operators
from mmkd_video.quantization.qat import QUANTIZATION_KEY, load_quantizers


@COMPRESSIONS.register_module()
class Quantization(Compression):
    """See :class:`Compression`; the content is that of ``quantizer_state``. Without it a student computes in float."""

    key = QUANTIZATION_KEY
    may_follow = (PRUNING_KEY,)
    needed = False

    @classmethod
    def apply(cls, model: nn.Module, content: Mapping) -> None:
        """See :meth:`Compression.apply`.

        Raises:
            MissingExtraError: NNCF is not installed.
            ValueError: The content is something else, or belongs to another model.
        """
        choose_operators('torch')
        load_quantizers(model, content)
