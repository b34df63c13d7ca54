"""A plan as what people paste: launch arguments, recipes, manifests; only what it needs, each line with its reason.

Example:
    >>> from advisor import Requirements, recommend
    >>> from advisor.export import export
    >>> plan = recommend("large-llm", Requirements(max_accuracy_loss="1%"))
    >>> [document.path for document in export(plan, "deployment")]
    ['chat-deployment.yaml']
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.catalog import Catalog
from advisor.errors import AdvisorError, UnknownName
from advisor.export import clusters, engines, extensions
from advisor.export.facts import Facts, NotInPlan
from advisor.export.terraform import terraform
from advisor.export.triton import triton
from advisor.export.writing import slugs
from advisor.stored import load_plan, served

if TYPE_CHECKING:
    from advisor.catalog import InstanceType
    from advisor.recommendation import Recommendation, ServicePlan

__all__ = ["TARGETS", "Exported", "NotInPlan", "export", "joined"]


@dataclass(frozen=True, slots=True)
class Exported:
    """One document.

    Args:
        service: Service that it is for.
        path: Name to give it in a folder.
        text: What it says.
    """

    service: str
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Target:
    """Something that a plan can be written for; `suffix` ends the name of its file."""

    write: Callable[[Facts], str]
    suffix: str


TARGETS = {
    "vllm": Target(engines.vllm, "-vllm.sh"),
    "sglang": Target(engines.sglang, "-sglang.sh"),
    "trtllm": Target(engines.trtllm, "-trtllm.yaml"),
    "llm-compressor": Target(engines.llm_compressor, "-llm-compressor.yaml"),
    "triton": Target(triton, "/config.pbtxt"),
    "kserve": Target(extensions.kserve, "-kserve.yaml"),
    "deployment": Target(clusters.deployment, "-deployment.yaml"),
    "hpa": Target(clusters.hpa, "-hpa.yaml"),
    "keda": Target(extensions.keda, "-keda.yaml"),
    "karpenter": Target(extensions.karpenter, "-karpenter.yaml"),
    "terraform": Target(terraform, ".tfvars"),
}


def export(
    plan: Recommendation | str | Path, target: str, *, catalog: Catalog | None = None
) -> tuple[Exported, ...]:
    """Return a plan written for a tool, one document for each service that has something to say there.

    Args:
        plan: A recommendation, or the file of one.
        target: One of `TARGETS`, such as `vllm` or `deployment`.
        catalog: Machines, to tell GPUs from CPUs; the embedded ones by default.

    Raises:
        UnknownName: There is no such target.
        NotInPlan: No service has anything to write for that target; the message says why and what does.
        InputError: The file is no stored plan.
    """
    if target not in TARGETS:
        raise UnknownName.among("export target", target, TARGETS)
    stored = load_plan(plan)
    pairs = served(stored)
    machines = catalog or Catalog.load()
    found, refused = [], []
    for (service, workload), slug in zip(pairs, slugs([one.name for one, _ in pairs]), strict=True):
        facts = Facts(service, workload, _machine(machines, service), slug, stored.provenance)
        try:
            text = TARGETS[target].write(facts)
        except NotInPlan as error:
            refused.append(error)
        else:
            found.append(Exported(service.name, slug + TARGETS[target].suffix, text))
    if not found:
        raise refused[0] if len(refused) == 1 else NotInPlan("\n".join(map(str, refused)))
    return tuple(found)


def _machine(catalog: Catalog, service: ServicePlan) -> InstanceType | None:
    try:
        return catalog.instance(service.instance_type, service.provider, service.region)
    except AdvisorError:
        return None


def joined(documents: Sequence[Exported]) -> str:
    """Return documents as one text; YAML as a stream of documents.

    Raises:
        InputError: There are several, and their format allows one in a file.
    """
    if len(documents) == 1:
        return documents[0].text
    if not documents[0].path.endswith(".yaml"):
        raise NotInPlan(
            f"there are {len(documents)} documents, and one file of this kind holds one: {', '.join(d.path for d in documents)}; "
            "give a folder, such as -o deploy/"
        )
    return "---\n".join(document.text for document in documents)
