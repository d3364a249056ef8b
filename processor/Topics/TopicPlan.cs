using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Topics;

/// <summary>What a topic is for; decides its settings.</summary>
public enum TopicRole { Ingress, Governed, Rejected, Held, State, Approvals, Decisions }

/// <summary>A topic as the policies want it.</summary>
/// <param name="Partitions">Wanted; null where nothing says (the ingress topic is not there and the policy names no number).</param>
/// <param name="Config">Settings that must be as given.</param>
/// <param name="Advised">Settings that are created so, and warned of where they differ.</param>
public sealed record WantedTopic(string Name, TopicRole Role, string Binding, int? Partitions, IReadOnlyDictionary<string, string> Config, IReadOnlyDictionary<string, string> Advised);

/// <summary>One difference between what is there and what is wanted.</summary>
/// <param name="Fatal">The processor does not start with it.</param>
/// <param name="Mendable"><c>topics apply</c> can mend it.</param>
public sealed record TopicChange(string Topic, string What, bool Fatal, bool Mendable);

/// <summary>What is there, held against what is wanted.</summary>
/// <param name="Changes">Everything that differs, in the order of the policies.</param>
/// <param name="BatchBytesMax">The largest batch, in bytes, that each topic takes that the processor writes to; null where none is there or the broker does not say.</param>
public sealed record TopicComparison(IReadOnlyList<TopicChange> Changes, int? BatchBytesMax);

/// <summary>Plans, creates, and checks the topics of policies. Needs a broker and no registry.</summary>
public sealed class TopicPlan
{
    private const int EnvelopeBytes = 16 * 1024;
    private const int BrokerRecordBytes = 1_048_588;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(15);

    // Short: whoever waits for a broker looks again, and must hear soon when it is told to stop.
    private static readonly TimeSpan MetadataTimeout = TimeSpan.FromSeconds(5);

    private readonly IReadOnlyList<BindingDocument> _bindings;
    private readonly IAdminClient _admin;

    public TopicPlan(IReadOnlyList<BindingDocument> bindings, IAdminClient admin)
    {
        _bindings = bindings;
        _admin = admin;
    }

    /// <summary>Topics wanted, given the partitions of ingress topics that are there.</summary>
    public IReadOnlyList<WantedTopic> Wanted(IReadOnlyDictionary<string, int> existingPartitions)
    {
        var wanted = new Dictionary<string, WantedTopic>(StringComparer.Ordinal);
        foreach (BindingDocument binding in _bindings)
        {
            BindingTopics topics = binding.Topics;
            int? partitions = existingPartitions.TryGetValue(topics.Ingress, out int existing) ? existing : binding.Partitions;
            string recordBytes = Math.Max(BrokerRecordBytes, binding.RecordBytesMax + EnvelopeBytes).ToString(CultureInfo.InvariantCulture);
            Add(topics.Ingress, TopicRole.Ingress, Config("delete"), Advise(("message.timestamp.type", "LogAppendTime")));
            Add(topics.Governed, TopicRole.Governed, Config("delete"), Advise(("message.timestamp.type", "CreateTime")));
            foreach (string route in topics.Routes) { Add(route, TopicRole.Governed, Config("delete"), Advise(("message.timestamp.type", "CreateTime"))); }
            Add(topics.Rejected, TopicRole.Rejected, Config("delete"), Advise(("message.timestamp.type", "CreateTime"), ("max.message.bytes", recordBytes)));
            Add(topics.Held, TopicRole.Held, Config("compact"), Advise([.. Compacted, ("message.timestamp.type", "CreateTime"), ("max.message.bytes", recordBytes)]));
            Add(topics.State, TopicRole.State, Config("compact", ("message.timestamp.type", "LogAppendTime")), Advise([.. Compacted, ("max.message.bytes", recordBytes)]));
            Add(topics.Approvals, TopicRole.Approvals, Config("delete", ("message.timestamp.type", "LogAppendTime")), Advise());
            Add(topics.Decisions, TopicRole.Decisions, Config("delete"), Advise(("retention.ms", "31536000000")));

            void Add(string name, TopicRole role, IReadOnlyDictionary<string, string> config, IReadOnlyDictionary<string, string> advised)
            {
                // Decisions is shared by bindings: as many partitions as the largest needs.
                int? atLeast = wanted.TryGetValue(name, out WantedTopic? other) && other.Partitions > (partitions ?? 0) ? other.Partitions : partitions;
                wanted[name] = new WantedTopic(name, role, binding.Name, atLeast, config, advised);
            }
        }

        return [.. wanted.Values];
    }

