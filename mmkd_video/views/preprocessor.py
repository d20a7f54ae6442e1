"""The data preprocessor of a distillation: inputs for the student and each teacher."""

import copy
from collections.abc import Hashable, Mapping, Sequence

from mmengine.model import BaseDataPreprocessor
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongTypeError, WrongValueError
from mmkd_video.recognizers.input_form import FRAMES, InputForm
from mmkd_video.views.batch_blend import BatchBlend, measure_blend
from mmkd_video.views.label_notes import has_label, note_labels

_LAYOUT_OF_NDIM = {4: 'NCHW', 5: 'NCTHW'}


class DistillDataPreprocessor(BaseDataPreprocessor):
    """Prepare one batch for the student and its teachers, each with its own layout and normalisation.

    The student's and the teachers' preprocessors are referenced, not owned: they stay where their models keep them.

    Args:
        student: The student's ``ActionDataPreprocessor``.
        teachers: The teachers' ``ActionDataPreprocessor`` by name.
        view: A teacher's input where the batch holds no view for it: ``'student'``, the student's clip laid out and
            normalised for the teacher; ``'own'`` makes that an error. One for all, or a dict by teacher.
        forms: Forms in which the student (``'student'``) and the teachers take their input; one that is not given
            is not checked.

    Raises:
        ValueError: If a ``view`` is unknown.
        TypeError: If a teacher's preprocessor cannot prepare a batch.
    """

    def __init__(
        self,
        student: nn.Module,
        teachers: Mapping[str, nn.Module],
        view: str | Mapping[str, str] = 'student',
        forms: Mapping[str, InputForm | None] | None = None,
    ) -> None:
        super().__init__()
        self.view = {name: view for name in teachers} if isinstance(view, str) else dict(view)
        for each in [view] if isinstance(view, str) else view.values():
            if each not in ('student', 'own'):
                raise WrongValueError(
                    f"view={each!r}: expected 'student' (the student's clip) or 'own' (made by DistillViews)"
                )
        for name, teacher in teachers.items():
            one = hasattr(teacher, 'preprocess') and hasattr(teacher, 'format_shape')
            if not one and not hasattr(teacher, 'preprocessors'):
                raise WrongTypeError(
                    f'data_preprocessor of teacher {name!r}: got {type(teacher).__name__}, expected '
                    'ActionDataPreprocessor or a subclass, with `preprocess` and `format_shape`'
                )
        # Past nn.Module's registration: they belong to their models' trees (or, for frozen teachers, to none).
        self.__dict__['student'] = student
        self.teachers = dict(teachers)
        self.forms = dict(forms or {})
        alone = _normalisation(student)
        self._normalisations = {name: _normalisation(teacher) for name, teacher in teachers.items()}
        self._like_student = {name for name, mine in self._normalisations.items() if mine == alone}

    def __deepcopy__(self, memo: dict) -> 'DistillDataPreprocessor':
        """Copy the student's preprocessor with its model; teachers go by reference, as frozen teachers do."""
        new = type(self)(copy.deepcopy(self.student, memo), self.teachers, self.view, self.forms)
        new._device, new._non_blocking, new.training = self._device, self._non_blocking, self.training
        memo[id(self)] = new
        return new

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch.

        Args:
            data: The loader's batch: ``inputs`` (list of uint8 clips, (M, C, T, H, W) or (M * T, C, H, W)),
                ``data_samples``, and ``views`` (lists of clips by teacher) where DistillViews made them.
            training: Whether it is a training step. Otherwise the student alone is served.

        Returns:
            The student's preprocessed batch; in training with ``views``, the teachers' inputs by name.

        Raises:
            ValueError: If a teacher has no view, a view has no teacher, or labels are to be mixed and one is
                missing.
        """
        own = data.get('views')
        data = {key: value for key, value in data.items() if key != 'views'}
        if not training or not self.teachers:
            return self.student(data, training)
        self._check(own)
        note_labels(data['data_samples'])
        self._refuse_blending(data['data_samples'])
        data, own = self.cast_data(data), self.cast_data(own or {})
        several = isinstance(data['inputs'], Mapping)
        clips, data_samples = dict(data['inputs']) if several else list(data['inputs']), data['data_samples']
        blend = None if several else self._measure(clips, own, data_samples)
        out = self.student(dict(data, inputs=dict(clips)) if several else data, True)
        views, prepared = {}, {}
        for name, teacher in self.teachers.items():
            if name in own:
                self._expect_channels(name, own[name])
                views[name] = _prepare(teacher, own[name], data_samples, blend)
                continue
            layout = self._layout_for(name, clips)
            key = (layout, self._normalisations[name])
            if key not in prepared and name in self._like_student:
                prepared[key] = lay_out(out['inputs'], layout, batched=True) if layout else out['inputs']
            elif key not in prepared:
                laid_out = [lay_out(clip, layout) for clip in clips] if layout else clips
                prepared[key] = _prepare(teacher, laid_out, data_samples, blend)
            views[name] = prepared[key]
        return dict(out, views=views)

    def _layout_for(self, name: str, clips: Sequence[Tensor]) -> str | None:
        """Return how the student's clips are laid out for a teacher; None for clips that have one layout only.

        Raises:
            ValueError: The teacher sees another modality.
        """
        mine, student = self.forms.get(name), self.forms.get('student')
        if mine is None or student is None:
            return _target_layout(self.teachers[name].format_shape, clips)
        if not mine.takes(student):
            raise WrongValueError(
                f'{name} sees {mine}, the student {student}: got no view for it in the batch; expected one of its own: '
                'DistillViews(student=<pipeline>, teacher=<config>) on a data set that holds both'
            )
        return _target_layout(mine.kind, clips) if mine.kind in FRAMES else None

    def _expect_channels(self, name: str, clips: Sequence[Tensor] | Mapping) -> None:
        form = self.forms.get(name)
        parts = getattr(self.teachers[name], 'preprocessors', None)
        if parts is not None and (not isinstance(clips, Mapping) or set(clips) != set(parts)):
            got = sorted(clips) if isinstance(clips, Mapping) else 'clips of one kind'
            raise WrongValueError(
                f'{name}: got a view of {got}; expected {sorted(parts)}; give DistillViews the pipeline of this teacher'
            )
        found = None if form is None or isinstance(clips, Mapping) else form.channels_in(clips[0])
        if found is not None and form.channels is not None and found != form.channels:
            raise WrongValueError(
                f'{name}: got a view of shape {tuple(clips[0].shape)}; expected {form}; give DistillViews '
                'the pipeline of this teacher'
            )

    def _check(self, own: Mapping | None) -> None:
        unknown = set(own or ()) - set(self.teachers)
        if unknown:
            raise WrongValueError(
                f'DistillViews makes the view {sorted(unknown)[0]!r} but the teachers are {sorted(self.teachers)}; '
                "give the view its teacher's name: DistillViews(name=...) or teacher={name: ...}"
            )
        missing = [name for name in self.teachers if name not in (own or ()) and self.view[name] == 'own']
        if missing:
            raise WrongValueError(
                f"view='own': the batch has no view for teacher {missing[0]!r}; make it with DistillViews as training "
                'pipeline, [dict(type="DistillViews", student=..., teacher=...)], or use view="student"'
            )

    def _refuse_blending(self, data_samples: list) -> None:
        blending = getattr(self.student, 'blending', None)
        if blending is not None and not all(map(has_label, data_samples)):
            raise WrongValueError(
                f'data_preprocessor.blending: {type(blending).__name__} mixes labels, but the batch holds a clip '
                'without one (label -1); take blending out of data_preprocessor, or the clip out of the training list'
            )

    def _measure(self, clips: list[Tensor], own: Mapping, data_samples: list) -> BatchBlend | None:
        """Measure the student's blending before it is drawn, where a teacher's input is prepared apart."""
        blending = getattr(self.student, 'blending', None)
        if blending is None or (not own and len(self._like_student) == len(self.teachers)):
            return None
        # The student's clips are padded to the largest of the batch.
        height, width = (max(clip.shape[axis] for clip in clips) for axis in (-2, -1))
        shape = (len(clips), *clips[0].shape[:-2], height, width)
        return measure_blend(blending, shape, clips[0].device, data_samples)


def lay_out(clip: Tensor, layout: str, batched: bool = False) -> Tensor:
    """Lay a clip out for a 2D (``'NCHW'``) or a 3D (``'NCTHW'``) recognizer.

    (T, C, H, W) becomes (1, C, T, H, W); (M, C, T, H, W) becomes (M * T, C, H, W).

    Args:
        clip: One clip, or with ``batched`` a batch of them with a leading dimension.
        layout: The layout wanted.
        batched: Whether there is a leading batch dimension.

    Returns:
        The clip, where possible without a copy.
    """
    first = int(batched)
    have = _LAYOUT_OF_NDIM[clip.ndim - first]
    if have == layout:
        return clip
    if layout == 'NCTHW':
        return clip.transpose(first, first + 1).unsqueeze(first)
    return clip.transpose(first + 1, first + 2).flatten(first, first + 1)


def _prepare(
    teacher: nn.Module, clips: Sequence[Tensor] | Mapping, data_samples: list, blend: BatchBlend | None
) -> Tensor | dict[str, Tensor]:
    """Stack and normalise clips as the teacher wants; its own blending is off."""
    if isinstance(clips, Mapping):
        made = {}
        for name, part in teacher.preprocessors.items():
            inputs = part.preprocess(list(clips[name]), data_samples, training=False)[0]
            if blend is not None:
                inputs = blend.both(inputs) if getattr(part, 'is_mask', False) else blend.apply(inputs)
            made[name] = inputs
        return made
    clips = list(clips)
    inputs, _ = teacher.preprocess(clips, data_samples, training=False)
    return inputs if blend is None else blend.apply(inputs)


def _target_layout(wanted: str, clips: Sequence[Tensor]) -> str:
    """Layout a teacher wants of the student's clips, once these are known to be clips."""
    have = _LAYOUT_OF_NDIM.get(clips[0].ndim) if isinstance(clips[0], Tensor) else None
    if have is None:
        got = tuple(clips[0].shape) if isinstance(clips[0], Tensor) else type(clips[0]).__name__
        raise WrongValueError(
            f"view='student': got a student's clip of shape {got}; expected (T, C, H, W) or (M, C, T, H, W); make the "
            "teacher's view with DistillViews instead"
        )
    return have if wanted == 'MIX2d3d' else wanted  # MIX2d3d takes either


def _normalisation(preprocessor: nn.Module) -> Hashable:
    """What a prepared clip depends on but the layout; equal for preprocessors that make the same numbers of it."""
    from mmaction.models.data_preprocessors import ActionDataPreprocessor  # heavy; loaded when models are built

    if getattr(type(preprocessor), 'preprocess', None) is not ActionDataPreprocessor.preprocess:
        return id(preprocessor)  # prepares in a way of its own: like nobody else
    if not preprocessor._enable_normalize:
        return (preprocessor.to_rgb, preprocessor.to_float32)
    numbers = (getattr(preprocessor, key).flatten().tolist() for key in ('mean', 'std'))
    return (preprocessor.to_rgb, *map(tuple, numbers))
