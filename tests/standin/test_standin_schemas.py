"""The stand-in refuses the answer schemas that the API does not compile."""

from typing import Any

import pytest

from rigs.standin_requests import Digest, params, post, refusal
from standin.standin import StandIn

STRING = {"type": "string"}


@pytest.fixture(scope="module")
def standin():
    with StandIn() as running:
        yield running


def thing(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A schema of an object whose properties are all required. `more` are other keywords."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    } | more


def asking(schema: Any) -> dict[str, Any]:
    return params(output_config={"format": {"type": "json_schema", "schema": schema}})


NODE = thing({"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}})
LOOP = thing({"a": {"$ref": "#/$defs/A"}})
FIVE = {"type": "integer", "minimum": 1, "maximum": 5}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ([], "Input should be a valid dictionary"),
        (thing({"n": FIVE}), "For 'integer' type, properties 'maximum, minimum' are not supported"),
        (thing({"n": {"type": "number", "multipleOf": 2}}), "'multipleOf' is not supported"),
        (thing({"n": {"type": "number", "exclusiveMinimum": 2}}), "'exclusiveMinimum'"),
        (thing({"s": {"type": "string", "maxLength": 2}}), "'maxLength' is not supported"),
        (thing({"s": {"type": "string", "minLength": 2}}), "'minLength' is not supported"),
        (thing({"s": {"type": "string", "format": "iban"}}), "format 'iban'"),
        (thing({"s": {"type": "string", "pattern": "a(?=b)"}}), "pattern"),
        (thing({"s": {"type": "string", "pattern": r"(a)\1"}}), "pattern"),
        (thing({"s": {"type": "string", "pattern": r"\bword"}}), "pattern"),
        (thing({"l": {"type": "array", "items": STRING, "minItems": 2}}), "'minItems'"),
        (thing({"l": {"type": "array", "items": STRING, "maxItems": 2}}), "'maxItems'"),
        (thing({"l": {"type": "array", "items": STRING, "uniqueItems": True}}), "'uniqueItems'"),
        (thing({"l": {"type": "array"}}), "'items' must be given"),
        ({"type": "object", "properties": {}}, "explicitly set to false"),
        (thing({}, additionalProperties=True), "explicitly set to false"),
        (thing({}, additionalProperties=STRING), "explicitly set to false"),
        (thing({"o": {"type": "object", "properties": {"s": STRING}}}), "explicitly set to false"),
        (thing({"s": {"oneOf": [STRING]}}), "'oneOf'"),
        (thing({"s": {"type": "string", "not": {}}}), "'not'"),
        (thing({"s": {}}), "must have a 'type'"),
        (thing({"s": {"type": "text"}}), "Invalid schema type: 'text'"),
        (thing({"s": {"enum": []}}), "'enum' must be a list"),
        (thing({"s": {"enum": [["a"]]}}), "'enum' values"),
        (thing({"s": STRING}, required=["s", "t"]), "'t', which is not in 'properties'"),
        (thing({"s": {"$ref": "https://x.example/s.json"}}), "External $ref"),
        (thing({"s": {"$ref": "#/$defs/Nothing"}}), "does not lead anywhere"),
        (thing({"s": {"allOf": [{"$ref": "#/$defs/S"}]}}, **{"$defs": {"S": STRING}}), "inside"),
        (thing({"n": {"$ref": "#/$defs/Node"}}, **{"$defs": {"Node": NODE}}), "Recursive"),
        (thing({"a": {"$ref": "#"}}), "Recursive"),
        (
            thing({"a": {"$ref": "#/$defs/A"}}, **{"$defs": {"A": LOOP}}),
            "Recursive schemas are not supported: #/$defs/A",
        ),
    ],
)
def test_a_schema_the_api_would_not_compile_is_refused(standin, schema, words) -> None:
    said = refusal(standin, asking(schema))
    assert words in said
    assert said.startswith("output_config.format.schema: ")


def test_count_tokens_refuses_the_same_schemas(standin) -> None:
    body = asking(thing({"n": FIVE}))
    del body["max_tokens"]
    assert "not supported" in refusal(standin, body, "/v1/messages/count_tokens")


def test_at_most_24_parameters_may_be_optional(standin) -> None:
    def optional(number: int) -> dict[str, Any]:
        inner = thing({f"i{n}": STRING for n in range(number - 10)}, required=[])
        outer = {f"o{n}": STRING for n in range(10)} | {"inner": inner}
        return thing(outer, required=["inner"])

    assert post(standin, asking(optional(24)))[0] == 200
    words = refusal(standin, asking(optional(25)))
    assert words == "Schema is too complex for compilation."


def test_at_most_16_parameters_may_be_unions(standin) -> None:
    def unions(number: int) -> dict[str, Any]:
        either: Any = {"anyOf": [STRING, {"type": "null"}]}
        nullable: Any = {"type": ["string", "null"]}
        return thing({f"u{n}": either if n % 2 else nullable for n in range(number)})

    assert post(standin, asking(unions(16)))[0] == 200
    words = refusal(standin, asking(unions(17)))
    assert words == "Schema is too complex for compilation."


def test_what_the_api_supports_is_taken(standin) -> None:
    schema = thing(
        {
            "s": {"type": "string", "format": "date-time", "description": "when", "title": "S"},
            "p": {"type": "string", "pattern": "^[a-z]+$", "default": "a"},
            "e": {"enum": ["a", 1, None, True]},
            "c": {"const": "x"},
            "l": {"type": "array", "items": {"$ref": "#/$defs/T"}, "minItems": 1},
            "t": {"$ref": "#/$defs/T"},
            "a": {"allOf": [{"type": "string"}]},
            "u": {"anyOf": [STRING, {"type": "null"}]},
        },
        **{"$defs": {"T": thing({"v": {"type": "integer"}})}},
    )
    assert post(standin, asking(schema))[0] == 200
    assert post(standin, params(output=Digest))[0] == 200


def test_strict_tools_obey_the_same_rules(standin) -> None:
    tool = {"name": "note", "strict": True, "input_schema": thing({"n": FIVE})}
    assert "tools.0.custom.input_schema" in refusal(standin, params(tools=[tool]))
    assert post(standin, params(tools=[tool | {"strict": False}]))[0] == 200
