# TTM: only the teacher is softened.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(terms=[dict(type='TTMLoss', at='logits', weight=45.0)])
