"""The network: how it is called, picked from a population, padded, counted, and told from others."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import assert_same_bits, networks_of

from wannjax.networks.network import enlarge, is_connection, signature, take, tape_of
from wannjax.networks.tape import forward, initial_values

STEPS = 64
RNG = np.random.default_rng(0)
GENES = [oracle.random_genes(RNG, nodes=int(RNG.integers(0, 13)), defects=0.2) for _ in range(40)]
OBSERVATIONS = RNG.normal(size=(6, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def networks():
    return networks_of(GENES, STEPS)


def test_one_observation_gives_one_row_of_outputs(networks):
    output = take(networks, 0)(OBSERVATIONS[0], 0.5)
    want, bound = oracle.run(GENES[0], 0.5, OBSERVATIONS[:1])
    assert output.shape == (2,)
    assert np.all(np.abs(output - want[0]) <= bound[0])


def test_a_batch_gives_a_row_of_outputs_each(networks):
    network = take(networks, 0)
    outputs = network(OBSERVATIONS, 0.5)
    assert outputs.shape == (6, 2)
    np.testing.assert_allclose(outputs, [network(observation, 0.5) for observation in OBSERVATIONS], rtol=1e-6, atol=1e-6)


def test_observations_may_be_whole_numbers_and_the_shared_weight_is_1_unless_given(networks):
    network = take(networks, 0)
    assert_same_bits(network(np.array([1, 0, -1])), network(jnp.array([1.0, 0.0, -1.0]), 1.0))


@pytest.mark.parametrize("shape", [(), (2,), (4,), (5, 4), (3, 1), (2, 2, 3)], ids=str)
def test_a_wrong_observation_shape_is_named(networks, shape):
    with pytest.raises(ValueError, match=r"observation: expected shape \[3\] or \[B, 3\], got \[" + ", ".join(map(str, shape))):
        take(networks, 0)(np.zeros(shape, np.float32))


def test_a_population_cannot_be_called(networks):
    with pytest.raises(ValueError, match=r"population of 40.*take"):
        networks(OBSERVATIONS[0])


def test_take_picks_one_network(networks):
    one = take(networks, 3)
    assert_same_bits(one.sources, networks.sources[3])
    assert one.activations.shape == (STEPS + 2,)


def test_take_picks_a_sub_population_in_the_given_order(networks):
    some = take(networks, np.array([5, 2, 2]))
    for index, picked in enumerate([5, 2, 2]):
        assert_same_bits(take(some, index), take(networks, picked))


def test_is_connection_counts_live_connections(networks):
    counts = np.sum(np.asarray(is_connection(networks)), axis=(1, 2))
    np.testing.assert_array_equal(counts, [oracle.live_connections(genes) for genes in GENES])


def test_is_connection_tells_partial_sums_from_connections():
    genes = [oracle.fan_in_genes(fan_in, to_output=to_output) for fan_in in (3, 4, 7, 40) for to_output in (False, True)]
    counts = np.sum(np.asarray(is_connection(networks_of(genes, 30))), axis=(1, 2))
    np.testing.assert_array_equal(counts, [4, 3, 5, 4, 8, 7, 41, 40])


@pytest.mark.parametrize("extra", [0, 1, 25])
def test_room_changes_no_bit_of_the_outputs(networks, extra):
    network = take(networks, 7)
    roomy = enlarge(network, STEPS + 2 + extra)
    assert roomy.activations.shape == (STEPS + 2 + extra,)
    assert_same_bits(roomy(OBSERVATIONS, 0.7), network(OBSERVATIONS, 0.7))


def test_room_for_a_population_is_room_for_each(networks):
    roomy = enlarge(networks, STEPS + 10)
    assert_same_bits(take(roomy, 4)(OBSERVATIONS, -1.0), take(networks, 4)(OBSERVATIONS, -1.0))
    np.testing.assert_array_equal(np.sum(is_connection(roomy), axis=(1, 2)), np.sum(is_connection(networks), axis=(1, 2)))


def test_a_dynamic_length_changes_no_bit(networks):
    tape = tape_of(networks)
    lanes = jnp.broadcast_to(jnp.asarray(OBSERVATIONS).T[:, None, :], (3, len(GENES), 6))
    gain = jnp.linspace(-2, 2, 6)

    def outputs(dynamic):
        run = jax.jit(lambda lanes: forward(tape, initial_values(tape, 6), lanes, gain, dynamic_length=dynamic)[1])
        return run(lanes)

    assert int(tape.length) < STEPS
    assert_same_bits(outputs(True), outputs(False))


def test_values_of_an_earlier_pass_leave_no_trace(networks):
    tape = tape_of(networks)
    lanes = jnp.broadcast_to(jnp.asarray(OBSERVATIONS).T[:, None, :], (3, len(GENES), 6))
    run = jax.jit(lambda values, lanes: forward(tape, values, lanes, jnp.full(6, 0.8)))
    used, _ = run(initial_values(tape, 6), 3 * lanes + 1)
    assert_same_bits(run(used, lanes)[1], run(initial_values(tape, 6), lanes)[1])


def test_individual_weights_may_differ_from_lane_to_lane(networks):
    one = take(networks, np.array([9]))
    tape = tape_of(one)
    weights = jax.random.uniform(jax.random.key(0), (*one.sources.shape, 4), minval=-1.0)
    lanes = jnp.broadcast_to(jnp.asarray(OBSERVATIONS[:1]).T[:, None, :], (3, 1, 4))

    @jax.jit
    def run(weights, lanes):
        count = lanes.shape[-1]
        return forward(tape._replace(weights=weights), initial_values(tape, count), lanes, jnp.ones(count))[1]

    weights = jnp.transpose(weights, (1, 2, 0, 3))
    outputs = run(weights, lanes)
    for lane in range(4):
        output = run(weights[..., lane : lane + 1], lanes[..., :1])
        np.testing.assert_allclose(outputs[..., lane], output[..., 0], rtol=1e-6, atol=1e-6)


def test_repr_says_what_it_is(networks):
    assert repr(networks) == "Network(population=40, inputs=3, outputs=2)"
    connections = oracle.live_connections(GENES[0])
    assert repr(take(networks, 0)) == f"Network(3 inputs, 2 outputs, {connections} connections, shared weight)"


# What tells networks apart


def test_a_signature_knows_no_padding_and_no_names(networks):
    for i in range(len(GENES)):
        one = take(networks, i)
        for other in (enlarge(one, 3 * STEPS), take(networks_of(GENES, STEPS + 7), i), replace(one, input_names=("a", "b", "c"))):
            assert signature(other) == signature(one)


def test_networks_that_differ_have_other_signatures(networks):
    distinct = {(np.asarray(n.sources).tobytes(), np.asarray(n.activations).tobytes()) for n in (take(networks, i) for i in range(40))}
    assert len({signature(take(networks, i)) for i in range(40)}) == len(distinct)


def used_step(networks):
    """A network, and one of its hidden steps with a source."""
    for i in range(len(GENES)):
        one = jax.device_get(take(networks, i))
        found = np.argwhere(one.sources[: int(one.steps)] > 0)
        if len(found):
            return one, tuple(found[0])
    raise AssertionError("no network has a hidden step")


def changed(array, place, value):
    array = np.array(array)
    array[place] = value
    return array


def test_a_signature_tells_activations_sources_sizes_and_steps_apart(networks):
    one, (step, place) = used_step(networks)
    last = len(one.activations) - 1
    others = [
        replace(one, activations=changed(one.activations, step, one.activations[step] % 10 + 1)),
        replace(one, activations=changed(one.activations, last, one.activations[last] % 10 + 1)),
        replace(one, sources=changed(one.sources, (step, place), one.sources[step, place] - 1)),
        replace(one, sources=changed(one.sources, (last, 0), one.sources[last, 0] + 1)),
        replace(one, inputs=one.inputs + 1),
        replace(one, outputs=one.outputs - 1),
        replace(one, steps=one.steps - 1),
        replace(one, weights=np.ones(one.sources.shape, np.float32)),
    ]
    names = [signature(each) for each in (one, *others)]
    assert len(set(names)) == len(names)


def test_a_signature_tells_weights_apart(networks):
    one, (step, place) = used_step(networks)
    weights = np.full(one.sources.shape, 0.5, np.float32)
    own = replace(one, weights=weights)
    assert signature(replace(own, weights=changed(weights, (step, place), 0.25))) != signature(own)
    assert signature(replace(own, weights=changed(weights, (STEPS - 1, 0), 0.25))) == signature(own), "padding has no say"
    assert signature(enlarge(own, 2 * STEPS)) == signature(own)
