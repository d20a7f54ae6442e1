"""Facts about the recognizers of MMAction2, family by family, that cannot be read from their modules.

Every fact that depends on the name of a class, of a constructor's argument or of a submodule is in :data:`FAMILIES`;
the rest of the package asks the functions and tables below. A recognizer of no family works wherever these facts do not
matter.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import nn

from mmkd_video.core.mistakes import WrongValueError


@dataclass(frozen=True)
class Family:
    """A family of recognizers.

    Args:
        name: Name of the family.
        backbones: Names of the classes of its backbones that :attr:`clip_size` holds for.
        clip_size: Frames, height and width that it takes where no argument of its backbone says so.
        frame_arguments: Arguments of a backbone, neck or head that say how many frames a clip has.
        pixel_arguments: Arguments of them that say how large a frame is.
        width_arguments: Arguments of the backbone that multiply its channels, each with the step it is rounded to.
        depth_arguments: Arguments of the backbone that multiply its blocks, each with the step it is rounded to.
        depths: The values that its backbone's argument ``depth`` may have.
        package: The module that defines the classes of :attr:`channels_last` and :attr:`batch_second`.
        channels_last: Names of the classes that keep their channels last, ``(N, T, H, W, C)``, themselves and in all
            that is inside; classes derived from them do too.
        batch_second: Names of the classes, of the same module, that keep tokens as ``(L, N*T, C)``.
        attentions: Names of the classes of attentions that keep working with fewer heads: they read their number and
            their own width from attributes, and have children ``qkv`` and ``proj``.
        shifts: Names of the classes that move the first ``C // shift_div`` channels of their input one frame back, and
            the next as many one frame on; where they say ``one_way``, the first ones on and none back.
        shortcuts: Names of submodules that a residual block adds to its main branch.
        layers: Patterns of the layers of a backbone in the order in which they are computed, by the name of its class;
            of those that hold them in another order.
        transformers: Names of the classes of its backbones that :attr:`token_entry` or :attr:`whole_grid` holds for.
        token_entry: Name of their submodule that gives all tokens with the codes of their positions, ``(N, T*H*W, C)``
            in reading order, to blocks that treat every token as the others; so these work with some of them, too.
        whole_grid: Reason why their blocks need all tokens.
    """

    name: str
    backbones: tuple[str, ...] = ()
    clip_size: tuple[int, int, int] | None = None
    frame_arguments: tuple[str, ...] = ()
    pixel_arguments: tuple[str, ...] = ()
    width_arguments: Mapping[str, float] = field(default_factory=dict)
    depth_arguments: Mapping[str, float] = field(default_factory=dict)
    depths: tuple[int, ...] = ()
    package: str = ''
    channels_last: tuple[str, ...] = ()
    batch_second: tuple[str, ...] = ()
    attentions: tuple[str, ...] = ()
    shifts: tuple[str, ...] = ()
    shortcuts: tuple[str, ...] = ()
    layers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    transformers: tuple[str, ...] = ()
    token_entry: str = ''
    whole_grid: str = ''


_STAGES = range(1, 5)
FAMILIES = (  # where a backbone has arguments of several, the first one counts
    Family('MobileNet', width_arguments={'widen_factor': 0.05}, depth_arguments={'depth_factor': 0.05}),
    Family('X3D', width_arguments={'gamma_w': 0.05}, depth_arguments={'gamma_d': 0.1}),
    Family(
        'ResNet',
        width_arguments={'base_channels': 8},
        depths=(18, 34, 50, 101, 152),
        shortcuts=('downsample', 'shortcut'),
        layers={  # pathways side by side, each with lateral connections after all of its stages
            'ResNet3dSlowFast': ('*_path.conv1*', *(f'*_path.layer{stage}*' for stage in _STAGES)),
        },
    ),
    Family('TSM', frame_arguments=('num_segments',), shifts=('TemporalShift', 'OnlineShift')),
    # its first linear layer fixes the size
    Family('C3D', backbones=('C3D',), clip_size=(16, 112, 112)),
    Family(
        'TimeSformer',
        frame_arguments=('num_frames',),
        pixel_arguments=('img_size',),
        transformers=('TimeSformer',),
        whole_grid='its attention is divided into rows of one place and pictures of one time',
    ),
    Family(
        'VideoMAE',
        package='mmaction.models.backbones.vit_mae',
        transformers=('VisionTransformer',),
        token_entry='pos_drop',
    ),
    Family(
        'UniFormer',
        pixel_arguments=('img_size',),
        layers={'UniFormer': tuple(f'{part}{stage}' for stage in _STAGES for part in ('patch_embed', 'blocks'))},
        transformers=('UniFormer',),
        whole_grid='its blocks are convolutions over the grid of all tokens',
    ),
    Family(
        'UniFormerV2',
        frame_arguments=('t_size',),
        pixel_arguments=('input_resolution',),
        package='mmaction.models.backbones.uniformerv2',
        batch_second=('ResidualAttentionBlock', 'Extractor'),
        transformers=('UniFormerV2',),
        whole_grid='its blocks hold convolutions through time over the grid of all tokens',
    ),
    Family(
        'MViT',
        frame_arguments=('temporal_size',),
        pixel_arguments=('spatial_size',),
        attentions=('MultiScaleAttention',),
        transformers=('MViT',),
        whole_grid='its attention pools queries, keys and values by convolutions over the grid of all tokens',
    ),
    Family(
        'Swin',
        package='mmaction.models.backbones.swin',
        channels_last=('BasicLayer', 'SwinTransformerBlock3D', 'PatchMerging'),
        transformers=('SwinTransformer3D',),
        whole_grid='its attention works in windows of the grid of all tokens',
    ),
    Family(
        'Swin of torchvision',
        package='torchvision.models.video.swin_transformer',
        channels_last=('SwinTransformer3d',),
    ),
)

FRAME_ARGUMENTS = tuple(dict.fromkeys(name for family in FAMILIES for name in family.frame_arguments))
PIXEL_ARGUMENTS = tuple(dict.fromkeys(name for family in FAMILIES for name in family.pixel_arguments))
WIDTH_ARGUMENTS = {name: step for family in FAMILIES for name, step in family.width_arguments.items()}
DEPTH_ARGUMENTS = {name: step for family in FAMILIES for name, step in family.depth_arguments.items()}
DEPTHS = tuple(sorted({depth for family in FAMILIES for depth in family.depths}))
SHORTCUTS = tuple(dict.fromkeys(name for family in FAMILIES for name in family.shortcuts))

CLASSIFIER = 'fc_cls'  # the last layer of MMAction2's heads

OWN_SCORE_LOSSES = ('BCELossWithLogits',)  # losses of MMAction2's heads that take each class by itself

# Places of models of other libraries where taps stand by a short name: no module of theirs gives these.
OUTLETS = {
    name: f'backbone.{name}'
    for name in ('last_hidden_state', 'class_token', 'hidden_states', 'attentions', 'attention_map')
}

# In which form the classes of recognizers take their input, whatever their data preprocessor says.
INPUT_KINDS = {
    'Recognizer2D': 'NCHW',
    'Recognizer3D': 'NCTHW',
    'RecognizerGCN': 'skeletons',
    'RecognizerAudio': 'audio',
    'MMRecognizer3D': 'several',
    'MultiViewRecognizer': 'several',
}

# Models of MMAction2 that score no whole clips, by the name of their class.
NO_RECOGNIZERS = {
    **dict.fromkeys(
        ('BMN', 'TEM', 'PEM', 'TCANet', 'DRN'), 'a localizer, which proposes times in a long video, without classes'
    ),
    **dict.fromkeys(
        ('FastRCNN', 'FasterRCNN', 'MaskRCNN'), 'a detector of MMDetection, which scores boxes and not clips'
    ),
    **dict.fromkeys(
        ('CLIPSimilarity', 'VindLURetrieval', 'VindLURetrievalMC', 'VindLUVQA'), 'a model of videos and text'
    ),
    'RecognizerOmni': 'a recognizer of images and videos in one batch',
}


def input_kind(model: nn.Module) -> str | None:
    """Return in which form a recognizer takes its input; None for one of no known class.

    Args:
        model: The recognizer.
    """
    return next((INPUT_KINDS[each.__name__] for each in type(model).__mro__ if each.__name__ in INPUT_KINDS), None)


def fixed_clip_size(backbone: type) -> tuple[int, int, int] | None:
    """Return the frames, height and width that a backbone needs and no argument sets; None where any will do.

    Args:
        backbone: Its class.
    """
    return next((family.clip_size for family in FAMILIES if backbone.__name__ in family.backbones), None)


def keeps_channels_last(module: nn.Module) -> bool:
    """Return whether a module keeps its channels last, itself and in all that is inside.

    Args:
        module: Any part of a recognizer.
    """
    return _is_listed(module, 'channels_last') or getattr(module, 'output_fmt', None) == 'NHWC'  # as timm's models say


def keeps_batch_second(module: nn.Module) -> bool:
    """Return whether a module keeps tokens as ``(L, N*T, C)``, itself and in all that is inside.

    Args:
        module: Any part of a recognizer.
    """
    return _is_listed(module, 'batch_second')


def layers_of_family(backbone: nn.Module) -> tuple[str, ...]:
    """Return patterns of a backbone's layers in the order in which they are computed; () where it holds them so.

    Args:
        backbone: Backbone of a recognizer.
    """
    known = {name: layers for family in FAMILIES for name, layers in family.layers.items()}
    return next((known[each.__name__] for each in type(backbone).__mro__ if each.__name__ in known), ())


def _is_listed(module: nn.Module, attribute: str) -> bool:
    """Return whether a family lists a module's class, or one that it derives from, under an attribute."""
    return any(
        each.__module__ == family.package and each.__name__ in getattr(family, attribute)
        for each in type(module).__mro__
        for family in FAMILIES
    )


