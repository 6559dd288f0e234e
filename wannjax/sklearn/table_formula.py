"""A network's formulas in the units of the table that it was fitted to."""

from collections.abc import Sequence
from dataclasses import replace

from wannjax.analysis.formula import Expression, Formulas


def in_units_of_the_table(formulas: Formulas, inputs: Sequence[tuple[float, float]], outputs: Sequence[tuple[float, float]]) -> Formulas:
    """The same function of inputs, and with outputs, that are not scaled.

    Args:
        inputs, outputs: (mean, spread) of each: an input is scaled by (x - mean) / spread, and an
            output is unscaled by mean + spread · y.
    """
    import sympy

    def linear(mean: float, spread: float, scaled: Expression) -> Expression:
        """mean + spread · scaled, without factors and terms that change nothing."""
        scaled = scaled if spread == 1 else sympy.Float(spread) * scaled
        return scaled if mean == 0 else sympy.Float(mean) + scaled

    scaled = {
        symbol: linear(-mean / spread, 1 / spread, symbol) for symbol, (mean, spread) in zip(formulas.inputs.values(), inputs, strict=True)
    }
    definitions = {symbol: sympy.expand_mul(value.xreplace(scaled)) for symbol, value in formulas.definitions.items()}
    values = {
        name: sympy.expand_mul(linear(mean, spread, value.xreplace(scaled)))
        for (name, value), (mean, spread) in zip(formulas.outputs.items(), outputs, strict=True)
    }
    return replace(formulas, definitions=definitions, outputs=values)
