"""Checks recorded answers, events and requests of the Stripe twin against Stripe's OpenAPI description.

    check_answers.py RECORDING

The recording has one JSON object a line, as `paywright twin --record` writes it: a request with its answer, or an
event.
Each kind of difference is printed once; the exit code is 1 if there are any.
"""

import json
import sys
from collections import Counter
from functools import cache

from jsonschema import Draft202012Validator

from description import answer_schema, call, components, event_types, form, knows, parameters, segments



# Fields that answers in older versions have, which mobile SDKs ask for.
OLDER_FIELDS = {"ephemeral_key.associated_objects"}


class Findings:
    """Differences, each kind once, with the number of times it was found, the first value and one call."""

    def __init__(self):
        self.counts, self.firsts = Counter(), {}

    def add(self, call, where, problem, value):
        kind = (where, problem)
        self.counts[kind] += 1
        self.firsts.setdefault(kind, (call, value))

    def print(self):
        for kind in sorted(self.counts):
            where, problem = kind
            call, value = self.firsts[kind]
            print(f"{where}: {problem}\n    it is {short(value)} in {call}; {self.counts[kind]} times")


@cache
def validator(reference):
    """Validator of a schema, which is given as JSON text so that equal ones are made once."""
    return Draft202012Validator({**json.loads(reference), "components": components()})


def check(schema, value, where, findings):
    for error in validator(json.dumps(schema, sort_keys=True)).iter_errors(value):
        for one in leaves(error):
            findings.add(where, place(value, one.absolute_path), problem(one), one.instance)
    for path, field in unknown_fields(schema, value, []):
        if (found := place(value, path)) not in OLDER_FIELDS:
            findings.add(where, found, "is no field of the description", field)


def place(value, path):
    """Where a difference is: the innermost object of Stripe that it is in, and the path from there."""
    names, found = [], value.get("object", "the answer")
    for step in path:
        names.append("*" if isinstance(step, int) else step)
        value = value[step] if isinstance(step, int) or step in value else None
        if isinstance(value, dict) and value.get("object") not in (None, "list"):
            names, found = [], value["object"]
        if not isinstance(value, (dict, list)):
            break
    return ".".join([str(found), *names])


def leaves(error):
    """The errors of the branch of a union that the value was meant for."""
    if not error.context:
        return [error]
    branches = {}
    for one in error.context:
        branches.setdefault(one.schema_path[0], []).append(one)
    best = min(branches.values(), key=lambda errors: (distance(errors), len(errors)))
    if distance(best):
        return [error]
    return [leaf for one in best for leaf in leaves(one)]


def distance(errors):
    """0 if a branch is of the value's type and, for an object, of its `object`; 1 otherwise."""
    return any(
        not one.relative_path and one.validator == "type" or [*one.relative_path] in (["object"], ["deleted"])
        for one in errors
    )


def problem(error):
    if error.validator == "required":
        return error.message
    if error.validator == "enum":
        return f"must be one of {short(error.validator_value)}"
    if error.validator == "type":
        return f"must be of type {short(error.validator_value)}"
    if error.validator in ("anyOf", "oneOf"):
        return "is of no type that the description allows"
    return f"breaks {error.validator} {short(error.validator_value)}"


def short(value):
    text = json.dumps(value)
    return text if len(text) <= 100 else text[:97] + "..."


def resolve(schema, value):
    """The schema without a reference; of a union, the branch of the value's type and `object`."""
    while True:
        if "$ref" in schema:
            schema = components()["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        elif "anyOf" in schema or "oneOf" in schema:
            branches = [resolve(it, value) for it in schema.get("anyOf") or schema["oneOf"]]
            fitting = [it for it in branches if it and fits(it, value)]
            schema = fitting[0] if fitting else {}
        else:
            return schema


def fits(schema, value):
    if isinstance(value, list):
        return "array" in schema.get("type", ())
    names = schema.get("properties", {}).get("object", {}).get("enum")
    same = not names or value.get("object") in names
    deleted = "deleted" in schema.get("required", ())
    return "object" in schema.get("type", ()) and same and deleted == ("deleted" in value)


def unknown_fields(schema, value, path):
    """Fields that the description does not have, with their paths."""
    if not isinstance(value, (dict, list)):
        return
    schema = resolve(schema, value)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown_fields(schema.get("items", {}), item, [*path, index])
        return
    fields = schema.get("properties")
    for name, field in value.items():
        if fields is not None and name in fields:
            yield from unknown_fields(fields[name], field, [*path, name])
        elif fields and not schema.get("additionalProperties"):
            yield [*path, name], field


def masked(value):
    """The shape of a value: its names, types and words; two answers of one shape have the same differences."""
    if isinstance(value, dict):
        return tuple((name, masked(value[name])) for name in sorted(value))
    if isinstance(value, list):
        return ("list", *sorted({masked(item) for item in value}, key=repr))
    if isinstance(value, str):
        return value if len(value) <= 40 and all(it.islower() or it in "_." for it in value) else "text"
    return type(value).__name__


def check_request(record, template, operation, findings):
    """Reports parameters of an accepted request that the description does not have."""
    if record["status"] >= 300:
        return
    known = parameters_of(record["method"], template)
    for name, value in form(record["form"]):
        if not knows(known, segments(name)):
            where = f"{record['method']} {template}"
            findings.add(where, f"{where}, parameter {name}", "is accepted, and not in the description", value)


@cache
def parameters_of(method, template):
    return parameters(call(method, template)[1])


def check_answer(record, findings):
    found = call(record["method"], record["path"])
    if found is None:
        # Stripe has no such call; the twin must say so.
        if record["status"] != 404:
            where = f"{record['method']} {record['path']}"
            findings.add(where, where, "is answered, and not in the description", record["status"])
        return
    template, operation = found
    check_request(record, template, operation, findings)
    schema = answer_schema(operation, record["status"])
    if schema is not None:
        check(schema, record["body"], f"{record['method']} {template} -> {record['status']}", findings)


def check_event(event, findings):
    where = f"event {event.get('type')}"
    check({"$ref": "#/components/schemas/event"}, event, where, findings)
    if event.get("type") not in event_types():
        findings.add(where, where, "is not in the description", event.get("type"))
    value = event.get("data", {}).get("object", {})
    name = value.get("object")
    if name not in components()["schemas"]:
        findings.add(where, where, "is of an object that is not in the description", name)
    else:
        check({"$ref": f"#/components/schemas/{name}"}, value, where, findings)


def main():
    findings, shapes, records = Findings(), set(), 0
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            records += 1
            if not record.get("path", "/v1/").startswith("/v1/"):
                continue
            event = record.get("event")
            where = () if event else call(record["method"], record["path"]) or (record["path"],)
            parameter_names = () if event else tuple(name for name, _ in form(record["form"]))
            shape = (record.get("method"), where[:1], parameter_names, record.get("status"), masked(event or record["body"]))
            if hash(shape) in shapes:
                continue
            shapes.add(hash(shape))
            if event:
                check_event(event, findings)
            else:
                check_answer(record, findings)
    findings.print()
    kinds = len(findings.counts)
    print(f"{records} records of {len(shapes)} shapes: {kinds} kinds of differences from the description")
    if not records:
        print("nothing was recorded: the tests must run with STRIPE_TWIN_RECORD")
    sys.exit(1 if findings.counts or not records else 0)


if __name__ == "__main__":
    main()
