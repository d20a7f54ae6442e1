"""One optimizer for the student, as its own config asks, and one further group for the training state."""

from collections.abc import Mapping

from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import nn


def build_distill_optimizer(
    student: nn.Module, training_state: nn.Module, config: Mapping, lr_mult: float, decay: float | None
) -> OptimWrapper:
    """Apply the student's own optimizer constructor to the student alone; append the training state as a group.

    Args:
        student: The plain recognizer.
        training_state: Connectors and learned losses.
        config: The config's ``optim_wrapper``.
        lr_mult: Factor on the base learning rate for the training state.
        decay: Weight decay of the training state; None for the optimizer's own.

    Raises:
        ValueError: A trainable parameter is in no group, or in two.
    """
    wrapper = build_optim_wrapper(student, config)
    parameters = [p for p in training_state.parameters() if p.requires_grad]
    if parameters:
        group: dict = {'params': parameters, 'lr': wrapper.optimizer.defaults['lr'] * lr_mult}
        if decay is not None:
            group['weight_decay'] = decay
        wrapper.optimizer.add_param_group(group)
    check_groups(wrapper, {'student': student, 'training_state': training_state})
    return wrapper


def check_groups(wrapper: OptimWrapper, modules: Mapping[str, nn.Module]) -> None:
    """See that every trainable parameter is in exactly one group.

    Raises:
        ValueError: Names the first parameters that are not.
    """
    counts: dict[int, int] = {}
    for group in wrapper.optimizer.param_groups:
        for parameter in group['params']:
            counts[id(parameter)] = counts.get(id(parameter), 0) + 1
    named = {
        f'{side}.{name}': counts.get(id(parameter), 0)
        for side, module in modules.items()
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    }
    lost = [name for name, count in named.items() if count == 0]
    twice = [name for name, count in named.items() if count > 1]
    if lost or twice:
        raise ValueError(
            f'optim_wrapper: {len(lost)} trainable parameters are in no group {lost[:3]} and {len(twice)} in more than '
            f'one {twice[:3]}; its constructor does not know these layers: choose another constructor'
        )


def regroup(wrapper: OptimWrapper, student: nn.Module, training_state: nn.Module) -> None:
    """Make an optimizer hold exactly the trainable parameters of a training state that was built anew.

    Args:
        wrapper: The optimizer; its last group, that of the training state where there is one, takes what is new.
        student: Its parameters are the same as before.
        training_state: The new one.
    """
    optimizer = wrapper.optimizer
    current = {id(parameter) for module in (student, training_state) for parameter in module.parameters()}
    held = set()
    for group in optimizer.param_groups:
        for parameter in group['params']:
            if id(parameter) not in current:
                optimizer.state.pop(parameter, None)
        group['params'] = [parameter for parameter in group['params'] if id(parameter) in current]
        held |= {id(parameter) for parameter in group['params']}
    new = [p for p in training_state.parameters() if p.requires_grad and id(p) not in held]
    optimizer.param_groups[-1]['params'] += new
