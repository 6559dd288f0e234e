"""Networks as PyTorch modules and as the text of one, trained there and brought back.

What needs torch is slow and skipped without it, as on CI. Outputs are held to the oracle in `test_export.py`.
"""

import copy
import inspect
import subprocess
import sys

import numpy as np
import pytest
from export_support import WEIRD_NAMES, function_of, needs_torch, pairs, random_case
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from wannjax.export import from_torch, to_flax, to_torch, to_torch_source, torch_module
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Connection, Graph, graph_of, network_of
from wannjax.networks.network import connection_count

SMOOTH = Graph(
    *(("a", "b"), ("y", "z"), (5, 4, 3, 6, 10, 11, 1, 5)),
    tuple(Connection(source, target, 0.3 - 0.05 * source) for target in range(3, 11) for source in range(min(target, 9))),
)
"""Every activation without a kink."""


def with_torch(test):
    for mark in needs_torch:
        test = mark(test)
    return test


def made_of(text, name="Network"):
    return function_of(text, name)()


class TestTheText:
    def test_is_returned_and_written_without_torch(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "torch", None)
        text = to_torch_source(random_case(3)[3], tmp_path / "exported.py")
        assert (tmp_path / "exported.py").read_text(encoding="utf-8") == text

    def test_names_inputs_outputs_and_activations(self):
        text = to_torch_source(network_of(Graph(("speed", "θ"), ("force",), (5, 1), (Connection(1, 3, 0.5), Connection(3, 4, 1e-20)))))
        own = text[text.index("class Network(") :]
        assert "'speed',  # node 1\n" in own
        assert "'θ',  # node 2\n" in own
        assert "('tanh', {1: 0.5}),  # node 3: 'hidden 1'\n" in own
        assert "('linear', {3: 1e-20}),  # node 4: 'force'\n" in own

    def test_holds_no_line_that_a_name_brings_in(self):
        text = to_torch_source(network_of(Graph(WEIRD_NAMES, ("*/ y", "\\"), (1, 5), (Connection(10, 11, 0.25),))))
        own = text[text.index("class Network(") :].splitlines()
        assert len(own) == 2 + 2 + len(WEIRD_NAMES) + 2 + 2 + 1
        compile(text, "exported", "exec")

    @pytest.mark.parametrize("name", ["", "2nd", "a b", "class", "None", "torch", "nn", "ACTIVATIONS", "TorchNetwork", "super"])
    def test_refuses_a_name_that_python_or_the_text_has_taken(self, name):
        with pytest.raises(ValueError, match=r"^name: must be a Python identifier that has no meaning yet, got "):
            to_torch_source(random_case(0)[2], name=name)


@with_torch
def test_no_name_of_the_text_can_be_the_classs():
    namespace = {"__name__": "exported"}
    loop = Graph(("x",), ("y",), (1, 1), (Connection(1, 2), Connection(2, 2), Connection(2, 3)))
    exec(to_torch_source(network_of(loop)), namespace)
    assert {name for name in namespace if not name.startswith("__")} == {"Network", *torch_module._GLOBALS}


def test_without_torch_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "wannjax.export.torch_network", raising=False)
    with pytest.raises(ImportError, match=r'^PyTorch modules need the package torch: pip install "wannjax\[torch\]"$'):
        to_torch(random_case(0)[2])


@pytest.mark.parametrize("module", [3, None, nnx.Linear(2, 2, rngs=nnx.Rngs(0)), to_flax(random_case(0)[2])])
def test_what_is_no_such_module_is_refused(module):
    with pytest.raises(ValueError, match=f"^module: must be one that to_torch or the text .* made, got {type(module).__name__}$"):
        from_torch(module)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@with_torch
class TestAModule:
    def test_takes_one_observation_and_batches_of_any_shape(self, torch):
        *_, network, observations = random_case(1)
        module, rows = to_torch(network), torch.tensor(observations)
        want = module(rows)
        assert module(rows[0]).shape == (2,)
        torch.testing.assert_close(module(rows[0]), want[0])
        torch.testing.assert_close(module(rows.reshape(2, 3, 3)), want.reshape(2, 3, 2))
        assert module(rows[:0]).shape == (0, 2)

    @pytest.mark.parametrize("shape", [(), (4,), (3, 2)])
    def test_names_a_wrong_shape(self, torch, shape):
        with pytest.raises(ValueError, match=r"^observation: expected shape \[\.\.\., 3\], got \["):
            to_torch(random_case(1)[2])(torch.zeros(shape))

    def test_has_one_parameter_in_the_order_of_the_graphs_connections_and_no_other_state(self):
        network = random_case(1)[3]
        module = to_torch(network)
        assert [name for name, _ in module.named_parameters()] == ["weights"] == list(module.state_dict())
        assert module.weights.tolist() == [connection.weight for connection in graph_of(network).connections]
        assert to_torch(random_case(1)[2], weight=-0.5).weights.tolist() == [-0.5] * connection_count(network)

    def test_takes_the_state_of_another_of_the_same_topology_and_of_the_text(self, torch, tmp_path):
        network = random_case(1)[3]
        torch.save(to_torch(network, weight=2.0).state_dict(), tmp_path / "weights.pt")
        for module in (to_torch(network), made_of(to_torch_source(network))):
            module.load_state_dict(torch.load(tmp_path / "weights.pt"))
            assert module.weights.tolist() == to_torch(network, weight=2.0).weights.tolist()

    def test_moves_to_another_type_and_device(self, torch):
        *_, network, observations = random_case(1)
        module = to_torch(network).to(torch.float64)
        outputs = module(torch.tensor(observations))
        assert outputs.dtype == torch.float64
        np.testing.assert_allclose(outputs.detach(), network(observations), rtol=1e-4, atol=1e-5)
        assert to_torch(network).to("meta")(torch.zeros(4, 3, device="meta")).device.type == "meta"

    def test_can_be_copied_and_saved_whole(self, torch, tmp_path):
        *_, network, observations = random_case(1)
        module = to_torch(network)
        torch.save(module, tmp_path / "module.pt")
        for other in (copy.deepcopy(module), torch.load(tmp_path / "module.pt", weights_only=False)):
            assert torch.equal(other(observations), module(observations))

    def test_runs_with_many_weights_at_once(self, torch):
        *_, network, observations = random_case(1)
        module, rows = to_torch(network), torch.tensor(observations)
        weights = torch.stack([module.weights, 2 * module.weights])
        outputs = torch.func.vmap(lambda w: torch.func.functional_call(module, {"weights": w}, (rows,)))(weights)
        np.testing.assert_allclose(outputs.detach(), [network(observations), network(observations, 2.0)], rtol=1e-4, atol=1e-4)

    def test_prints_its_sizes(self):
        assert repr(to_torch(network_of(SMOOTH))) == "TorchNetwork(inputs=2, outputs=2, connections=51)"

    def test_knows_every_activation(self, torch):
        from wannjax.export.torch_network import ACTIVATIONS

        assert tuple(ACTIVATIONS) == NAMES[1:]

    def test_keeps_values_that_are_not_finite_where_the_package_does(self, torch):
        for activation in range(1, 12):
            network = network_of(Graph(("x",), ("y",), (activation,), (Connection(1, 2, 1.0),)))
            x = np.array([[np.nan], [np.inf], [-np.inf]], np.float32)
            np.testing.assert_allclose(to_torch(network)(x).detach(), network(x), atol=1e-6, err_msg=NAMES[activation])


