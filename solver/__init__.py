r"""The integer program: which candidate for each service, and which purchases, at the least cost.

It knows numbers and names only. The mathematics stands here once; `rows` names each row as here.

**Sets**

- services $s \in S$, each with candidate columns $v \in V_s$ and a weight $w_s$
- periods $t \in T$ of $h_t$ hours per month; $H = \sum_t h_t$
- pools $i \in I$ of interchangeable instances, with committed plans $p \in C_i$ and hourly plans $p \in P_i$
- quota groups $g \in G$ of pools, limits $\ell \in L$ with bounds $b_\ell$, cuts $k \in K$

**Data**

- $c_{sv}$ cost of a column alone (USD per month); $a_{sv}$ an attribute of it; $d_{svit}$ instances of pool $i$ that it uses in period $t$
- $\pi_{ip}$ price (USD per hour), $\sigma_{ip}$ largest share of the use, $q_{ip}$ quota of a plan, $Q_g$ quota of a group

**Variables**

- $x_{sv} \in \{0, 1\}$: service $s$ runs as column $v$
- $r_{ip} \in \mathbb{Z}_{\ge 0}$: instances committed to, paid in every hour, shared by all services and periods
- $o_{ipt} \in \mathbb{Z}_{\ge 0}$: instances bought by the hour in period $t$
- $u_{it} = \sum_s \sum_v d_{svit} x_{sv}$ stands for the instances of pool $i$ in use in period $t$

**Objective**: the goals one after the other, each minimised among the optima of those before it. A goal is

$$\text{cost} = \sum_{s,v} c_{sv} x_{sv} + \sum_i \Big( \sum_{p \in C_i} \pi_{ip} H r_{ip} + \sum_{p \in P_i} \sum_t \pi_{ip} h_t o_{ipt} \Big)$$

or an attribute, $\sum_{s,v} a_{sv} x_{sv}$ or $\sum_{s,v} w_s a_{sv} x_{sv} / \sum_s w_s$.

**Constraints**

| row | for each | constraint |
| --- | --- | --- |
| C1 choice | $s$ | $\sum_v x_{sv} = 1$ |
| C2 coverage | $i, t$ (pools that are not owned) | $\sum_{p \in C_i} r_{ip} + \sum_{p \in P_i} o_{ipt} \ge u_{it}$ |
| C3 share | $i, p, t$ with $\sigma_{ip} < 1$ | $o_{ipt} \le \sigma_{ip} u_{it}$ |
| C4 plan quota | $i, p$ ($t$ if hourly) with a quota | $r_{ip} \le q_{ip}$, $o_{ipt} \le q_{ip}$ |
| C5 group quota | $g, t$ | $\sum_{i \in g} u_{it} \le Q_g$ |
| C6 limit | $\ell$ on a sum, a mean or the cost | $\sum_{s,v} a_{sv} x_{sv} \le b_\ell$ (weighted as in a goal for a mean) |
| C7 each | $\ell, s$ where each service counts by itself | $\sum_v a_{sv} x_{sv} \le b_\ell$ |
| C8 cut | $k$, with $S_k$ the services in the cut | $\sum_{(s,v) \in k} x_{sv} \le \lvert S_k \rvert - 1$ |
| C9 stage | goals already solved | goal $\le$ its optimum |

**Elastic form** (when nothing fits): the right-hand sides of C4 to C7 grow by $e_\ell \max(\lvert b_\ell \rvert, \cdot)$ with one
$e_\ell \ge 0$ for each name, and $\sum e$ is minimised.

**What is solved.** `formulate` writes the program out as above. `solve` first makes an equivalent smaller one, unless
`SolverSettings.simplify` is off: purchases of a pool that one service uses, or whose price is additive, have a
closed form and become part of the columns' cost; rows that cannot bind and dominated columns are dropped; parts
without common rows are solved apart.

**Decomposition**, of programs of several services whose first goal is the cost. With a price $\lambda_{it} \ge 0$ for covering
an instance, $\rho_{ipt} \ge 0$ for C3, $\mu_{gt} \ge 0$ for C5 and $\nu_\ell \ge 0$ for C6, the Lagrangian relaxation falls apart
into a minimum for each service and one for each purchase, so that for all such prices

$$\sum_s \min_v \Big( c_{sv} + \sum_{i,t} \big( y_{it} + \sum_{g \ni i} \mu_{gt} \big) d_{svit} + \sum_\ell \nu_\ell a_{sv\ell} \Big)
- \sum_{g,t} \mu_{gt} Q_g - \sum_\ell \nu_\ell b_\ell - \sum_{i,p} q_{ip} (\ldots)^+ \le \text{cost}, \qquad
y_{it} = \lambda_{it} - \sum_p \sigma_{ip} \rho_{ipt}$$

provided that $\sum_t \lambda_{it} \le \pi_{ip} H$ for committed and $\lambda_{it} - \rho_{ipt} \le \pi_{ip} h_t$ for hourly plans without quota;
a plan with a quota may be exceeded by $(\ldots)^+$ and takes it off. $\rho$ is chosen as $(\lambda - \pi h)^+$. Prices come from the linear
relaxation over a few columns of each service, to which columns of negative reduced cost are added until none is left (column
generation, steadied by taking prices between the new and the best so far: Wentges 1997); its optimum is the bound of the
linear relaxation, and any earlier prices prove a bound, too. Prices $\mu, \nu$ alone whose sum of minima exceeds what
C5 and C6 allow prove that nothing fits (Farkas). The relaxation is then dived into: services that it is sure of are fixed and it is
solved again; exceeded rows are repaired, and single services changed as long as that saves. With this plan of cost $U$ and the
bound $L$, a column whose reduced cost exceeds $U - L$ is in no better plan. If $U - L$ is within the gap asked for, that
is the answer; else the integer program is solved exactly over the columns that are left.

**Checks.** Whatever the solver returns, the choice is read as whole, its cost, purchases and limits are computed from
the data again, and a difference of more than $10^{-6}$ raises `SolverDisagreement`.

**Among equals** of all goals the first by name is taken where services do not hang together; the answer never depends on
the order in which services, columns, pools or plans are given.
"""

