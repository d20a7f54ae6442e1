# Fine-tuning on the tenth of the clips that has labels, from a student that has seen all of them without:
#   python tools/train.py configs/self_supervised/dino_mobilenet.py
#   python tools/train.py configs/self_supervised/mobilenet_finetuned.py
# From scratch: configs/students/mobilenet_motion_few_labels.py.
_base_ = ['../students/mobilenet_motion_few_labels.py', '../_base_/mmkd.py']
load_from = 'work_dirs/dino_mobilenet/epoch_6.pth'
