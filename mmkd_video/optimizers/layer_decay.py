"""Discriminative learning rates: the lower a layer, the slower it learns."""

from collections.abc import Mapping

from mmengine.logging import print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from torch import nn

from mmkd_video.core.checked import ListOf, Number, Optional, Text, table_of
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmkd_video.recognizers.layer_order import depths, usual_layers

OWN = table_of(
    'optim_wrapper.paramwise_cfg',
    dict(
        layer_decay=Number(0, 1, above=True),
        layers=Optional(ListOf(Text('the path of a module, or a pattern'), least=1), "the backbone's own"),
        constructor=Optional(Text('the name of another constructor'), "MMEngine's default one"),
    ),
    required=['layer_decay'],
    more=True,
)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayConstructor:
    """Multiply the learning rate of each layer by ``layer_decay`` to the power of its depth below the head.

    It works with every recognizer, on top of the constructor that the recognizer has anyway: that one makes the groups
    (``TSMOptimWrapperConstructor``, ``custom_keys``, decays of norms and biases), which are then split by layer. Neck
    and head keep their rates. MMAction2's ``LearningRateDecayOptimizerConstructor`` does the same for plain vision
    Transformers only.

    Sources: Howard and Ruder, 2018, https://arxiv.org/abs/1801.06146 (a factor of 1 / 2.6); Clark et al., 2020,
    https://arxiv.org/abs/2003.10555 (0.8 to 0.9 for Transformers).

    Args:
        optim_wrapper_cfg: The config's ``optim_wrapper`` without ``constructor`` and ``paramwise_cfg``.
        paramwise_cfg: ``layer_decay``, above 0 and at most 1; ``layers``, names or patterns of the backbone's layers
            from the input to the end, by default its own; ``constructor``, the name of the constructor below; all other
            keys go to that one.

    Raises:
        ValueError: ``layer_decay`` is missing or out of range, or a key is of a wrong kind.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: Mapping | None = None) -> None:
        given = dict(paramwise_cfg or {})
        OWN.check('optim_wrapper.paramwise_cfg', given)
        self.layer_decay = given.pop('layer_decay')
        self.layers = given.pop('layers', None)
        self.config = dict(optim_wrapper_cfg, constructor=given.pop('constructor', None), paramwise_cfg=given or None)
        self.config = {key: value for key, value in self.config.items() if value is not None}

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer of a recognizer.

        Args:
            model: Recognizer, as it is or in DDP's wrapper.

        Raises:
            KeyError: There is no such layer.
            ValueError: The constructor below builds several optimizers, or the model has no backbone.
        """
        wrapper = build_optim_wrapper(model, dict(self.config))
        model = getattr(model, 'module', model)
        if isinstance(wrapper, OptimWrapperDict):
            raise WrongValueError('LayerDecayConstructor: got several optimizers; expected a constructor of one')
        if self.layers is None and not hasattr(model, 'backbone'):
            raise WrongValueError(
                f'LayerDecayConstructor: {type(model).__name__} has no backbone; expected '
                'paramwise_cfg.layers=[...], from the input to the end'
            )
        layers = self.layers or usual_layers(model)
        below = depths(model, layers, 'optim_wrapper.paramwise_cfg.layers')
        by_parameter = {id(parameter): below[name] for name, parameter in model.named_parameters()}
        groups, wrapper.optimizer.param_groups = wrapper.optimizer.param_groups, []
        for group in groups:
            at: dict[int, list] = {}
            for parameter in group['params']:
                at.setdefault(by_parameter[id(parameter)], []).append(parameter)
            for depth, parameters in sorted(at.items(), reverse=True) or [(0, [])]:
                rate = group['lr'] * self.layer_decay**depth
                wrapper.optimizer.add_param_group({**group, 'params': parameters, 'lr': rate})
        lowest = self.layer_decay ** len(layers)
        print_log(
            f'Learning rates: {lowest:.3g} of that of the head in {layers[0]}, by {self.layer_decay:g} a layer through '
            f'{len(layers)} layers to {layers[-1]}',
            logger='current',
        )
        return wrapper
