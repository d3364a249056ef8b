#!/usr/bin/python3
"""Writes the outputs and decisions that a file of records calls for, by rote: what verify.py must find in order, and with `--wrong` must not. Only for testing verify.py."""
import base64
import hashlib
import json

from confluent_kafka import Producer

from kafka_io import arguments, die, properties, read_topics, records

WRONG = ["undecided", "decided-twice", "lost", "doubled", "unmasked", "other-partition", "out-of-order", "seq-gap", "elsewhere", "header-lost", "timestamp", "rules"]


def main():
    parser = arguments(__doc__)
    parser.add_argument("--binding", required=True)
    parser.add_argument("--decisions", required=True)
    parser.add_argument("--records", required=True)
    parser.add_argument("--wrong", choices=WRONG)
    options = parser.parse_args()
    lines = {line["headers"]["trace"]: line for line in records(options.records)}
    out = Producer(properties(options, **{"transactional.id": f"pretend-{options.binding}"}))
    out.init_transactions(30)
    out.begin_transaction()
    seq, late, spoiled, failed = {}, {}, False, []

    def send(*args, **named):
        out.produce(*args, on_delivery=lambda error, _: error and failed.append(error), **named)
        out.poll(0)

    for message in read_topics(options, [f"raw.{options.binding}"]):
        partition = message.partition()
        id = f"{message.topic()}-{partition}-{message.offset()}"
        expect = lines[dict(message.headers())["trace"].decode()]["expect"]
        allowed = expect["outcome"] == "allow"
        # The first allowed record with a tag is the one to go wrong; for an order, it is written behind the next one.
        wrong = options.wrong if allowed and "tags" in expect and not spoiled else None
        spoiled = spoiled or wrong is not None
        to = {"deny": f"rejected.{options.binding}", "hold": f"held.{options.binding}"}.get(expect["outcome"]) or \
            expect["to"].replace("governed.payments", f"governed.{options.binding}")
        value = message.value()
        headers = [("ps-decision", id.encode())] + message.headers()
        if allowed:
            if wrong != "unmasked":
                value = message.value()[:5] + bytes.fromhex(expect["published"])
            headers += [(f"ps-tag-{name}", text.encode()) for name, text in expect.get("tags", {}).items()]
        else:
            headers.append(("ps-rules", ",".join(expect["rules"]).encode()))
        if expect["outcome"] == "hold":
            headers.append(("ps-key", message.key()))
        if wrong == "header-lost":
            headers = [pair for pair in headers if pair[0] != "trace"]
        decision = {"v": 1, "id": id, "seq": seq.get(partition, 0), "event": "decided", "outcome": expect["outcome"], "rules": expect["rules"], "to": to}
        decision.update({name: expect[name] for name in ("shadow", "errors", "masked") if name in expect})
        if value is not None:
            decision["after"] = base64.urlsafe_b64encode(hashlib.sha256(value).digest()).rstrip(b"=").decode()
        seq[partition] = decision["seq"] + (2 if wrong == "seq-gap" else 1)
        if wrong == "rules":
            decision["rules"] = decision["rules"][1:]
        if wrong != "undecided":
            for _ in range(2 if wrong == "decided-twice" else 1):
                send(options.decisions, key=id, value=json.dumps(decision), partition=partition)
        what = {
            "topic": f"rejected.{options.binding}" if wrong == "elsewhere" else to, "key": id if expect["outcome"] == "hold" else message.key(), "value": value,
            "partition": (partition + 1) % 4 if wrong == "other-partition" else partition, "headers": headers,
            "timestamp": message.timestamp()[1] - (wrong == "timestamp")}
        if wrong == "out-of-order":
            late[to, partition] = what
            continue
        for _ in range({"lost": 0, "doubled": 2}.get(wrong, 1)):
            send(**what)
        if (to, partition) in late:
            send(**late.pop((to, partition)))
    out.flush(30)
    out.commit_transaction(30)
    if failed or late or options.wrong and not spoiled:
        die(f"not written: {failed[:3]}")


if __name__ == "__main__":
    main()
