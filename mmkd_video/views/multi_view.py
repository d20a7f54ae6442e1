"""A pipeline whose samples hold several views of one moment."""

from collections.abc import Mapping, Sequence

from mmcv.transforms import BaseTransform

from mmkd_video.core.checked import ListOf, Settings, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.recognizers.pipelines import type_name
from mmkd_video.views.sample_views import SampleViews
from mmkd_video.views.split_pipeline import split_pipeline
from mmkd_video.views.transform_replay import augment


@TRANSFORMS.register_module()
@checked(
    pipeline=ListOf(Settings("a transform, dict(type='...')", needs=('type',)), least=1),
    views=Settings('a dict of views by name, such as dict(rgb=dict(), flow=dict(derive=[...]))'),
)
class MultiView(BaseTransform):
    """Run an ordinary pipeline of RGB frames and make several views of its sample.

    A view is the clip as the pipeline leaves it (``dict()``), what is derived from these very frames
    (``derive=[dict(type='RGBToFlow')]``), or the same frames of another video, found by a rule from the clip's own path
    (``replace=('/videos/', '/views/person0/')``), with the crop and flip that the pipeline draws, in relative
    coordinates. A video that is not there is a missing view. In training, validation and test it is the only step of
    the pipeline; ``DistillViews`` cuts the views of a teacher with such a pipeline from the student's frames.

    Required keys are those of the pipeline. In the packed sample ``inputs`` becomes a dict: by view
    ``(M, C, T, H, W)`` of uint8, and under ``'present'`` which of them are there, ``(V,)`` of 0 and 1, in the order of
    their names.

    Args:
        pipeline: An ordinary pipeline of a 3D recognizer, with a decoder, one crop, and ``FormatShape`` of ``'NCTHW'``.
        views: Settings by name of the view: ``derive``, transforms that derive a modality; ``replace``, a part of the
            clip's path and what stands in its place in that of the view; ``align``, whether frames of that video are
            counted from its ``'start'`` or its ``'end'``; ``shift``, how many frames it is ahead; ``size``, the
            ``(width, height)`` of its frames in pixels, by default the clip's.

    Raises:
        KeyError: A view has an unknown key.
        ValueError: The pipeline or a view is none that works.
    """

    def __init__(self, pipeline: Sequence[Mapping], views: Mapping[str, Mapping]) -> None:
        decode, shape = split_pipeline('MultiView', 'pipeline', pipeline)
        layout = pipeline[shape].get('input_format')
        if layout != 'NCTHW':
            raise WrongValueError(
                f"MultiView.pipeline: got FormatShape(input_format={layout!r}); expected 'NCTHW', of 3D recognizers"
            )
        steps = [TRANSFORMS.build(step) for step in pipeline]
        self.sampling, self.decode = steps[:decode], steps[decode]
        self.augmenting, self.packing = steps[decode + 1 : shape], steps[shape:]
        if any(getattr(step, 'derives_modality', False) for step in self.augmenting):
            raise WrongValueError(
                f'MultiView.pipeline: got {[type_name(step) for step in pipeline]}; expected RGB frames; put what '
                'derives another modality into the `derive` of a view'
            )
        self.views = SampleViews(views, opening_of(self.sampling), self.decode)

    def transform(self, results: dict) -> dict | None:
        """Make the sample.

        Args:
            results: The data set's record of the video.

        Returns:
            The packed sample, or None when a transform gave up on it.
        """
        for step in self.sampling:
            results = step(results)
            if results is None:
                return None
        others = self.views.read(results, results['frame_inds'] - results.get('start_index', 0))
        results = augment(self.augmenting, self.decode(results), others.values())
        if results is None:
            return None
        made = self.views.pack(results['imgs'], others, self.packing[0], results['clip_len'], results['num_clips'])
        for step in self.packing:
            results = step(results)
        results['inputs'] = made
        return results

    def __repr__(self) -> str:
        steps = [*self.sampling, self.decode, *self.augmenting, *self.packing]
        return f'{type(self).__name__}(pipeline={steps}, views={self.views.names})'


def opening_of(sampling: Sequence) -> BaseTransform | None:
    """Return the first transform of a pipeline if it opens a video, else None.

    Args:
        sampling: Its transforms before the decoder.
    """
    return sampling[0] if sampling and type_name(sampling[0]).endswith('Init') else None
