"""Networks with memory in other hands, stepped beside the float64 oracle; from there and back."""

import ctypes

import bridge
import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import oracle
import pytest
from export_support import WEIRD_NAMES, compiled, function_of, in_every_form, needs_compiler, needs_torch
from flax import nnx
from marking import slow

from wannjax.export import from_flax, from_onnx, from_torch, to_c, to_flax, to_onnx, to_python, to_torch, to_torch_source
from wannjax.networks.graph import Connection, Graph, graph_of, network_of

TIME, LANES = 5, 4
LOOP = Graph(("x",), ("y",), (5, 1, 1), tuple(Connection(*each) for each in ((1, 2), (3, 2), (2, 3), (2, 2), (3, 4))))
"""Two hidden nodes: 2 reads x, itself and 3, which reads 2."""


def random_case(seed):
    """Random recurrent genes, their networks with a shared and with individual weights, and observations [T, B, I]. No activation is a
    step, after which no bound is tight, or a square, which grows beyond all bounds.
    """
    rng = np.random.default_rng(seed)
    genes = oracle.random_genes(
        rng, nodes=int(rng.integers(1, 13)), slots=16, ids=(1, *range(3, 11)), density=0.2, defects=0.2, recurrent=True
    )
    weights = rng.normal(size=genes.connections.shape).astype(np.float32)
    networks = (bridge.network_of(genes, 48, own, recurrent=True) for own in (None, weights))
    return genes, weights, *networks, rng.normal(size=(TIME, LANES, 3)).astype(np.float32)


def stepped(step, state, observations):
    """The outputs [T, B, O] of `step`: (state, observations) → outputs, state."""
    found = []
    for seen in observations:
        outputs, state = step(state, seen)
        found.append(np.asarray(outputs))
    return np.stack(found)


def run_flax(network, observations, weight, directory):
    module = to_flax(network, weight=weight)
    return stepped(module.step, module.initial_state(LANES), observations)


def run_onnx(network, observations, weight, directory):
    to_onnx(network, directory / "network.onnx", weight=weight)
    session = onnxruntime.InferenceSession(str(directory / "network.onnx"), providers=["CPUExecutionProvider"])
    names = {each.name: each.shape[1] for each in session.get_inputs()}
    if "state" not in names:  # of a network in which nothing is remembered
        return np.stack([session.run(["outputs"], {"observation": seen})[0] for seen in observations])

    def step(state, seen):
        return session.run(["outputs", "next_state"], {"observation": seen, "state": state})

    return stepped(step, np.zeros((LANES, names["state"]), np.float32), observations)


def run_python(network, observations, weight, directory):
    function = function_of(to_python(network, weight=weight))
    if not hasattr(function, "initial_state"):
        return np.array([[function(row) for row in seen] for seen in observations.tolist()])
    lanes = [stepped(function, function.initial_state, rows) for rows in observations.swapaxes(0, 1).tolist()]
    return np.stack(lanes, axis=1)


def run_c(network, observations, weight, directory):
    text = to_c(network, weight=weight)
    library, outputs = compiled([text], directory), np.full((*observations.shape[:2], network.outputs), np.nan, np.float32)
    for lane in range(LANES):
        state = np.full(64, np.nan, np.float32)
        if "network_state" in text:
            library.network_init(pointer_to(state))
        for time in range(TIME):
            numbers = [observations[time, lane].copy(), outputs[time, lane]]
            if "network_state" in text:
                library.network_step(pointer_to(state), *map(pointer_to, numbers))
            else:
                library.network(*map(pointer_to, numbers))
    return outputs