@with_torch
class TestGradients:
    def test_are_those_of_finite_differences(self, torch):
        module = to_torch(network_of(SMOOTH)).double()
        rows = torch.tensor([[0.3, -0.7], [1.1, 0.2]], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda w, rows: torch.func.functional_call(module, {"weights": w}, (rows,)), (module.weights, rows))

    @pytest.mark.parametrize("seed", range(5))
    def test_are_those_of_the_flax_module_steps_included(self, torch, seed):
        *_, network, observations = random_case(seed)
        module = to_torch(network, weight=0.5)
        module(observations).sum().backward()
        want = nnx.grad(lambda module: module(observations).sum())(to_flax(network, weight=0.5)).weights[...]
        np.testing.assert_allclose(module.weights.grad, want, rtol=1e-3, atol=1e-4)

    def test_pass_a_step_that_is_all_there_is(self, torch):
        module = to_torch(network_of(Graph(("x",), ("y",), (2,), (Connection(0, 2, 1.0), Connection(1, 2, 0.5)))))
        module([1.0]).sum().backward()
        assert module.weights.grad.tolist() == [1 / 16, 1 / 16]


@with_torch
class TestTheWayBack:
    @given(seed=st.integers(0, 2**32 - 1))
    @settings(max_examples=5)
    def test_gives_the_same_network(self, seed):
        network = random_case(seed)[3]
        assert graph_of(from_torch(to_torch(network))) == graph_of(network)
        assert graph_of(from_torch(made_of(to_torch_source(network)))) == graph_of(network)

    def test_gives_names_and_networks_without_connections(self):
        graph = Graph(WEIRD_NAMES, ("*/ y", "\\"), (4, 1), ())
        for module in (to_torch(network_of(graph)), made_of(to_torch_source(network_of(graph)))):
            assert module(np.ones((2, 10), np.float32)).tolist() == [[1, 0], [1, 0]]
            assert graph_of(from_torch(module)) == graph

    def test_gives_what_an_optimizer_made_of_the_weights(self, torch):
        network = network_of(Graph(("x",), ("y",), (5, 1), (Connection(0, 2), Connection(1, 2), Connection(2, 3), Connection(0, 3))))
        x = torch.linspace(-1, 1, 32)[:, None]
        target = 0.7 * torch.tanh(2 * x - 0.3) - 0.1
        for module in (to_torch(network, weight=0.5), made_of(to_torch_source(network, weight=0.5))):
            optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
            losses = []
            for _ in range(100):
                optimizer.zero_grad()
                loss = (module(x) - target).square().mean()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            assert losses[-1] < 0.02 * losses[0]
            trained = from_torch(module.double())
            assert pairs(trained) == pairs(network)
            np.testing.assert_allclose(trained(x.numpy()), module(x).detach(), rtol=1e-5, atol=1e-6)

    def test_refuses_another_module_and_weights_that_training_broke(self, torch):
        with pytest.raises(ValueError, match=r"^module: must be one that to_torch or the text .* made, got Linear$"):
            from_torch(torch.nn.Linear(2, 2))
        module = to_torch(random_case(1)[2])
        module.weights.data *= torch.nan
        with pytest.raises(ValueError, match="not finite"):
            from_torch(module)


@with_torch
def test_the_text_runs_in_a_fresh_interpreter_with_torch_alone(tmp_path):
    *_, network, observations = random_case(1)
    to_torch_source(network, tmp_path / "policy.py", name="Policy", weight=0.5)
    program = f"""
        import sys

        sys.modules |= dict.fromkeys(("wannjax", "jax", "flax"))  # importing these fails
        import torch
        from policy import Policy

        print(Policy()(torch.tensor({observations.tolist()})).tolist())
    """
    command = [sys.executable, "-c", inspect.cleandoc(program)]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    np.testing.assert_allclose(np.array(eval(printed)), network(observations, 0.5), rtol=1e-4, atol=1e-5)
