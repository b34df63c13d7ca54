"""The base of every input model, and its mistakes in words: the line, what was given, what was meant.

Rule: a key that ends in its unit takes a bare number (`budget_usd_per_month: 20000`); the same key without the
unit takes the number with it (`budget: $20k/month`).
"""

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from advisor.documents import Document, Location
from advisor.errors import InputError, suggestion
from advisor.quantity import InBaseUnit, Quantity, shown

if TYPE_CHECKING:

    class _Spoken(BaseModel):
        """A model whose constructor raises `InputError`."""

else:

    class _Speaking(type(BaseModel)):
        """Words the mistakes of a direct call, such as `Requirements(budgett=...)`, like those of a document."""

        def __call__(cls, /, **values: Any) -> Any:
            try:
                return super().__call__(**values)
            except ValidationError as error:
                raise input_error(error, cls, Document(source=cls.__name__, data=values)) from None

    class _Spoken(BaseModel, metaclass=_Speaking):
        """A model whose constructor raises `InputError`."""


class Input(_Spoken):
    """A frozen model of something a user writes; unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        str_strip_whitespace=True,
        allow_inf_nan=False,
    )
    _short_keys: ClassVar[Mapping[str, str]] = {}
    _unit_keys: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        shorter: dict[str, str] = {}
        united: set[str] = set()
        for name, info in cls.model_fields.items():
            quantity = _quantity(info.rebuild_annotation())
            if quantity and quantity.suffix and name.endswith(quantity.suffix):
                shorter.setdefault(name.removesuffix(quantity.suffix), name)
                united.add(name)
        cls._short_keys, cls._unit_keys = shorter, frozenset(united)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        described = handler(schema)
        properties = handler.resolve_ref_schema(described).get("properties", {})
        for short, full in cls._short_keys.items() if handler.mode == "validation" else ():
            if full in properties:
                properties[short] = properties[full] | {"title": short.replace("_", " ").title()}
        return described

    @model_validator(mode="before")
    @classmethod
    def _with_units_from_keys(cls, values: object) -> object:
        if not isinstance(values, Mapping):
            return values
        renamed: dict[object, object] = {}
        written: dict[object, object] = {}
        for key, value in values.items():
            name = key if key in cls.model_fields else cls._short_keys.get(str(key), key)
            if name in renamed:
                raise InputError(f"'{written[name]}' and '{key}' say the same; keep one")
            written[name] = key
            renamed[name] = InBaseUnit(value) if key in cls._unit_keys and is_bare(value) else value
        return renamed


_LISTED_KEYS = 8
_LONGEST_KEY = 60
_BOUNDS = {
    "greater_than_equal": ("{} or more", "ge"),
    "greater_than": ("more than {}", "gt"),
    "less_than_equal": ("{} or less", "le"),
    "less_than": ("less than {}", "lt"),
}
_TYPES = {
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float", "int_parsing_size"), "a whole number"),
    **dict.fromkeys(("float_parsing", "float_type", "finite_number"), "a number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "true or false"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list"),
    "string_type": "text",
}

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], document: Document) -> Model:
    """Return the `document` as `model`; relative paths inside it start at its folder.

    Raises:
        InputError: Anything is wrong with it; every problem is listed, each with its line.
    """
    try:
        return model.model_validate(dict(document.data), context={"folder": document.folder})
    except ValidationError as error:
        raise input_error(error, model, document) from None


def input_error(error: ValidationError, model: type[BaseModel], document: Document) -> InputError:
    """Return one error with every problem pydantic found in `document`, in words."""
    details = [
        each for each in error.errors(include_url=False) if each["type"] != "default_factory_not_called"
    ]
    problems = [_problem(each, model, document) for each in details]
    return InputError.listing(document.source, list(dict.fromkeys(problems)))


def is_bare(value: object) -> bool:
    """Return whether `value` is a number, or text that holds nothing else."""
    if isinstance(value, str):
        return bool(re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", value))
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True, eq=False)
class Spelled:
    """Annotation of a Literal: its words may be written in any case, and some in other ways."""

    aliases: Mapping[str, str] = field(default_factory=dict)
    """Word meant, by other spelling in lower case."""

    def read(self, value: object) -> object:
        """Return the word meant by `value`, or `value` itself where it is no text."""
        if not isinstance(value, str):
            return value
        word = value.strip().lower()
        return self.aliases.get(word, word)

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))


def _problem(details: ErrorDetails, model: type[BaseModel], document: Document) -> str:
    inner = getattr(details.get("ctx", {}).get("error"), "location", ())
    location, given = _as_written((*details["loc"], *inner), document.data)
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{_cut(part)}" for part in location).lstrip(
        "."
    )
    keys = tuple(part for part in location if isinstance(part, str))
    text = _words(details, keys, model, details["input"] if given is None else given)
    return ": ".join(part for part in (document.where(location), path, text) if part)


def _cut(key: str) -> str:
    return key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}..."


def _words(details: ErrorDetails, location: Location, model: type[BaseModel], given: object) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind in {"value_error", "assertion_error"}:
        return str(context["error"])
    if kind == "extra_forbidden" or details["loc"][-1:] == ("[key]",):
        return _unknown_key(str(location[-1]), location[:-1], model)
    if kind == "missing":
        return f"this is missing; expected {_description(location, model)}"
    instead = _instead(kind, given, context, location, model) or "; " + _lowered(details["msg"])
    return f"got {_kind(given)}{instead}"


def _instead(
    kind: str, given: object, context: Mapping[str, Any], location: Location, model: type[BaseModel]
) -> str:
    """Return what was expected instead of a value, or nothing for a kind of mistake without words of its own."""
    if kind in {"literal_error", "enum"}:
        known = re.findall(r"'([^']+)'", str(context["expected"]))
        near = suggestion(str(given), known)
        few = f" (known: {', '.join(known)})" if len(known) <= _LISTED_KEYS else ""
        return f"{near}{few}" if near else f"; expected one of {', '.join(known)}"
    if kind in {"model_type", "dict_type", "mapping_type", "model_attributes_type"}:
        return f"; expected keys{_known_keys(location, model)}"
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"; expected {words.format(f'{context[key]:g}')}"
    return f"; expected {_TYPES[kind]}" if kind in _TYPES else ""


def _unknown_key(key: str, section: Location, model: type[BaseModel]) -> str:
    sections = dict(_sections(model, ()))
    known = sections.get(section, ())
    homes = [".".join(map(str, path)) for path, keys in sections.items() if key in keys and path != section]
    if get_close_matches(key.casefold(), known, n=1, cutoff=0.75) or not homes:
        listed = f"; expected {', '.join(known) or 'nothing here'}"
        return f"this key is unknown{suggestion(key, known) or listed}"
    return f"this key is unknown here; it belongs under {' or '.join(homes) or 'the top'}"


def _known_keys(location: Location, model: type[BaseModel]) -> str:
    known = dict(_sections(model, ())).get(location, ())
    return f" such as {', '.join(known[:_LISTED_KEYS])}" if known else ""


def _sections(annotation: object, path: Location) -> Iterator[tuple[Location, Sequence[str]]]:
    """Yield every mapping a document of this type may hold, with the keys that it may have; entries of a list are alike."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields
        yield path, [_short(name, annotation) for name in fields]
        for name, info in fields.items():
            yield from _sections(info.rebuild_annotation(), (*path, name))
    elif get_origin(annotation) is dict and path:
        keys = _literals(get_args(annotation)[0])
        if keys:
            yield path, keys
    elif get_origin(annotation) in {Annotated, Union, types.UnionType, tuple}:
        for inner in get_args(annotation):
            yield from _sections(inner, path)


