"""Moving pictures of environments, drawn from their states.

A renderer draws what stands still, and returns what moves with a function that moves it to a time
step. To add an environment, write one and list it in `RENDERERS`, or give it as the environment's
`picture`; grids are drawn from the observation, and everything else as its observations over time.
"""

import io
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Circle, Rectangle
from matplotlib.quiver import Quiver
from PIL import Image

from wannjax.common.wording import printable
from wannjax.problems.host_environment import FRAMES
from wannjax.problems.spaces import Box, Discrete

_DARK, _MIDDLE, _LIGHT, _SIGNAL, _GOAL = "#20242c", "#5b6270", "#c3c9d2", "#c0392b", "#1b7a43"
_CHANNELS = ("#101319", "#4f9bd9", "#f2c14e", "#e4572e", "#76b041", "#b07cc6", "#f5f5f5", "#17a398", "#f08cae", "#9a7b4f", "#8d99ae")
"""The colours of an empty cell, and of the channels of a grid."""

_SMALLEST_GRID = 4
"""Rows and columns from which an observation counts as a grid."""


class Film(NamedTuple):
    """One episode: states with leading axis [T], and what the network was given and gave."""

    environment: Any
    params: Any
    states: Any
    observations: Float[np.ndarray, "T I"]
    outputs: Float[np.ndarray, "T O"]
    input_names: tuple[str, ...]

    @property
    def discrete(self) -> bool:
        """Whether an action is one choice: a `Discrete`."""
        return isinstance(self.environment.actions, Discrete)

    @property
    def actions(self) -> np.ndarray:
        """Per step: the index of the action [T] where it is one choice; how far each part of a box
        is pushed, from -1 to 1 [T, O]; several choices or switches as they are [T, ...].
        """
        if self.discrete:
            return np.argmax(self.outputs, axis=1)
        actions = self.environment.actions
        if isinstance(actions, Box):
            return np.clip(self.outputs, -1.0, 1.0)
        return np.asarray(jax.vmap(actions.action)(jnp.asarray(self.outputs)))


Moving = tuple[Sequence[Artist], Callable[[int], None]]
"""What moves, and a function that moves it to a time step."""


def render(axes: Axes, film: Film) -> Moving:
    """Sets up the picture of an episode on `axes`."""
    axes.set_xticks([])
    axes.set_yticks([])
    picture = film.environment.picture
    if callable(picture):
        return picture(axes, film)
    if picture in RENDERERS:
        return RENDERERS[picture](axes, film)
    shape = film.environment.observation_shape
    if len(shape) in (2, 3) and min(shape[:2]) >= _SMALLEST_GRID:
        return _grid(axes, film, shape)
    return _traces(axes, film)


def _swing_up(axes: Axes, film: Film) -> Moving:
    params = film.params
    turned = -film.states.theta  # its angle grows to the left
    return _cart(axes, film.states.x, turned, film.actions[:, 0], params.pole_length, params.track_limit)


def _cart_pole(axes: Axes, film: Film) -> Moving:
    params = film.params
    return _cart(axes, film.states.x, film.states.theta, 2.0 * film.actions - 1, 2 * params.length, params.x_threshold)


def _cart(axes: Axes, x: np.ndarray, angle: np.ndarray, force: np.ndarray, length: float, limit: float) -> Moving:
    """A pole, whose angle is 0 when it stands and grows to the right, on a cart."""
    _frame(axes, (-limit - 0.3, limit + 0.3), (-length - 0.25, length + 0.25))
    axes.plot([-limit, limit], [0, 0], color=_LIGHT, linewidth=3, solid_capstyle="butt")
    axes.plot([-limit, limit], [0, 0], color=_LIGHT, linestyle="", marker="|", markersize=14)
    cart = Rectangle((0, 0), 0.5, 0.22, facecolor=_DARK)
    axes.add_patch(cart)
    (pole,) = axes.plot([], [], color="#d08a2e", linewidth=5, solid_capstyle="round")
    arrow = _arrow(axes)

    def move(t: int) -> None:
        at = float(x[t])
        cart.set_xy((at - 0.25, -0.11))
        pole.set_data([at, at + length * np.sin(angle[t])], [0, length * np.cos(angle[t])])
        side = np.sign(force[t])
        _point(arrow, (at + 0.25 * side, 0.0), (0.7 * force[t], 0.0))

    return [cart, pole, arrow], move


