"""What NEAT should compute, slowly and obviously, in plain Python and float64. Nothing here is imported from wannjax.

A genome's genes are a dict: marking → weight, or marking → (source, target, weight, enabled).
"""

import numpy as np


def distance(one: dict[int, float], other: dict[int, float], excess: float, disjoint: float, weights: float, normalise_from: int) -> float:
    """The compatibility distance, from its definition: genes beyond the other genome's newest are excess."""
    newest_one, newest_other = max(one, default=-1), max(other, default=-1)
    beyond = [m for m in one if m > newest_other] + [m for m in other if m > newest_one]
    apart = [m for m in {**one, **other} if (m in one) != (m in other) and m not in beyond]
    shared = [m for m in one if m in other]
    size = max(len(one), len(other))
    norm = size if size >= max(normalise_from, 1) else 1
    difference = np.mean([abs(one[m] - other[m]) for m in shared]) if shared else 0.0
    return (excess * len(beyond) + disjoint * len(apart)) / norm + weights * difference


def cross(fitter: dict, other: dict, draws: dict[int, float], keep_disabled: float) -> dict:
    """The child of two genomes; `draws` are uniform, one for every gene of the fitter parent."""
    child = {}
    for marking, (source, target, weight, enabled) in fitter.items():
        draw, disabled = draws[marking], not enabled
        if marking in other:
            disabled = disabled or not other[marking][3]
            if draw < 0.5:
                weight = other[marking][2]
        rest = (2 * draw) % 1
        child[marking] = (source, target, weight, not (disabled and rest < keep_disabled))
    return child


def numbers(changes: list[tuple[int, int, int] | None], first: int) -> tuple[list[set[int] | None], int]:
    """For every change the indices of the changes that equal it, and how many different ones there are, beside `first`."""
    groups = [None if change is None else {i for i, other in enumerate(changes) if other == change} for change in changes]
    return groups, first + len({change for change in changes if change is not None})


def speciate(genomes: list[dict], models: list[dict | None], threshold: float, apart) -> tuple[list[int | None], list[dict | None]]:
    """The species of every genome: the first that is near enough, or a new one in the first free place; None for those that are left. And
    what stands for every species then.

    Founders come in order, and whoever is near enough to a founder and has no species yet joins it.
    """
    species = [next((m for m, model in enumerate(models) if model is not None and apart(g, model) < threshold), None) for g in genomes]
    models = list(models)
    while None in species and None in models:
        founder, place = species.index(None), models.index(None)
        models[place] = genomes[founder]
        for i, genome in enumerate(genomes):
            if species[i] is None and (i == founder or apart(genome, models[place]) < threshold):
                species[i] = place
    return species, models


def children(age, narrows, fitness, valid, species, patience, places) -> list[float]:
    """The exact share of children of every species, before rounding."""
    population = len(species)
    members = [[i for i in range(population) if species[i] == m] for m in range(places)]
    best = {m: max(fitness[i] for i in members[m] if valid[i]) for m in range(places) if any(valid[i] for i in members[m])}
    order = sorted(best, key=lambda m: (-best[m], m))
    may = order[:2] if narrows else [m for m in order if age[m] < patience or m == order[0]]
    claims = {m: sum(fitness[i] for i in members[m]) / len(members[m]) for m in may}
    if sum(claims.values()) == 0:
        claims = dict.fromkeys(may, 1.0)
    return [population * claims.get(m, 0.0) / sum(claims.values()) for m in range(places)]


def double_pole_slopes(state: np.ndarray, force: float) -> np.ndarray:
    """The derivatives of (x, ẋ, θ₁, θ̇₁, θ₂, θ̇₂): Wieland's equations, as Gomez and Stanley print them."""
    gravity, friction, masses, halves = -9.8, 2e-6, (0.1, 0.01), (0.5, 0.05)
    forces, effective = [], []
    for angle, speed, mass, half in zip(state[2::2], state[3::2], masses, halves, strict=True):
        hinge = friction * speed / (mass * half)
        forces.append(mass * half * speed**2 * np.sin(angle) + 0.75 * mass * np.cos(angle) * (hinge + gravity * np.sin(angle)))
        effective.append(mass * (1 - 0.75 * np.cos(angle) ** 2))
    acceleration = (force + sum(forces)) / (1.0 + sum(effective))
    turns = []
    for angle, speed, mass, half in zip(state[2::2], state[3::2], masses, halves, strict=True):
        turns.append(-0.75 / half * (acceleration * np.cos(angle) + gravity * np.sin(angle) + friction * speed / (mass * half)))
    return np.array([state[1], acceleration, state[3], turns[0], state[5], turns[1]])


def double_pole_step(state: np.ndarray, action: float) -> np.ndarray:
    """The state 0.02 s later: two steps of the classical Runge-Kutta method."""
    force, step = 10.0 * min(max(float(action), -1.0), 1.0), 0.01
    state = np.asarray(state, np.float64)
    for _ in range(2):
        k1 = double_pole_slopes(state, force)
        k2 = double_pole_slopes(state + step / 2 * k1, force)
        k3 = double_pole_slopes(state + step / 2 * k2, force)
        k4 = double_pole_slopes(state + step * k3, force)
        state = state + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state
