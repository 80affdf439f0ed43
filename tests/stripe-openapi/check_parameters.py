"""Compares the parameters that the Stripe twin lists with those of Stripe's OpenAPI description.

    check_parameters.py PROGRAM

Runs `PROGRAM twin --list-calls`. Each parameter that the description has for a call of the twin must be listed, as
honoured or as not modelled, and each listed parameter must be in the description. A parameter that is not modelled
covers all below it. Prints each call with the number of parameters of each kind; the exit code is 1 if any is missing.
"""

import json
import subprocess
import sys

from description import call, covers, parameters


def listed(program):
    output = subprocess.run([program, "twin", "--list-calls"], capture_output=True, check=True, text=True).stdout
    return [it for it in json.loads(output) if it["path"].startswith("/v1/")]


def names(row, treatment):
    return {it["name"] for it in row["parameters"] if it["treatment"].replace("_", " ") == treatment}


def compare(row):
    """Numbers of honoured, refused and absent parameters of a call, and what is wrong with it."""
    # Any word in place of a parameter of the path.
    found = call(row["method"], "/".join("x" if it.startswith("{") else it for it in row["path"].split("/")))
    if found is None:
        return 0, 0, 0, ["is not in the description"]
    template, operation = found
    described = {it: it.split(".") for it in parameters(operation)}
    honoured, refused = names(row, "honoured"), names(row, "not modelled")
    taken = {it for it in described if it in honoured}
    turned_down = {it for it, segments in described.items() if any(covers(pattern, segments) for pattern in refused)}
    absent = sorted(described.keys() - taken - turned_down)
    problems = [f"{it} is in the description, and not listed" for it in absent]
    problems += [f"{it} is listed twice" for it in sorted(taken & turned_down)]
    containers = {it.rsplit(".", depth)[0] for it in described for depth in range(it.count(".") + 1)}
    problems += [f"{it} is listed, and not in the description" for it in sorted((honoured | refused) - containers)]
    if row["path"].count("{") != template.count("{"):
        problems.append(f"is {template} in the description")
    return len(taken), len(turned_down - taken), len(absent), problems


def main():
    rows = [(f"{row['method']} {row['path']}", compare(row)) for row in listed(sys.argv[1])]
    width = max(len(name) for name, _ in rows)
    print(f"{'call':{width}}  honoured  refused  absent")
    for name, (honoured, refused, absent, _) in rows:
        print(f"{name:{width}}  {honoured:8}  {refused:7}  {absent:6}")
    totals = [sum(counts[index] for _, counts in rows) for index in range(3)]
    print(f"{f'{len(rows)} calls':{width}}  {totals[0]:8}  {totals[1]:7}  {totals[2]:6}")
    problems = [f"{name}: {problem}" for name, counts in rows for problem in counts[3]]
    print("\n".join(problems))
    sys.exit(1 if problems or not rows else 0)


if __name__ == "__main__":
    main()
