"""policy_schema.py SCHEMA SOURCE-TREE: what policy_schema_test.sh asks of the validator."""

import glob
import json
import os
import sys

import jsonschema
import yaml

# Documents below tests/data/policy/bad whose error no single key shows: what spans keys or lines, what is more than form (a date that
# does not exist), and what a YAML reader must refuse. All others of that folder the schema must refuse.
BEYOND = {
    "alias", "allow-interfaces-refuse", "allow-read-interfaces", "anchor", "bidi",
    "block-text", "byte-order-mark", "connect-twice", "control-character", "core-tag", "deep", "directive",
    "duplicate-key", "duplicate-key-deep", "empty", "escape-in-comment", "export-rule", "export-spans", "hidden-rule", "interfaces-twice", "invalid-utf8", "key-not-word", "line-separator",
    "match-empty", "medium-exec", "mfa-password", "name-long", "not-yaml", "nul", "nul-byte", "only-comment", "port-alias", "refusal-conditions",
    "remove-allow", "rule-id-twice", "scope-empty", "scope-twice", "tab-indent", "tag", "text-long", "two-documents", "unique-port", "utf16",
    "valid-reversed", "value-twice", "version-hex", "version-octal", "version-quoted", "version-underscore", "when-empty", "when-half", "when-same", "who-empty",
}


class Loader(yaml.SafeLoader):
    """YAML as editors read it: 1.2, dates are text."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, expression) for tag, expression in found if tag.rsplit(":", 1)[1] not in ("timestamp", "bool")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", __import__("re").compile("^(true|false)$"), list("tf"))


def load(path):
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Loader)


def descriptions(schema, where, found):
    for key, value in schema.get("properties", {}).items():
        if key not in ("all-of", "one-of", "none-of", "equals", "equals-ordered", "match-all"):
            found[f"{where}.{key}"] = value.get("description", "")
        descriptions(value, f"{where}.{key}", found)
    for part in ([schema["items"]] if "items" in schema else []) + schema.get("anyOf", []):
        descriptions(part, where, found)


def man_page_example(source):
    with open(f"{source}/man/kuraban-policy.5", encoding="utf-8") as page:
        text = page.read().split(".Sh EXAMPLES", 1)[1].split(".Bd -literal\n", 1)[1].split(".Ed", 1)[0]
    return yaml.load(text.replace("\\-", "-").replace("\\&", ""), Loader)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    source = sys.argv[2]
    failures = []
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)

    with open(f"{source}/docs/examples/policy.yaml", encoding="utf-8") as file:
        modeline = file.readline()
    if modeline != f"# yaml-language-server: $schema=/usr/share/kuraban/{os.path.basename(sys.argv[1])}\n":
        failures.append(f"docs/examples/policy.yaml does not name the schema that is installed: {modeline}")

    good = {path: load(path) for path in glob.glob(f"{source}/docs/examples/*.yaml")
            + glob.glob(f"{source}/tests/data/policy/*.yaml") + glob.glob(f"{source}/tests/data/policy/warn/*.yaml")
            + glob.glob(f"{source}/tests/data/policy/good/*.yaml")}
    good["kuraban-policy(5)"] = man_page_example(source)
    good = {path: document for path, document in good.items() if document.get("format") == "kuraban-policy/1"}
    for path, document in good.items():
        for error in validator.iter_errors(document):
            failures.append(f"{path} is refused: {'.'.join(map(str, error.path))}: {error.message[:200]}")

    refused = 0
    for path in sorted(glob.glob(f"{source}/tests/data/policy/bad/*.yaml")):
        if os.path.basename(path)[:-5] in BEYOND:
            continue
        try:
            document = load(path)
        except yaml.YAMLError:
            continue  # no editor gets as far as the schema
        if validator.is_valid(document):
            failures.append(f"{path} is taken")
        refused += 1

    found = {}
    descriptions(schema, "", found)
    failures += [f"{key} has no description" for key, text in found.items() if len(text) < 4]
    if len(good) < 12 or refused < 40 or len(found) < 80:
        failures.append(f"too little was looked at: {len(good)} good, {refused} bad, {len(found)} keys")
    print(f"{len(good)} documents valid, {refused} refused, {len(found)} keys described")
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


sys.exit(main())
