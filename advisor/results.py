"""What every answer is made of: frozen pydantic models that nobody but advisor fills."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Result(BaseModel):
    """A frozen part of an answer; the string below a field describes it in the JSON schema."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=()
    )
