"""One optimizer for the student, as its own config asks, and one further group for the training state."""

from collections.abc import Iterable, Mapping, Sequence

from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from torch import nn
from torch.optim import Optimizer

from mmkd_video.core.mistakes import WrongValueError

DEFAULT = 'DefaultOptimWrapperConstructor'
MARK, TRAINING_STATE = 'holds', 'training_state'  # key and value in the training state's group, also in checkpoints


def build_distill_optimizer(
    student: nn.Module, training_state: nn.Module, config: Mapping, lr_mult: float, decay: float | None
) -> OptimWrapper:
    """Apply the student's own optimizer constructor to the student alone; append the training state as a group.

    Parameters of teachers that learn train as a model of their own would: at the base learning rate and decay, and with
    the config's ``paramwise_cfg``. They have groups of their own; those of connectors and losses form the last one.
    There is such a group even while it is empty: pruning can make a connector necessary later.

    Args:
        student: The plain recognizer.
        training_state: Connectors, learned losses, and teachers that learn.
        config: The config's ``optim_wrapper``.
        lr_mult: Factor on the base learning rate for the training state.
        decay: Weight decay of the training state; None for the optimizer's own.

    Raises:
        ValueError: A trainable parameter is in no group, or in two; there are several optimizers; or FSDP has split the
            student.
    """
    _expect_whole(student)
    wrapper = build_optim_wrapper(student, config)
    _expect_one(wrapper)
    for teacher in getattr(training_state, 'teachers', {}).values():
        for group in _recipe_groups(teacher, config):
            wrapper.optimizer.add_param_group(group)
    held = {id(parameter) for group in wrapper.optimizer.param_groups for parameter in group['params']}
    group: dict = {
        'params': [p for p in training_state.parameters() if p.requires_grad and id(p) not in held],
        'lr': wrapper.optimizer.defaults['lr'] * lr_mult,
        MARK: TRAINING_STATE,
    }
    if decay is not None:
        group['weight_decay'] = decay
    wrapper.optimizer.add_param_group(group)
    wrapper.optimizer.register_load_state_dict_pre_hook(_mark_saved_group)
    check_groups(wrapper, {'student': student, 'training_state': training_state})
    return wrapper


def check_groups(wrapper: OptimWrapper, modules: Mapping[str, nn.Module]) -> None:
    """Check that every trainable parameter is in exactly one group.

    Raises:
        ValueError: Names the first parameters that are not, or the optimizers where there are several.
    """
    _expect_one(wrapper)
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
        raise WrongValueError(
            f'optim_wrapper: {len(lost)} trainable parameters are in no group {lost[:3]} and {len(twice)} in more than '
            f'one {twice[:3]}; its constructor does not know these layers: choose another constructor'
        )


def _recipe_groups(teacher: nn.Module, config: Mapping) -> list[dict]:
    """Return the parameter groups of a teacher that learns, as MMEngine's default constructor makes them.

    Another constructor is made for the student's family, and may not know the layers of a peer.
    """
    if not any(parameter.requires_grad for parameter in teacher.parameters()):
        return []
    usual = {key: value for key, value in config.items() if key not in ('constructor', 'paramwise_cfg')}
    if config.get('constructor', DEFAULT) == DEFAULT and config.get('paramwise_cfg'):
        usual['paramwise_cfg'] = config['paramwise_cfg']
    groups = build_optim_wrapper(teacher, usual).optimizer.param_groups
    return [{**group, 'params': [p for p in group['params'] if p.requires_grad]} for group in groups]


def _expect_whole(student: nn.Module) -> None:
    """Refuse FSDP: taps read features of whole modules, and checkpoints are the plain student's."""
    if any(getattr(module, '_is_fsdp_managed_module', False) for module in student.modules()):
        raise WrongValueError(
            "strategy: got FSDP, which splits the student's parameters over the ranks; expected "
            "dict(type='DDPStrategy')"
            ' (only the student and connectors are synchronised, the teacher never is), or no strategy'
        )


def _expect_one(wrapper: OptimWrapper) -> None:
    """Refuse several optimizers: MMEngine leaves stepping them to a ``train_step`` of the model's own."""
    if isinstance(wrapper, OptimWrapperDict):
        raise WrongValueError(
            f'optim_wrapper: got {len(wrapper)} optimizers ({", ".join(wrapper.keys())}); expected one, which a '
            'Distiller steps as MMEngine does; rates and decays of parts go into paramwise_cfg.custom_keys'
        )


def regroup(wrapper: OptimWrapper, student: nn.Module, training_state: nn.Module) -> None:
    """Make an optimizer hold exactly the trainable parameters of a new training state.

    Args:
        wrapper: The optimizer; the training state's group takes what is new.
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
    optimizer.param_groups[find_group(optimizer.param_groups)]['params'] += new


def find_group(groups: Sequence[Mapping]) -> int:
    """Return the index of the training state's group.

    Args:
        groups: The parameter groups of an optimizer that :func:`build_distill_optimizer` made.

    Raises:
        ValueError: None of them has its mark.
    """
    for index, group in enumerate(groups):
        if group.get(MARK) == TRAINING_STATE:
            return index
    raise WrongValueError(
        f'optim_wrapper: none of its {len(groups)} groups is that of the training state; build it with '
        'Distiller.build_optim_wrapper'
    )


def complete_schedules(wrapper: OptimWrapper, schedulers: Iterable) -> None:
    """Add a start value for the training state's group to schedulers of a checkpoint without that group.

    Args:
        wrapper: The optimizer.
        schedulers: MMEngine's parameter schedulers; each has one start value a group.
    """
    groups = wrapper.param_groups  # as schedulers see them: MMEngine adds one, of the base learning rate, at the end
    place = find_group(groups)
    for scheduler in schedulers:
        values = list(scheduler.base_values)
        if len(values) == len(groups) - 1:
            own = groups[place].get(f'initial_{scheduler.param_name}', values[0])
            scheduler.base_values = [*values[:place], own, *values[place:]]


def _mark_saved_group(optimizer: Optimizer, saved: dict) -> dict:
    """Add the mark of the training state's group to a saved state that was written before groups were marked.

    Where the training state had no parameters, it had no group either, and a connector that pruning made necessary
    joined the end of the group before.
    """
    current, groups = optimizer.param_groups, list(saved['param_groups'])
    if any(group.get(MARK) == TRAINING_STATE for group in groups) or len(current) - len(groups) not in (0, 1):
        return saved
    place = find_group(current)
    if len(groups) == len(current):
        groups[place] = {**groups[place], MARK: TRAINING_STATE}
        return {**saved, 'param_groups': groups}
    before, count = groups[place - 1], len(current[place - 1]['params'])
    own = {key: value for key, value in current[place].items() if key != 'params'}
    if 'initial_lr' in own and before.get('initial_lr'):  # as far along its schedule as the others
        own['lr'] = own['initial_lr'] * before['lr'] / before['initial_lr']
    groups[place - 1] = {**before, 'params': before['params'][:count]}
    groups.insert(place, {**own, 'params': before['params'][count:]})
    return {**saved, 'param_groups': groups}
