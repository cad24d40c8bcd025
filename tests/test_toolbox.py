"""Tools inside the worker for suites of torch sections, which load no torch themselves."""

import numpy as np
import pytest

from nnkit.grader import toolbox
from nnkit.grader.codec import is_tensor, tensor

pytest.importorskip("torch")

SOURCE = """\
import torch
class Net(torch.nn.Module):
    def __init__(self, w):
        super().__init__()
        self.w = torch.nn.Parameter(torch.as_tensor(w))
        self.inner = torch.nn.Linear(2, 1)
    def forward(self, x): return self.w * x
def loss(net, x): (net(x) ** 2).sum().backward(); return float(net.w)
class Power:
    def __call__(self, x, n, k): return (x ** n).sum() * 2 + k.sum()
class Odd:
    def __call__(self, x): return 3.0
class Apart:
    def __call__(self, x): return x.detach()
"""


@pytest.fixture(scope="module", params=["local", "graded"])
def module(request, torch_zygote):
    """The student's module in both modes, loaded once."""
    from nnkit.grader.processes import Patience
    from nnkit.grader.remote import Budget, RemoteTransport
    from nnkit.grader.sandbox import Ceilings
    from nnkit.grader.student import Student
    from nnkit.grader.transport import Files, LocalTransport

    files = Files({"sub.py": SOURCE.encode()}, "sub", "37", ("torch",))
    client = torch_zygote.client()
    budget = Budget(60.0, 600.0, Patience(20.0, 200.0), Patience(20.0, 200.0))
    place = LocalTransport() if request.param == "local" else RemoteTransport(client, Ceilings(4 << 30, 60), budget)
    student = Student(place, files)
    yield student
    student.close()
    client.close()


def test_an_optimizer_of_the_students_parameters(module):
    """It is a handle: its step moves the student's weights"""
    net = module.Net(tensor([2.0, -1.0]))
    optimizer = module.tools.optimizer_of(net, "SGD", lr=0.25)
    net_loss = net(tensor([1.0, 3.0]))

    assert is_tensor(net_loss)
    assert net_loss.requires_grad
    optimizer.zero_grad()
    optimizer.step()
    assert net.w.tolist() == [2.0, -1.0]
    assert len(optimizer.param_groups) == 1


def test_a_step_follows_the_gradient(module):
    """d(4 w^2)/dw at w = 3 is 24; a step of 1/8 goes to 0"""
    net = module.Net(tensor([3.0]))
    optimizer = module.tools.optimizer_of(net, "SGD", lr=0.125)
    module.loss(net, tensor([2.0]))
    optimizer.step()

    assert net.w.tolist() == [0.0]
    assert net.inner.weight.shape == (1, 2)


def test_there_is_no_optimizer_of_that_name(module):
    """The error is torch's own"""
    with pytest.raises(AttributeError, match="Nonsense"):
        module.tools.optimizer_of(module.Net(tensor([1.0])), "Nonsense")


def test_gradients_of_a_function(module):
    """Of the sum of its value; floating-point arguments have one, others None"""
    x, k = tensor(np.array([1.0, 2.0, 3.0])), tensor(np.array([4, 5]))

    value, gradients = module.tools.gradients_of(module.Power(), [x, 2, k])

    assert value == 2 * 14 + 9
    np.testing.assert_allclose(gradients[0], [4.0, 8.0, 12.0])
    assert gradients[1:] == [None, None]
    assert not value.requires_grad


def test_gradients_of_what_is_no_tensor(module):
    """The student reads what was expected"""
    with pytest.raises(TypeError, match="expected a tensor to differentiate, got float"):
        module.tools.gradients_of(module.Odd(), [tensor([1.0])])
    with pytest.raises(RuntimeError, match="does not require grad"):
        module.tools.gradients_of(module.Apart(), [tensor([1.0])])


def test_tools_have_names():
    """Another name is an error that lists them"""
    with pytest.raises(ValueError, match="there is no tool 'x'; there are optimizer_of, gradients_of"):
        toolbox.tool("x")
