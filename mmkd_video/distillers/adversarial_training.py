"""One training step on attacked clips."""

import dataclasses
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from mmkd_video.core.checked import OneOf, Settings, Text, checked
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.core.restoring import eval_mode
from mmkd_video.distillers.aim import against_labels, against_scores, scores_taught
from mmkd_video.distillers.attacked_view import attacked_view
from mmkd_video.distillers.binding import bind, taps_read
from mmkd_video.distillers.distiller import Distiller
from mmkd_video.distillers.student_pass import StudentPass
from mmkd_video.distillers.two_passes import ATTACKED, CLEAN, TwoPassTaps
from mmkd_video.distillers.unlabelled import stack_labels
from mmkd_video.recognizers.families import scores_each_class
from mmkd_video.recognizers.input_form import FRAMES, input_form
from mmkd_video.recognizers.recomputing import recomputing
from mmkd_video.robustness import PixelScale, build_attack
from mmkd_video.taps import Place, TapSet
from mmkd_video.teachers import Probe, Teacher, TeachingStep
from mmkd_video.terms import TermSpec

TASKS = ('attacked', 'clean')


@MODELS.register_module()
@checked(
    further=Distiller,
    attack=Settings("an attack, dict(type='PGD', epsilon=8.0)", needs=('type',)),
    aim=Text("'labels', 'student', or the name of a teacher"),
    task_on=OneOf(*TASKS),
)
class AdversarialTraining(Distiller):
    """A recognizer that is trained on attacked clips, alone or with teachers.

    A step asks the teachers about their clean clips, attacks the student's clips, and then runs the student on what
    came out. Terms read the student on attacked clips and the teacher on clean ones. A student's tap ``'clean.<tap>'``
    is read in a second pass of the student, on the clean clips; a teacher's tap ``'attacked.<tap>'`` in a second pass
    of the teacher. Everything else is as in a :class:`Distiller`; the student may also have no teacher and no terms.

    The attack sees the student in eval mode, in float32 and without a change: no statistic of a batch norm moves and
    no parameter gets a gradient. The passes that are trained on then use the statistics of their own batch, as usual;
    with a clean pass the running averages take in both, first the attacked clips, then the clean ones.

    Sources: Madry et al. (https://arxiv.org/abs/1706.06083) for the student alone; ARD
    (https://arxiv.org/abs/1905.09747) and RSLAD (https://arxiv.org/abs/2108.07969) are settings of it, see
    ``configs/robust``.

    Args:
        attack: The attack, ``dict(type='PGD', epsilon=8.0, steps=10)``, with its budget in pixels of 0 to 255.
        aim: Quantity that the attack makes large. ``'labels'``: the cross entropy with the labels, and with the
            student's own decision where a clip has none; ``'student'``: the divergence from the student's own scores of
            the clean clip; the name of a teacher: that from the teacher's.
        task_on: Pass that the student's own losses are of: ``'attacked'`` or ``'clean'``.
        **distiller: Arguments of :class:`Distiller`.

    Raises:
        KeyError: An unknown attack, argument, tap or teacher.
        ValueError: Settings that do not go together.
    """

    _tap_set = TwoPassTaps
    _teaches = False

    def __init__(self, attack: Mapping, aim: str = 'labels', task_on: str = 'attacked', **distiller) -> None:
        self._attacked_taps: dict[str, list[str]] = {}
        if distiller.get('masking') is not None:
            raise WrongValueError(
                f'masking: got {distiller["masking"]!r}, but an attack changes all of a clip; expected no masking here'
            )
        super().__init__(**distiller)
        self.attack, self.aim, self.task_on = build_attack(attack), aim, task_on
        self._reads_clean = any(name.startswith(CLEAN) for name in self._student_taps.names)
        self._scores_taps = TapSet(self.student, ['logits'], 'student')
        self._check_settings()

    def _bind(self, teacher: Teacher, specs: list[TermSpec], probe: Probe) -> dict[str, Tensor]:
        read = taps_read(specs, teacher.name)
        attacked = [tap for tap in dict.fromkeys(read) if tap.startswith(ATTACKED)]
        if attacked and (teacher.view is None or teacher.student_taps):
            raise WrongValueError(
                f'{teacher.name}: a term reads {attacked[0]!r}, but {type(teacher).__name__} cannot be asked about '
                'attacked clips; expected a teacher that sees clips and computes its answers, such as FrozenTeacher'
            )
        self._attacked_taps[teacher.name] = attacked
        found = bind(teacher, [tap.removeprefix(ATTACKED) for tap in read], probe)
        return found | {tap: found[tap.removeprefix(ATTACKED)] for tap in attacked}

    def _check_settings(self) -> None:
        form = input_form(self.student)
        if form.kind not in FRAMES:
            raise WrongValueError(f'AdversarialTraining: got a student that sees {form}; expected frames or clips')
        if scores_each_class(self.student.cls_head):
            raise WrongValueError(
                f'AdversarialTraining: got a student with a {type(self.student.cls_head).__name__} that scores each '
                'class by itself; attacks know one label a clip, expected a head without multi_class'
            )
        if self.aim not in ('labels', 'student', *self.teachers):
            raise WrongKeyError(
                f"aim: got {self.aim!r}; expected 'labels', 'student' or the name of a teacher: {list(self.teachers)}"
            )
        if self.aim in self.teachers and self.teachers[self.aim].student_taps:
            raise WrongValueError(
                f'aim: got {self.aim!r}, which answers after the student; expected a teacher that answers before it, '
                "or aim='labels'"
            )
        if self.aim == 'student' and not self.attack.random_start:
            self._refuse_still_start()
        terms = self.training_state.terms.values()
        taps = {term.name: [pair.taps[0] for pair in term.pairs] for term in terms}
        on_attacked = [name for name, read in taps.items() if not all(tap.startswith(CLEAN) for tap in read)]
        if not on_attacked and (self.task_on == 'clean' or self.task_weight.fixed == 0):
            raise WrongValueError(
                f'task_on: got {self.task_on!r} with task_weight={self.task_weight.fixed}, and no term reads the '
                "student on attacked clips, so nothing would be trained on them; expected task_on='attacked' with a "
                "task_weight, or a term at a tap without 'clean.'"
            )
        if self.task_weight.fixed != 0:
            self._expect_a_balance(taps)

    def _refuse_still_start(self) -> None:
        raise WrongValueError(
            f"attack: got {type(self.attack).__name__} without a random start and aim='student'; at the clean clip the "
            "student's divergence from itself has no gradient; expected dict(type='PGD', random_start=True), or "
            "aim='labels'"
        )

    def _expect_a_balance(self, taps: Mapping[str, list[str]]) -> None:
        """Refuse to balance a term against a task that runs in another pass, where gradients cannot be compared."""
        for name, term in self.training_state.terms.items():
            clean = [tap.startswith(CLEAN) for tap in taps[name]]
            elsewhere = not any(clean) if self.task_on == 'clean' else all(clean)
            if elsewhere and getattr(term.weighting, 'share', 0):
                other = 'attacked' if self.task_on == 'clean' else 'clean'
                raise WrongValueError(
                    f'term {name!r}.weight: it reads the student on {other} clips and the task is on '
                    f'{self.task_on} ones, so it cannot be balanced against it; give it a number, weight=1.0'
                )

    def _run_student(
        self, given: StudentPass, steps: Mapping[str, TeachingStep], taught: dict, places: dict[str, Place]
    ) -> tuple[dict, dict]:
        attacked = self._attacked(given.inputs, given.samples, taught)
        for name, taps in self._attacked_taps.items():
            if taps:
                again = self.teachers[name].teach(self._attacked_step(steps[name], given.inputs, attacked))
                taught[name] = taught[name] | {tap: again[tap.removeprefix(ATTACKED)] for tap in taps}
        run = super()._run_student
        losses, found = run(dataclasses.replace(given, inputs=attacked), steps, taught, places)
        if not self._reads_clean and self.task_on == 'attacked':
            return losses, found
        own: dict[str, Place] = {}
        clean_losses, clean = run(given, steps, taught, own)
        places.update({name: place for name, place in own.items() if name.startswith(CLEAN)})
        found = found | {name: feature for name, feature in clean.items() if name.startswith(CLEAN)}
        passes = dict(attacked=losses, clean=clean_losses)
        (other,) = set(passes) - {self.task_on}
        logged = {f'{other}_{key}': value for key, value in passes[other].items() if 'loss' not in key}
        return passes[self.task_on] | logged, found

    def _attacked(self, clips: Tensor, samples: list, taught: Mapping[str, Mapping]) -> Tensor:
        """Return the student's clips after the attack, which leaves the student as it was."""
        labels = stack_labels(samples, clips.device)
        scale = PixelScale.of(self.student.data_preprocessor)
        with eval_mode(self.student), recomputing(self.student), torch.autocast(clips.device.type, enabled=False):
            clips = clips.float()
            criterion = self._criterion(clips, labels, taught)
            hard = labels if labels is not None and labels.ndim == 1 else None
            return self.attack(self._scores, criterion, clips, scale, hard).detach()

    def _criterion(self, clips: Tensor, labels: Tensor | None, taught: Mapping) -> Callable[[Tensor], Tensor]:
        @torch.no_grad()
        def clean() -> Tensor:
            return self._scores(clips)

        if self.aim == 'labels':
            return against_labels(labels, clean)
        scores = clean() if self.aim == 'student' else scores_taught(taught, self.aim)
        if scores is None:
            raise WrongValueError(
                f'aim: got {self.aim!r}, which gives no class scores; expected a teacher with a classifier, or '
                "aim='labels'"
            )
        return against_scores(scores)

    def _scores(self, clips: Tensor) -> Tensor:
        with self._scores_taps.watch():
            self.student.extract_feat(clips, stage='head')
        return self._scores_taps.read(clips)['logits']

    def _attacked_step(self, step: TeachingStep, clean: Tensor, attacked: Tensor) -> TeachingStep:
        prepared = self.data_preprocessor
        views = {
            name: attacked_view(name, view, clean, attacked, prepared.student, prepared.teachers[name])
            for name, view in step.views.items()
        }
        return dataclasses.replace(step, view=views.get(_name_of(step)), views=views, clips=attacked)


def _name_of(step: TeachingStep) -> str | None:
    """Return which of a teacher's views is that of the teacher itself; None for an ensemble, whose parts see."""
    return next((name for name, view in step.views.items() if view is step.view), None)
