# WTTM: only the teacher is softened, uncertain clips count more.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(terms=[dict(type='WTTMLoss', at='logits', weight=4.0)])