def has_separable_heads(module: nn.Module) -> bool:
    """Return whether a module is an attention that keeps working without some of its heads.

    Classes derived from a known one may do more with their heads, so they do not count.

    Args:
        module: Any part of a recognizer.
    """
    return any(type(module).__name__ in family.attentions for family in FAMILIES)


def shifts_channels(module: nn.Module) -> bool:
    """Return whether a module moves some of its channels in time; classes derived from a known one do not count.

    Args:
        module: Any part of a recognizer.
    """
    return any(type(module).__name__ in family.shifts for family in FAMILIES)


def shift_parts_of(module: nn.Module, channels: int) -> tuple[int, int]:
    """Return how many channels a shift moves back in time, and how many on; in this order.

    Args:
        module: A module of which :func:`shifts_channels` says that it moves some.
        channels: Number of channels of its input, before any was pruned.
    """
    fold = channels // module.shift_div
    return getattr(module, 'shift_parts', (0 if getattr(module, 'one_way', False) else fold, fold))


def classifier_of(head: nn.Module) -> nn.Linear | None:
    """Return the linear layer that ends a classification head; None where it ends in something else.

    Args:
        head: A head of MMAction2.
    """
    last = getattr(head, CLASSIFIER, None)
    return last if isinstance(last, nn.Linear) else None


