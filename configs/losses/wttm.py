# WTTM: only the teacher is softened, uncertain clips count more.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='WTTMLoss', at='logits')])
