using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Rules;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams unseal</c>: what rejected (or held) records of a binding with <c>seal</c> say, for who has the key.</summary>
internal static class UnsealCommand
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    internal static Command Create()
    {
        var bootstrap = new Option<string>("--bootstrap") { Description = "Kafka's bootstrap servers, host:port[,host:port]", HelpName = "SERVERS", Required = true };
        var topic = new Option<string>("--topic") { Description = "The rejected (or held) topic", HelpName = "TOPIC", Required = true };
        var key = new Option<string[]>("--key") { Description = "A seal key, from a file or a variable; repeat it for versions: seal-key@2=file:PATH", HelpName = "NAME=file:PATH|env:VARIABLE", Required = true };
        var id = new Option<string>("--id") { Description = "Only the record of this decision: raw.payments-0-42", HelpName = "ID" };
        var raw = new Option<bool>("--raw") { Description = "Write the value's bytes and nothing else; needs --id" };
        var follow = new Option<bool>("--follow") { Description = "Wait for more at the end of the topic" };
        var kafkaConfig = new Option<string>("--kafka-config") { Description = "librdkafka properties, `property=value` a line", HelpName = "FILE" };
        var command = new Command("unseal", "Open sealed records of a rejected or held topic: one JSON object a line") { bootstrap, topic, key, id, raw, follow, kafkaConfig };
        command.SetAction((parsed, cancellationToken) =>
        {
            try
            {
                if (parsed.GetValue(raw) && parsed.GetValue(id) is null) { return Task.FromResult(Terminal.CouldNotRun("--raw writes one value: say which with --id")); }
                using var sealer = new Sealer(Ring(parsed.GetValue(key) ?? []));
                return Task.FromResult(Open(parsed.GetValue(bootstrap)!, parsed.GetValue(topic)!, sealer, parsed.GetValue(id), parsed.GetValue(raw), parsed.GetValue(follow), parsed.GetValue(kafkaConfig), cancellationToken));
            }
            catch (StartException e)
            {
                return Task.FromResult(Terminal.CouldNotRun(e.Message));
            }
        });
        return command;
    }

    private static KeyRing Ring(string[] keys)
    {
        var ring = new KeyRing();
        foreach (string key in keys)
        {
            if (!SecretReference.TrySplit(key, out string name, out string reference)) { throw new StartException("--key takes NAME=file:PATH or NAME=env:VARIABLE"); }
            try
            {
                if (ring.Add(name, SecretReference.Read(reference, $"Key `{name}`")) is { } wrong) { throw new StartException($"Key `{name}` ({reference}): {wrong}"); }
            }
            catch (IOException e)
            {
                throw new StartException(e.Message);
            }
        }

        return ring;
    }

    private static int Open(string bootstrap, string topic, Sealer sealer, string? id, bool raw, bool follow, string? kafkaConfig, CancellationToken cancellationToken)
    {
        try
        {
            var properties = kafkaConfig is null ? [] : RunOptionsReader.ReadKafkaConfig(kafkaConfig).ToDictionary(pair => pair.Key, pair => pair.Value);
            var config = new ConsumerConfig(properties)
            {
                BootstrapServers = bootstrap,
                GroupId = "policystreams-unseal",
                EnableAutoCommit = false,
                IsolationLevel = IsolationLevel.ReadCommitted,
                EnablePartitionEof = true,
                AutoOffsetReset = AutoOffsetReset.Earliest,
            };
            using IConsumer<byte[]?, byte[]?> consumer = new ConsumerBuilder<byte[]?, byte[]?>(config).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
            using IAdminClient admin = new DependentAdminClientBuilder(consumer.Handle).Build();
            TopicMetadata metadata = admin.GetMetadata(topic, Timeout).Topics[0];
            if (metadata.Error.IsError) { return Terminal.CouldNotRun($"topic {topic}: {metadata.Error.Reason}"); }
            consumer.Assign(metadata.Partitions.Select(partition => new TopicPartitionOffset(topic, partition.PartitionId, Offset.Beginning)));
            var ends = new HashSet<int>();
            int unopened = 0, found = 0;
            while (!cancellationToken.IsCancellationRequested)
            {
                ConsumeResult<byte[]?, byte[]?>? result = consumer.Consume(TimeSpan.FromMilliseconds(100));
                if (result is null) { continue; }
                if (result.IsPartitionEOF)
                {
                    ends.Add(result.Partition.Value);
                    if (!follow && ends.Count == metadata.Partitions.Count) { break; }
                    continue;
                }

                string decision = Header(result, "ps-decision");
                if (id is not null && decision != id) { continue; }

                // A tombstone on held ends a hold: there is nothing to open.
                if (result.Message.Value is not { } value) { continue; }
                found++;
                if (!Write(sealer, result, decision, value, raw)) { unopened++; }
                if (id is not null) { break; }
            }

            if (id is not null && found == 0)
            {
                Console.Error.WriteLine($"policystreams: no record of decision {id} on {topic}");
                return (int)ExitCode.Found;
            }

            return unopened > 0 ? (int)ExitCode.Found : (int)ExitCode.Ok;
        }
        catch (KafkaException e)
        {
            return Terminal.CouldNotRun($"broker {bootstrap}: {Terminal.BrokerReason(e)}");
        }
    }

    private static bool Write(Sealer sealer, ConsumeResult<byte[]?, byte[]?> record, string decision, byte[] value, bool raw)
    {
        string keyId = Header(record, "ps-seal");
        byte[] open = value;
        SealOutcome outcome = keyId.Length == 0 ? SealOutcome.Opened : sealer.TryOpen(keyId, Encoding.UTF8.GetBytes(decision), value, out open);
        if (outcome != SealOutcome.Opened)
        {
            string why = outcome == SealOutcome.NoKey ? $"it is sealed with `{keyId}`: give --key {keyId}=file:PATH" : $"it was altered, or is not the record of decision {decision}";
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"policystreams: {record.Topic}-{record.Partition.Value}-{record.Offset.Value}: cannot be opened: {why}"));
            return false;
        }

        using Stream output = Console.OpenStandardOutput();
        if (raw)
        {
            output.Write(open);
            return true;
        }

        using (var json = new Utf8JsonWriter(output))
        {
            json.WriteStartObject();
            json.WriteString("topic", record.Topic);
            json.WriteNumber("partition", record.Partition.Value);
            json.WriteNumber("offset", record.Offset.Value);
            json.WriteString("decision", decision);
            if (Header(record, "ps-rules") is { Length: > 0 } rules) { json.WriteString("rules", rules); }
            if (Header(record, "ps-reason") is { Length: > 0 } reason) { json.WriteString("reason", reason); }
            if (keyId.Length > 0) { json.WriteString("sealed", keyId); }
            if (record.Message.Key is { } key) { json.WriteBase64String("key_base64", key); }
            json.WriteBase64String("value_base64", open);
            json.WriteEndObject();
        }

        output.Write("\n"u8);
        return true;
    }

    private static string Header(ConsumeResult<byte[]?, byte[]?> record, string name) =>
        record.Message.Headers is { } headers && headers.TryGetLastBytes(name, out byte[]? value) && value is not null ? Encoding.UTF8.GetString(value) : "";
}