def pointer_to(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def run_torch(network, observations, weight, directory):
    return stepped_in_torch(to_torch(network, weight=weight), observations)


def run_torch_source(network, observations, weight, directory):
    return stepped_in_torch(function_of(to_torch_source(network, weight=weight), "Network")(), observations)


def stepped_in_torch(module, observations):
    import torch

    with torch.no_grad():
        if not hasattr(module, "initial_state"):
            return module(observations).numpy()
        return stepped(module, module.initial_state(LANES), observations)


@in_every_form(flax=run_flax, onnx=run_onnx, python=run_python, c=run_c, torch=run_torch, torch_source=run_torch_source)
@pytest.mark.parametrize("seed", [1, *slow(*range(2, 14))])
def test_an_exported_network_steps_as_the_oracle_does(run, seed, tmp_path):
    genes, weights, shared, individual, observations = random_case(seed)
    for network, own, weight in ((shared, 0.7, 0.7), (individual, -1.0 * weights, -1.0)):
        want, bound = oracle.run_over_time(genes, own, observations)
        got = run(network, observations, weight, tmp_path)
        assert got.shape == want.shape
        assert np.all(np.abs(got - want) <= bound)


def test_most_of_these_networks_remember_and_their_bounds_are_tight():
    remember, tight = [], []
    for seed in range(1, 14):
        genes, _, shared, _, observations = random_case(seed)
        remember.append(bool(graph_of(shared).recurrent))
        tight.append(np.mean(oracle.run_over_time(genes, 0.7, observations)[1] < 1e-2))
    assert np.mean(remember) > 0.8
    assert np.mean(tight) > 0.8


@pytest.mark.parametrize("seed", [1, *slow(*range(2, 14))])
def test_there_and_back_is_the_same_network(seed, tmp_path):
    _, _, shared, individual, _ = random_case(seed)
    assert graph_of(from_flax(to_flax(individual))) == graph_of(individual)
    for network in (shared, individual):
        to_onnx(network, tmp_path / "network.onnx")
        assert graph_of(from_onnx(tmp_path / "network.onnx")) == graph_of(network)


def test_texts_have_a_state_and_say_what_is_in_it():
    assert to_python(network_of(LOOP), name="policy") == (
        "import math\n\n\ndef policy(state, observation):\n"
        "    # state[0]: h1 of the last time step\n    # state[1]: h2 of the last time step\n    # observation[0]: 'x'\n"
        "    x = observation[0] + state[1] + state[0]\n    h1 = math.tanh(x)\n    x = h1\n    h2 = x\n    x = h2\n    y0 = x\n"
        "    # outputs[0]: 'y'\n    return [y0], [h1, h2]\n\n\npolicy.initial_state = [0.0, 0.0]\n"
    )
    text = to_c(network_of(LOOP), name="policy")
    assert "typedef struct {\n    float h1;\n    float h2;\n} policy_state;\n" in text
    assert "void policy_init(policy_state *state)\n" in text
    assert "void policy_step(policy_state *state, const float *observation, float *outputs)\n" in text
    assert text.count("policy") == text.count("policy_")
    with pytest.raises(ValueError, match=r"^name: must be a C identifier that has no meaning yet, got 'policy_'"):
        to_c(network_of(LOOP), name="policy_")


def test_only_what_an_output_depends_on_is_kept():
    dead = Graph(("x",), ("y",), (5, 1), (Connection(1, 2), Connection(2, 2), Connection(1, 3)))
    assert to_python(network_of(dead)).endswith("    return [y0]\n")
    assert "state" not in to_c(network_of(dead))


@pytest.mark.slow
@needs_compiler
def test_weird_names_change_nothing_with_a_state(tmp_path):
    graph = Graph(WEIRD_NAMES, ("*/ y",), (1, 1), (Connection(10, 11), Connection(11, 11), Connection(11, 12)))
    observations = np.ones((TIME, LANES, 10), np.float32)
    want = np.broadcast_to(np.arange(1.0, TIME + 1)[:, None, None], (TIME, LANES, 1))
    for run in (run_python, run_c):
        np.testing.assert_array_equal(run(network_of(graph), observations, 1.0, tmp_path), want)


def test_modules_say_how_a_network_with_memory_is_run():
    module = to_flax(network_of(LOOP))
    with pytest.raises(ValueError, match=r"^module: must be feed-forward to be called; .*y, state = module\.step\(state, x\)"):
        module(np.zeros(1))
    with pytest.raises(ValueError, match=r"^state: must be of shape \(4, 2\), as module\.initial_state gives it, got \(2,\)"):
        module.step(module.initial_state(), np.zeros((4, 1)))


def test_a_model_whose_memory_was_changed_is_one_clear_error(tmp_path):
    for remembered in ("[2, 4]", "[3, 2]", "[2]", "[2, 3, 3]", '["a", "b"]'):
        to_onnx(network_of(LOOP), tmp_path / "bad.onnx")
        model = onnx.load(tmp_path / "bad.onnx")
        next(entry for entry in model.metadata_props if entry.key == "remembered").value = remembered
        (tmp_path / "bad.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(ValueError, match=r"bad\.onnx: not a wannjax network: "):
            from_onnx(tmp_path / "bad.onnx")


@pytest.mark.slow
def test_the_model_with_a_state_is_valid(tmp_path, capfd):
    run_onnx(random_case(1)[2], random_case(1)[-1], 1.0, tmp_path)
    onnx.checker.check_model(tmp_path / "network.onnx", full_check=True)
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_gradients_of_flax_flow_through_time():
    definition, variables = nnx.split(to_flax(network_of(LOOP), weight=0.6))
    seen = np.random.default_rng(0).normal(size=(TIME, LANES, 1)).astype(np.float32)

    @jax.jit
    def loss(weights):
        module = nnx.merge(definition, jax.tree.map(lambda _: weights, variables))
        state = module.initial_state(LANES)
        for each in seen:
            outputs, state = module.step(state, each)
        return jnp.sum(outputs**2)

    weights = jnp.full(5, 0.6)
    slopes = [(loss(weights + step) - loss(weights - step)) / 2e-2 for step in 1e-2 * np.eye(5, dtype=np.float32)]
    np.testing.assert_allclose(jax.grad(loss)(weights), slopes, rtol=1e-2, atol=1e-2)


def with_torch(test):
    for mark in needs_torch:
        test = mark(test)
    return test


@with_torch
def test_modules_of_torch_come_back_copy_states_and_train_through_time():
    import torch

    for seed in range(1, 8):
        network = random_case(seed)[3]
        for module in (to_torch(network), function_of(to_torch_source(network), "Network")()):
            assert graph_of(from_torch(module)) == graph_of(network)
    module, other = to_torch(network_of(LOOP), weight=0.6), function_of(to_torch_source(network_of(LOOP)), "Network")()
    other.load_state_dict(module.state_dict())
    seen = torch.tensor(np.random.default_rng(0).normal(size=(TIME, LANES, 1)), dtype=torch.float32)
    gradients = []
    for each in (module, other):
        state = each.initial_state(LANES)
        for now in seen:
            outputs, state = each(state, now)
        (outputs**2).sum().backward()
        gradients.append(each.weights.grad.numpy())

    def loss(weights):
        flax_module = to_flax(network_of(LOOP))
        flax_module.weights[...] = weights
        state = flax_module.initial_state(LANES)
        for now in seen.numpy():
            outputs, state = flax_module.step(state, now)
        return jnp.sum(outputs**2)

    for gradient in gradients:
        np.testing.assert_allclose(gradient, jax.grad(loss)(jnp.full(5, 0.6)), rtol=1e-4, atol=1e-5)
    assert module(module.initial_state(), [0.5])[0].shape == (1,)
    assert module(module.initial_state(2, 3), torch.zeros(2, 3, 1))[1].shape == (2, 3, 2)
    with pytest.raises(ValueError, match=r"^state: expected shape \[4, 2\], got \[2\]"):
        module(module.initial_state(), torch.zeros(4, 1))
    with pytest.raises(ValueError, match=r"^observation: expected shape \[\.\.\., 1\], got \[3\]"):
        module(module.initial_state(), torch.zeros(3))
