"""One training step with a teacher."""

import copy
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import torch
from mmengine.logging import MessageHub, print_log
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmkd_video.core.checked import Number, Optional, Scheduled, Settings, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS, build_model
from mmkd_video.core.restoring import in_eval, random_state_restored
from mmkd_video.distillers.binding import bind, build_state, student_taps, taps_read, views_of
from mmkd_video.distillers.first_batches import FirstBatches, softening_temperatures
from mmkd_video.distillers.first_step import TapCheck, check_first_step, refuse_without_hook, runner_trains
from mmkd_video.distillers.learning_teachers import losses_of_teachers
from mmkd_video.distillers.lengths import expect_begins_within
from mmkd_video.distillers.masked_student import build_dropper
from mmkd_video.distillers.objective import Objective, nothing_read
from mmkd_video.distillers.optimizer import build_distill_optimizer, check_groups, complete_schedules, regroup
from mmkd_video.distillers.own_statistics import warn_of_foreign_statistics
from mmkd_video.distillers.refit import TensorCuts, transplant
from mmkd_video.distillers.reuse import reuse_classifier
from mmkd_video.distillers.several_labels import expect_same_labels
from mmkd_video.distillers.student_pass import StudentPass
from mmkd_video.distillers.summary import term_table
from mmkd_video.distillers.training_state import install_key_mapping
from mmkd_video.distillers.unlabelled import labelled_rows, stack_domains, stack_indices, stack_labels
from mmkd_video.recognizers.compiling import compile_parts
from mmkd_video.recognizers.config import expect_recognizer
from mmkd_video.recognizers.input_form import Inputs, input_form, noise_clip, one_of, positive, shallow, to_device
from mmkd_video.recognizers.labelled_only import labelled_only
from mmkd_video.recognizers.recomputing import recomputing
from mmkd_video.recognizers.size import SIZES, check_sides, explaining_size_errors, find_size
from mmkd_video.schedules import Progress, Scalar
from mmkd_video.taps import Place, TapSet
from mmkd_video.teachers import TEACHERS, Probe, Teacher, TeachingStep, build_teachers
from mmkd_video.terms import TERMS, TermSpec, expect_shares, fill_weights, parse_terms
from mmkd_video.views import DistillDataPreprocessor


