# A MobileNetV4 of timm with TSM's shift, on a folder of videos with one folder for each class ($CLIPS). It begins from
# random weights; `pretrained='mobilenetv4_conv_small.safetensors'` in `net` begins from ImageNet's, a local file.
_base_ = ['../_base_/datasets/video_folder.py', '../_base_/schedules/folder.py', '../_base_/runtime.py']
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='TemporalShiftBackbone',
        net=dict(type='TimmBackbone', model='mobilenetv4_conv_small', pretrained=None),
        num_segments=8,
    ),
    cls_head=dict(
        type='TSMHead',
        num_classes=int('{{$CLASSES:8}}'),
        in_channels=960,
        num_segments=8,
        dropout_ratio=0.2,
        average_clips='prob',
    ),
    data_preprocessor=dict(type='TimmPreprocessor', model='mobilenetv4_conv_small'),
)
