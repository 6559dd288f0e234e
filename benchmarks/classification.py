"""The paper's classification row: what one evolved network scores with shared and with trained
weights, beside models of its size.

    python -m benchmarks.classification [digits|mnist] [--data PATH] [--generations N]
        [--seeds 0 1 2] [--network FILE] [--collections]

Every seed evolves a champion of at most 200 connections (of mnist 1849, the paper's; there a second
search, which adds more connections than it deletes, starts from the front of the first). It is kept
beside the record. Or it takes the network in FILE. Then it measures the accuracy on the test
examples in percent. What is chosen or trained never sees them: whatever there is to choose is
chosen on the validation examples.

    random shared weight   one weight for all connections, drawn from U(-2, 2): mean ± sd over 100
                           draws.
    vote                   the network at 6 shared weights, evenly spaced from -2 to 2 without 0,
                           which vote.
    tuned shared weight    the best of 121 weights from -3 to 3.
    trained weights        every connection its own, by gradient, from the six shared weights of the
                           sweep; the best of these starts.
    logistic regression    scikit-learn's; on digits with the best of six strengths of its
                           regularisation.
    sparse logistic        the same with an L1 penalty, of such a strength that about as many
                           numbers are left as the network has connections: what a trained network
                           of that size has to beat.
    MLP                    one hidden layer of tanh units (rectifiers did worse on validation), 64
                           or so many that it has about as many parameters as the network has
                           connections; trained as the network is: the same optimizer, steps,
                           mini-batches, number of starts and choice among them.

Parameters are the numbers that are fitted; the topology, which evolution found, is not counted.
With `--collections` a second table compares collections of 5 copies of the network, each trained
for as many steps as the single copy above (`wannjax.ensemble`), and says in how many seeds each
beats it. Finished seeds are kept in the record; a second call with the same settings does only what
is missing; a search that was stopped goes on.
"""

import argparse
import json
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Float, Float32, Key
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

import wannjax
from benchmarks.common import machine, print_table, whole, write_json
from benchmarks.fetch_mnist import fetch
from wannjax import DataProblem, Network, WannConfig
from wannjax.analysis.score_table import PAPER
from wannjax.finetuning.training import steps_between_checks
from wannjax.networks.network import connection_count
from wannjax.search.wann.config import SWEEP

RANDOM, VOTE, TUNED, TRAINED = "random shared weight", "vote", "tuned shared weight", "trained weights"
LOGISTIC, SPARSE, MATCHED = "logistic regression", "sparse logistic of about its size", "MLP of about its size"
MNIST = Path("data/mnist.npz")
VOTERS = 6
COPIES = 5
COLLECTIONS = ("mixture", "regions", "bagging")
HIDDEN = 64
LOGISTIC_ITERATIONS = 300
HALVINGS = 12
"""Of the range of strengths, from 10 to the power -3 to 10, in which the sparse one's is sought."""

PUBLISHED = {
    "mnist": {
        RANDOM: PAPER["mnist"].random_shared,
        VOTE: "91.6",
        TUNED: PAPER["mnist"].tuned_shared,
        TRAINED: PAPER["mnist"].tuned_weights,
        LOGISTIC: "91.6",  # of a linear regression
    }
}
"""The paper's figures; its champion has 1849 connections."""

Model = Callable[[Float32[Array, "B I"]], Float32[Array, "B O"]]


@dataclass(frozen=True)
class Settings:
    """What is done with one data set.

    Attributes:
        config: of the search.
        learning_rate: at the first step; it falls to 0 along a cosine.
        steps: of training.
        options: of the problem.
        then: of a second search, from the front of the first.
        strengths: of logistic regression's regularisation, scikit-learn's C, of which the best is
            taken.
        passes: over the examples, for sparse logistic regression.
    """

    config: WannConfig
    learning_rate: float
    steps: int
    options: dict[str, Any] = field(default_factory=dict)
    then: WannConfig | None = None
    strengths: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
    passes: int = LOGISTIC_ITERATIONS

    def optimizer(self) -> optax.GradientTransformation:
        schedule = optax.cosine_decay_schedule(self.learning_rate, self.steps)
        return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))