@MODELS.register_module()
@checked(
    student=Settings('the model of the student, such as _base_.model', needs=('type',)),
    teacher=TEACHERS,
    terms=TERMS,
    task_weight=Scheduled(Number(0)),
    input_size=Optional(SIZES, 'inferred'),
    connector_lr_mult=Number(0),
    connector_decay=Optional(Number(0), "the optimizer's own"),
    masking=Optional(Settings("dict(type='TubeMask', ratio=0.8)", needs=('type',)), 'all tokens'),
)
class Distiller(BaseModel):
    """A recognizer that learns from another one beside its labels.

    Its ``state_dict`` has exactly the keys of the plain student; validation and test see the student alone.

    Args:
        student: Config of the student, untouched.
        teacher: ``dict(config=, checkpoint=, ...)`` of one teacher, or a dict of these by name.
        terms: List of comparisons, each ``dict(type=<loss>, at=<tap>, weight=, ...)``; see ``mmkd_video.terms``.
        task_weight: Number or schedule that multiplies all of the student's own losses.
        input_size: ``(frames, height, width)``, or a dict of these by side, on which shapes are found. Inferred.
        connector_lr_mult: Factor on the base learning rate for connectors and learned losses.
        connector_decay: Their weight decay; None for the optimizer's own.
        data_preprocessor: Preprocessor beside the model in a config; the student's if that has none.
        masking: Mask of the tokens that the student, a transformer, sees in training; see ``mmkd_video.masking``.

    Raises:
        KeyError: An unknown loss, argument, tap or teacher; the message names the nearest.
        ValueError: Anything else in the config that cannot work; the message says what to do.
        FileNotFoundError: The teacher's config or checkpoint does not exist.
    """

    _tap_set = TapSet
    _teaches = True

    def __init__(
        self,
        student: Mapping,
        teacher: Mapping | None = None,
        terms: Sequence[Mapping] = (),
        task_weight: float | Mapping = 1.0,
        input_size: Sequence[int] | Mapping | None = None,
        connector_lr_mult: float = 1.0,
        connector_decay: float | None = None,
        data_preprocessor: Mapping | None = None,
        masking: Mapping | None = None,
    ) -> None:
        super().__init__()
        student_config = copy.deepcopy(dict(student))
        if data_preprocessor is not None:
            student_config.setdefault('data_preprocessor', data_preprocessor)
        self.task_weight = Scalar(task_weight, 'task_weight', Number(0))
        self.connector_lr_mult, self.connector_decay = connector_lr_mult, connector_decay
        expect_recognizer(student_config, 'student')
        self.student = build_model(copy.deepcopy(student_config))
        with random_state_restored():  # the student starts and trains as it would alone
            self.teachers = build_teachers(teacher)
            reuse_classifier(self.student, self.teachers)
            alone = [name for name, teacher in self.teachers.items() if not teacher.needs_term]
            specs = parse_terms(terms, list(self.teachers), alone) if self._teaches or terms or teacher else []
            parts = {name: part for teacher in self.teachers.values() for name, part in teacher.parts.items()}
            check_sides(input_size, ['student', *parts])
            fill_weights(specs, self.task_weight)
            self._tokens = build_dropper(masking, self.student, self.teachers)
            self._build_terms(specs, student_config, input_size)
            expect_shares(self.training_state.terms.values(), self.task_weight)
            expect_same_labels(self.student, self.teachers, self.training_state.terms.values(), specs)
            warn_of_foreign_statistics(self.training_state.terms.values(), self.teachers)
        seeing = {name: part for name, part in parts.items() if part.view is not None}
        self.data_preprocessor = DistillDataPreprocessor(
            self.student.data_preprocessor,
            {name: teacher.data_preprocessor for name, teacher in seeing.items()},
            {name: teacher.view for name, teacher in seeing.items()},
            dict({name: t.input_form for name, t in seeing.items()}, student=input_form(self.student)),
        )
        self.first_batches = {
            name: FirstBatches(
                name, None if t.learns else t.num_classes, softening_temperatures(self.training_state.terms, name)
            )
            for name, t in (parts | self.teachers).items()
        }
        self._objective = Objective(self.task_weight)
        self._progress: Progress | None = None
        self._awaits_training = False  # whether an optimizer was asked for and no training was under way
        self._hub_iter: int | None = None
        self._first_step, self._check_taps = True, TapCheck(self._student_taps.names)
        install_key_mapping(self)

    def __getattr__(self, name: str) -> object:
        """Fall back to the student, so that configs which name its modules (``backbone.layer1``) go on working."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == 'student':
                raise
            return getattr(self.student, name)

    def forward(
        self,
        inputs: Tensor,
        data_samples: list | None = None,
        mode: str = 'tensor',
        views: Mapping[str, Tensor] | None = None,
        **kwargs,
    ) -> dict | list | Tensor:
        """Run one step; all modes but ``'loss'`` are the student's own.

        Args:
            inputs: The student's preprocessed clips, ``(N, T, C, H, W)`` (2D) or ``(N, M, C, T, H, W)`` (3D).
            data_samples: Labels and meta data.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.
            views: The view of each teacher, by name; the data preprocessor adds it in training.
            **kwargs: Further keywords for the student.
        """
        if mode != 'loss':
            return self.student(inputs, data_samples, mode=mode, **kwargs)
        return self.loss(inputs, data_samples, views)

    def loss(self, inputs: Tensor, data_samples: list, views: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Return the student's own losses and those of the terms.

        Args:
            inputs: The student's clips.
            data_samples: The samples, with labels.
            views: The view of each teacher, by name.

        Returns:
            The student's losses times ``task_weight`` and what balanced terms leave of it; for each term
            ``loss_<name>`` (weighted), ``<name>_raw``, and, once measured, ``<name>_grad`` and ``<name>_task_grad``.

        Raises:
            ValueError: The teacher's view is missing, or the first batch shows a mistake in the config.
        """
        self._require_hook()
        device, rows = one_of(inputs).device, labelled_rows(data_samples)
        labels, indices = stack_labels(data_samples, device), stack_indices(data_samples, device)
        steps = {}
        for name in self.teachers:
            own = views_of(self.teachers[name], views or {})
            steps[name] = TeachingStep(own.get(name), inputs, data_samples, labels, indices, None, rows, views=own)
        # before the student's activations fill the memory
        taught = {name: self._ask(name, step) for name, step in steps.items() if not self.teachers[name].student_taps}
        seen = self._tokens.draw(inputs, taught)
        places: dict[str, Place] = {}
        losses, student = self._run_student(StudentPass(inputs, data_samples, rows, seen), steps, taught, places)
        if torch.is_grad_enabled():
            if self._first_step:
                self._first_step = False
                check_first_step(self.training_state.terms, losses)
            self._check_taps(student, self.training_state.terms.values())
        steps = {name: dataclasses.replace(step, student=student) for name, step in steps.items()}
        taught |= {name: self._ask(name, step) for name, step in steps.items() if name not in taught}
        context = dict(labels=labels, indices=indices, domains=stack_domains(data_samples), labelled=rows, seen=seen)
        context['mask'] = seen and seen.mask()
        raws = {}
        for name, term in self.training_state.terms.items():
            context['teacher_head'] = self.teachers[term.teacher].classify
            raws[name] = term(student, taught[term.teacher], context)
        iteration = 0 if self._progress is None else self._progress.iter
        found = self._objective(losses, raws, self.training_state.terms, places, self.student, iteration)
        return found | losses_of_teachers(self.teachers, steps, taught)

    def after_step(self) -> None:
        """Call the teachers' ``after_step``; called after every iteration."""
        for teacher in self.teachers.values():
            teacher.after_step(self.student)

    def init_weights(self) -> None:
        """Initialise the student as without a teacher; a classifier that it reuses stays the teacher's."""
        self.student.init_weights()
        reuse_classifier(self.student, self.teachers)

    def build_optim_wrapper(self, config: Mapping) -> OptimWrapper:
        """Build the optimizer that MMEngine's runner asks for.

        Args:
            config: The config's ``optim_wrapper``: the student's own, with its own constructor.

        Raises:
            ValueError: A trainable parameter would be in no group, or in two.
        """
        self._awaits_training = not runner_trains(MessageHub.get_current_instance())
        return build_distill_optimizer(
            self.student, self.training_state, config, self.connector_lr_mult, self.connector_decay
        )

    def check_optimizer(self, wrapper: OptimWrapper) -> None:
        """Check that every trainable parameter is in exactly one group of an optimizer.

        Raises:
            ValueError: Names the first parameters that are not.
        """
        check_groups(wrapper, {'student': self.student, 'training_state': self.training_state})

    def complete_schedules(self, wrapper: OptimWrapper, schedulers: Iterable) -> None:
        """Make the schedulers of an older checkpoint move the training state's group too; others stay as they are."""
        complete_schedules(wrapper, schedulers)

    def set_progress(self, iter: int, epoch: int, iters_per_epoch: int, max_iters: int) -> None:
        """Move all schedules; DistillHook calls this before every step, and is known by it.

        Args:
            iter: Iterations done, from 0.
            epoch: Epochs done, from 0.
            iters_per_epoch: Iterations in an epoch.
            max_iters: Iterations in the whole training.

        Raises:
            ValueError: A term or a schedule begins after the end of the training.
        """
        first, self._progress = self._progress is None, Progress(iter, epoch, iters_per_epoch, max_iters)
        if first:
            expect_begins_within(self.task_weight, self.training_state.terms.values(), self._progress)
        self.task_weight.move(self._progress)
        for term in self.training_state.terms.values():
            term.move(self._progress)

    def training_state_dict(self) -> dict[str, Tensor]:
        """Return what a resumed training needs beside the student: connectors, learned losses, their buffers."""
        return self.training_state.state_dict()

    def load_training_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Load a training state.

        Raises:
            ValueError: It belongs to other terms.
        """
        try:
            self.training_state.load_state_dict(state)
        except RuntimeError as error:
            raise WrongValueError(
                f'the training state of this checkpoint belongs to other terms: {error}; resume with the config it was '
                'trained with, or start anew from its weights with load_from'
            ) from None

    def compile_parts(self, options: Mapping) -> list[str]:
        """Compile the student between its taps, instead of the whole step; teachers have a setting of their own.

        Args:
            options: Arguments of ``torch.compile``.

        Returns:
            Names of the student's modules that are compiled.
        """
        return compile_parts(self.student, options)

    @property
    def prunable(self) -> nn.Module:
        """Return the part that may lose channels in training: the student."""
        return self.student

    def tap_features(self, inputs: Inputs | None = None) -> dict[str, Tensor]:
        """Run the student alone, as it is now, without changing its statistics.

        Args:
            inputs: One batch; by default noise above zero, of the dry run's size.

        Returns:
            Its features by tap, in canonical layout.
        """
        inputs = positive(noise_clip(self.student, self._student_size)) if inputs is None else inputs
        seen = self._tokens.showing(self._tokens.draw_example(inputs))
        size = self._student_size
        with in_eval(self.student), self._student_taps.watch(), seen, explaining_size_errors('student', size):
            self.student.extract_feat(shallow(inputs), stage='head')
        return self._student_taps.read(inputs)

    @property
    def copies(self) -> list[nn.Module]:
        """Return the copies of the prunable part that teachers keep: they lose the same channels."""
        return [copy for teacher in self.teachers.values() for copy in teacher.copies]

    def refit(self, kept: Mapping[str, Tensor]) -> TensorCuts:
        """Fit connectors and learned losses to a student that has lost channels.

        Args:
            kept: ``(C,)`` by student tap: which of the channels before the loss are still there.

        Returns:
            Each parameter whose shape changed, with the dimensions and the indices kept there; None if it is new.
        """
        with random_state_restored():
            device = next(self.student.parameters()).device
            clip = to_device(positive(noise_clip(self.student, self._student_size)), device)
            student = {tap: feature.cpu() for tap, feature in self.tap_features(clip).items()}
            probe = Probe(self.student, student, self._asked, clip, self.teachers)
            for name, teacher in self.teachers.items():
                if teacher.student_taps or teacher.copies or teacher.is_student:
                    self._examples[name] = self._bind(teacher, self._specs, probe)
            seen = self._tokens.draw_example(to_device(clip, 'cpu'))
            fresh = build_state(self._specs, self.teachers, student, self._examples, seen).to(device)
        changed = transplant(self.training_state, fresh, kept, self.teachers)
        self.training_state = fresh
        if self._progress is not None:
            for term in self.training_state.terms.values():
                term.move(self._progress)
        return changed

    def regroup(self, wrapper: OptimWrapper) -> None:
        """Make an optimizer hold the parameters that the model has after :meth:`refit`."""
        regroup(wrapper, self.student, self.training_state)

    def _apply(self, fn: Callable, recurse: bool = True) -> 'Distiller':
        super()._apply(fn, recurse)
        for teacher in self.teachers.values():
            teacher.apply_to(fn)
        return self

    def _build_terms(self, specs: list[TermSpec], student_config: Mapping, asked: object) -> None:
        """Find every shape on noise, then build connectors and losses to fit."""
        self._specs, self._asked, self._examples = specs, asked, {}
        self._student_taps = self._tap_set(self.student, student_taps(specs, self.teachers), 'student')
        self._student_size = find_size(student_config, None, asked, 'student')
        clip = noise_clip(self.student, self._student_size)
        student = self.tap_features(clip)
        probe = Probe(self.student, student, asked, clip, self.teachers)
        for name, teacher in self.teachers.items():
            self._examples[name] = self._bind(teacher, specs, probe)
        seen = self._tokens.draw(clip, self._examples)
        self.training_state = build_state(specs, self.teachers, student, self._examples, seen)
        table = term_table(list(self.training_state.terms.values()), student, self._examples)
        print_log(f'Distillation terms (shapes of one dry run):\n{table}', logger='current')

    def _bind(self, teacher: Teacher, specs: list[TermSpec], probe: Probe) -> dict[str, Tensor]:
        return bind(teacher, taps_read(specs, teacher.name), probe, self._tokens.reads(teacher.name))

    def _run_student(self, given: StudentPass, steps: Mapping, taught: dict, places: dict) -> tuple[dict, dict]:
        """Return the student's own losses and its features; fill in the places of its taps."""
        showing = partial(self._tokens.showing, given.seen)
        with self._student_taps.watch(), labelled_only(self.student, given.rows), recomputing(self.student, showing):
            is_read = bool(self._student_taps.paths) or self.task_weight.fixed != 0
            losses = self.student.loss(shallow(given.inputs), given.samples) if is_read else nothing_read(self.student)
        return losses, self._student_taps.read(given.inputs, places)

    def _ask(self, name: str, step: TeachingStep) -> dict[str, Tensor]:
        found = self.teachers[name].teach(step)
        self.first_batches[name].check(found, step.labels)
        for part in self.teachers[name].parts:
            scores, combined = found.get(f'{part}.logits'), found.get('logits')
            if scores is not None and combined is not None and scores.shape[1] == combined.shape[1]:
                self.first_batches[part].check({'logits': scores}, step.labels)
        return found

    def _require_hook(self) -> None:
        """Refuse to train without DistillHook: schedules would not move and connectors would be lost."""
        if self._progress is not None or not self.training:
            return
        hub = MessageHub.get_current_instance()
        now = hub.runtime_info.get('iter')
        moved = self._hub_iter is not None and now is not None and now != self._hub_iter
        if moved or (self._awaits_training and runner_trains(hub)):
            refuse_without_hook(hub)
        self._hub_iter = now
