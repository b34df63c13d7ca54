"""What is exported, read by the tools themselves where they are installed."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.export.engines import LLM_COMPRESSOR
from tests.builders import an_llm
from tests.test_export import planned, text, with_choice


@pytest.mark.parametrize(
    ("option", "scheme"), [("fp8+kv-fp8", "FP8_DYNAMIC"), ("int8", "W8A8"), ("int4-weights", "W4A16")]
)
def test_llm_compressor_reads_the_recipe(option: str, scheme: str) -> None:
    reason = "needs pip install llmcompressor, and with it torch"
    tool: Any = pytest.importorskip("llmcompressor", reason=reason)
    recipe: Any = pytest.importorskip("llmcompressor.recipe", reason=reason)
    assert tool.__version__.startswith(LLM_COMPRESSOR.removeprefix("llm-compressor "))
    plan = with_choice(planned(an_llm()), quantization=option)
    *_, last = recipe.Recipe.create_instance(text(plan, "llm-compressor")).modifiers
    assert (scheme, ["Linear"], ["lm_head"]) == (last.scheme, last.targets, last.ignore)
