#!/usr/bin/python3
"""Holds a run of the reference job on Protobuf, or on JSON with a JSON Schema, against what its records were made to come to.

    verify.py --bootstrap B --expected expected.tsv --format protobuf|json-schema [--source source.payments]

It shares no code with PolicyStreams: Google's Protobuf library (Debian: python3-protobuf, protobuf-compiler) and Python's JSON module read the records. The expected file is the loader's: payment id, outcome, and
rules of each record by the kind it was made as; the source topic has the records as the loader wrote them, in JSON. What must be so:

  - the ingress topic has the source topic's records in the other form: every field, key, partition, and order; one that was cut short cannot be read;
  - one decision for each, under its position as key and on its partition, with the expected outcome and rules 2 to 16;
  - one output for each, of its outcome's topic, with its partition and timestamp, in the order of the ingress partition;
  - allowed: byte for byte the ingress record with card number, e-mail address, and name masked, written anew by the other library, under the same key; held and rejected: the ingress bytes.

Prints `ok` or `FAIL` for each with the first differences, then JSON; exit 0 or 1.
"""
import argparse
import collections
import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tests" / "clients"))
from kafka_io import read_topics  # noqa: E402

FRAME = b"\0\0\0\0\1"
SHOWN = 5
CHECKS = ["ingress is the source", "ingress is what was expected", "one decision a record", "outcome", "rules", "decision key and partition", "one output a record", "governed bytes", "governed key and timestamp",
          "governed order", "held bytes", "rejected bytes"]


class Checks:
    def __init__(self):
        self.failed, self.shown = collections.Counter(), collections.defaultdict(list)

    def that(self, so, check, where):
        if not so:
            self.failed[check] += 1
            if len(self.shown[check]) < SHOWN:
                self.shown[check].append(where)

    def report(self):
        for check in CHECKS:
            print(f"{'FAIL' if self.failed[check] else 'ok  '} {check}{f': {self.failed[check]} differences' if self.failed[check] else ''}")
            for where in self.shown[check]:
                print(f"       {where}")
        return not self.failed


class Json:
    """JSON behind the schema's id."""

    def read(self, value):
        if not value.startswith(FRAME):
            return None
        try:
            return json.loads(value[len(FRAME):])
        except ValueError:
            return None

    def source(self, record):
        """What a source record is in this format."""
        return record

    def fields(self, payment):
        return payment

    def id(self, payment):
        return payment["payment_id"]

    def masked(self, value, payment, card, email, name):
        """The bytes that are published: the loader writes no blanks and escapes nothing in these texts."""
        customer = payment["customer"]
        for property_, old, new in (("card_number", payment["card_number"], card), ("email", customer["email"], email), ("name", customer["name"], name)):
            if old is not None:
                value = value.replace(f'"{property_}":"{old}"'.encode(), f'"{property_}":"{new}"'.encode(), 1)
        return value

    def secrets(self, payment):
        return payment["card_number"], payment["customer"]["email"]


class Protobuf:
    """A message of payment.proto behind the schema's id and its message index."""

    FRAME = FRAME + b"\0"
    # What registries have built in, and protoc does not.
    META = 'syntax = "proto3"; package confluent; import "google/protobuf/descriptor.proto"; message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; } ' \
           'extend google.protobuf.FieldOptions { Meta field_meta = 1088; }'

    def __init__(self):
        from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "confluent").mkdir()
            (pathlib.Path(folder) / "confluent" / "meta.proto").write_text(self.META, encoding="utf-8")
            output = pathlib.Path(folder) / "set"
            subprocess.run(["protoc", f"-I{HERE}", f"-I{folder}", "--include_imports", f"--descriptor_set_out={output}", "payment.proto"], check=True)
            files = descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes())
        pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            pool.Add(file)
        self._payment = message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName("bench.Payment"))
        self._channels = pool.FindEnumTypeByName("bench.Channel").values_by_name
        self._damaged = message.DecodeError

    def read(self, value):
        if not value.startswith(self.FRAME):
            return None
        try:
            return self._payment.FromString(value[len(self.FRAME):])
        except self._damaged:
            return None

    def source(self, record):
        made = self._payment(**{name: record[name] for name in ("payment_id", "amount", "currency", "country", "card_number", "merchant")})
        made.created_at.FromMilliseconds(record["created_at"])
        made.channel = self._channels[record["channel"]].number
        for name in ("id", "name", "email", "age"):
            if record["customer"][name] is not None:
                setattr(made.customer, name, record["customer"][name])
        if record["note"] is not None:
            made.note = record["note"]
        for item in record["items"]:
            made.items.add(sku=item["sku"], quantity=item["quantity"], price=item["price"])
        return made

    def fields(self, payment):
        return payment.SerializeToString(deterministic=True)

    def id(self, payment):
        return payment.payment_id

    def masked(self, value, payment, card, email, name):
        copy = self._payment()
        copy.CopyFrom(payment)
        copy.card_number = card
        copy.customer.name = name
        if email is not None:
            copy.customer.email = email
        return self.FRAME + copy.SerializeToString(deterministic=True)

    def secrets(self, payment):
        return payment.card_number, payment.customer.email if payment.customer.HasField("email") else None


def place(message):
    return f"{message.topic()}-{message.partition()}-{message.offset()}"


