# TTM: only the teacher is softened.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='TTMLoss', at='logits')])
