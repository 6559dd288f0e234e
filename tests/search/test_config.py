"""`WannConfig` and `NeatConfig`: defaults, presets, and errors that name the field, its value and what is allowed."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wannjax import PRESETS, NeatConfig, WannConfig
from wannjax.genomes.operators import SHARED


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("population", 3),
        ("population", 8.0),
        ("generations", 0),
        ("weights", ()),
        ("islands", 3),
        ("islands", 0),
        ("racing", -1),
        ("racing", 8),
        ("racing", 1.0),
        ("tolerance", -1.0),
        ("weights", (1.0, float("nan"))),
        ("weights", (1.0, float("inf"))),
        ("weights", (1.0, 1.0)),
        ("weights", ("a",)),
        ("episodes", True),
        ("selection", "roulette"),
        ("tournament", 0),
        ("elite_ratio", 1.5),
        ("cull_ratio", 1.0),
        ("complexity_probability", -0.1),
        ("complexity_probability", "often"),
        ("add_node", float("nan")),
        ("insert_block", float("inf")),
        ("blocks", 5),
        ("blocks", ("tanh→step",)),
        ("tolerance", np.ones(2)),
        ("activations", ()),
        ("activations", ("tanh", "tanh")),
        ("activations", ("softmax",)),
        ("output_activation", "sum"),
    ],
)
def test_a_bad_setting_is_named(field, value):
    with pytest.raises(ValueError, match=rf"^{field}: must be .+, got ") as caught:
        WannConfig(**{field: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("population", 3),
        ("species", 0),
        ("threshold", 0.0),
        ("threshold", float("inf")),
        ("threshold_step", 1.0),
        ("excess", -1.0),
        ("normalise_from", -1),
        ("survival", 0.0),
        ("stagnation", 0),
        ("elite_size", 0),
        ("crossover", 1.1),
        ("keep_disabled", "often"),
        ("weight_range", 0.0),
        ("largest_weight", float("nan")),
        ("slope", -1.0),
        ("add_node", 1.5),
        ("split", "none"),
        ("activations", ("tanh", "tanh")),
        ("output_activation", "sum"),
    ],
)
def test_a_bad_setting_of_neat_is_named(field, value):
    with pytest.raises(ValueError, match=rf"^{field}: must be .+, got ") as caught:
        NeatConfig(**{field: value})
    assert "\n" not in str(caught.value)


def test_neats_probabilities_are_at_most_one_together():
    with pytest.raises(ValueError, match=r"add_node, .*, disable: must be at most 1 together, got \(0.6, 0.5,"):
        NeatConfig(add_node=0.6, add_connection=0.5)
    assert sum(NeatConfig(add_node=0.5, add_connection=0.4, enable=0.05, disable=0.05).rates) == pytest.approx(1)


def test_neats_paper_settings():
    paper = NeatConfig.preset("paper")
    assert (paper.population, paper.threshold, paper.threshold_step, paper.slope) == (150, 3.0, 0.0, 4.9)
    assert (paper.excess, paper.disjoint, paper.weight_difference, paper.normalise_from) == (1.0, 1.0, 0.4, 20)
    assert (paper.stagnation, paper.population_stagnation, paper.elite_size, paper.survival) == (15, 20, 6, 0.2)
    assert (paper.mutate_weights, paper.replace_weight, paper.keep_disabled) == (0.8, 0.1, 0.75)
    assert (paper.crossover, paper.interspecies) == (0.75, 0.001)
    assert paper.rates == (0.03, 0.05, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert (paper.split, paper.activations) == ("replace", ("sigmoid",))


def test_a_race_takes_two_episodes_and_a_wann_search():
    with pytest.raises(ValueError, match=r"^racing: must be 0, or less than episodes=1, got 1$"):
        WannConfig(episodes=1, racing=1)
    with pytest.raises(TypeError, match="racing"):
        NeatConfig(racing=1)


def test_rates_must_not_all_be_zero():
    with pytest.raises(ValueError, match="not all zero"):
        WannConfig(**dict.fromkeys(SHARED, 0))


def test_lists_become_tuples():
    assert WannConfig(weights=[1.0, 2.0]).weights == (1.0, 2.0)


def test_arrays_become_tuples_of_plain_numbers():
    weights = WannConfig(weights=np.array([1, 2], np.float32)).weights
    assert weights == (1.0, 2.0)
    assert {type(weight) for weight in weights} == {float}


def test_whole_numbers_are_fine_where_a_share_is_wanted():
    assert isinstance(WannConfig(complexity_probability=0, elite_ratio=1).elite_ratio, float)


def test_papers_settings():
    paper = WannConfig.preset("paper-swingup")
    assert (paper.population, paper.generations, paper.episodes, paper.tournament) == (192, 1024, 3, 8)
    assert (paper.elite_ratio, paper.initial_density, paper.complexity_probability, paper.cull_ratio) == (0.2, 0.5, 0.8, 0.2)
    assert (paper.change_activation, paper.add_node, paper.add_connection, paper.enable) == (0.5, 0.25, 0.2, 0.05)
    assert (paper.output_activation, paper.confirm_episodes) == ("linear", 20)
    laptop = WannConfig.preset("paper-laptop")
    assert (laptop.population, laptop.tournament, laptop.elite_ratio) == (64, 4, 0.05)


def test_presets_take_changes_and_refuse_unknown_names():
    assert WannConfig.preset("paper-laptop", population=10).population == 10
    with pytest.raises(ValueError, match="preset: must be one of default, thorough, paper-swingup, paper-laptop, got 'paper'"):
        WannConfig.preset("paper")


def test_replace_refuses_unknown_fields():
    with pytest.raises(ValueError, match="field: must be one of population"):
        WannConfig().replace(populatoin=3)


def test_every_preset_is_valid_and_every_field_explains_itself():
    assert set(WannConfig.presets) == set(PRESETS)
    for config in (WannConfig, NeatConfig):
        assert all(isinstance(config.preset(name), config) for name in config.presets)
        assert all(setting.metadata["meaning"] and setting.metadata["allowed"] for setting in dataclasses.fields(config))


def test_scores_of_the_wrong_shape_are_refused():
    algorithm = WannConfig(population=8).algorithm(inputs=2, outputs=1)
    state = algorithm.init(jax.random.key(0))
    with pytest.raises(ValueError, match=r"scores: must be of shape \[8, number of shared weights\], got \(7, 6\)"):
        algorithm.tell(state, jnp.zeros((7, 6)))


@pytest.mark.parametrize("sizes", [{"inputs": 0, "outputs": 1}, {"inputs": 1, "outputs": 0}])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="puts: must be an integer >= 1, got 0"):
        WannConfig().algorithm(**sizes)


@pytest.mark.parametrize(("most", "expected"), [(10**6, 4.0), (800, 4.0), (400, 2.0), (200, 1.0), (20, 1.0)])
def test_few_connections_in_all_are_few_at_the_start(most, expected):
    """Of 64 inputs and 10 outputs: a twentieth of what there may be, and at least one an output."""
    algorithm = WannConfig(population=256, max_connections=most).algorithm(inputs=64, outputs=10)
    sizes = algorithm.init(jax.random.key(0)).sizes.connections
    assert np.mean(np.asarray(sizes)) == pytest.approx(10 * expected, rel=0.1)
