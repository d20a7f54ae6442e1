"""The hook that a distiller needs between steps."""

from mmengine.dist import broadcast
from mmengine.hooks import Hook
from mmengine.logging import print_log

from mmkd_video.core.checked import checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import HOOKS
from mmkd_video.hooks.epochs_done import epochs_done
from mmkd_video.hooks.model_contract import CompilesItsParts, Distills, FollowsSteps, ability_of
from mmkd_video.hooks.model_wrapper import take_back_compilation
from mmkd_video.hooks.teacher_checkpoints import save_teachers
from mmkd_video.recognizers.compiling import compile_options

KEY = 'training_state'


@HOOKS.register_module()
@checked()
class DistillHook(Hook):
    """Move the schedules, keep the training state in checkpoints, and check that the optimizer holds everything once.

    The training state lives under the checkpoint's own top-level key ``training_state``, as plain tensors; the
    ``state_dict`` beside it is the student's.
    """

    def before_run(self, runner) -> None:
        """Check how the config wants its model compiled, before MMEngine hands that on to ``torch.compile``.

        Raises:
            KeyError: ``compile`` holds an argument that ``torch.compile`` does not have.
            ValueError: ``compile`` is no dict and no flag, or an argument is of a wrong kind.
        """
        compile_options('compile', runner.cfg.get('compile') or False)

    def before_train(self, runner) -> None:
        """Check the optimizer, give every rank the training state of rank 0, and compile what is to be compiled."""
        model = ability_of(runner.model, Distills)
        if model is None:
            return
        model.check_optimizer(runner.optim_wrapper)
        schedulers = getattr(runner, 'param_schedulers', None)
        if isinstance(schedulers, list):
            model.complete_schedules(runner.optim_wrapper, schedulers)
        for tensor in model.training_state_dict().values():
            broadcast(tensor)
        _compile(runner)

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Move the schedules to the progress of the training."""
        model = ability_of(runner.model, Distills)
        if model is not None:
            model.set_progress(runner.iter, epochs_done(runner), len(runner.train_dataloader), runner.max_iters)

    def after_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None, outputs=None) -> None:
        """Call the model's ``after_step``, and so that of its teachers."""
        model = ability_of(runner.model, FollowsSteps)
        if model is not None:
            model.after_step()

    def after_train(self, runner) -> None:
        """Write the recognizers that teachers have trained, as checkpoints of their own."""
        save_teachers(runner)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Add the training state to a checkpoint."""
        model = ability_of(runner.model, Distills)
        if model is not None:
            checkpoint[KEY] = {name: tensor.detach().cpu() for name, tensor in model.training_state_dict().items()}

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Restore the training state when a training is resumed; fine-tuning from weights starts without one.

        Raises:
            ValueError: The checkpoint to resume from has no training state, or one of other terms.
        """
        model = ability_of(runner.model, Distills)
        if model is None or not runner._resume:
            return
        if KEY in checkpoint:
            model.load_training_state_dict(checkpoint[KEY])
        elif model.training_state_dict():
            raise WrongValueError(
                f"the checkpoint to resume from holds no '{KEY}': it was not written by a distillation with "
                'DistillHook; use load_from to start a new distillation from its weights'
            )
        else:
            print_log('resumed without a training state: no term has any', logger='current')


def _compile(runner) -> None:
    """Compile parts of the model where the config says ``compile``: not the whole step, as MMEngine does."""
    options = compile_options('compile', runner.cfg.get('compile') or False)
    model = ability_of(runner.model, CompilesItsParts)
    if options is None or model is None:
        return
    take_back_compilation(runner)
    names = model.compile_parts(options)
    print_log(f'compile: of the student, {", ".join(names) or "nothing, as taps lie everywhere"}', logger='current')
