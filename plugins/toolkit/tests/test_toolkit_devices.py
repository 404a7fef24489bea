import numpy as np
import pytest
import torch
from sidelight_toolkit import devices
from sidelight_toolkit.devices import minibatch, resident


@pytest.mark.parametrize(("free", "where"), [(4000, "meta"), (3999, "cpu"), (0, "cpu")])
def test_data_go_to_the_device_where_they_take_a_quarter_of_its_free_memory(monkeypatch, free, where):
    monkeypatch.setattr(devices, "free_memory", lambda _: free)
    assert resident(torch.zeros(250), "meta").device.type == where


def test_on_the_cpu_data_stay_where_they_are():
    data = torch.zeros(3)
    assert resident(data, "cpu") is data


def test_rows_come_in_their_order_from_wherever_the_data_are():
    rows = np.array([2, 0])
    assert minibatch(torch.arange(6).reshape(3, 2), rows, "cpu").tolist() == [[4, 5], [0, 1]]
    assert minibatch(torch.zeros(3, 2, device="meta"), rows, "meta").shape == (2, 2)
