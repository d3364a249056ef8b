#!/usr/bin/python3
"""Registers a schema under a subject, as any producer's serializer does; prints the id."""
import argparse
import json
import urllib.request


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", required=True, help="the Confluent-compatible API's address")
    parser.add_argument("--subject", required=True)
    parser.add_argument("--file", required=True)
    parser.add_argument("--type", default="AVRO", choices=["AVRO", "JSON", "PROTOBUF"])
    options = parser.parse_args()
    with open(options.file, encoding="utf-8") as schema:
        body = json.dumps({"schema": schema.read(), "schemaType": options.type}).encode()
    request = urllib.request.Request(
        f"{options.registry.rstrip('/')}/subjects/{options.subject}/versions", data=body, headers={"Content-Type": "application/vnd.schemaregistry.v1+json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        print(json.load(answer)["id"])


if __name__ == "__main__":
    main()
