import torch
from torch import nn

from mmkd_video.benchmark import file_bytes, tensor_bytes


def test_bytes_are_those_of_the_tensors_wherever_they_are_nested():
    state = nn.Linear(3, 5).state_dict()
    assert tensor_bytes(state) == (15 + 5) * 4
    nested = dict(state_dict=state, optimizer=dict(steps=[torch.zeros(2, dtype=torch.float64)], lr=0.1))
    assert tensor_bytes(nested) == 80 + 16


def test_shared_memory_counts_once_and_a_view_counts_whole():
    weight = torch.zeros(1000)
    assert tensor_bytes(dict(a=weight, b=weight)) == 4000
    assert tensor_bytes(dict(a=weight[:2])) == 4000


def test_a_fat_state_dict_is_noticed():
    student, teacher = nn.Linear(3, 5), nn.Linear(100, 100)
    fat = {**student.state_dict(), **{f'teacher.{key}': value for key, value in teacher.state_dict().items()}}
    assert tensor_bytes(fat) - tensor_bytes(student.state_dict()) == (100 * 100 + 100) * 4
    assert file_bytes(fat) - file_bytes(student.state_dict()) > (100 * 100 + 100) * 4


def test_the_file_is_what_torch_writes(tmp_path):
    state = nn.Linear(30, 50).state_dict()
    torch.save(state, tmp_path / 'x.pth')
    assert abs(file_bytes(state) - (tmp_path / 'x.pth').stat().st_size) < 200  # names inside the archive differ
