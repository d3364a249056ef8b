#!/usr/bin/python3
"""Holds what PolicyStreams wrote for a binding against its ingress topic and the file of records that was produced to it (made with `generate.py --published`).

What must be so, for every record of the ingress topic:
  - exactly one `decided` decision, on the decisions topic's partition of the same number, saying what the file expects: outcome, rules, shadow rules, errors, masks;
  - exactly one output, on the topic that the decision names, on the same partition, with the same timestamp, and on no other topic;
  - allowed: the value byte for byte as published records must be, the producer's headers kept, the tags added, the decision's digest that of the value;
  - denied: the original bytes, key, and headers; held: the original bytes under the decision's id;
  - each output topic keeps the order of each ingress partition; `seq` has no gap; nothing was written that no ingress record explains.
Prints one JSON object; exit 0 where all is so, 1 where not, 2 where it could not look.
"""
import base64
import collections
import hashlib
import json
import sys

from kafka_io import arguments, framed, read_topics, records

PROBLEMS_SHOWN = 20


class Problems:
    def __init__(self):
        self.counts, self.shown = collections.Counter(), []

    def add(self, kind, detail):
        self.counts[kind] += 1
        if len(self.shown) < PROBLEMS_SHOWN:
            self.shown.append(f"{kind}: {detail}")


def own(headers):
    """Headers that are the producer's."""
    return [(name, value) for name, value in headers or [] if not name.startswith("ps-")]


def header(message, name):
    found = [value for n, value in message.headers() or [] if n == name]
    return found[0].decode() if len(found) == 1 and found[0] is not None else None


def check_decision(problems, id, decision, expect, names):
    if decision["outcome"] != expect["outcome"]:
        problems.add("outcome", f"{id}: {decision['outcome']} where {expect['outcome']} is expected")
    for part in ("rules", "shadow"):
        if decision.get(part, []) != expect.get(part, []):
            problems.add(part, f"{id}: {decision.get(part, [])} where {expect.get(part, [])} is expected")
    wanted = expect.get("errors")
    if wanted is not None and decision.get("errors") != wanted:
        problems.add("errors", f"{id}: {decision.get('errors')} where {wanted} is expected")
    if set(decision.get("masked", [])) != set(expect.get("masked", [])):
        problems.add("masked", f"{id}: {decision.get('masked', [])} where {expect.get('masked', [])} is expected")
    to = {"deny": names["rejected"], "hold": names["held"]}.get(expect["outcome"]) or expect["to"].replace("governed.payments", names["governed"])
    if decision.get("to", to) != to:
        problems.add("to", f"{id}: {decision.get('to')} where {to} is expected")
    return to


def check_output(problems, id, ingress, output, decision, expect, schema_id):
    outcome = expect["outcome"]
    if output.partition() != ingress.partition():
        problems.add("partition", f"{id} is on partition {output.partition()} of {output.topic()}")
    if output.timestamp()[1] != ingress.timestamp()[1]:
        problems.add("timestamp", f"{id} on {output.topic()}: {output.timestamp()[1]} where the ingress record has {ingress.timestamp()[1]}")
    if outcome == "hold":
        original = None if ingress.key() is None else ingress.key().decode()
        if output.key() != id.encode() or header(output, "ps-key") != original:
            problems.add("key", f"{id} on {output.topic()}: not under its id, or without the original key in ps-key")
    elif output.key() != ingress.key():
        problems.add("key", f"{id} on {output.topic()}: another key than the ingress record's")
    if own(output.headers()) != own(ingress.headers()):
        problems.add("headers", f"{id} on {output.topic()}: the producer's headers are not as they were")
    if outcome != "allow" and header(output, "ps-rules") != ",".join(expect["rules"]):
        problems.add("headers", f"{id} on {output.topic()}: ps-rules does not name the rules")
    if outcome == "allow":
        published = b"\0" + schema_id.to_bytes(4, "big") + bytes.fromhex(expect["published"])
        if output.value() != published:
            problems.add("published bytes", f"{id} on {output.topic()}: not the bytes expected")
        tags = {name[len("ps-tag-"):]: value.decode() for name, value in output.headers() or [] if name.startswith("ps-tag-")}
        if tags != expect.get("tags", {}):
            problems.add("tags", f"{id} on {output.topic()}: {tags}")
        digest = base64.urlsafe_b64encode(hashlib.sha256(output.value()).digest()).rstrip(b"=").decode()
        if "before" not in decision and decision.get("after") != digest:
            problems.add("after", f"{id}: the decision's `after` is not the digest of what is on {output.topic()}")
    elif output.value() != ingress.value():
        problems.add("original bytes", f"{id} on {output.topic()}: not the ingress record's bytes")


def check_end(problems, id, ingress, output, end, expect, names, schema_id):
    released = end["event"] == "released" or end["event"] == "expired" and end["outcome"] == "allow"
    to = expect["release_to"].replace("governed.payments", names["governed"]) if released else names["rejected"]
    value = b"\0" + schema_id.to_bytes(4, "big") + bytes.fromhex(expect["published"]) if released else ingress.value()
    if output.topic() != to or output.partition() != ingress.partition():
        problems.add("hold's end", f"{id} is {end['event']}, and on {output.topic()}-{output.partition()}")
    elif output.value() != value or output.key() != ingress.key() or own(output.headers()) != own(ingress.headers()):
        problems.add("hold's end", f"{id} is {end['event']}: value, key, or headers on {to} are not what they must be")
    elif output.timestamp()[1] != ingress.timestamp()[1]:
        problems.add("hold's end", f"{id} is {end['event']} with another timestamp")