def expectations(path):
    """Outcome and rules by payment id, and how many records have none that can be read."""
    found, unreadable = {}, 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            payment, outcome, rules = line.rstrip("\n").split("\t")
            if payment == "-":
                unreadable += 1
            else:
                found[payment] = outcome, frozenset() if rules == "-" else frozenset(f"r{number.strip()}" for number in rules.split(","))
    return found, unreadable


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--expected", required=True)
    parser.add_argument("--format", choices=["protobuf", "json-schema"], required=True)
    parser.add_argument("--source", default="source.payments")
    options = parser.parse_args()
    options.kafka_config = None
    begun = time.monotonic()
    form = Protobuf() if options.format == "protobuf" else Json()
    key = os.environ.get("REFERENCE_KEY", "reference-key-0123456789-0123456789").encode()
    checks = Checks()
    expected, unreadable = expectations(options.expected)

    def topic(name):
        return read_topics(options, [name], deadline_seconds=900)

    # The ingress topic, record for record beside the source's.
    sources = collections.defaultdict(list)
    for message in topic(options.source):
        sources[message.partition()].append((message.key(), message.value()))
    ingress, of_payment, of_damaged, meant, counts = {}, {}, collections.defaultdict(collections.deque), {}, collections.Counter()
    numbers, found_unreadable = collections.Counter(), 0
    for message in topic("raw.payments"):
        partition, id = message.partition(), place(message)
        number, value = numbers[partition], message.value()
        numbers[partition] += 1
        payment = form.read(value)
        ingress[id] = number, message.key(), message.timestamp()[1], value
        counts["ingress"] += 1
        original = sources[partition][number] if number < len(sources[partition]) else (None, b"")
        try:
            source = json.loads(original[1])
        except ValueError:
            source = None
        same = payment is None if source is None else payment is not None and form.fields(form.source(source)) == form.fields(payment)
        checks.that(same and original[0] == message.key(), "ingress is the source", id)
        if payment is None:
            found_unreadable += 1
            of_damaged[partition, value].append(id)
            meant[id] = "deny", frozenset()
            continue
        name = form.id(payment)
        checks.that(name in expected and name not in of_payment, "ingress is what was expected", f"{id} {name}")
        of_payment[name] = id
        meant[id] = expected.get(name, ("?", frozenset()))
    checks.that(counts["ingress"] == sum(map(len, sources.values())), "ingress is the source", "another number of records")
    checks.that(found_unreadable == unreadable, "ingress is what was expected", f"{found_unreadable} records cannot be read, expected {unreadable}")
    checks.that(len(of_payment) == len(expected), "ingress is what was expected", f"{len(of_payment)} payments of the expected {len(expected)}")
    del sources

    # The decisions.
    judged = frozenset(f"r{number}" for number in range(2, 17))
    decided = set()
    for message in topic("decisions"):
        decision = json.loads(message.value())
        if decision["event"] != "decided":
            continue
        counts["decisions"] += 1
        id = decision["id"]
        checks.that(id in ingress and id not in decided, "one decision a record", id)
        decided.add(id)
        outcome, rules = meant.get(id, ("?", frozenset()))
        checks.that(decision["outcome"] == outcome, "outcome", f"{id}: {decision['outcome']} where {outcome} is expected")
        checks.that(judged & set(decision["rules"]) == rules, "rules", f"{id}: {decision['rules']} where {sorted(rules)} are expected")
        checks.that(message.key() == id.encode() and message.partition() == int(id.rsplit("-", 2)[1]), "decision key and partition", id)
    checks.that(len(decided) == len(ingress), "one decision a record", f"{len(ingress) - len(decided)} have none")

    # The outputs.
    written, last = set(), {}

    def output(id, message, outcome):
        """Counts an output; the ingress record it belongs to, or None."""
        found = ingress.get(id)
        checks.that(found is not None and id not in written and meant[id][0] == outcome and message.partition() == int(id.rsplit("-", 2)[1]), "one output a record", f"{place(message)} for {id}")
        written.add(id)
        return found

    for message in topic("governed.payments"):
        counts["governed"] += 1
        payment = form.read(message.value())
        id = of_payment.get(form.id(payment)) if payment is not None else None
        found = output(id, message, "allow")
        if found is None:
            continue
        number, original_key, timestamp, value = found
        original = form.read(value)
        card, email = form.secrets(original)
        card = "*" * (len(card) - 4) + card[-4:]
        email = None if email is None else hmac.new(key, email.encode(), hashlib.sha256).hexdigest()[:32]
        checks.that(message.value() == form.masked(value, original, card, email, "***"), "governed bytes", f"{place(message)} for {id}")
        checks.that(message.key() == original_key and message.timestamp()[1] == timestamp, "governed key and timestamp", f"{place(message)} for {id}")
        checks.that(number > last.get(message.partition(), -1), "governed order", f"{place(message)} for {id}")
        last[message.partition()] = number
    for message in topic("held.payments"):
        counts["held"] += 1
        id = (message.key() or b"").decode()
        found = output(id, message, "hold")
        checks.that(found is not None and message.value() == found[3] and message.timestamp()[1] == found[2], "held bytes", f"{place(message)} for {id}")
    for message in topic("rejected.payments"):
        counts["rejected"] += 1
        payment = form.read(message.value())
        waiting = of_damaged[message.partition(), message.value()]
        id = of_payment.get(form.id(payment)) if payment is not None else waiting.popleft() if waiting else None
        found = output(id, message, "deny")
        checks.that(found is not None and (message.key(), message.timestamp()[1], message.value()) == found[1:], "rejected bytes", f"{place(message)} for {id}")
    checks.that(len(written) == len(ingress), "one output a record", f"{len(ingress) - len(written)} have none")

    ok = checks.report()
    print(json.dumps({"command": "verify", "format": options.format, "ok": ok, **counts, "seconds": round(time.monotonic() - begun, 1)}))
    print("ok" if ok else "FAIL")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