_MNIST: dict[str, Any] = {"episodes": 1, "confirm_episodes": 6, "max_connections": 1849, "initial_fan_in": 1}
SETTINGS = {
    "digits": Settings(WannConfig(generations=600, max_connections=200), learning_rate=0.03, steps=1500),
    "mnist": Settings(
        WannConfig(generations=1500, **_MNIST),
        learning_rate=0.03,
        steps=3000,
        options={"batch": 1000, "validation": 0.1},
        then=WannConfig(
            generations=2500, add_connection=1.0, enable=0.2, delete_connection=0.1, delete_node=0.05, change_activation=0.25, **_MNIST
        ),
        strengths=(0.1,),
        passes=30,
    ),
}


class Measured(NamedTuple):
    """An accuracy in percent, its standard deviation over draws where there are several, and how
    many parameters were fitted for it.
    """

    accuracy: float
    parameters: int
    sd: float = 0.0


def accuracy(model: Model, problem: DataProblem, split: str = "test") -> float:
    """The share of the split's examples that `model` classifies correctly, in percent."""
    examples = problem.split(split).examples
    return float(jnp.mean(problem.metric_of(model(examples.inputs), examples.targets)))


def measure_network(network: Network, problem: DataProblem, settings: Settings, seed: int) -> dict[str, Measured]:
    """The paper's columns for one network, by name."""
    report = wannjax.evaluate(network, problem, seed=seed)
    vote = wannjax.ensemble(network, problem, kind="vote", members=VOTERS)
    tuned = wannjax.finetune(network, problem, method="gradient", optimizer=settings.optimizer(), steps=settings.steps, seed=seed)
    return {
        RANDOM: Measured(report.random_shared.mean, 0, report.random_shared.std),
        VOTE: Measured(accuracy(vote, problem), 0),
        TUNED: Measured(report.tuned_shared.mean, 1),
        TRAINED: Measured(accuracy(tuned.network, problem), connection_count(network)),
    }


def measure_logistic(problem: DataProblem, strengths: tuple[float, ...]) -> Measured:
    """Logistic regression on the training examples."""
    examples = problem.split("train").examples
    inputs, labels = np.asarray(examples.inputs), np.argmax(np.asarray(examples.targets), axis=1)
    fitted = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # hardly regularised, it needs more iterations than it gains from
        for strength in strengths:
            fitted.append(LogisticRegression(C=strength, max_iter=LOGISTIC_ITERATIONS).fit(inputs, labels).decision_function)
    best = max(fitted, key=lambda model: accuracy(model, problem, "validation"))
    return Measured(accuracy(best, problem), (problem.inputs + 1) * problem.outputs)


def measure_sparse(problem: DataProblem, parameters: int, passes: int) -> Measured:
    """Logistic regression with an L1 penalty, with about as many weights and biases left as
    `parameters`. Inputs are standardised by mean and deviation of the training examples.
    """
    examples = problem.split("train").examples
    inputs, labels = np.asarray(examples.inputs), np.argmax(np.asarray(examples.targets), axis=1)
    mean, scale = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-6)
    low, high = -3.0, 1.0
    models = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            model = LogisticRegression(C=10**middle, l1_ratio=1.0, solver="saga", max_iter=passes, random_state=0)
            model.fit((inputs - mean) / scale, labels)
            size = np.count_nonzero(model.coef_) + np.count_nonzero(model.intercept_)
            models.append((abs(size - parameters), size, model.decision_function))
            low, high = (middle, high) if size < parameters else (low, middle)
    _, size, decide = min(models, key=lambda found: found[0])
    return Measured(accuracy(lambda x: decide((np.asarray(x) - mean) / scale), problem), int(size))


class Layers(NamedTuple):
    """Parameters of a network with one hidden layer; M of them side by side have a leading axis
    M.
    """

    hidden: Float32[Array, "*M I H"]
    hidden_bias: Float32[Array, "*M H"]
    output: Float32[Array, "*M H O"]
    output_bias: Float32[Array, "*M O"]


def outputs_of(layers: Layers, inputs: Float32[Array, "B I"]) -> Float32[Array, "B O"]:
    return jnp.tanh(inputs @ layers.hidden + layers.hidden_bias) @ layers.output + layers.output_bias


def hidden_units(parameters: int, problem: DataProblem) -> int:
    """How many hidden units make a network of about so many parameters."""
    return max(round((parameters - problem.outputs) / (problem.inputs + 1 + problem.outputs)), 1)


