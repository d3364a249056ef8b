using System.CommandLine;
using Confluent.Kafka;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Policies;
using PolicyStreams.Processor.Topics;
using PolicyStreams.Rules;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams topics plan|apply</c>: the topics that policies need. No registry, no prompt.</summary>
internal static class TopicsCommand
{
    internal static Command Create()
    {
        var bootstrap = new Option<string>("--bootstrap") { Description = "Kafka's bootstrap servers, host:port[,host:port]", HelpName = "SERVERS", Required = true };
        var policies = new Option<string>("--policies") { Description = "Folder of *.policy.yaml files, or one file", HelpName = "DIR", Required = true };
        var kafkaConfig = new Option<string>("--kafka-config") { Description = "librdkafka properties, `property=value` a line", HelpName = "FILE" };
        var plan = new Command("plan", "Show what `apply` would change; exit 1 where it would change anything") { bootstrap, policies, kafkaConfig };
        var apply = new Command("apply", "Create topics, add partitions, and set what differs; exit 0 once all is as planned") { bootstrap, policies, kafkaConfig };
        plan.SetAction((parsed, _) => RunAsync(parsed.GetValue(bootstrap)!, parsed.GetValue(policies)!, parsed.GetValue(kafkaConfig), apply: false));
        apply.SetAction((parsed, _) => RunAsync(parsed.GetValue(bootstrap)!, parsed.GetValue(policies)!, parsed.GetValue(kafkaConfig), apply: true));
        return new Command("topics", "Create and check the topics that policies need") { plan, apply };
    }

    private static async Task<int> RunAsync(string bootstrap, string policies, string? kafkaConfig, bool apply)
    {
        try
        {
            PolicyLoad load = PolicySet.Load(PolicyFolder.Read(policies));
            if (load.Set is not { } set)
            {
                foreach (Diagnostic diagnostic in load.Diagnostics) { await Console.Error.WriteLineAsync(diagnostic.ToString()); }
                return (int)ExitCode.Found;
            }

            var config = new AdminClientConfig(kafkaConfig is null ? [] : RunOptionsReader.ReadKafkaConfig(kafkaConfig).ToDictionary(pair => pair.Key, pair => pair.Value)) { BootstrapServers = bootstrap };
            using IAdminClient admin = new AdminClientBuilder(config).SetLogHandler((_, _) => { }).Build();
            var topics = new TopicPlan(set.Bindings, admin);
            IReadOnlyList<TopicChange> changes = (await topics.CompareAsync()).Changes;
            foreach (TopicChange change in changes) { Console.WriteLine($"{Mark(change)} {change.Topic}: {change.What}"); }
            if (!apply)
            {
                Console.WriteLine(changes.Count == 0 ? "All topics are as planned." : $"{changes.Count} change(s).");
                return (int)(changes.Count == 0 ? ExitCode.Ok : ExitCode.Found);
            }

            IReadOnlyList<TopicChange> left = changes.Count == 0 ? changes : await topics.ApplyAsync();
            foreach (TopicChange change in left) { await Console.Error.WriteLineAsync($"{change.Topic}: {change.What}"); }
            if (left.Count == 0) { Console.WriteLine(changes.Count == 0 ? "All topics are as planned." : $"{changes.Count} change(s) made; all topics are as planned."); }
            return (int)(left.Count == 0 ? ExitCode.Ok : ExitCode.Found);
        }
        catch (KafkaException e)
        {
            return Terminal.CouldNotRun($"broker {bootstrap}: {Terminal.BrokerReason(e)}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or StartException)
        {
            return Terminal.CouldNotRun(e.Message);
        }
    }

    private static string Mark(TopicChange change) => change.Mendable ? change.Fatal ? "+" : "~" : "!";
}