    /// <exception cref="KafkaException">The broker cannot be asked.</exception>
    public async Task<TopicComparison> CompareAsync()
    {
        Dictionary<string, int> existing = Existing();
        IReadOnlyList<WantedTopic> wanted = Wanted(existing);
        var changes = new List<TopicChange>();
        int? batchBytesMax = null;
        List<WantedTopic> there = [.. wanted.Where(topic => existing.ContainsKey(topic.Name))];
        IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> configs = await ConfigsAsync(there).ConfigureAwait(false);
        foreach (WantedTopic topic in wanted)
        {
            if (!existing.TryGetValue(topic.Name, out int partitions))
            {
                changes.Add(topic.Partitions is { } count
                    ? new TopicChange(topic.Name, $"create with {count} partition{(count == 1 ? "" : "s")}, {string.Join(", ", topic.Config.Concat(topic.Advised).Select(pair => $"{pair.Key}={pair.Value}"))}", Fatal: true, Mendable: true)
                    : new TopicChange(topic.Name, $"is not there, and nothing says how many partitions: create the ingress topic of binding `{topic.Binding}`, or give the binding `partitions:`", Fatal: true, Mendable: false));
                continue;
            }

            if (topic.Partitions is { } need && (topic.Role == TopicRole.Decisions ? partitions < need : partitions != need))
            {
                changes.Add(partitions < need
                    ? new TopicChange(topic.Name, $"has {partitions} partition{(partitions == 1 ? "" : "s")} and needs {need}: add partitions", Fatal: true, Mendable: true)
                    : new TopicChange(topic.Name, $"has {partitions} partitions and the ingress topic has {need}: partitions cannot be taken away; make the topic anew, or add partitions to the ingress topic", Fatal: true, Mendable: false));
            }

            IReadOnlyDictionary<string, string> config = configs[topic.Name];
            if (topic.Role is not (TopicRole.Ingress or TopicRole.Approvals) && config.TryGetValue("max.message.bytes", out string? text) && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int bytes))
            {
                batchBytesMax = Math.Min(batchBytesMax ?? bytes, bytes);
            }

            foreach ((string key, string value) in topic.Config)
            {
                if (config.TryGetValue(key, out string? now) && now != value) { changes.Add(new TopicChange(topic.Name, $"{key} is {now} and must be {value}", Fatal: true, Mendable: true)); }
            }

            foreach ((string key, string value) in topic.Advised)
            {
                if (config.TryGetValue(key, out string? now) && Differs(key, now, value)) { changes.Add(new TopicChange(topic.Name, $"{key} is {now}, advised is {value}", Fatal: false, Mendable: true)); }
            }
        }