def measure_mlp(problem: DataProblem, hidden: int, settings: Settings, seed: int) -> Measured:
    """A network with one hidden layer, trained from as many starts as `finetune` has; of all checks
    the best on the validation examples.
    """
    optimizer, every = settings.optimizer(), steps_between_checks(settings.steps)
    train, held_out = problem.examples, problem.split("validation").examples
    init_key, step_key = jax.random.split(jax.random.key(seed))

    def init(key: Key[Array, ""]) -> Layers:
        into, out = jax.random.split(key)
        normal = jax.nn.initializers.glorot_normal()
        return Layers(
            normal(into, (problem.inputs, hidden)), jnp.zeros(hidden), normal(out, (hidden, problem.outputs)), jnp.zeros(problem.outputs)
        )

    def loss(layers: Layers, inputs, targets):
        return jnp.mean(jax.vmap(problem.loss)(outputs_of(layers, inputs), targets))

    @jax.jit
    def advance(carry, steps, examples):
        def step(carry, number):
            members, states = carry
            drawn = problem.draw(jax.random.fold_in(step_key, number), examples, problem.batch)
            gradients = jax.vmap(jax.grad(loss), in_axes=(0, None, None))(members, *drawn)
            updates, states = jax.vmap(optimizer.update)(gradients, states, members)
            return (optax.apply_updates(members, updates), states), None

        return lax.scan(step, carry, steps)[0]

    def take(members: Layers, index: int) -> Layers:
        return jax.tree.map(lambda leaf: leaf[index], members)

    members = jax.vmap(init)(jax.random.split(init_key, len(SWEEP)))
    carry = members, jax.vmap(optimizer.init)(members)
    losses_of = jax.jit(jax.vmap(loss, in_axes=(0, None, None)))
    best, least = take(members, 0), np.inf
    for start in range(0, settings.steps, every):
        carry = advance(carry, jnp.arange(start, min(start + every, settings.steps)), train)
        losses = np.asarray(losses_of(carry[0], *held_out))
        if losses.min() < least:
            best, least = take(carry[0], int(losses.argmin())), losses.min()
    return Measured(accuracy(partial(outputs_of, best), problem), sum(leaf.size for leaf in best))


def measure_collection(kind: str, network: Network, problem: DataProblem, settings: Settings, seed: int) -> Measured:
    """One collection of copies of `network`."""
    collection = wannjax.ensemble(
        network, problem, kind=kind, members=COPIES, optimizer=settings.optimizer(), steps=settings.steps, seed=seed
    )
    gate = collection.gate.weights.size + collection.gate.bias.size if collection.gate else 0
    return Measured(accuracy(collection, problem), collection.weights.size + gate)


