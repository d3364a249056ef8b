using System.Globalization;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using PolicyStreams.Faults.Tests.Lab;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Faults.Tests.Kafka;

/// <summary>Topics, offsets, and rights that are taken away.</summary>
internal static partial class FaultCatalogue
{
    private static Fault[] TopicFaults =>
    [
        new("offsets-deleted", "the group's offsets are deleted between two runs", true, OffsetsDeletedAsync),
        new("offsets-reset", "the group's offsets are reset between two runs: the task stops, and goes on once they are put right", true, OffsetsResetAsync),
        new("offsets-expired", "the group's offsets expire while nobody runs (retention 1 min)", false, OffsetsExpiredAsync),
        new("ingress-remade", "the ingress topic is deleted and made anew: the task stops, and goes on with --adopt-offsets", false, IngressRemadeAsync),
        new("output-too-large", "a record is too large for the governed topic once it is masked", false, OutputTooLargeAsync),
        new("governed-missing", "the governed topic is deleted in mid-stream, and made again", false, GovernedMissingAsync),
        new("acl-revoked", "the right to write the governed topic is revoked in mid-stream, and given again", false, AclRevokedAsync),
    ];

    private static async Task OffsetsDeletedAsync(FaultRun run)
    {
        await using FaultLab lab = await FaultLab.OpenAsync();
        await lab.FeedAsync(200);
        run.RecoveryIs = "from the restarted process's first instruction until every partition commits";
        lab.Start("a", threads: 2);
        await lab.RunningAsync();
        for (int times = run.Times(5, 1); run.Injected < times; run.Injected++)
        {
            await lab.StopAllAsync();
            using (IAdminClient admin = lab.Cluster.Admin())
            {
                if (run.Injected % 2 == 0)
                {
                    await Eventually.TrueAsync(() => DeletedAsync(() => admin.DeleteGroupsAsync([lab.Group])), FaultLab.Deadline, () => "the group is not deleted");
                }
                else
                {
                    await Eventually.TrueAsync(
                        () => DeletedAsync(() => admin.DeleteConsumerGroupOffsetsAsync(lab.Group, Enumerable.Range(0, FaultLab.Partitions).Select(partition => new TopicPartition(lab.Payments.Raw, partition)))),
                        FaultLab.Deadline,
                        () => "the group's offsets are not deleted");
                }
            }

            Assert.All(lab.Committed(), offset => Assert.Equal(-1, offset));
            DateTimeOffset restarted = FaultLab.Now;
            lab.Start("a", threads: 2);
            run.Recovered(await lab.Watch.RecoveredAsync(restarted, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
        }

        await lab.DrainAsync();
        await lab.VerifyAsync(run);

        // A static member stays in the group until its session ends: the broker refuses until then.
        static async Task<bool> DeletedAsync(Func<Task> delete)
        {
            try
            {
                await delete();
                return true;
            }
            catch (KafkaException)
            {
                return false;
            }
        }
    }

    private static async Task OffsetsResetAsync(FaultRun run)
    {
        await using FaultLab lab = await FaultLab.OpenAsync();
        await lab.FeedAsync(200);
        lab.Start("a", threads: 2);
        await lab.RunningAsync();
        run.RecoveryIs = "from the restarted process's first instruction, offsets put right, until every partition commits";
        for (int times = run.Times(4, 1); run.Injected < times; run.Injected++)
        {
            await lab.StopAllAsync();
            long right = lab.Committed()[0];

            // To the beginning and ahead by turns.
            await AlterAsync(lab, run.Injected % 2 == 0 ? 0 : right + 5);
            ProcessorProcess processor = lab.Start("a", threads: 2);
            await lab.SaysAsync(processor, $"{lab.Payments.Raw}-0");
            await lab.SaysAsync(processor, "--adopt-offsets");
            await lab.RunningAsync(1, 2, 3);
            Assert.Equal(503, await processor.StatusAsync("/ready"));
            await lab.StopAllAsync();
            await AlterAsync(lab, right);
            DateTimeOffset restarted = FaultLab.Now;
            lab.Start("a", threads: 2);
            run.Recovered(await lab.Watch.RecoveredAsync(restarted, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
        }

        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }

    private static async Task AlterAsync(FaultLab lab, long offset)
    {
        using IAdminClient admin = lab.Cluster.Admin();
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    await admin.AlterConsumerGroupOffsetsAsync([new ConsumerGroupTopicPartitionOffsets(lab.Group, [new TopicPartitionOffset(lab.Payments.Raw, 0, offset)])]);
                    return true;
                }
                catch (KafkaException)
                {
                    return false;
                }
            },
            FaultLab.Deadline,
            () => "the group's offsets cannot be altered");
    }

    private static async Task OffsetsExpiredAsync(FaultRun run)
    {
        Cluster cluster = await Cluster.StartAsync(1, ["offsets.retention.minutes=1", "offsets.retention.check.interval.ms=1000"]);
        await using FaultLab lab = await FaultLab.OpenAsync(cluster: cluster);
        await lab.FeedAsync(100);
        lab.Start("a", threads: 2);
        await lab.RunningAsync();
        await lab.StopAllAsync();
        await Eventually.TrueAsync(() => lab.Committed().All(offset => offset < 0), FaultLab.Deadline, () => "the group's offsets do not expire");
        run.Injected = 1;
        run.RecoveryIs = "from the restarted process's first instruction until every partition commits";
        DateTimeOffset restarted = FaultLab.Now;
        lab.Start("a", threads: 2);
        run.Recovered(await lab.Watch.RecoveredAsync(restarted, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }

    private static async Task IngressRemadeAsync(FaultRun run)
    {
        await using FaultLab lab = await FaultLab.OpenAsync();
        await lab.FeedAsync(300, lines: 3000, once: true);
        ProcessorProcess processor = lab.Start("a", threads: 2);
        long first = await lab.Feeder.AllAsync();
        await lab.Watch.DecidedAsync(first, FaultLab.Deadline, () => lab.Said);
        run.Add(Ledger.Read(lab.Cluster.Bootstrap, lab.Payments));
        await lab.DeleteTopicAsync(lab.Payments.Raw);
        await lab.CreateTopicAsync(lab.Payments.Raw, ("message.timestamp.type", "LogAppendTime"));
        run.Injected = 1;
        string[] second = File.ReadLines(await Feeder.GenerateAsync(3000, 77)).ToArray();
        await Clients.ProduceAsync(lab.Cluster.Bootstrap, lab.Payments.Raw, await Feeder.GenerateAsync(3000, 77), lab.Payments.SchemaId);

        // Neither the running process nor one started anew takes the new topic for the old one.
        await Task.Delay(TimeSpan.FromSeconds(5));
        Assert.Equal(first, lab.Watch.Decided);
        await lab.StopAllAsync();
        processor = lab.Start("a", threads: 2);
        await lab.SaysAsync(processor, "made anew");
        await Task.Delay(TimeSpan.FromSeconds(2));
        Assert.Equal(first, lab.Watch.Decided);
        await lab.StopAllAsync();
        run.RecoveryIs = "from the first instruction of the process started with --adopt-offsets to its first commit";
        DateTimeOffset restarted = FaultLab.Now;
        lab.Start("a", threads: 2, more: "--adopt-offsets");
        run.Recovered(await lab.Watch.RecoveredAsync(restarted, FaultLab.Deadline, () => lab.Said));
        await lab.Watch.DecidedAsync(first + second.Length, FaultLab.Deadline, () => lab.Said);
        await lab.StopAllAsync();

        // Ids come again with the offsets; the producer's own header tells the records apart.
        string[] outputs = [lab.Payments.Governed, lab.Payments.Governed + ".eu", lab.Payments.Rejected, lab.Payments.Held];
        Dictionary<string, int> byTrace = Ledger.ReadAll(lab.Cluster.Bootstrap, null, outputs).Where(record => record.Value is not null || record.Topic == lab.Payments.Rejected)
            .GroupBy(record => record.Header("trace") ?? "").ToDictionary(trace => trace.Key, trace => trace.Count());
        foreach (string line in second)
        {
            string trace = JsonDocument.Parse(line).RootElement.GetProperty("headers").GetProperty("trace").GetString()!;
            Assert.True(byTrace.GetValueOrDefault(trace) == 1, $"{trace} has {byTrace.GetValueOrDefault(trace)} outcomes");
        }

        run.Add(second.Length);
        LedgerRecord[] decisions = [.. Ledger.ReadAll(lab.Cluster.Bootstrap, null, lab.Payments.Decisions)];
        Assert.Equal(FaultLab.Partitions, decisions.Count(record => Encoding.UTF8.GetString(record.Value!).Contains("\"event\":\"adopted\"", StringComparison.Ordinal)));
        run.Note = "an `adopted` event on every partition";
    }

    private static async Task OutputTooLargeAsync(FaultRun run)
    {
        // Every record from the app gets a note that makes it larger than the governed topics take. Their limit is on batches: the processor keeps its batches below it.
        string large = new('x', 1000);
        static bool Plain(JsonElement line) => line.GetProperty("case").GetString() is "clean" or "eu" or "mobile" or "large";
        await using FaultLab lab = await FaultLab.OpenAsync(edit: text => PaymentsCase.Once(
            text, "  - id: mobile\n", $"  - id: large-note\n    when: value.channel == \"APP\"\n    mask: {{ field: note, constant: \"{large}\" }}\n\n  - id: mobile\n"));
        await lab.Cluster.ConfigureTopicAsync(lab.Payments.Governed, "max.message.bytes", "1400");
        await lab.Cluster.ConfigureTopicAsync(lab.Payments.Governed + ".eu", "max.message.bytes", "1400");
        await lab.FeedAsync(80, take: line => Plain(line) || line.GetProperty("case").GetString() == "sanctioned");
        lab.Start("a", threads: 2);
        await lab.RunningAsync();
        int wanted = run.Times(20, 4);
        await Eventually.TrueAsync(
            () => Ledger.ReadAll(lab.Cluster.Bootstrap, null, lab.Payments.Rejected).Count(record => (record.Header("ps-rules") ?? "").Contains("ps:output-refused", StringComparison.Ordinal)) >= wanted,
            FaultLab.Deadline,
            () => lab.Said);
        await lab.DrainAsync();
        Ledger ledger = await lab.VerifyAsync(run, bytes: false);
        run.Injected = ledger.Errors.GetValueOrDefault("refused-by-broker");
        run.Note = string.Create(CultureInfo.InvariantCulture, $"{run.Injected} denied as ps:output-refused, and no other record");
        foreach (LedgerRecord refused in Ledger.ReadAll(lab.Cluster.Bootstrap, null, lab.Payments.Rejected).Where(record => (record.Header("ps-rules") ?? "").Contains("ps:output-refused", StringComparison.Ordinal)))
        {
            Assert.Contains("mobile", Case(lab, refused.Header("trace")!), StringComparison.Ordinal);
        }
    }

    private static string Case(FaultLab lab, string trace) =>
        JsonDocument.Parse(File.ReadLines(lab.Feeder.RecordsFile).First(line => line.Contains(trace, StringComparison.Ordinal))).RootElement.GetProperty("case").GetString()!;

    private static async Task GovernedMissingAsync(FaultRun run)
    {
        await using FaultLab lab = await FaultLab.OpenAsync();
        await lab.FeedAsync(200);
        ProcessorProcess processor = lab.Start("a", threads: 2);
        await lab.RunningAsync();
        run.RecoveryIs = "from the topic being there again until every partition commits";
        var earlier = new List<LedgerRecord>();
        for (int times = run.Times(4, 1); run.Injected < times; run.Injected++)
        {
            // What an operator deletes with the topic is gone: it is read first, with nothing under way.
            await lab.PauseFeedingAsync();
            earlier.AddRange(Ledger.ReadAll(lab.Cluster.Bootstrap, null, lab.Payments.Governed));
            await lab.DeleteTopicAsync(lab.Payments.Governed);
            lab.Feeder.Paused = false;
            await Eventually.TrueAsync(async () => await processor.StatusAsync("/ready") == 503, FaultLab.Deadline, () => "still ready without the governed topic\n" + processor.Said);
            if (run.Injected == 0)
            {
                await using ProcessorProcess refused = ProcessorProcess.Start(lab.Payments, registry: lab.RegistryWay.Url, more: ["--instance", "other"]);
                Assert.Equal(1, await refused.ExitAsync(FaultLab.Deadline));
                Assert.Contains(lab.Payments.Governed, refused.Said, StringComparison.Ordinal);
                Assert.Contains("topics apply", refused.Said, StringComparison.Ordinal);
            }

            await lab.CreateTopicAsync(lab.Payments.Governed);
            run.Recovered(await lab.Watch.RecoveredAsync(FaultLab.Now, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
        }

        await lab.DrainAsync();
        await lab.VerifyAsync(run, bytes: false, earlier: earlier);
    }

    private static async Task AclRevokedAsync(FaultRun run)
    {
        Cluster cluster = await Cluster.StartAsync(1, secure: true, users: "processor:processor-secret");
        await using FaultLab lab = await FaultLab.OpenAsync(cluster: cluster, secure: true);
        var config = new AdminClientConfig { BootstrapServers = cluster.Bootstrap, SecurityProtocol = SecurityProtocol.SaslPlaintext, SaslMechanism = SaslMechanism.Plain, SaslUsername = "admin", SaslPassword = "admin-secret" };
        using IAdminClient admin = new AdminClientBuilder(config).Build();
        await admin.CreateAclsAsync(
        [
            Acl(ResourceType.Topic, "", ResourcePatternType.Prefixed, AclOperation.Describe), Acl(ResourceType.Topic, "", ResourcePatternType.Prefixed, AclOperation.DescribeConfigs),
            .. new[] { lab.Payments.Raw, lab.Payments.Approvals, lab.Payments.State, lab.Payments.Held }.Select(topic => Acl(ResourceType.Topic, topic, ResourcePatternType.Literal, AclOperation.Read)),
            .. new[] { lab.Payments.Governed, lab.Payments.Governed + ".eu", lab.Payments.Rejected, lab.Payments.State, lab.Payments.Held, lab.Payments.Decisions }.Select(topic => Acl(ResourceType.Topic, topic, ResourcePatternType.Literal, AclOperation.Write)),
            Acl(ResourceType.Group, lab.Group, ResourcePatternType.Prefixed, AclOperation.Read), Acl(ResourceType.Group, lab.Group, ResourcePatternType.Prefixed, AclOperation.Describe),
        ]);

        // The client has no name for this kind of resource.
        string[] transactions = ["--allow-principal", "User:processor", "--operation", "Write", "--operation", "Describe", "--transactional-id", lab.Group, "--resource-pattern-type", "prefixed"];
        (await cluster.ToolAsync("acls", ["--add", .. transactions])).Succeeded();
        string client = lab.KafkaConfig("processor", "security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN", "sasl.username=processor", "sasl.password=processor-secret");
        await lab.FeedAsync(200);
        ProcessorProcess processor = lab.Start("a", threads: 2, more: ["--kafka-config", client]);
        await lab.RunningAsync();
        run.RecoveryIs = "from the right being given again until every partition commits";
        AclBinding[] rights =
        [
            Acl(ResourceType.Topic, lab.Payments.Governed, ResourcePatternType.Literal, AclOperation.Write), Acl(ResourceType.Topic, lab.Payments.Decisions, ResourcePatternType.Literal, AclOperation.Write),
            Acl(ResourceType.Group, lab.Group, ResourcePatternType.Prefixed, AclOperation.Read),
            Acl(ResourceType.Topic, lab.Payments.Raw, ResourcePatternType.Literal, AclOperation.Read),
        ];
        for (int times = run.Times(8, 1); run.Injected < times; run.Injected++)
        {
            AclBinding right = rights[run.Injected % rights.Length];
            await admin.DeleteAclsAsync([right.ToFilter()]);
            await Eventually.TrueAsync(async () => await processor.StatusAsync("/ready") == 503, FaultLab.Deadline, () => $"still ready without {right.Entry.Operation} of {right.Pattern.Name}\n{processor.Said}");
            await Task.Delay(TimeSpan.FromSeconds(3));
            await admin.CreateAclsAsync([right]);
            run.Recovered(await lab.Watch.RecoveredAsync(FaultLab.Now, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
            await Eventually.TrueAsync(async () => await processor.StatusAsync("/ready") == 200, FaultLab.Deadline, () => "not ready again\n" + processor.Said);
        }

        run.Note = "rights on governed, decisions, the group, and ingress by turns";
        await lab.DrainAsync();
        await lab.VerifyAsync(run, bytes: false);
    }

    private static AclBinding Acl(ResourceType type, string name, ResourcePatternType pattern, AclOperation operation) => new()
    {
        Pattern = new ResourcePattern { Type = type, Name = name.Length == 0 ? "*" : name, ResourcePatternType = name.Length == 0 ? ResourcePatternType.Literal : pattern },
        Entry = new AccessControlEntry { Principal = "User:processor", Host = "*", Operation = operation, PermissionType = AclPermissionType.Allow },
    };
}