        return new TopicComparison(changes, batchBytesMax);
    }

    /// <summary>Makes everything so that can be made so.</summary>
    /// <returns>What is still different afterwards; empty where all is as planned.</returns>
    public async Task<IReadOnlyList<TopicChange>> ApplyAsync()
    {
        Dictionary<string, int> existing = Existing();
        IReadOnlyList<WantedTopic> wanted = Wanted(existing);
        List<TopicSpecification> create = [.. wanted.Where(topic => !existing.ContainsKey(topic.Name) && topic.Partitions is not null).Select(topic => new TopicSpecification
        {
            Name = topic.Name,
            NumPartitions = topic.Partitions!.Value,
            ReplicationFactor = -1,
            Configs = topic.Config.Concat(topic.Advised).ToDictionary(pair => pair.Key, pair => pair.Value),
        })];
        if (create.Count > 0)
        {
            try
            {
                await _admin.CreateTopicsAsync(create, new CreateTopicsOptions { RequestTimeout = Timeout, OperationTimeout = Timeout }).ConfigureAwait(false);
            }
            catch (CreateTopicsException e) when (e.Results.TrueForAll(result => !result.Error.IsError || result.Error.Code == ErrorCode.TopicAlreadyExists))
            {
                // Another was quicker: what matters is what is there now.
            }
        }

        List<PartitionsSpecification> grow = [.. wanted.Where(topic => existing.TryGetValue(topic.Name, out int now) && now < topic.Partitions).Select(topic => new PartitionsSpecification { Topic = topic.Name, IncreaseTo = topic.Partitions!.Value })];
        if (grow.Count > 0) { await _admin.CreatePartitionsAsync(grow, new CreatePartitionsOptions { RequestTimeout = Timeout, OperationTimeout = Timeout }).ConfigureAwait(false); }

        IReadOnlyList<WantedTopic> there = [.. wanted.Where(topic => existing.ContainsKey(topic.Name))];
        IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> configs = await ConfigsAsync(there).ConfigureAwait(false);
        var alter = new Dictionary<ConfigResource, List<ConfigEntry>>();
        foreach (WantedTopic topic in there)
        {
            List<ConfigEntry> entries = [.. topic.Config.Concat(topic.Advised).Where(pair => configs[topic.Name].TryGetValue(pair.Key, out string? now) && Differs(pair.Key, now, pair.Value)).Select(pair => new ConfigEntry { Name = pair.Key, Value = pair.Value, IncrementalOperation = AlterConfigOpType.Set })];
            if (entries.Count > 0) { alter[new ConfigResource { Type = ResourceType.Topic, Name = topic.Name }] = entries; }
        }

        if (alter.Count > 0) { await _admin.IncrementalAlterConfigsAsync(alter, new IncrementalAlterConfigsOptions { RequestTimeout = Timeout }).ConfigureAwait(false); }
        return await SettledAsync().ConfigureAwait(false);
    }

    private static (string, string)[] Compacted { get; } = [("segment.bytes", "67108864"), ("segment.ms", "3600000"), ("min.cleanable.dirty.ratio", "0.1")];

    private static bool Differs(string key, string now, string wanted) =>
        key == "max.message.bytes"
            ? long.TryParse(now, NumberStyles.None, CultureInfo.InvariantCulture, out long bytes) && bytes < long.Parse(wanted, CultureInfo.InvariantCulture)
            : key == "retention.ms"
                ? long.TryParse(now, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long retention) && retention != -1 && retention < long.Parse(wanted, CultureInfo.InvariantCulture)
                : now != wanted;

    // A broker's metadata may lag behind what it has just been told: look again until it agrees, or for five seconds.
    private async Task<IReadOnlyList<TopicChange>> SettledAsync()
    {
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            IReadOnlyList<TopicChange> left = (await CompareAsync().ConfigureAwait(false)).Changes;
            if (!left.Any(change => change.Mendable) || TimeProvider.System.GetElapsedTime(start) > TimeSpan.FromSeconds(5)) { return left; }
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System).ConfigureAwait(false);
        }
    }

    private Dictionary<string, int> Existing()
    {
        Metadata metadata = _admin.GetMetadata(MetadataTimeout);
        return metadata.Topics.Where(topic => !topic.Error.IsError).ToDictionary(topic => topic.Topic, topic => topic.Partitions.Count, StringComparer.Ordinal);
    }

    private async Task<IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>>> ConfigsAsync(IReadOnlyList<WantedTopic> topics)
    {
        var result = new Dictionary<string, IReadOnlyDictionary<string, string>>(StringComparer.Ordinal);
        if (topics.Count == 0) { return result; }
        List<DescribeConfigsResult> described = await _admin.DescribeConfigsAsync(
            topics.Select(topic => new ConfigResource { Type = ResourceType.Topic, Name = topic.Name }), new DescribeConfigsOptions { RequestTimeout = Timeout }).ConfigureAwait(false);
        foreach (DescribeConfigsResult one in described) { result[one.ConfigResource.Name] = one.Entries.ToDictionary(entry => entry.Key, entry => entry.Value.Value, StringComparer.Ordinal); }
        return result;
    }

    private static Dictionary<string, string> Config(string cleanup, params (string Key, string Value)[] more)
    {
        var config = new Dictionary<string, string>(StringComparer.Ordinal) { ["cleanup.policy"] = cleanup };
        foreach ((string key, string value) in more) { config[key] = value; }
        return config;
    }

    private static Dictionary<string, string> Advise(params (string Key, string Value)[] settings) => settings.ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal);
}
