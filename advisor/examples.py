"""The built-in workloads: one for each size people talk about."""

from advisor.documents import packaged_text
from advisor.errors import UnknownName
from advisor.workload import Workload

EXAMPLES = ("large-llm", "medium-transformer", "small-cnn")
"""Names of the examples; the first is the default."""


def is_example(name: str) -> bool:
    """Return whether an example is called so."""
    return name in EXAMPLES


def example(name: str = EXAMPLES[0]) -> Workload:
    """Return a built-in workload.

    Raises:
        UnknownName: No example is called so.

    Example:
        >>> example("small-cnn").model.family
        'cnn'
    """
    example_text(name)
    return Workload.load(name)


def example_text(name: str = EXAMPLES[0]) -> str:
    """Return a built-in workload as the YAML it is written in, comments included.

    Raises:
        UnknownName: No example is called so.

    Example:
        >>> example_text("large-llm").splitlines()[0]
        '# A chat service on a large language model: the built-in example `large-llm`.'
    """
    text = packaged_text(name)
    if text is None:
        raise UnknownName.among("example", name, EXAMPLES, "is built in")
    return text
