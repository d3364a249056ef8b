#!/usr/bin/python3
"""Produces a file of records; prints how many were delivered. Idempotent and in order, so the topic has each line once."""
import time

from confluent_kafka import Producer

from kafka_io import arguments, die, framed, properties, records


def main():
    parser = arguments(__doc__)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--file", required=True)
    parser.add_argument("--schema-id", type=int, required=True, help="what `frame: subject` stands for")
    parser.add_argument("--rate", type=float, help="records a second; default as fast as may be")
    options = parser.parse_args()
    producer = Producer(properties(options, **{"enable.idempotence": True, "linger.ms": 5, "queue.buffering.max.messages": 200000}))
    delivered, failed = [0], []

    def report(error, _message):
        if error is None:
            delivered[0] += 1
        else:
            failed.append(str(error))

    lines = records(options.file)
    started = time.monotonic()
    for number, line in enumerate(lines):
        if options.rate:
            ahead = started + number / options.rate - time.monotonic()
            if ahead > 0.005:
                producer.poll(ahead)
        key = None if line["key"] is None else line["key"].encode()
        headers = [(name, text.encode()) for name, text in line["headers"].items()]
        while True:
            try:
                producer.produce(options.topic, value=framed(line, options.schema_id), key=key, partition=line["partition"], headers=headers, on_delivery=report)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 200 == 0:
            producer.poll(0)
    producer.flush(60)
    if failed or delivered[0] != len(lines):
        die(f"{delivered[0]} of {len(lines)} delivered; {failed[:3]}")
    print(delivered[0])


if __name__ == "__main__":
    main()
