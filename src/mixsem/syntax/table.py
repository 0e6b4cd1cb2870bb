"""The parameter table of a model: every parameter, in every group."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import ModelSyntaxError, OptionError, UnsupportedModelError, did_you_mean, enumerate_briefly
from .cells import Cell, Grid, Key, build_grid, oriented, parameter_name
from .defaults import Defaults
from .equality import EQUAL, EQUAL_SEM, equal_over_groups, kind_of
from .labels import tie
from .sem import parse_parameter
from .support import require_measurement_model
from .terms import Constraint, Definition, ModelSyntax
from .variables import Variables, classify

__all__ = ["ParameterTable", "Row", "build_table", "measurement_table"]


@dataclass(frozen=True, slots=True)
class Row:
    """One model parameter in all groups.

    Attributes
    ----------
    lhs, op, rhs
        Names and operator: ``"=~"`` for a loading, ``"~~"`` for a (co)variance, ``"~1"`` for an intercept or
        factor mean (with an empty `rhs`), ``"~"`` for a regression. The names of a covariance stand in the
        order of the factors and items.
    fixed
        The value the parameter is fixed at, None where it is free; one entry per group.
    label
        One entry per group, the empty text for none. Same label, same parameter, within and across groups;
        then `fixed`, `start` and the bounds are the same too.
    start
        Starting values, None where there is none; one entry per group.
    lower, upper
        Bounds, infinite where there is none; one entry per group.
    user
        Whether the user wrote it; otherwise it is one of lavaan's defaults.
    line, column
        Where it was written, 0 for a default.
    """

    lhs: str
    op: str
    rhs: str
    fixed: tuple[float | None, ...]
    label: tuple[str, ...]
    start: tuple[float | None, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    user: bool
    line: int
    column: int

    @property
    def name(self) -> str:
        """Short name, such as ``"F1=~x2"`` or ``"x1~1"``."""
        return parameter_name((self.lhs, self.op, self.rhs))


@dataclass(frozen=True, slots=True)
class ParameterTable:
    """All parameters of a model.

    Attributes
    ----------
    rows
        What the user wrote, in that order, then the defaults: residual variances, factor variances, factor
        covariances, intercepts, factor means.
    factors, observed
        Names in order of appearance.
    n_groups
        Number of groups; each row has that many entries.
    constraints, definitions
        Constraints that labels and fixed values cannot express; definitions.
    structural
        Observed variables that stand among the factors, measured without error.
    exogenous
        Observed variables that only predict.
    covariates
        Those of them whose moments are taken as given.
    aliases
        The label in the rows that stands for each label of the model text.
    """

    rows: tuple[Row, ...]
    factors: tuple[str, ...]
    observed: tuple[str, ...]
    n_groups: int
    constraints: tuple[Constraint, ...]
    definitions: tuple[Definition, ...]
    structural: tuple[str, ...] = ()
    exogenous: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def n_free(self) -> int:
        """Number of free parameters, those with the same label counted once."""
        free = [
            (row.name, g, "") if not row.label[g] else ("", 0, row.label[g])
            for row in self.rows
            for g in range(self.n_groups)
            if row.fixed[g] is None
        ]
        return len(set(free))


def measurement_table(
    syntax: ModelSyntax,
    *,
    groups: Sequence[Hashable],
    equal: Sequence[str] = (),
    partial: Sequence[str] = (),
    std_lv: bool = False,
    meanstructure: bool = False,
) -> ParameterTable:
    """List the parameters of a confirmatory factor model, with the defaults of lavaan's ``cfa()``.

    The first loading of each factor is fixed at 1 (its marker variable) unless ``NA*`` frees it or `std_lv`
    fixes the factor variances instead; residual variances, factor variances and all factor covariances are
    free; the residual variance of an item that is the only one of its factor is zero. With `std_lv` and
    equal loadings, factor variances are free in all groups but the first; with equal intercepts, factor means
    are. Intercepts are modelled if `meanstructure` says so, if the text contains ``x ~ 1``, or if intercepts
    or means are held equal.

    A label used for several parameters makes them equal, and a single label in a model for several groups
    makes the parameter equal over groups; ``equal("F =~ x2")`` means that parameter in the first group,
    ``equal("F =~ x2.g2")`` in the second. What stands before the first ``group:`` header holds for all
    groups, and a group's own block adds to it; a loading or covariance of one block only is zero elsewhere.

    Unlike lavaan, a contradiction is an error: to hold equal over groups what is fixed at different values,
    and to free by `partial` what stays fixed or labelled.

    Parameters
    ----------
    syntax
        The model, from `parse_model`.
    groups
        Labels of the groups; entries of ``c(...)`` are in this order.
    equal
        Kinds of parameters held equal over groups: ``"loadings"``, ``"intercepts"``, ``"residuals"``,
        ``"residual.covariances"``, ``"lv.variances"``, ``"lv.covariances"``, ``"means"``.
    partial
        Parameters left free all the same, such as ``"narcissism =~ cnarc3"``.
    std_lv
        Scale the factors by unit variances.
    meanstructure
        Model the intercepts.

    Returns
    -------
    ParameterTable

    Raises
    ------
    UnsupportedModelError
        For parts of the syntax that no measurement model here can use, with line and column.
    ModelError
        For a model that contradicts itself or does not fit the groups.
    OptionError
        For an unknown kind in `equal` or an unknown parameter in `partial`.

    Examples
    --------
    >>> from mixsem.syntax.sem import parse_model
    >>> table = measurement_table(
    ...     parse_model("F =~ x1 + x2 + x3"), groups=("A", "B"), equal=("loadings",), partial=("F =~ x3",)
    ... )
    >>> for row in table.rows[:4]:
    ...     print(row.name, row.fixed, row.label)
    F=~x1 (1.0, 1.0) ('', '')
    F=~x2 (None, None) ('.F=~x2.', '.F=~x2.')
    F=~x3 (None, None) ('', '')
    x1~~x1 (None, None) ('', '')
    >>> table.n_free
    11
    """
    require_measurement_model(syntax)
    defaults = Defaults(
        std_lv=std_lv,
        meanstructure=meanstructure
        or not {"intercepts", "means"}.isdisjoint(equal)
        or any(term.op == "~1" for term in syntax.terms),
        free_variances="loadings" in equal and "lv.variances" not in equal,
        free_means="intercepts" in equal and "means" not in equal,
    )
    table = build_table(syntax, groups, defaults, equal=equal, partial=partial, kinds=EQUAL)
    for constraint in table.constraints:
        raise UnsupportedModelError(
            f"{constraint.place}: '{constraint}' is neither two labels nor a label and a number",
            allowed="'a == b' and 'a == 0.5'",
            todo="give parameters that are equal the same label",
        )
    return table


def build_table(
    syntax: ModelSyntax,
    groups: Sequence[Hashable],
    defaults: Defaults,
    *,
    equal: Sequence[str] = (),
    partial: Sequence[str] = (),
    kinds: Sequence[str] = EQUAL_SEM,
) -> ParameterTable:
    """List the parameters of any model under given defaults; what a method can use of it is decided where it is.

    Parameters and errors are those of `measurement_table`; `kinds` are those that `equal` may name. Values of
    covariates' moments are NaN in ``fixed``: they are the group's own, to be filled in from the data.
    """
    if not groups:
        raise OptionError("groups= is empty", allowed="one label per group", todo="for a single group, pass one")
    _require_names("equal", equal)
    _require_names("partial", partial)
    for kind in equal:
        if kind not in kinds:
            raise OptionError(
                f"equal= got {kind!r}", allowed=", ".join(map(repr, kinds)), todo=did_you_mean(kind, kinds)
            )
    variables = classify(syntax)
    grid = build_grid(syntax, groups, variables, defaults)
    freed = [_named(text, grid, variables.names) for text in partial]
    if len(groups) > 1 and kinds is EQUAL_SEM:
        _require_held(freed, variables.latent, equal)
    held = {key for key in grid if kind_of(key, variables.latent) in equal and key not in freed}
    held = {key for key in held if not any(cell.sample for cell in grid[key])}
    defined = [definition.name for definition in syntax.definitions]
    tied = tie(equal_over_groups(grid, held, groups), syntax.constraints, variables.names, defined)
    if len(groups) > 1:
        _require_freed(tied.grid, freed)
    return ParameterTable(
        rows=tuple(_row(key, cells) for key, cells in tied.grid.items()),
        factors=variables.latent,
        observed=variables.observed,
        n_groups=len(groups),
        constraints=tied.rest,
        definitions=syntax.definitions,
        structural=variables.structural,
        exogenous=variables.covariates,
        covariates=_given(variables, tied.grid),
        aliases=tied.aliases,
    )


def _given(variables: Variables, grid: Grid) -> tuple[str, ...]:
    """Covariates whose moments are taken as given."""
    return tuple(x for x in variables.covariates if any(cell.sample for cell in grid[x, "~~", x]))


def _require_names(option: str, names: Sequence[str]) -> None:
    if isinstance(names, str):
        raise OptionError(
            f"{option}= got the text {names!r}",
            allowed="a sequence of texts",
            todo=f"write {option}=({names!r},)",
        )


def _named(text: str, grid: Grid, variables: Sequence[str]) -> Key:
    """Find the parameter that an entry of `partial` names."""
    try:
        key = oriented(parse_parameter(text), variables)
    except ModelSyntaxError:
        key = ("", "", "")
    if key in grid:
        return key
    names = [parameter_name(k) for k in grid]
    loadings = [parameter_name(k) for k in grid if k[1] == "=~"]
    raise OptionError(
        f"partial= names {text!r}, which is not a parameter of the model",
        allowed=f"loadings {enumerate_briefly(loadings, limit=30)}; others likewise, as in 'x1 ~ 1'",
        todo=did_you_mean("".join(str(text).split()), names),
    )


def _require_held(freed: Sequence[Key], factors: Sequence[str], equal: Sequence[str]) -> None:
    """Require that what `partial` names is of a kind that `equal` holds equal."""
    for key in freed:
        kind = kind_of(key, factors)
        if kind not in equal:
            raise OptionError(
                f"partial= names {parameter_name(key)}, but equal= does not hold {kind or 'such parameters'} equal",
                allowed=f"parameters of the kinds {', '.join(map(repr, equal))}" if equal else "nothing",
                todo=f"add {kind!r} to equal=, or leave the parameter out of partial=",
            )


def _require_freed(grid: Grid, freed: Collection[Key]) -> None:
    """Require that what `partial` names can differ between groups."""
    for key in freed:
        cells = [cell for cell in grid[key] if cell.exists]
        value, label = cells[0].fixed, cells[0].label
        if value is not None and {cell.fixed for cell in cells} == {value}:
            raise OptionError(
                f"partial= cannot free {parameter_name(key)}, which is fixed at {value:g} in every group",
                allowed="parameters that are free",
                todo="if it is a marker, make another item the marker: F =~ NA*x1 + 1*x2",
            )
        if label and {cell.label for cell in cells} == {label}:
            raise OptionError(
                f"partial= cannot free {parameter_name(key)}, which the label '{label}' holds equal",
                allowed="parameters without a label, or with one label per group",
                todo="remove the label, or write one per group with c(...)",
            )


def _row(key: Key, cells: tuple[Cell, ...]) -> Row:
    term = next((cell.term for cell in cells if cell.term), None)
    return Row(
        *key,
        fixed=tuple(cell.fixed for cell in cells),
        label=tuple(cell.label for cell in cells),
        start=tuple(cell.start for cell in cells),
        lower=tuple(cell.lower for cell in cells),
        upper=tuple(cell.upper for cell in cells),
        user=term is not None,
        line=term.line if term else 0,
        column=term.column if term else 0,
    )
