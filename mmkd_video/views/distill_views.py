"""The training pipeline of a distillation: the student's sample, and its teachers' views of the same moment."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform, to_tensor

from mmkd_video.core.checked import AnyOf, ListOf, OneOf, Settings, Text, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.core.restoring import get_random_state
from mmkd_video.recognizers.pipelines import find_pipelines, reads_frames
from mmkd_video.recognizers.view_spec import ViewSpec
from mmkd_video.views.derived import derive
from mmkd_video.views.frame_plan import plan_frames
from mmkd_video.views.multi_view import opening_of
from mmkd_video.views.own_view import OwnView
from mmkd_video.views.sample_views import SampleViews
from mmkd_video.views.split_pipeline import split_pipeline
from mmkd_video.views.transform_replay import ViewFrames, augment

ViewKey = str | tuple[str, str]  # a teacher's view, or that of another camera beside it
PIPELINE = ListOf(Settings("a transform, dict(type='...')", needs=('type',)), least=1)


@TRANSFORMS.register_module()
@checked(
    student=PIPELINE,
    teacher=AnyOf(Text("a path or 'mmaction::...'"), PIPELINE, Settings('a dict of these by name')),
    span=OneOf('inside', 'stretch'),
    on_short=OneOf('error', 'clamp'),
    augment=OneOf('student', 'own', 'another'),
)
class DistillViews(BaseTransform):
    """Run the student's training pipeline and cut the teachers' views from the same decoded frames.

    The student's sample is what its pipeline alone gives, bit for bit, under the same random state. All randomness is
    the student's: a teacher contributes its clip length, interval, final size and layout; its frames lie inside the
    span the student sampled, with the student's crop, flip and colour. The video is decoded once.

    What a teacher's pipeline derives from RGB frames (``RGBToFlow``, ``RGBToDifference``, ``RGBToContour``) is derived
    from its view, after crop, flip and size. Where the student or a teacher sees something else than RGB frames
    (skeletons, heatmaps, audio, files of optical flow), that teacher's whole pipeline runs on the same sample of the
    data set, from the random state that the student's began with.

    Required keys are those of the student's pipeline. The result is the student's packed sample with the further key
    ``views``: ``{name: uint8 tensor in the teacher's layout}``, ``(M, C, T, H, W)`` or ``(M * T, C, H, W)``.

    Args:
        student: The student's training pipeline.
        teacher: The teacher's config (path, ``'mmaction::...'`` or dict) or its pipeline (list); or a dict of these by
            name of the teacher. The training pipeline of a config is read, or the one for validation where a config
            cannot train.
        span: ``'inside'`` puts the teacher's frames, at their own interval, in the middle of the student's span;
            ``'stretch'`` spreads them over it.
        name: Name of the view when there is one teacher.
        on_short: Rule for when a teacher's window is longer than the video: ``'error'``, or ``'clamp'`` to repeat its
            first and last frames.
        augment: ``'student'``: a teacher's view has the student's crop, flip and colour; ``'own'``: its whole pipeline
            runs on the same video, from the random state that the student's began with, so that equal first steps draw
            equal frames: weak augmentation beside a strong one; ``'another'``: the same with draws of its own, so that
            equal pipelines give two views of a clip. Both decode the video again.

    Raises:
        ValueError: If a pipeline lacks what the view is made of, or holds what no view can follow.
    """

    def __init__(
        self,
        student: Sequence[Mapping],
        teacher: str | Mapping | Sequence,
        span: str = 'inside',
        name: str = 'teacher',
        on_short: str = 'error',
        augment: str = 'student',
    ) -> None:
        self.pipelines, self.another = find_pipelines(teacher, name), augment == 'another'
        follows = augment == 'student' and reads_frames(student)
        cut = {key for key, pipeline in self.pipelines.items() if follows and reads_frames(pipeline)}
        specs = [ViewSpec.from_pipeline(key, pipeline) for key, pipeline in self.pipelines.items() if key in cut]
        self.own = {
            key: OwnView(key, pipeline, self.another) for key, pipeline in self.pipelines.items() if key not in cut
        }
        self.specs = [replace(spec, stretch=True) for spec in specs] if span == 'stretch' else specs
        self.span = span
        self.clamp = on_short == 'clamp'
        decode, shape = 0, 1
        if reads_frames(student):
            decode, shape = split_pipeline('DistillViews', "the student's pipeline", student)
        # Built in the pipeline's order: transforms may draw when they are built (ColorJitter does).
        steps = [TRANSFORMS.build(step) for step in student]
        self.sampling, self.decode = steps[:decode], steps[decode]
        self.augmenting, self.packing = steps[decode + 1 : shape], steps[shape:]
        self.format_shapes = {spec.name: TRANSFORMS.build(spec.format_shape) for spec in self.specs}
        self.derived = {spec.name: [TRANSFORMS.build(step) for step in spec.derived] for spec in self.specs}
        self.several = {
            spec.name: SampleViews(spec.views, opening_of(self.sampling), self.decode)
            for spec in self.specs
            if spec.views is not None
        }

    def transform(self, results: dict) -> dict | None:
        """Make the sample.

        Args:
            results: The data set's record of the video.

        Returns:
            The student's packed sample with ``views``, or None when a transform of the student gave up on the sample.

        Raises:
            ValueError: If a teacher's window is longer than the video.
        """
        if results.get('modality', 'RGB') != 'RGB' and self.specs:
            self._make_all_whole()
        known, state = (copy.deepcopy(results), get_random_state()) if self.own else (None, None)
        packed = self._cut(results) if self.specs else _run(self._steps, results)
        if packed is None:
            return None
        made = {name: view.make(known, state) for name, view in self.own.items()}
        if any(view is None for view in made.values()):
            return None
        packed['views'] = {**packed.get('views', {}), **made}
        return packed

    def _cut(self, results: dict) -> dict | None:
        """Make the student's sample and the views that are cut from its frames."""
        results = _run(self.sampling, results)
        if results is None:
            return None
        ((imgs, views),) = self._decode(results, [results['frame_inds']])
        results['imgs'] = imgs
        return self._finish(results, views)

    def repeat(self, results: dict, times: int, sample_once: bool = False) -> list[dict]:
        """Make several samples of one video that is decoded once, as ``RepeatAugDataset`` asks for them.

        Args:
            results: Sample as the dataset describes it.
            times: Number of repeats.
            sample_once: Whether all have the same frames and differ in their augmentation only.

        Raises:
            ValueError: The student's pipeline does not open the video, then draw frames, then decode.
        """
        if len(self.sampling) != 2:
            kinds = [type(step).__name__ for step in self.sampling]
            raise WrongValueError(
                f"DistillViews in RepeatAugDataset: got {kinds} before the decoder of the student's pipeline; expected "
                "two steps, ['DecordInit', 'SampleFrames'] or alike"
            )
        if self.own:
            augmented = 'another' if self.another else 'own'
            raise WrongValueError(
                f'DistillViews in RepeatAugDataset: view {next(iter(self.own))!r} is made by a pipeline of its '
                f'own (another modality than RGB, or augment={augmented!r}) and is not repeated; expected a '
                'VideoDataset or PoseDataset'
            )
        opening, sampler = self.sampling
        results = opening(results)
        known = dict(total_frames=results['total_frames'], start_index=results['start_index'])  # as that data set does
        draws = []
        for _ in range(1 if sample_once else times):
            known = sampler(known)
            draws.append(known['frame_inds'])
        results.update(known)
        samples = []
        for imgs, views in self._decode(results, draws * times if sample_once else draws):
            samples.append(self._finish(dict(copy.deepcopy(results), imgs=imgs), views))
        return samples

    @property
    def _steps(self) -> list:
        """All of the student's transforms."""
        return [*self.sampling, self.decode, *self.augmenting, *self.packing]

    def _make_all_whole(self) -> None:
        """Let every teacher have a view of its own: frames of optical flow cannot be cut as those of RGB."""
        self.own = {name: OwnView(name, pipeline, self.another) for name, pipeline in self.pipelines.items()}
        self.specs = []

    def _finish(self, results: dict, views: dict[ViewKey, ViewFrames]) -> dict | None:
        """Augment and pack one sample with its views."""
        packed = _run(self.packing, augment(self.augmenting, results, views.values()))
        if packed is None:
            return None
        packed['views'] = {spec.name: self._pack(spec, views) for spec in self.specs}
        return packed

    def _decode(self, results: dict, draws: list[np.ndarray]) -> list[tuple[list, dict[ViewKey, ViewFrames]]]:
        """Decode the union of all frames once; return the student's frames of each draw and the views of them."""
        first = results.get('start_index', 0)
        video = results.get('filename') or results.get('frame_dir') or '?'
        wanted, others = [], []
        for student in draws:
            wanted.append(student.reshape(-1))
            others.append({})
            for spec in self.specs:
                plan = plan_frames(
                    spec, student - first, results['total_frames'], results.get('avg_fps'), self.clamp, video
                )
                wanted.append(first + plan)
                if spec.name in self.several:
                    read = self.several[spec.name].read(results, plan)
                    others[-1].update({(spec.name, name): frames for name, frames in read.items()})
        union, where = np.unique(np.concatenate(wanted), return_inverse=True)
        results['frame_inds'] = union.astype(draws[0].dtype)
        decoded = self.decode(results).pop('imgs')
        taken: set[int] = set()
        clips = [
            [_frame_or_copy(decoded, index, taken) for index in part]
            for part in np.split(where, np.cumsum([len(each) for each in wanted])[:-1])
        ]
        last = draws[-1]
        results['frame_inds'] = last if last.ndim == 1 else np.squeeze(last)
        found = []
        for start in range(0, len(clips), 1 + len(self.specs)):
            views = clips[start + 1 : start + 1 + len(self.specs)]
            named = {spec.name: ViewFrames(frames) for spec, frames in zip(self.specs, views, strict=True)}
            found.append((clips[start], named | others[len(found)]))
        return found

    def _pack(self, spec: ViewSpec, views: Mapping[ViewKey, ViewFrames]) -> Any:
        view, shape = views[spec.name], self.format_shapes[spec.name]
        frames = view.geometry.apply(view.frames, spec.size, spec.interpolation)
        if spec.name in self.several:
            others = {key[1]: each for key, each in views.items() if isinstance(key, tuple) and key[0] == spec.name}
            return self.several[spec.name].pack(frames, others, shape, spec.clip_len, spec.num_clips)
        frames = derive(self.derived[spec.name], frames, spec.clip_len)
        shaped = shape(dict(imgs=frames, clip_len=spec.clip_len, num_clips=spec.num_clips))
        return to_tensor(shaped['imgs'])

    def __repr__(self) -> str:
        views = ', '.join(f'{spec.name}: {spec.num_clips}x{spec.clip_len}x{spec.frame_interval}' for spec in self.specs)
        return (
            f'{type(self).__name__}(student={self._steps}, own={list(self.own)}, views=[{views}], span={self.span!r})'
        )


def _run(transforms: Sequence, results: dict | None) -> dict | None:
    for transform in transforms:
        if results is None:
            return None
        results = transform(results)
    return results


def _frame_or_copy(decoded: Sequence[np.ndarray], index: int, taken: set[int]) -> np.ndarray:
    """Take a frame; a copy from the second time on, because transforms write into frames."""
    if index in taken:
        return decoded[index].copy()
    taken.add(index)
    return decoded[index]
