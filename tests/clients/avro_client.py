#!/usr/bin/python3
"""Confluent's Avro serializers and registry client at work: what producers and consumers do who know nothing of PolicyStreams.

The serializers want fastavro; where it is not installed, Debian's avro (python3-avro) encodes and decodes in its place, and everything else is theirs.
Records are JSON lines: {"key": ..., "value": ..., "partition": N}; a member that is left out is null.
"""
import io
import json
import sys
import types

try:
    import fastavro  # noqa: F401
except ModuleNotFoundError:
    import avro.io
    import avro.schema

    class Parsed(dict):
        """A schema's JSON as fastavro gives it back, with avro's own beside it."""

    def parse_schema(schema):
        parsed = Parsed(schema)
        parsed.avro = avro.schema.parse(json.dumps(schema))
        if hasattr(parsed.avro, "fullname"):
            parsed["name"] = parsed.avro.fullname
        return parsed

    def schemaless_writer(out, schema, value):
        avro.io.DatumWriter(schema.avro).write(value, avro.io.BinaryEncoder(out))

    def schemaless_reader(source, writer, reader=None, _return_record_name=False):
        return avro.io.DatumReader(writer.avro, reader.avro if reader else writer.avro).read(avro.io.BinaryDecoder(io.BytesIO(source.read())))

    stand_in = types.ModuleType("fastavro")
    stand_in.parse_schema, stand_in.schemaless_writer, stand_in.schemaless_reader = parse_schema, schemaless_writer, schemaless_reader
    sys.modules["fastavro"] = stand_in

from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, record_subject_name_strategy, topic_record_subject_name_strategy, topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from kafka_io import arguments, die, properties, read_topics

NAMING = {"topic": topic_subject_name_strategy, "record": record_subject_name_strategy, "topic-record": topic_record_subject_name_strategy}


def read(path):
    with open(path, encoding="utf-8") as text:
        return text.read()


def serializer(registry, path, naming, register=True):
    return AvroSerializer(registry, read(path), conf={"subject.name.strategy": NAMING[naming], "auto.register.schemas": register}) if path else None


def produce(options, registry):
    keys = serializer(registry, options.key_schema, options.key_naming)
    values = serializer(registry, options.value_schema, options.naming)
    producer = Producer(properties(options, **{"enable.idempotence": True}))
    failed = []
    for line in sys.stdin:
        record = json.loads(line)
        key = record.get("key")
        producer.produce(
            options.topic,
            key=keys(key, SerializationContext(options.topic, MessageField.KEY)) if keys else key,
            value=values(record.get("value"), SerializationContext(options.topic, MessageField.VALUE)),
            partition=record.get("partition", 0),
            on_delivery=lambda error, _: failed.append(str(error)) if error else None)
    producer.flush(60)
    if failed:
        die(str(failed[:3]))


def consume(options, registry):
    reader = AvroDeserializer(registry)
    for message in read_topics(options, [options.topic]):
        print(json.dumps({
            "partition": message.partition(),
            "key": reader(message.key(), SerializationContext(options.topic, MessageField.KEY)) if options.avro_keys else message.key() and message.key().decode(),
            "value": reader(message.value(), SerializationContext(options.topic, MessageField.VALUE)),
        }))


def serialize(options, registry):
    values = serializer(registry, options.value_schema, options.naming, not options.look_up)
    for line in sys.stdin:
        print(values(json.loads(line), SerializationContext(options.topic, MessageField.VALUE)).hex())


def deserialize(options, registry):
    reader = AvroDeserializer(registry)
    for line in sys.stdin:
        print(json.dumps(reader(bytes.fromhex(line), SerializationContext(options.topic, MessageField.VALUE))))


def register(options, registry):
    print(registry.register_schema(options.subject, Schema(read(options.value_schema), "AVRO")))


def main():
    parser = arguments(__doc__)
    parser.add_argument("verb", choices=["produce", "consume", "serialize", "deserialize", "register"])
    parser.add_argument("--registry", required=True)
    parser.add_argument("--topic", default="t")
    parser.add_argument("--subject")
    parser.add_argument("--value-schema")
    parser.add_argument("--key-schema")
    parser.add_argument("--naming", choices=NAMING, default="topic")
    parser.add_argument("--key-naming", choices=NAMING, default="topic")
    parser.add_argument("--avro-keys", action="store_true")
    parser.add_argument("--look-up", action="store_true", help="do not register: the schema must be there")
    for action in parser._actions:
        if action.dest == "bootstrap":
            action.required = False
    options = parser.parse_args()
    try:
        globals()[options.verb](options, SchemaRegistryClient({"url": options.registry}))
    except SchemaRegistryError as refused:
        print(f"refused {refused.http_status_code} {refused.error_code} {refused.error_message}", file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
