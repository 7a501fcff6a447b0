"""Holds what commands print with `--json` against the schemas that ship."""

from functools import cache

from jsonschema import Draft202012Validator

from transfer.cli.json_schemas import list_schemas, read_schema


def check_form(values):
    """Fail unless the values are of the form that they name; no field may be there that the schema does not know."""
    owner, name, version = values["schema"].split("/")
    assert (owner, version) == ("transfer", "1")
    assert name in list_schemas()
    validator(name).validate(values)
    return values


@cache
def validator(name):
    return Draft202012Validator(closed(read_schema(name)))


def closed(schema):
    """The same, without room for fields that it does not list."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(each) for key, each in schema.items()}
    return {"additionalProperties": False, **found} if isinstance(schema.get("properties"), dict) else found
