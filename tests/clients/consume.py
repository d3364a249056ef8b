#!/usr/bin/python3
"""Writes what a read-committed reader of the topics sees, from their beginnings to the ends they had at the start: one JSON object a record."""
import json

from kafka_io import arguments, read_topics


def main():
    parser = arguments(__doc__)
    parser.add_argument("topics", nargs="+")
    options = parser.parse_args()
    for message in read_topics(options, options.topics):
        print(json.dumps({
            "topic": message.topic(),
            "partition": message.partition(),
            "offset": message.offset(),
            "timestamp": message.timestamp()[1],
            "key": None if message.key() is None else message.key().decode("utf-8", "replace"),
            "headers": [[name, None if value is None else value.decode("utf-8", "replace")] for name, value in message.headers() or []],
            "value": None if message.value() is None else message.value().hex(),
        }, ensure_ascii=False))


if __name__ == "__main__":
    main()