def _literals(annotation: object) -> list[str]:
    if get_origin(annotation) is Annotated:
        return _literals(get_args(annotation)[0])
    return [str(name) for name in get_args(annotation)] if get_origin(annotation) is Literal else []


def _short(name: str, model: type[BaseModel]) -> str:
    shorter: Mapping[str, str] = getattr(model, "_short_keys", {})
    return next((short for short, full in shorter.items() if full == name), name)


def _description(location: Location, model: type[BaseModel]) -> str:
    """Return the first sentence of what a missing key is for."""
    current: object = model
    info = None
    for part in location:
        inner = _model_in(current)
        info = inner.model_fields.get(str(part)) if inner else None
        current = info.rebuild_annotation() if info else None
    text = (info.description if info else None) or "a value"
    return _lowered(text.split(". ")[0].rstrip(".").replace("\n", " "))


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(inner) for inner in get_args(annotation))
    return next((model for model in found if model), None)


def _quantity(annotation: object) -> Quantity | None:
    if isinstance(annotation, Quantity):
        return annotation
    found = (_quantity(inner) for inner in get_args(annotation))
    return next((quantity for quantity in found if quantity), None)


def _as_written(location: Location, data: object) -> tuple[Location, object]:
    """Return `location` and the value there as the user wrote them.

    Short keys are put back, and parts that only pydantic has are left out; the value is None where there is none.
    """
    written: list[str | int] = []
    for part in location:
        theirs = isinstance(data, Mapping) and part in data
        if isinstance(part, str) and ("[" in part or "(" in part) and not theirs:
            continue
        name = part
        if isinstance(data, Mapping) and isinstance(part, str) and part not in data:
            name = next((key for key in data if isinstance(key, str) and part.startswith(f"{key}_")), part)
        written.append(name)
        data = _inside(data, name)
    return tuple(written), data


def _inside(data: object, part: str | int) -> object:
    if isinstance(data, Mapping):
        return data.get(part)
    if isinstance(data, list | tuple) and isinstance(part, int) and part < len(data):
        return data[part]
    return data if isinstance(part, int) else None


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return "keys with values"
    return "a list" if isinstance(value, list | tuple) else "nothing" if value is None else shown(value)