def kept_runs(path: Path, record: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """By seed, what the file at `path` has of runs with the settings of `record`."""
    if not path.exists():
        return {}
    before, now = (
        {name: value for name, value in each.items() if name not in ("machine", "runs")}
        for each in (json.loads(path.read_text()), json.loads(json.dumps(record)))
    )
    return {run["seed"]: run for run in json.loads(path.read_text())["runs"]} if before == now else {}


def between(values: Iterable[int]) -> str:
    """The range of some numbers."""
    values = list(values)
    return f"{min(values)}" if min(values) == max(values) else f"{min(values)}–{max(values)}"


def mean_and_sd(values: Float[np.ndarray, " seeds"]) -> str:
    return f"{values.mean():.1f} ± {values.std(ddof=1):.1f}" if len(values) > 1 else f"{values.mean():.1f}"


def lines_of(runs: list[dict[str, Measured]], ways: Iterable[str]) -> dict[str, list[str]]:
    """By way: the range of its parameters, its accuracy of every seed, and their mean and sd."""
    lines = {}
    for way in ways:
        cells = [run[way] for run in runs]
        each = [f"{cell.accuracy:.1f}" + (f" ± {cell.sd:.1f}" if cell.sd else "") for cell in cells]
        lines[way] = [between(cell.parameters for cell in cells), *each, mean_and_sd(np.array([cell.accuracy for cell in cells]))]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=tuple(SETTINGS), default="digits", help="the data set (default digits)")
    parser.add_argument("--data", type=Path, help=f"the files of mnist (default {MNIST}, which is fetched where it is not there)")
    parser.add_argument("--generations", type=int, help="of the search (default 600 for digits, 1500 for mnist's first search)")
    parser.add_argument("--steps", type=int, help="of training (default 1500 for digits, 3000 for mnist)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one search each (default 0)")
    parser.add_argument("--network", type=Path, help="a network to measure; none is evolved then")
    parser.add_argument("--collections", action="store_true", help="compare collections of trained copies, too")
    parser.add_argument("--json", type=Path, help="where the record goes (default benchmarks/results/classification-NAME.json)")
    options = parser.parse_args()
    if options.name != "mnist" and options.data is not None:
        parser.error(f"--data: must be left out for {options.name}, got {str(options.data)!r}")
    if options.name == "mnist" and options.data is None and not MNIST.exists():
        fetch(MNIST)

    wannjax.use_all_cores()
    settings = SETTINGS[options.name]
    config = settings.config.replace(generations=options.generations or settings.config.generations)
    settings = replace(settings, config=config, steps=options.steps or settings.steps)
    path = options.json or Path(f"benchmarks/results/classification-{options.name}.json")
    where = {"path": options.data or MNIST} if options.name == "mnist" else {}
    problem = wannjax.make(options.name, **where, **settings.options)
    assert isinstance(problem, DataProblem)

    record: dict[str, Any] = {"machine": machine(), **asdict(settings), "voters": VOTERS, "copies": COPIES}
    if options.network:
        record = {**record, "config": None, "network": str(options.network)}
    kept = kept_runs(path, record)
    logistic = next((Measured(**each["ways"][LOGISTIC]) for each in kept.values()), None)  # the same for all seeds
    for seed in options.seeds:
        if seed in kept and (not options.collections or {*COLLECTIONS} <= {*kept[seed]["ways"]}):
            continue
        if options.network:
            network = wannjax.load(options.network)
        else:
            directory = path.with_name(f"{path.stem}-run-{seed}")
            result = whole(wannjax.evolve(problem, settings.config, seed=seed, run_dir=directory, resume=True, finish=None))
            if settings.then is not None:
                start, directory = [result.champion, *result.front], path.with_name(f"{path.stem}-then-{seed}")
                result = whole(wannjax.evolve(problem, settings.then, seed=seed, start=start, run_dir=directory, resume=True, finish=None))
            network = result.champion
            wannjax.save(path.with_name(f"{path.stem}-champion-{seed}.json"), network)
        run = measure_network(network, problem, settings, seed)
        if logistic is None:
            logistic = measure_logistic(problem, settings.strengths)
        run[LOGISTIC] = logistic
        run[SPARSE] = measure_sparse(problem, connection_count(network), settings.passes)
        run[MATCHED] = measure_mlp(problem, hidden_units(connection_count(network), problem), settings, seed)
        run[f"MLP of {HIDDEN} units"] = measure_mlp(problem, HIDDEN, settings, seed)
        if options.collections:
            run |= {kind: measure_collection(kind, network, problem, settings, seed) for kind in COLLECTIONS}
        ways = {way: measured._asdict() for way, measured in run.items()}
        kept[seed] = {"seed": seed, "connections": connection_count(network), "ways": ways}
        write_json(path, {**record, "runs": list(kept.values())})  # after every seed, as a search may take hours

    runs = [{way: Measured(**measured) for way, measured in kept[seed]["ways"].items()} for seed in options.seeds]
    seeds = [f"seed {seed}" for seed in options.seeds]
    connections = between(kept[seed]["connections"] for seed in options.seeds)
    title = f"{options.name}, test accuracy in %; champions of {connections} connections"
    published = PUBLISHED.get(options.name, {})
    lines = lines_of(runs, [way for way in runs[0] if way not in COLLECTIONS])
    rows = [(way, *cells, *([published.get(way, "")] if published else [])) for way, cells in lines.items()]
    print_table(title, (title, "parameters", *seeds, "mean ± sd", *(["paper"] if published else [])), rows)
    if options.collections:
        rows = []
        for way, cells in lines_of(runs, (TRAINED, *COLLECTIONS)).items():
            wins = sum(run[way].accuracy > run[TRAINED].accuracy for run in runs)
            rows.append((way, *cells, "" if way == TRAINED else f"{wins} of {len(runs)}"))
        title = f"{options.name}, collections of {COPIES} copies against the single trained one"
        print_table(title, (title, "parameters", *seeds, "mean ± sd", "better in"), rows)


if __name__ == "__main__":
    main()
