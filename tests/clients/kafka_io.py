"""What the programs beside this file share: client properties, framing, and reading topics to their ends, read-committed."""
import argparse
import json
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--kafka-config", help="client properties, name=value a line")
    return parser


def properties(options, **more):
    found = {"bootstrap.servers": options.bootstrap}
    if options.kafka_config:
        with open(options.kafka_config, encoding="utf-8") as lines:
            for line in lines:
                if line.strip() and not line.lstrip().startswith("#"):
                    name, _, value = line.strip().partition("=")
                    found[name.strip()] = value.strip()
    found.update(more)
    return found


def die(text):
    print(text, file=sys.stderr)
    sys.exit(2)


def framed(line, schema_id):
    """The record's value as it goes out: see examples/payments/generate.py for `frame` and `value`."""
    if line["value"] is None:
        return None
    value = bytes.fromhex(line["value"])
    frame = line["frame"]
    if frame is None:
        return value
    return b"\0" + (schema_id if frame == "subject" else frame).to_bytes(4, "big") + value


def records(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def read_topics(options, topics, deadline_seconds=120):
    """Every committed record of the topics, partition by partition in order. The ends are asked for first, without regard to transactions: reading
    is over when every partition's read-committed position has passed its end, so an open transaction makes this wait, never miss records."""
    plain = Consumer(properties(options, **{"group.id": "verify", "enable.auto.commit": False}))
    ends, metadata = {}, plain.list_topics(timeout=30)
    for topic in topics:
        if topic not in metadata.topics or metadata.topics[topic].error is not None:
            die(f"no topic {topic}")
        for partition in metadata.topics[topic].partitions:
            low, high = plain.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
            if high > low:
                ends[topic, partition] = high
    plain.close()
    if not ends:
        return
    reader = Consumer(properties(options, **{
        "group.id": "verify", "enable.auto.commit": False, "isolation.level": "read_committed", "enable.partition.eof": True,
        "auto.offset.reset": "error", "fetch.wait.max.ms": 50}))
    reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for topic, partition in ends])
    deadline = time.monotonic() + deadline_seconds
    try:
        while ends:
            if time.monotonic() > deadline:
                die(f"not read to the end in {deadline_seconds} s (is a transaction open?): {sorted(ends)}")
            for message in reader.consume(num_messages=1000, timeout=0.2):
                where = message.topic(), message.partition()
                if message.error() is None:
                    yield message
                    reached = message.offset() + 1
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    reached = message.offset()       # control records, which end transactions, are passed over: only this tells
                else:
                    die(str(message.error()))
                if reached >= ends.get(where, 1 << 63):
                    del ends[where]
    finally:
        reader.close()
