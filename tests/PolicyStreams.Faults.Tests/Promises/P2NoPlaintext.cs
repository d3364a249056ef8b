using System.Text;
using Confluent.Kafka;
using PolicyStreams.Faults.Tests.Lab;
using PolicyStreams.Faults.Tests.Simulation;
using PolicyStreams.Integration.Tests.Support;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Faults.Tests.Promises;

/// <summary>
/// P2: no plaintext of a masked field in any governed record, decision, header, state, log line, metric, or crash output. A canary stands in masked fields, a masked key, a masked header, and in
/// statements nobody can read; records are allowed, held, released, refused, denied, undecodable, and refused by the broker; the process is stopped and crashed; then everything that was
/// written is searched for the canary, also in hex and base64. (Held and rejected topics keep original bytes; <c>seal</c> is for those.)
/// </summary>
public sealed class P2NoPlaintext
{
    private const int Records = 450;

    private static readonly byte[][] s_forms =
    [
        Encoding.UTF8.GetBytes(SimRecord.Canary), Encoding.Unicode.GetBytes(SimRecord.Canary),
        "43414e415259"u8.ToArray(), "43414E415259"u8.ToArray(),

        // Base64 of it at each of the three alignments, without the characters that its neighbours have a part in.
        "Q0FOQVJZ"u8.ToArray(), "NBTkFSW"u8.ToArray(), "DQU5BUl"u8.ToArray(),
    ];

    [Fact]
    public void Forms_OfTheCanary_AreFoundInEachEncoding()
    {
        foreach (string before in (string[])["", "x", "xy"])
        {
            byte[] text = Encoding.UTF8.GetBytes(before + SimRecord.Canary + "0001");
            Assert.True(IsFound(text));
            Assert.True(IsFound(Encoding.ASCII.GetBytes(Convert.ToBase64String(text))));
            Assert.True(IsFound(Encoding.ASCII.GetBytes(Convert.ToHexString(text))));
            Assert.True(IsFound(Encoding.ASCII.GetBytes(Convert.ToHexStringLower(text))));
        }

        Assert.False(IsFound("canary"u8));
    }

