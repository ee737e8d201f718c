#!/usr/bin/env bash
# The shipped JSON Schema, in the hands of a validator that is not ours: the policies of the documentation are valid, documents with
# an error that one key shows are not, and every key says what it is for.
# Runs beside others.
set -euo pipefail
source=${KURABAN_SOURCE:?} build=${KURABAN_BUILD:?}

/usr/bin/python3 -c 'import jsonschema, yaml' 2> /dev/null || { echo "SKIP: needs python3-jsonschema and python3-yaml"; exit 77; }
LC_ALL=C "$build/bin/kuraban" policy schema | cmp - "$build/kuraban-policy.schema.json"
exec /usr/bin/python3 "$source/tests/docs/policy_schema.py" "$build/kuraban-policy.schema.json" "$source"