def _pendulum(axes: Axes, film: Film) -> Moving:
    theta, torque = film.states.theta, film.actions[:, 0]
    _frame(axes, (-1.5, 1.5), (-1.5, 1.5))
    (rod,) = axes.plot([], [], color="#d08a2e", linewidth=9, solid_capstyle="round")
    pivot = Circle((0, 0), 0.07, facecolor=_DARK)
    axes.add_patch(pivot)
    arrow = _arrow(axes)

    def move(t: int) -> None:
        sin, cos = np.sin(theta[t]), np.cos(theta[t])
        rod.set_data([0, -sin], [0, cos])
        _point(arrow, (-sin, cos), (-0.6 * torque[t] * cos, -0.6 * torque[t] * sin))

    return [rod, pivot, arrow], move


def _acrobot(axes: Axes, film: Film) -> Moving:
    params, states = film.params, film.states
    first, second, torque = states.joint_angle1, states.joint_angle1 + states.joint_angle2, film.actions - 1.0
    lengths = params.link_length_1, params.link_length_2
    reach = sum(lengths) + 0.3
    _frame(axes, (-reach, reach), (-reach, reach))
    axes.plot([-reach, reach], [1, 1], color=_GOAL, linewidth=1.5, linestyle="--")
    (links,) = axes.plot([], [], color="#d08a2e", linewidth=6, marker="o", markersize=6, markerfacecolor=_DARK, markeredgewidth=0)
    arrow = _arrow(axes)

    def move(t: int) -> None:
        x = np.cumsum([0, lengths[0] * np.sin(first[t]), lengths[1] * np.sin(second[t])])
        y = np.cumsum([0, -lengths[0] * np.cos(first[t]), -lengths[1] * np.cos(second[t])])
        links.set_data(x, y)
        _point(arrow, (x[2], y[2]), (0.7 * torque[t] * np.cos(second[t]), 0.7 * torque[t] * np.sin(second[t])))

    return [links, arrow], move


def _mountain_car(axes: Axes, film: Film) -> Moving:
    params, position = film.params, film.states.position
    push = film.actions - 1.0 if film.discrete else film.actions[:, 0]
    x = np.linspace(params.min_position, params.max_position, 120)
    _frame(axes, (params.min_position - 0.05, params.max_position + 0.1), (-0.05, 1.3))
    axes.fill_between(x, -0.05, _hill(x), color=_LIGHT, linewidth=0)
    top = _hill(params.goal_position)
    axes.plot([params.goal_position] * 2, [top, top + 0.2], color=_GOAL, linewidth=2)
    axes.plot([params.goal_position + 0.04], [top + 0.16], color=_GOAL, marker=">", markersize=9)
    (car,) = axes.plot([], [], color=_DARK, marker="o", markersize=11)
    arrow = _arrow(axes)

    def move(t: int) -> None:
        place = float(position[t]), _hill(float(position[t])) + 0.05
        car.set_data([place[0]], [place[1]])
        _point(arrow, (place[0], place[1] + 0.12), (0.25 * push[t], 0.0))

    return [car, arrow], move


def _hill(x):
    return np.sin(3 * x) * 0.45 + 0.55


def _map(axes: Axes, film: Film) -> Moving:
    """Walls, with the agent and the goal at (row, column)."""
    axes.imshow(~np.asarray(film.environment.env.occupied_map), cmap=ListedColormap(["#f7f8fa", _MIDDLE]), vmin=0, vmax=1)
    return _goal_and_agent(axes, film.states.goal[:, ::-1], film.states.pos[:, ::-1])


def _point_robot(axes: Axes, film: Film) -> Moving:
    radius = float(film.params.circle_radius)
    _frame(axes, (-1.4 * radius, 1.4 * radius), (-0.6 * radius, 1.4 * radius))
    angle = np.linspace(0, np.pi, 60)
    axes.plot(radius * np.cos(angle), radius * np.sin(angle), color=_LIGHT)
    return _goal_and_agent(axes, film.states.goal, film.states.pos)


def _swimmer(axes: Axes, film: Film) -> Moving:
    _frame(axes, (-1.6, 1.6), (-1.6, 1.6))
    axes.plot(*film.states.urchin_xys[0].T, color=_SIGNAL, marker="X", markersize=9, linestyle="")
    return _goal_and_agent(axes, film.states.goal_xy, film.states.xy)


