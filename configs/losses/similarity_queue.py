# SEED: the student is as near to earlier clips as the teacher; made for a stage without labels (docs/two_stages.md).
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='SimilarityQueueLoss', at='pooled', queue_size=256)])
