"""Classes of task, and the other words that people use for them."""

from typing import Annotated, Literal, get_args

from advisor.inputs import Spelled

Task = Literal[
    "mixed", "knowledge", "commonsense", "instruction", "maths-code", "tool-use", "multilingual", "long-context", "cloze",
    "multimodal", "summarisation", "classification", "detection", "segmentation", "language-understanding",
    "question-answering", "translation", "retrieval", "image-generation",
]  # fmt: skip
"""Class of task; it decides how much accuracy a treatment costs."""

TASK_ALIASES = {
    "chat": "instruction", "code": "maths-code", "coding": "maths-code", "math": "maths-code", "maths": "maths-code",
    "tools": "tool-use", "agents": "tool-use", "embedding": "retrieval", "ranking": "retrieval", "summarization": "summarisation",
}  # fmt: skip

SpelledTask = Annotated[Task, Spelled(TASK_ALIASES)]
"""A class of task in any spelling."""

TASKS: tuple[str, ...] = get_args(Task)