def _goal_and_agent(axes: Axes, goals: np.ndarray, places: np.ndarray) -> Moving:
    (goal,) = axes.plot([], [], color=_GOAL, marker="*", markersize=14, linestyle="")
    (agent,) = axes.plot([], [], color=_DARK, marker="o", markersize=9, linestyle="")

    def move(t: int) -> None:
        goal.set_data(goals[t, :1], goals[t, 1:])
        agent.set_data(places[t, :1], places[t, 1:])

    return [goal, agent], move


def _reacher(axes: Axes, film: Film) -> Moving:
    angles = film.states.angles
    reach = angles.shape[1] + 0.3
    _frame(axes, (-reach, reach), (-reach, reach))
    (arm,) = axes.plot([], [], color="#d08a2e", linewidth=6, marker="o", markersize=6, markerfacecolor=_DARK, markeredgewidth=0)
    (goal,) = axes.plot([], [], color=_GOAL, marker="*", markersize=14, linestyle="")

    def move(t: int) -> None:
        arm.set_data(np.cumsum([0, *np.cos(angles[t])]), np.cumsum([0, *np.sin(angles[t])]))
        goal.set_data(film.states.goal_xy[t, :1], film.states.goal_xy[t, 1:])

    return [goal, arm], move


def _grid(axes: Axes, film: Film, shape: tuple[int, ...]) -> Moving:
    """The last of the channels that is on in each cell, as a colour."""
    cells = film.observations.reshape(-1, shape[0], shape[1], int(np.prod(shape[2:]))) > 0
    last_on = np.max(cells * np.arange(1, cells.shape[-1] + 1), axis=-1)
    image = axes.imshow(last_on[0], cmap=ListedColormap(_CHANNELS), vmin=-0.5, vmax=len(_CHANNELS) - 0.5, interpolation="nearest")
    return [image], lambda t: image.set_data(last_on[t])


def _camera(axes: Axes, film: Film) -> Moving:
    """What a camera saw."""

    def at(t: int) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(film.states[t])))

    image = axes.imshow(at(0))
    return [image], lambda t: image.set_data(at(t))


def _traces(axes: Axes, film: Film) -> Moving:
    """Every observation over time, each scaled to its own range, drawn up to now."""
    observations = film.observations
    low, high = observations.min(axis=0), observations.max(axis=0)
    rows = np.arange(observations.shape[1])[::-1]
    scaled = rows + 0.8 * (observations - low) / np.where(high > low, high - low, 1.0)
    axes.set_xlim(0, max(len(observations) - 1, 1))
    axes.set_ylim(-0.3, len(rows))
    if len(rows) <= 16:
        axes.set_yticks(rows + 0.4, [printable(name) for name in film.input_names], fontsize=7, parse_math=False)
    axes.tick_params(length=0)
    lines = [axes.plot([], [], color=_MIDDLE, linewidth=1.2)[0] for _ in rows]

    def move(t: int) -> None:
        for line, values in zip(lines, scaled.T, strict=True):
            line.set_data(np.arange(t + 1), values[: t + 1])

    return lines, move


def _frame(axes: Axes, x: tuple[float, float], y: tuple[float, float]) -> None:
    axes.set_xlim(*x)
    axes.set_ylim(*y)
    axes.set_aspect("equal")


def _arrow(axes: Axes) -> Quiver:
    return axes.quiver([0], [0], [0], [0], color=_SIGNAL, angles="xy", scale_units="xy", scale=1, width=0.016, minlength=0.05, zorder=5)


def _point(arrow: Quiver, at: Sequence[Any], along: Sequence[Any]) -> None:
    arrow.set_offsets([at])
    arrow.set_UVC([along[0]], [along[1]])


RENDERERS: dict[str, Callable[[Axes, Film], Moving]] = {
    "CartPoleSwingUp-v0": _swing_up,
    "CartPole-v1": _cart_pole,
    "Pendulum-v1": _pendulum,
    "Acrobot-v1": _acrobot,
    "MountainCar-v0": _mountain_car,
    "MountainCarContinuous-v0": _mountain_car,
    "FourRooms-misc": _map,
    "MetaMaze-misc": _map,
    "PointRobot-misc": _point_robot,
    "Swimmer-misc": _swimmer,
    "Reacher-misc": _reacher,
    FRAMES: _camera,
}
"""By the name of the picture: what gymnax calls the environment, or `FRAMES`."""
