#!/usr/bin/python3
"""Signed documents for the component tests, made without kuraban: JSON by Python, Ed25519 by openssl(1).

sign.py DIRECTORY key NAME…
sign.py DIRECTORY root OUT ROOT-JSON KEY…
sign.py DIRECTORY policy OUT YAML KEY…
sign.py DIRECTORY head OUT GROUP VERSION YAML FROM-SECONDS TO-SECONDS KEY…
sign.py DIRECTORY bundle OUT [policy=FILE] [head=FILE] [root=FILE…]

Keys are NAME.pem in the directory. ROOT-JSON is a Python expression of what differs from the usual root.
"""
import base64, datetime, hashlib, json, subprocess, sys, tempfile

TYPE = "application/vnd.kuraban.%s"
POLICY, ROOT, HEAD = TYPE % "policy.v1+yaml", TYPE % "root.v1+json", TYPE % "head.v1+json"


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, stdout=subprocess.PIPE, check=True).stdout


def key_id(name):
    return hashlib.sha256(openssl("pkey", "-in", name + ".pem", "-pubout", "-outform", "DER")).hexdigest()


def public(name):
    return openssl("pkey", "-in", name + ".pem", "-pubout").decode()


def sign(message, name):
    with tempfile.NamedTemporaryFile() as f:
        f.write(message)
        f.flush()
        return openssl("pkeyutl", "-sign", "-rawin", "-inkey", name + ".pem", "-in", f.name)


def encode(data):
    return base64.b64encode(data).decode()


def envelope(kind, payload, names):
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    return {"payloadType": kind, "payload": encode(payload),
            "signatures": [{"keyid": key_id(n), "sig": encode(sign(message, n))} for n in names]}


def moment(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=int(seconds))
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def root(differs):
    names = differs.pop("names", ["tanaka", "suzuki", "sato"])
    document = {"format": "kuraban-root/1", "organization": "test.example", "version": 1, "expires": moment(86400 * 365),
                "keys": [{"id": key_id(n), "name": n, "public": public(n)} for n in names + ["hub"]],
                "roles": {"root": {"keys": [key_id(n) for n in names], "threshold": 2},
                          "policy": {"keys": [key_id(n) for n in names], "threshold": 2},
                          "head": {"keys": [key_id("hub")], "threshold": 1}}}
    document["roles"].update(differs.pop("roles", {}))
    document.update(differs)
    return json.dumps(document).encode()


def head(group, version, yaml, issued, expires):
    data = open(yaml, "rb").read()
    number = int(next(line for line in data.decode().splitlines() if line.startswith("version: ")).split()[1])
    return json.dumps({"format": "kuraban-head/1", "organization": "test.example", "group": group, "version": int(version),
                       "issued": moment(issued), "expires": moment(expires),
                       "policy": {"version": number, "sha256": hashlib.sha256(data).hexdigest()}}).encode()


def bundle(parts):
    whole = {"format": "kuraban-bundle/1"}
    for part in parts:
        kind, name = part.split("=")
        document = json.load(open(name))
        if kind == "root":
            whole.setdefault("roots", []).append(document)
        else:
            whole[kind] = document
    return whole


def main(verb, *words):
    if verb == "key":
        for name in words:
            openssl("genpkey", "-algorithm", "ed25519", "-out", name + ".pem")
        return
    out = words[0]
    if verb == "root":
        document = envelope(ROOT, root(eval(words[1])), words[2:])
    elif verb == "policy":
        document = envelope(POLICY, open(words[1], "rb").read(), words[2:])
    elif verb == "head":
        document = envelope(HEAD, head(*words[1:6]), words[6:])
    else:
        document = bundle(words[1:])
    with open(out, "w") as f:
        json.dump(document, f)


if __name__ == "__main__":
    import os
    os.chdir(sys.argv[1])
    main(*sys.argv[2:])
