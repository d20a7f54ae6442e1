# Half of the labelled clips get the low frequencies of a clip of the target (Fourier domain adaptation), beside DANN.
_base_ = './motion_dann.py'
style = dict(type='TargetStyle', clips='data/motion_target/train', method='fourier', share=0.1)
teacher = _base_.teacher
train_pipeline = [*_base_.train_pipeline[:3], style, *_base_.train_pipeline[3:]]
train_dataloader = dict(dataset=dict(pipeline=[dict(type='DistillViews', student=train_pipeline, teacher=teacher)]))