def main():
    parser = arguments(__doc__.split("\n", 1)[0])
    parser.add_argument("--binding", default="payments")
    parser.add_argument("--decisions", default="decisions")
    parser.add_argument("--records", required=True)
    parser.add_argument("--schema-id", type=int, required=True)
    parser.add_argument("--partial", action="store_true", help="the topic need not hold every line of the file")
    options = parser.parse_args()
    names = {kind: f"{kind}.{options.binding}" for kind in ("raw", "governed", "rejected", "held")}
    problems = Problems()

    lines = {line["headers"]["trace"]: line for line in records(options.records)}
    ingress, line_of = {}, {}
    for message in read_topics(options, [names["raw"]]):
        id = f"{message.topic()}-{message.partition()}-{message.offset()}"
        line = lines.get(header(message, "trace"))
        if line is None or message.value() != framed(line, options.schema_id):
            problems.add("ingress", f"{id} is not a record of the file")
            continue
        ingress[id], line_of[id] = message, line
    if not options.partial and len({line["headers"]["trace"] for line in line_of.values()}) != len(lines):
        problems.add("ingress", f"{len(lines) - len(line_of)} lines of the file are not on the topic")

    decided, ends, seqs, events = {}, {}, collections.defaultdict(list), collections.Counter()
    last = {}
    for message in read_topics(options, [options.decisions]):
        decision = json.loads(message.value())
        event = decision["event"]
        if event in ("checkpoint", "policy") and names["raw"] not in message.key().decode() and names["raw"] not in message.value().decode():
            continue
        events[event] += 1
        if event == "checkpoint":
            continue
        if "seq" in decision:
            seqs[message.partition()].append(decision["seq"])
        id = decision["id"].split("/")[0] if "id" in decision else None
        if event == "decided":
            if message.key().decode() != id:
                problems.add("decision key", f"{id} is under another key")
            if id not in ingress:
                problems.add("decision without record", id)
                continue
            if id in decided:
                problems.add("decided twice", id)
            decided[id] = decision
            source = ingress[id]
            if message.partition() != source.partition():
                problems.add("decision partition", f"{id} is decided on partition {message.partition()}")
            if source.offset() <= last.get(source.partition(), -1):
                problems.add("decision order", f"{id} is decided after a later record")
            last[source.partition()] = source.offset()
        elif event in ("released", "refused", "expired"):
            if id in ends:
                problems.add("ended twice", id)
            ends[id] = decision
    for id in ingress:
        if id not in decided:
            problems.add("undecided", id)
    for partition, found in seqs.items():
        if sorted(found) != list(range(min(found), min(found) + len(found))):
            problems.add("seq", f"partition {partition} has {len(found)} decisions, {len(set(found))} different seq from {min(found)} to {max(found)}")

    routes = {line["expect"]["to"].replace("governed.payments", names["governed"]) for line in lines.values() if "to" in line["expect"]}
    outputs, order, written = collections.defaultdict(list), {}, collections.Counter()
    for message in read_topics(options, sorted(routes | {names["governed"], names["rejected"], names["held"]})):
        if message.topic() == names["held"] and message.value() is None:
            continue                                   # a tombstone: the hold has ended
        stamp = header(message, "ps-decision") or ""
        id = stamp.split("/")[0]
        if id not in ingress:
            problems.add("output without record", f"{message.topic()}-{message.partition()}-{message.offset()}")
            continue
        written[message.topic()] += 1
        outputs[id].append(message)
        if id not in ends:
            where = message.topic(), message.partition()
            if ingress[id].offset() <= order.get(where, -1):
                problems.add("order", f"{id} is behind a later record on {message.topic()}")
            order[where] = ingress[id].offset()

    for id, message in ingress.items():
        decision, expect = decided.get(id), line_of[id]["expect"]
        if decision is None:
            continue
        to = check_decision(problems, id, decision, expect, names)
        found = outputs.get(id, [])
        first = [output for output in found if output.topic() == to]
        rest = [output for output in found if output.topic() != to]
        if id in ends:
            # Compaction may have taken the held record already. What follows a hold is one output, by its end.
            if len(rest) != 1:
                problems.add("hold's end", f"{id} is {ends[id]['event']} and has {len(rest)} outputs")
            else:
                check_end(problems, id, message, rest[0], ends[id], expect, names, options.schema_id)
            first = first[:1] if first else [None]
        elif rest:
            problems.add("output elsewhere", f"{id} is on {sorted({output.topic() for output in rest})}")
        if len(first) != 1:
            problems.add("output count", f"{id} is {len(first)} times on {to}")
        elif first[0] is not None:
            check_output(problems, id, message, first[0], decision, expect, options.schema_id)

    outcomes = collections.Counter(decision["outcome"] for decision in decided.values())
    print(json.dumps({
        "ok": not problems.counts, "ingress": len(ingress), "decided": len(decided), "outcomes": dict(sorted(outcomes.items())), "events": dict(sorted(events.items())),
        "written": dict(sorted(written.items())), "problems": dict(problems.counts), "first": problems.shown}, ensure_ascii=False))
    sys.exit(1 if problems.counts else 0)


if __name__ == "__main__":
    main()
