"""Rules for the quantizers in a checkpoint: NNCF would import any of its classes that is named there."""

import math
from typing import Any

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.plain_data import FLAG, Many, Maybe, OneOf, Record, Text, Whole, read_json

LAYERS = 'nncf.torch.quantization.layers'
MODES = {'SymmetricQuantizer': 'symmetric', 'AsymmetricQuantizer': 'asymmetric'}
MAX_SCALES = 2**24  # numbers of all ranges together
_QUANTIZER = Record(
    dict(
        num_bits=Whole(2, 8),
        mode=OneOf(tuple(MODES.values())),
        signedness_to_force=Maybe(FLAG),
        narrow_range=FLAG,
        half_range=FLAG,
        scale_shape=Many(Whole(1, 2**20), most=6, fewest=1),
        logarithm_scale=FLAG,
        is_quantized_on_export=FLAG,
    )
)
_COMMAND = Record(
    dict(
        hook_names_in_model=Many(
            Text(500, r'(pre_hooks|post_hooks)\.[^.\s]+__\d{1,3}\.\d{1,3}'), most=10_000, fewest=1
        ),
        module_path=OneOf((LAYERS,)),
        module_cls_name=OneOf(tuple(MODES)),
        module_config=_QUANTIZER,
    )
)
_CONFIG = Record(dict(compression_state=Many(_COMMAND, most=10_000)))


def read_quantizer_config(text: str, where: str) -> dict[str, Any]:
    """Read the config of NNCF's quantizers.

    Args:
        text: JSON text.
        where: Beginning of the error.

    Raises:
        ValueError: It asks for anything but fake quantizers of 2 to 8 bits with ranges of limited size.
    """
    config = read_json(text, _CONFIG, where)
    count = 0
    for index, command in enumerate(config['compression_state']):
        place, settings = f'{where}: compression_state[{index}]', command['module_config']
        expected = MODES[command['module_cls_name']]
        if settings['mode'] != expected:
            raise WrongValueError(f'{place}.module_config.mode: got {settings["mode"]!r}, expected {expected!r}')
        count += math.prod(settings['scale_shape'])
        if count > MAX_SCALES:
            raise WrongValueError(f'{place}.module_config.scale_shape: more than {MAX_SCALES} numbers; expected fewer')
    return config