def scores_each_class(head: nn.Module) -> bool:
    """Return whether a head scores each class by itself, as for clips of several labels.

    Args:
        head: A head of MMAction2.
    """
    loss = getattr(head, 'loss_cls', None)
    return bool(getattr(head, 'multi_class', False)) or type(loss).__name__ in OWN_SCORE_LOSSES


def scores_frames(head: nn.Module) -> bool:
    """Return whether a head gives class scores ``(N, T, K)`` of every frame, and its labels are those of frames.

    Args:
        head: A head, which says so in ``scores_frames``.
    """
    return bool(getattr(head, 'scores_frames', False))


def expect_own_scores(head: nn.Module, side: str) -> None:
    """Refuse a head that scores each class by itself, and yet averages clips by one distribution over all classes.

    Args:
        head: A head of which :func:`scores_each_class` says that it does.
        side: ``'student'``, or what else the head belongs to, for the message.

    Raises:
        ValueError: It does.
    """
    if getattr(head, 'average_clips', None) == 'prob':
        raise WrongValueError(
            f"{side}.cls_head.average_clips: got 'prob', a softmax over all classes, but {type(head).__name__} scores "
            "each class by itself (multi_class=True or BCELossWithLogits); expected 'score'"
        )


def token_entry(backbone: nn.Module) -> str:
    """Return the name of the submodule behind which tokens may be left out.

    Args:
        backbone: Any backbone.

    Raises:
        ValueError: It needs all of them; the message says why.
    """
    name = type(backbone).__name__
    family = next((family for family in FAMILIES if _is_transformer_of(backbone, family)), None)
    if family is None or not family.token_entry:
        why = family.whole_grid if family is not None else 'it is no transformer that is known to work with some tokens'
        raise WrongValueError(
            f'masking: the student is a {name}, which cannot leave tokens out: {why}; take masking out, its terms then '
            'align whole features, or take a VisionTransformer (VideoMAE) as the student'
        )
    if getattr(backbone, 'return_feat_map', False):
        raise WrongValueError(
            f'masking: got return_feat_map=True of the {name}, which lays all tokens out as a map at its end; expected '
            'return_feat_map=False'
        )
    return family.token_entry