    [Fact]
    public async Task Run_ThroughEveryOutcomeAndACrash_WritesNoPlaintext()
    {
        await Clients.RequireAsync();
        Cluster cluster = await Cluster.SharedAsync(1);
        string name = "p2x" + Convert.ToHexStringLower(Guid.NewGuid().ToByteArray().AsSpan(0, 4));
        string folder = Directory.CreateTempSubdirectory("policystreams-p2-").FullName;
        using StatementSigner signer = StatementSigner.Generate();
        await using DevRegistry registry = await DevRegistry.StartAsync(new DevRegistryOptions { Port = 0 }, CancellationToken.None);
        await using var way = new HttpProxy(registry.Url.ToString());
        Dictionary<string, string> files = new()
        {
            ["policies/one.policy.yaml"] = SimPolicy.MakeAll()[0].Text().Replace("payments", name, StringComparison.Ordinal).Replace("topics: { ", $"topics: {{ decisions: decisions.{name}, ", StringComparison.Ordinal),
            ["schema.avsc"] = SimRecord.SchemaText,
            ["mask.key"] = SimPolicy.MaskKey,
            ["hold.key"] = "hold-key-0123456789-0123456789-0123",
            ["audit.key"] = "audit-key-0123456789-0123456789-01",
            ["approval.jwks.json"] = signer.PublicJwks(),
        };
        Directory.CreateDirectory(Path.Combine(folder, "policies"));
        foreach ((string file, string text) in files) { await File.WriteAllTextAsync(Path.Combine(folder, file), text); }
        int schema = await Clients.RegisterAsync(registry.Url.ToString(), $"raw.{name}-value", Path.Combine(folder, "schema.avsc"));
        (await Run.PolicyStreamsAsync("topics", "apply", "--bootstrap", cluster.Bootstrap, "--policies", Path.Combine(folder, "policies"))).Succeeded();

        string[] topics = [$"governed.{name}", $"governed.{name}.eu", $"decisions.{name}", $"state.{name}"];
        using IProducer<byte[]?, byte[]?> producer = new ProducerBuilder<byte[]?, byte[]?>(new ProducerConfig { BootstrapServers = cluster.Bootstrap, EnableIdempotence = true }).Build();
        var said = new StringBuilder();
        Produce(producer, $"raw.{name}", schema, 0, Records / 2);
        await using (CommandProcess crashed = Start("crash"))
        {
            await DecidedAsync(Records / 2, crashed);
            await HearAsync(crashed);
            await ApproveAsync();
            Produce(producer, $"raw.{name}", schema, Records / 2, Records * 3 / 4);
            await crashed.KillAsync();
            said.AppendLine(crashed.Said);
        }

        // A registry that answers nonsense, and a governed topic that takes nothing large: what is said of that is searched too.
        way.Mode = HttpMode.Garbage;
        await using (CommandProcess troubled = Start("trouble"))
        {
            await Eventually.TrueAsync(() => troubled.Said.Contains("Schema registry: ", StringComparison.Ordinal), TimeSpan.FromMinutes(1), () => "it never complained of the registry\n" + troubled.Said);
            way.Mode = HttpMode.Well;
            await cluster.ConfigureTopicAsync($"governed.{name}.eu", "max.message.bytes", "150");
            Produce(producer, $"raw.{name}", schema, Records * 3 / 4, Records);
            await DecidedAsync(Records, troubled);
            await HearAsync(troubled);
            Assert.Equal(0, await troubled.StopAsync());
            said.AppendLine(troubled.Said);
        }

        IReadOnlyList<LedgerRecord> written = Ledger.ReadAll(cluster.Bootstrap, null, topics);
        foreach (LedgerRecord record in written)
        {
            bool found = IsFound(record.Key) || IsFound(record.Value) || (record.Headers?.Any(header => IsFound(header.GetValueBytes())) ?? false);
            Assert.False(found, $"{record}: plaintext of a masked field");
        }

        Assert.False(IsFound(Encoding.UTF8.GetBytes(said.ToString())), "plaintext of a masked field in the log, the metrics, or the crash output");
        foreach (string file in Directory.EnumerateFiles(Path.Combine(folder, "state"), "*", SearchOption.AllDirectories)) { Assert.False(IsFound(await File.ReadAllBytesAsync(file)), file); }

        // The search means something only where each kind of thing was there to be searched.
        string[] decisions = [.. written.Where(record => record.Topic == topics[2]).Select(record => Encoding.UTF8.GetString(record.Value!))];
        foreach (string what in (string[])
            ["\"outcome\":\"allow\"", "\"outcome\":\"hold\"", "\"outcome\":\"deny\"", "ps:undecodable", "ps:error", "ps:limit", "ps:tombstone", "ps:output-refused", "unknown-schema-id", "\"event\":\"released\"", "\"malformed\""])
        {
            Assert.True(decisions.Any(decision => decision.Contains(what, StringComparison.Ordinal)), $"no decision has {what}");
        }

        Assert.Contains("policystreams_records_total", said.ToString(), StringComparison.Ordinal);
        Assert.Contains(written, record => record.Topic == topics[0]);
        Assert.Contains(written, record => record.Topic == topics[3] && record.Value is not null && Encoding.UTF8.GetString(record.Value).Contains("\"view\":{", StringComparison.Ordinal));
        Directory.Delete(folder, recursive: true);

        string http = "";
        CommandProcess Start(string instance)
        {
            http = $"127.0.0.1:{ScriptedService.FreePorts()}";
            return new CommandProcess(
            [
                "run", "--bootstrap", cluster.Bootstrap, "--registry", way.Url, "--policies", Path.Combine(folder, "policies"), "--group", name, "--instance", instance, "--http", http,
                "--state-dir", Directory.CreateDirectory(Path.Combine(folder, "state")).FullName, "--key", $"customer-key=file:{Path.Combine(folder, "mask.key")}",
                "--key", $"hold-key=file:{Path.Combine(folder, "hold.key")}", "--hold-key", "hold-key", "--key", $"audit-key=file:{Path.Combine(folder, "audit.key")}", "--audit-key", "audit-key",
                "--approval-keys", Path.Combine(folder, "approval.jwks.json"),
            ]);
        }

        async Task HearAsync(CommandProcess process)
        {
            using var client = new HttpClient { BaseAddress = new Uri("http://" + http) };
            foreach (string path in (string[])["/metrics", "/ready", "/live"])
            {
                using HttpResponseMessage answer = await client.GetAsync(new Uri(path, UriKind.Relative));
                said.AppendLine(await answer.Content.ReadAsStringAsync());
            }

            Assert.False(process.HasExited, process.Said);
        }

        async Task DecidedAsync(int count, CommandProcess process) => await Eventually.TrueAsync(
            () => Ledger.ReadAll(cluster.Bootstrap, null, topics[2]).Count(record => Encoding.UTF8.GetString(record.Value!).Contains("\"event\":\"decided\"", StringComparison.Ordinal)) >= count,
            TimeSpan.FromMinutes(2),
            () => process.Said);

        async Task ApproveAsync()
        {
            foreach (LedgerRecord record in Ledger.ReadAll(cluster.Bootstrap, null, topics[3]).Where(record => record.Value is not null && !record.Key!.AsSpan().SequenceEqual("head"u8)))
            {
                HoldState hold = HoldState.TryParse(record.Value!, out _)!;
                foreach (string person in (string[])["ana", "ben"])
                {
                    byte[] statement = signer.Sign(new Statement
                    {
                        Hold = hold.Id,
                        Verdict = StatementVerdict.Approve,
                        Issuer = "https://id.example.com",
                        Subject = person,
                        Groups = ["risk"],
                        Reason = $"called about {SimRecord.Canary}",
                        Record = hold.Record,
                        Policy = hold.Digest,
                        View = hold.ViewDigest,
                        IssuedAt = 1,
                        Id = person,
                    });
                    producer.Produce(new TopicPartition($"approvals.{name}", record.Partition), new Message<byte[]?, byte[]?> { Key = record.Key, Value = statement });
                }
            }

            producer.Produce(new TopicPartition($"approvals.{name}", 0), new Message<byte[]?, byte[]?> { Key = Encoding.UTF8.GetBytes(SimRecord.Canary), Value = Encoding.UTF8.GetBytes($"{{\"{SimRecord.Canary}\":1}}") });
            producer.Flush();
            await Eventually.TrueAsync(
                () => Ledger.ReadAll(cluster.Bootstrap, null, topics[2]).Any(record => Encoding.UTF8.GetString(record.Value!).Contains("\"event\":\"released\"", StringComparison.Ordinal)),
                TimeSpan.FromMinutes(1),
                () => "nothing was released");
        }
    }

    private static void Produce(IProducer<byte[]?, byte[]?> producer, string topic, int schema, int from, int to)
    {
        for (int i = from; i < to; i++)
        {
            SimRecord record = SimRecord.Make((SimKind)(i % Enum.GetValues<SimKind>().Length), i, i % 4, 900_000_000 + i);
            byte[]? value = record.Value;
            if (value is { Length: > 5 } && value[0] == 0 && value[4] == SimRecord.SchemaId && value[1] == 0) { System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(value.AsSpan(1), schema); }
            var headers = new Headers();
            foreach ((string name, byte[]? text) in record.Headers) { headers.Add(name, text); }
            producer.Produce(new TopicPartition(topic, i % 2), new Message<byte[]?, byte[]?> { Key = record.KeyBytes, Value = value, Headers = headers });
        }

        producer.Flush();
    }

    private static bool IsFound(ReadOnlySpan<byte> bytes)
    {
        foreach (byte[] form in s_forms)
        {
            if (bytes.IndexOf(form) >= 0) { return true; }
        }

        return false;
    }
}
