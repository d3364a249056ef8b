using System.CommandLine;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using PolicyStreams.Processor.Hosting;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams decisions tail</c>: the audit log as it grows, committed decisions only.</summary>
internal static class DecisionsCommand
{
    internal static Command Create()
    {
        var bootstrap = new Option<string>("--bootstrap") { Description = "Kafka's bootstrap servers, host:port[,host:port]", HelpName = "SERVERS", Required = true };
        var topic = new Option<string>("--topic") { Description = "The decisions topic", HelpName = "TOPIC", DefaultValueFactory = _ => "decisions" };
        var from = new Option<bool>("--from-beginning") { Description = "Start with the oldest decision, not with the next one" };
        var exit = new Option<bool>("--exit") { Description = "Stop at the end of the topic instead of waiting for more" };
        var outcome = new Option<string>("--outcome") { Description = "Only this outcome: allow, deny, or hold", HelpName = "OUTCOME" };
        outcome.AcceptOnlyFromAmong("allow", "deny", "hold");
        var events = new Option<string>("--event") { Description = "Only this event: decided, approval, released, refused, expired, reheld, policy, adopted, checkpoint", HelpName = "EVENT" };
        var id = new Option<string>("--id") { Description = "Only this decision and those about its hold: raw.payments-0-42", HelpName = "ID" };
        var output = new Option<string>("--output") { Description = "text, or json: the decisions as they are, one a line", HelpName = "FORM", DefaultValueFactory = _ => "text" };
        output.AcceptOnlyFromAmong("text", "json");
        var kafkaConfig = new Option<string>("--kafka-config") { Description = "librdkafka properties, `property=value` a line", HelpName = "FILE" };
        var tail = new Command("tail", "Print decisions as they are committed") { bootstrap, topic, from, exit, outcome, events, id, output, kafkaConfig };
        tail.SetAction((parsed, cancellationToken) =>
        {
            var filter = new Filter(parsed.GetValue(outcome), parsed.GetValue(events), parsed.GetValue(id));
            return Task.FromResult(Tail(parsed.GetValue(bootstrap)!, parsed.GetValue(topic)!, parsed.GetValue(from), parsed.GetValue(exit), filter, parsed.GetValue(output) == "json", parsed.GetValue(kafkaConfig), cancellationToken));
        });
        return new Command("decisions", "Read the audit log") { tail };
    }

    /// <summary>One decision for a person: what happened to which record, by which rules, and why.</summary>
    internal static string Describe(JsonElement decision)
    {
        var text = new StringBuilder();
        string name = Text(decision, "event");
        string outcome = Text(decision, "outcome");
        text.Append(Text(decision, "time")).Append("  ").Append((name == "decided" ? outcome : name).PadRight(10)).Append(' ').Append(Text(decision, "id"));
        if (name == "checkpoint") { return $"{Text(decision, "time")}  checkpoint {Text(decision, "topic")}-{decision.GetProperty("partition")} seq {decision.GetProperty("from")} to {decision.GetProperty("to")}"; }
        if (Text(decision, "to") is { Length: > 0 } to) { text.Append(" → ").Append(to); }
        if (List(decision, "rules") is { Length: > 0 } rules) { text.Append("  rules ").Append(rules); }
        if (List(decision, "masked") is { Length: > 0 } masked) { text.Append("  masked ").Append(masked); }
        if (List(decision, "reasons") is { Length: > 0 } reasons) { text.Append("  because ").Append(reasons); }
        if (decision.TryGetProperty("errors", out JsonElement errors))
        {
            text.Append("  errors ").AppendJoin(", ", errors.EnumerateArray().Select(error => $"{Text(error, "rule")}: {Text(error, "code")}"));
        }

        if (name == "approval")
        {
            string who = decision.TryGetProperty("approver", out JsonElement approver) ? Text(approver, "subject") : "somebody";
            text.Append("  ").Append(who).Append(' ').Append(Text(decision, "verdict")).Append(decision.GetProperty("counted").GetBoolean() ? ", counted" : $", not counted: {Text(decision, "why")}");
        }

        return text.ToString();
    }

    private static int Tail(string bootstrap, string topic, bool fromBeginning, bool exitAtEnd, Filter filter, bool json, string? kafkaConfig, CancellationToken cancellationToken)
    {
        try
        {
            var properties = kafkaConfig is null ? [] : RunOptionsReader.ReadKafkaConfig(kafkaConfig).ToDictionary(pair => pair.Key, pair => pair.Value);
            var config = new ConsumerConfig(properties)
            {
                BootstrapServers = bootstrap,
                GroupId = "policystreams-decisions-tail",
                EnableAutoCommit = false,
                IsolationLevel = IsolationLevel.ReadCommitted,
                EnablePartitionEof = true,
                AutoOffsetReset = AutoOffsetReset.Earliest,
            };
            using IConsumer<byte[]?, byte[]?> consumer = new ConsumerBuilder<byte[]?, byte[]?>(config).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
            using IAdminClient admin = new DependentAdminClientBuilder(consumer.Handle).Build();
            TopicMetadata metadata = admin.GetMetadata(topic, TimeSpan.FromSeconds(10)).Topics[0];
            if (metadata.Error.IsError) { return Terminal.CouldNotRun($"topic {topic}: {metadata.Error.Reason}"); }
            consumer.Assign(metadata.Partitions.Select(partition => new TopicPartitionOffset(topic, partition.PartitionId, fromBeginning ? Offset.Beginning : Offset.End)));
            var ends = new HashSet<int>();
            while (!cancellationToken.IsCancellationRequested)
            {
                ConsumeResult<byte[]?, byte[]?>? result = consumer.Consume(TimeSpan.FromMilliseconds(100));
                if (result is null) { continue; }
                if (result.IsPartitionEOF)
                {
                    ends.Add(result.Partition.Value);
                    if (exitAtEnd && ends.Count == metadata.Partitions.Count) { break; }
                    continue;
                }

                if (result.Message.Value is { } value) { Print(value, filter, json); }
            }

            return (int)ExitCode.Ok;
        }
        catch (KafkaException e)
        {
            return Terminal.CouldNotRun($"broker {bootstrap}: {Terminal.BrokerReason(e)}");
        }
        catch (StartException e)
        {
            return Terminal.CouldNotRun(e.Message);
        }
    }

    private static void Print(byte[] value, Filter filter, bool json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(value);
            if (!filter.Takes(document.RootElement)) { return; }
            Console.WriteLine(json ? Encoding.UTF8.GetString(value) : Describe(document.RootElement));
        }
        catch (JsonException)
        {
            Console.WriteLine("(a record that is no decision)");
        }
    }

    private static string Text(JsonElement element, string name) => element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static string List(JsonElement element, string name) => element.TryGetProperty(name, out JsonElement list) && list.ValueKind == JsonValueKind.Array ? string.Join(", ", list.EnumerateArray().Select(item => item.GetString())) : "";

    private sealed record Filter(string? Outcome, string? Event, string? Id)
    {
        public bool Takes(JsonElement decision) =>
            (Outcome is null || Text(decision, "outcome") == Outcome) && (Event is null ? Id is not null || Text(decision, "event") != "checkpoint" : Text(decision, "event") == Event)
            && (Id is null || Text(decision, "id") == Id || Text(decision, "id").StartsWith(Id + "/", StringComparison.Ordinal));
    }
}