def token_grid(backbone: nn.Module, size: Sequence[int]) -> tuple[int, int, int]:
    """Return the time, height and width of the grid of a backbone's tokens.

    Args:
        backbone: One that :func:`token_entry` takes.
        size: Frames, height and width of a clip, in pixels.
    """
    return tuple(side // patch for side, patch in zip(size, backbone.patch_embed.projection.stride, strict=True))


def _is_transformer_of(backbone: nn.Module, family: Family) -> bool:
    return any(
        each.__name__ in family.transformers and family.package in ('', each.__module__)
        for each in type(backbone).__mro__
    )


def frames_in_the_batch(backbone: nn.Module) -> int:
    """Return how many frames a 2D backbone takes for one clip; 1 of one that knows no clips.

    Args:
        backbone: Backbone of a 2D recognizer.
    """
    return getattr(backbone, 'num_segments', 1) or 1


def skeleton_shape(backbone: nn.Module, frames: int, channels: int) -> tuple[int, int, int, int]:
    """Return persons, frames, joints and channels of a clip of skeletons.

    Args:
        backbone: Backbone of a graph network, which knows joints by its graph, persons by the batch norm over all.
        frames: Number of frames.
        channels: Number of channels of a joint.
    """
    joints, persons = backbone.graph.A.shape[-1], getattr(backbone, 'num_person', 2)
    if backbone.data_bn_type == 'MVC':
        persons = backbone.data_bn.num_features // (joints * channels)
    return persons, frames, joints, channels


def pathway_shapes(
    backbone: nn.Module, size: tuple[int, int, int], channels_of: Callable[[nn.Module], int]
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all inputs of a recognizer that has several, by name.

    Args:
        backbone: Its backbone: one that says so itself in ``view_shapes``, or that of RGBPoseConv3D, whose maps are
            joined side by side.
        size: Frames, height and width of the RGB clip.
        channels_of: Function that returns the channels that a pathway reads.
    """
    if hasattr(backbone, 'view_shapes'):
        return backbone.view_shapes(size)
    frames, height, width = size
    rgb, pose = backbone.rgb_path, backbone.pose_path
    strides = [path.conv1_stride_s * path.pool1_stride_s * path.spatial_strides[0] for path in (rgb, pose)]
    scale = strides[0] * rgb.spatial_strides[1] // strides[1]  # the second stage of one meets the first of the other
    slow = (1, 1, channels_of(rgb), frames, height, width)
    fast = (1, 1, channels_of(pose), frames * backbone.speed_ratio, height // scale, width // scale)
    return dict(imgs=slow, heatmap_imgs=fast)