from advisor.solver.columns import COST, Column
from advisor.solver.conflicts import Conflict, Repair, conflict
from advisor.solver.data import Aggregate, Goal, Limit, Period, Plan, PlanKind, Pool, QuotaGroup, Service
from advisor.solver.errors import ProgramError, SolverDisagreement, SolverFailure, SolverUnavailable
from advisor.solver.evaluation import broken_rows, evaluate
from advisor.solver.mixing import Bucket, Carrier, Mix, Mixing, MixResult, cheapest_mix
from advisor.solver.next_best import alternatives
from advisor.solver.program import Program
from advisor.solver.pulp_bridge import RANDOM_SEED, Observer, SolverSettings, available_solvers
from advisor.solver.requirements import Requirement, RequirementKind, relaxed, requirements
from advisor.solver.results import Purchase, Result, Solution, SolverReport, Status
from advisor.solver.rows import formulate
from advisor.solver.solving import solve
from advisor.solver.tables import Table, Use

__all__ = [
    "COST",
    "RANDOM_SEED",
    "Aggregate",
    "Bucket",
    "Carrier",
    "Column",
    "Conflict",
    "Goal",
    "Limit",
    "Mix",
    "MixResult",
    "Mixing",
    "Observer",
    "Period",
    "Plan",
    "PlanKind",
    "Pool",
    "Program",
    "ProgramError",
    "Purchase",
    "QuotaGroup",
    "Repair",
    "Requirement",
    "RequirementKind",
    "Result",
    "Service",
    "Solution",
    "SolverDisagreement",
    "SolverFailure",
    "SolverReport",
    "SolverSettings",
    "SolverUnavailable",
    "Status",
    "Table",
    "Use",
    "alternatives",
    "available_solvers",
    "broken_rows",
    "cheapest_mix",
    "conflict",
    "evaluate",
    "formulate",
    "relaxed",
    "requirements",
    "solve",
]
