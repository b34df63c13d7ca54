"""Rows C1 to C9 of a program, as stated in the package docstring."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from advisor.solver.columns import COST
from advisor.solver.data import Aggregate, Goal, Limit, Plan, Pool, Service
from advisor.solver.linear import Domain, Expression, Kind, LinearProgram, Row
from advisor.solver.program import Program

Terms = list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Formulation:
    """Variables and rows of a program, from which one linear program for each stage is made."""

    program: Program
    names: list[str]
    domains: list[Domain]
    rows: list[Row]
    choice_at: dict[tuple[str, str], int]
    cost: Expression
    slacks: dict[tuple[Kind, str], int]

    def expression(self, goal: Goal) -> Expression:
        """Return what a goal minimises, as a weighted sum of variables."""
        if goal.attribute == COST:
            return self.cost
        services = self.program.concerned(goal)
        return _expression(_aggregate_terms(self.choice_at, services, goal.attribute, goal.aggregate))

    def stage(self, goal: Goal, reached: Sequence[tuple[Goal, float]] = ()) -> LinearProgram:
        """Return the linear program of a goal, with earlier goals held at what they `reached` (rows C9)."""
        held = [
            Row(Kind.STAGE, earlier.attribute, self.expression(earlier), "<=", value)
            for earlier, value in reached
        ]
        return LinearProgram(
            goal.attribute, self.expression(goal), [*self.rows, *held], self.names, self.domains
        )

    def relaxed(self) -> LinearProgram:
        """Return the linear program of the first goal with every variable continuous."""
        domains = [Domain.CONTINUOUS] * len(self.names)
        return replace(self.stage(self.program.stages[0]), domains=domains)

    def name_order(self) -> LinearProgram:
        """Return the linear program that prefers columns that come earlier in their service."""
        ranks = [float(rank) for service in self.program.services for rank in range(len(service.columns))]
        return LinearProgram(
            "rank", Expression(range(len(ranks)), ranks), self.rows, self.names, self.domains
        )

    def least_slack(self) -> LinearProgram:
        """Return the elastic program: minimise the sum of all relative relaxations."""
        total = Expression(list(self.slacks.values()), [1.0] * len(self.slacks))
        return LinearProgram("relaxation", total, self.rows, self.names, self.domains)


def formulate(program: Program) -> LinearProgram:
    """Return the linear program of the first goal."""
    return formulation(program).stage(program.stages[0])


def formulation(program: Program, *, elastic: bool = False, implied: bool = False) -> Formulation:
    """Return variables and rows of a program.

    Args:
        program: The program; nothing is dropped.
        implied: Whether purchases are left continuous where whole ones cost the same: for given whole use and
            share-limited counts, rows C2 and C4 of a pool are an interval matrix, hence totally unimodular.
        elastic: Whether limits and quotas (rows C4 to C7) can be exceeded by a slack, one for each name,
            measured in multiples of the bound (of the largest coefficient where the bound is 0).
    """
    return _Builder(program, elastic=elastic, implied=implied).build()


class _Builder:
    """Collects variables first, then rows, in the order of the program."""

    def __init__(self, program: Program, *, elastic: bool, implied: bool) -> None:
        self.program = program
        self.implied = implied
        self.elastic = elastic
        self.names: list[str] = []
        self.domains: list[Domain] = []
        self.choice_at: dict[tuple[str, str], int] = {}
        self.committed_at: dict[tuple[str, str], int] = {}
        self.hourly_at: dict[tuple[str, str], list[int]] = {}
        self.slacks: dict[tuple[Kind, str], int] = {}
        self.use: dict[str, list[Terms]] = {}

    def build(self) -> Formulation:
        self._add_variables()
        self._collect_use()
        rows = [*self._choices(), *self._pools(), *self._groups(), *self._limits(), *self._cuts()]
        return Formulation(
            self.program,
            self.names,
            self.domains,
            rows,
            self.choice_at,
            _expression(self._cost()),
            self.slacks,
        )

    def _variable(self, name: str, domain: Domain) -> int:
        self.names.append(name)
        self.domains.append(domain)
        return len(self.names) - 1

    def _add_variables(self) -> None:
        for service in self.program.services:
            for column in service.columns:
                name = f"x[{service.name},{column.name}]"
                self.choice_at[service.name, column.name] = self._variable(name, Domain.BINARY)
        fractional = _fractional_pools(self.program) if self.implied else set()
        for pool in self.program.pools:
            implied = self.implied and pool.name not in fractional
            for plan in pool.committed:
                name = f"r[{pool.name},{plan.name}]"
                self.committed_at[pool.name, plan.name] = self._variable(name, _domain(plan, implied=implied))
            for plan in pool.hourly:
                self.hourly_at[pool.name, plan.name] = [
                    self._variable(
                        f"o[{pool.name},{plan.name},{period.name}]", _domain(plan, implied=implied)
                    )
                    for period in self.program.periods
                ]

    def _collect_use(self) -> None:
        self.use = {pool.name: [[] for _ in self.program.periods] for pool in self.program.pools}
        for service in self.program.services:
            for column in service.columns:
                at = self.choice_at[service.name, column.name]
                for pool, counts in column.demand.items():
                    for terms, count in zip(self.use[pool], counts, strict=True):
                        if count:
                            terms.append((at, count))

    def _choices(self) -> Iterator[Row]:
        for service in self.program.services:
            terms = [(self.choice_at[service.name, column.name], 1.0) for column in service.columns]
            yield Row(Kind.CHOICE, service.name, _expression(terms), "=", 1.0)

    def _pools(self) -> Iterator[Row]:
        for pool in self.program.pools:
            if pool.owned:
                continue
            yield from self._coverage(pool)
            for plan in pool.plans:
                if plan.max_share_of_use < 1:
                    yield from self._share(pool, plan)
                if plan.quota is not None:
                    yield from self._plan_quota(pool, plan, plan.quota)

    def _coverage(self, pool: Pool) -> Iterator[Row]:
        for index, period in enumerate(self.program.periods):
            terms = [(self.committed_at[pool.name, plan.name], 1.0) for plan in pool.committed]
            terms += [(self.hourly_at[pool.name, plan.name][index], 1.0) for plan in pool.hourly]
            terms += [(at, -count) for at, count in self.use[pool.name][index]]
            yield Row(Kind.COVERAGE, f"{pool.name},{period.name}", _expression(terms), ">=", 0.0)

    def _share(self, pool: Pool, plan: Plan) -> Iterator[Row]:
        for index, period in enumerate(self.program.periods):
            terms = [(self.hourly_at[pool.name, plan.name][index], 1.0)]
            terms += [(at, -plan.max_share_of_use * count) for at, count in self.use[pool.name][index]]
            yield Row(Kind.SHARE, f"{pool.name},{plan.name},{period.name}", _expression(terms), "<=", 0.0)

    def _plan_quota(self, pool: Pool, plan: Plan, quota: int) -> Iterator[Row]:
        key = (pool.name, plan.name)
        label = f"{pool.name},{plan.name}"
        slack = self._slack(Kind.PLAN_QUOTA, label, max(quota, 1))
        if key in self.committed_at:
            yield Row(
                Kind.PLAN_QUOTA, label, _expression([(self.committed_at[key], 1.0), *slack]), "<=", quota
            )
            return
        for at, period in zip(self.hourly_at[key], self.program.periods, strict=True):
            yield Row(
                Kind.PLAN_QUOTA, f"{label},{period.name}", _expression([(at, 1.0), *slack]), "<=", quota
            )

    def _groups(self) -> Iterator[Row]:
        for group in self.program.groups:
            slack = self._slack(Kind.GROUP_QUOTA, group.name, max(group.max_instances, 1))
            for index, period in enumerate(self.program.periods):
                terms = [term for pool in group.pools for term in self.use[pool][index]]
                bound = float(group.max_instances)
                yield Row(
                    Kind.GROUP_QUOTA, f"{group.name},{period.name}", _summed([*terms, *slack]), "<=", bound
                )

    def _limits(self) -> Iterator[Row]:
        for limit in self.program.limits:
            services = self.program.concerned(limit)
            if limit.aggregate is Aggregate.EACH:
                yield from self._each(limit, services)
                continue
            terms = self._cost() if limit.attribute == COST else self._aggregated(limit, services)
            slack = self._slack(Kind.LIMIT, limit.name, _scale(limit.bound, terms))
            yield Row(Kind.LIMIT, limit.name, _expression([*terms, *slack]), "<=", limit.bound)

    def _each(self, limit: Limit, services: Sequence[Service]) -> Iterator[Row]:
        blocks = {service.name: self._aggregated(limit, (service,)) for service in services}
        every = [term for terms in blocks.values() for term in terms]
        slack = self._slack(Kind.EACH, limit.name, _scale(limit.bound, every))
        for name, terms in blocks.items():
            yield Row(Kind.EACH, f"{limit.name},{name}", _expression([*terms, *slack]), "<=", limit.bound)

    def _aggregated(self, limit: Limit, services: Sequence[Service]) -> Terms:
        return _aggregate_terms(self.choice_at, services, limit.attribute, limit.aggregate)

    def _cuts(self) -> Iterator[Row]:
        for number, cut in enumerate(self.program.cuts, start=1):
            terms = [(self.choice_at[choice], 1.0) for choice in sorted(cut) if choice in self.choice_at]
            services = len({service for service, _ in cut})
            yield Row(Kind.CUT, str(number), _expression(terms), "<=", float(services - 1))

    def _cost(self) -> Terms:
        terms = [
            (self.choice_at[service.name, column.name], column.cost_usd_per_month)
            for service in self.program.services
            for column in service.columns
        ]
        hours = self.program.hours_per_month
        for pool in self.program.pools:
            terms += [
                (self.committed_at[pool.name, plan.name], plan.usd_per_h * hours) for plan in pool.committed
            ]
            for plan in pool.hourly:
                at = self.hourly_at[pool.name, plan.name]
                periods = self.program.periods
                terms += [
                    (one, plan.usd_per_h * period.hours_per_month)
                    for one, period in zip(at, periods, strict=True)
                ]
        return terms

    def _slack(self, kind: Kind, label: str, scale: float) -> Terms:
        if not self.elastic:
            return []
        self.slacks[kind, label] = self._variable(f"e[{label}]", Domain.CONTINUOUS)
        return [(self.slacks[kind, label], -float(scale))]


def _domain(plan: Plan, *, implied: bool) -> Domain:
    return Domain.CONTINUOUS if implied and plan.max_share_of_use >= 1 else Domain.INTEGER


def _fractional_pools(program: Program) -> set[str]:
    """Return pools that some column uses with a count that is not whole."""
    return {
        pool
        for service in program.services
        for column in service.columns
        for pool, counts in column.demand.items()
        if not all(float(count).is_integer() for count in counts)
    }


def _aggregate_terms(
    choice_at: dict[tuple[str, str], int], services: Sequence[Service], attribute: str, aggregate: Aggregate
) -> Terms:
    total = sum(service.weight for service in services)
    return [
        (choice_at[service.name, column.name], share * column.attributes[attribute])
        for service in services
        for share in (service.weight / total if aggregate is Aggregate.MEAN else 1.0,)
        for column in service.columns
    ]


def _scale(bound: float, terms: Terms) -> float:
    return abs(bound) or max((abs(coefficient) for _, coefficient in terms), default=0.0) or 1.0


def _expression(terms: Iterable[tuple[int, float]]) -> Expression:
    variables, coefficients = [], []
    for variable, coefficient in terms:
        variables.append(variable)
        coefficients.append(float(coefficient))
    return Expression(variables, coefficients)


def _summed(terms: Iterable[tuple[int, float]]) -> Expression:
    """Add up terms of the same variable (a column can use two pools of one group)."""
    total: dict[int, float] = {}
    for variable, coefficient in terms:
        total[variable] = total.get(variable, 0.0) + coefficient
    return Expression(list(total), [float(value) for value in total.values()])
