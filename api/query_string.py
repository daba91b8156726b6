"""A URL, read strictly: what is not understood is refused, never guessed.

FastAPI's own reading takes the last of repeated parameters, ignores unknown ones, and
reads `2025` as a moment in 1970: each of them a wrong answer with status 200.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.types import Scope

from api.errors import bad_parameter

MAX_URL_BYTES: Final = 4096

MAX_TEXT: Final = 256
"""The longest text that a key of the marts can hold."""

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")

NO_PERCENT_CODE = re.compile(b"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class Parameter:
    """A parameter of an endpoint, for its reader and for its documentation.

    `is_tried`: it stands in the request that the documentation's page begins with. All
    of them together exclude each other.
    """

    name: str
    description: str
    example: str | int | bool
    schema: Mapping[str, object]
    required: bool = False
    location: str = "query"
    max_length: int = MAX_TEXT
    is_tried: bool = False

    def openapi(self) -> dict[str, object]:
        """Return the parameter as OpenAPI describes it."""
        described = {
            "name": self.name,
            "in": self.location,
            "required": self.required,
            "description": self.description,
            "schema": {**self.schema, "examples": [self.example]},
        }
        if self.required or self.is_tried:
            described["example"] = self.example
        return described

    def hint(self) -> str:
        """Return the parameter with its example, as one would write it."""
        example = self.example
        text = str(example).lower() if isinstance(example, bool) else str(example)
        return f"{self.name}={text}"


def openapi_parameters(parameters: Mapping[str, Parameter]) -> dict[str, object]:
    """Return what a route adds to OpenAPI for its parameters."""
    return {"parameters": [each.openapi() for each in parameters.values()]}


def read_query(query_string: bytes, known: Mapping[str, Parameter]) -> dict[str, str]:
    """Return each given parameter's text.

    Raises ApiError (422) for an unknown, repeated or empty one, for text that is no
    UTF-8, is longer than 256 characters (but a cursor), or has control characters.
    """
    _check_encoding(query_string, "query")
    pairs = parse_qsl(query_string.decode(), keep_blank_values=True)
    given: dict[str, str] = {}
    for name, text in pairs:
        parameter = known.get(name)
        if parameter is None:
            raise _unknown(name, known)
        if name in given:
            raise bad_parameter(
                "repeated_parameter", name, f"`{name}` is given more than once."
            )
        if not text.strip():
            raise bad_parameter(
                "empty_parameter",
                name,
                f"`{name}` is empty. Leave it out, or write {parameter.hint()}",
            )
        given[name] = check_text(parameter, text)
    return given


def read_path(scope: Scope, parameter: Parameter) -> str:
    """Return the text of a parameter that is a part of the path.

    Raises ApiError (422) for text that is blank, is no UTF-8 (the server itself would
    put another in its place), is longer than 256 characters, or has control characters.
    """
    _check_encoding(scope.get("raw_path") or b"", "path")
    text: str = scope["path_params"][parameter.name]
    if text and not text.strip():
        raise bad_parameter(
            "empty_parameter",
            parameter.name,
            f"`{parameter.name}` is empty.",
            location="path",
        )
    return check_text(parameter, text)


def _check_encoding(text: bytes, location: str) -> None:
    try:
        text.decode("ascii")
        unquote_to_bytes(text).decode()
        is_broken = NO_PERCENT_CODE.search(text) is not None
    except UnicodeDecodeError:
        is_broken = True
    if is_broken:
        raise bad_parameter(
            "invalid_encoding",
            None,
            f"The {location} is not percent-encoded UTF-8.",
            location=location,
        )


def check_text(parameter: Parameter, text: str) -> str:
    """Return the text when it can be a value at all; raises ApiError (422) else."""
    problem = None
    if CONTROL.search(text):
        problem = "contains a control character"
    elif len(text) > parameter.max_length:
        problem = f"is longer than {parameter.max_length} characters"
    if problem:
        raise bad_parameter(
            "invalid_text",
            parameter.name,
            f"`{parameter.name}` {problem}.",
            location=parameter.location,
        )
    return text


def required(parameter: Parameter, given: Mapping[str, str]) -> str:
    """Return the parameter's text; raises ApiError (422) when it is not given."""
    if parameter.name not in given:
        raise bad_parameter(
            "missing_parameter",
            parameter.name,
            f"`{parameter.name}` is missing. Write {parameter.hint()}",
        )
    return given[parameter.name]


def choices(name: str, text: str | None, known: Sequence[str]) -> frozenset[str]:
    """Return the words of a list with commas; raises ApiError (422) for another."""
    words = text.split(",") if text is not None else []
    if not set(words) <= set(known):
        raise bad_parameter(
            "invalid_choice",
            name,
            f"`{name}` is one or more of {', '.join(known)}, like {name}={known[-1]}",
        )
    return frozenset(words)


def choice(name: str, text: str | None, known: Sequence[str]) -> str:
    """Return the word, the first known one for None; raises ApiError (422) else."""
    if text is None:
        return known[0]
    if text not in known:
        raise bad_parameter(
            "invalid_choice",
            name,
            f"`{name}` is one of {', '.join(known)}, like {name}={known[0]}",
        )
    return text


def whole_number(
    name: str, text: str | None, *, default: int, least: int, most: int
) -> int:
    """Return the number, or the default for None; raises ApiError (422) else."""
    if text is None:
        return default
    digits = re.fullmatch(r"0*([0-9]{1,9})", text)
    if digits and least <= int(digits[1]) <= most:
        return int(digits[1])
    raise bad_parameter(
        "invalid_number",
        name,
        f"`{name}` is a whole number from {least} to {most}, like {name}={default}",
    )


def flag(name: str, text: str | None, *, default: bool) -> bool:
    """Return the truth value in any of the spellings that FastAPI's users send."""
    if text is None:
        return default
    word = text.lower()
    if word in {"true", "t", "1", "yes", "y", "on"}:
        return True
    if word in {"false", "f", "0", "no", "n", "off"}:
        return False
    raise bad_parameter("invalid_flag", name, f"`{name}` is true or false.")


def _unknown(name: str, known: Mapping[str, Parameter]) -> Exception:
    if not known:
        return bad_parameter(
            "unknown_parameter", None, "This path takes no query parameters."
        )
    # What the caller sent is never repeated, so the nearest known name is the field.
    near = get_close_matches(name[:64].lower(), known, n=1, cutoff=0.6)
    if near:
        return bad_parameter(
            "unknown_parameter",
            near[0],
            f"A parameter is unknown. Did you mean `{near[0]}`? "
            f"Write {known[near[0]].hint()}",
        )
    names = ", ".join(f"`{each}`" for each in known)
    return bad_parameter(
        "unknown_parameter", None, f"A parameter is unknown. Known are {names}."
    )
