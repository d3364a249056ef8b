using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Metrics;

/// <summary>
/// Counters and gauges of one process, written in Prometheus' text format. Threads add once a batch or transaction, never once a record.
/// Labels are topics, policies, codes, and rule ids: never anything of a record.
/// </summary>
public sealed class ProcessorMetrics
{
    // Commit times in seconds: a commit takes milliseconds on a healthy broker.
    private static readonly double[] CommitBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    private readonly ConcurrentDictionary<(string Topic, Outcome Outcome), Counter> _records = new();
    private readonly ConcurrentDictionary<(string Rule, string Code), Counter> _errors = new();
    private readonly ConcurrentDictionary<string, Counter> _holdEvents = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Counter> _events = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Topic, int Partition), TaskGauges> _tasks = new();
    private readonly long[] _commitCounts = new long[CommitBuckets.Length + 1];
    private readonly Lock _commitLock = new();
    private double _commitSeconds;
    private long _commits;
    private double _restoreSeconds;
    private long _restores;

    /// <summary>Digests in force, by policy name; set at each load.</summary>
    public Func<IReadOnlyList<(string Policy, string Digest)>> Policies { get; set; } = () => [];

    /// <summary>Components that are not well.</summary>
    public Func<IReadOnlyCollection<string>> Unhealthy { get; set; } = () => [];

    public void AddRecords(string topic, Outcome outcome, long count) => _records.GetOrAdd((topic, outcome), static _ => new Counter()).Add(count);

    public void AddErrors(string rule, string code, long count) => _errors.GetOrAdd((rule, code), static _ => new Counter()).Add(count);

    public void AddHoldEvent(string name, long count) => _holdEvents.GetOrAdd(name, static _ => new Counter()).Add(count);

    /// <summary>Counts something of the runtime: <c>commits</c>, <c>aborts</c>, <c>producer_rebuilds</c>, <c>restores</c>, <c>alarms</c>.</summary>
    public void AddEvent(string name) => _events.GetOrAdd(name, static _ => new Counter()).Add(1);

    public void Committed(TimeSpan took)
    {
        double seconds = took.TotalSeconds;
        int bucket = 0;
        while (bucket < CommitBuckets.Length && seconds > CommitBuckets[bucket]) { bucket++; }
        lock (_commitLock)
        {
            _commitCounts[bucket]++;
            _commitSeconds += seconds;
            _commits++;
        }
    }

    public void Restored(TimeSpan took)
    {
        lock (_commitLock)
        {
            _restoreSeconds += took.TotalSeconds;
            _restores++;
        }
    }

    public TaskGauges Task(string topic, int partition) => _tasks.GetOrAdd((topic, partition), static _ => new TaskGauges());

    public void RemoveTask(string topic, int partition) => _tasks.TryRemove((topic, partition), out _);

    /// <summary>Records by outcome since the start, over all topics.</summary>
    public long Records(Outcome outcome) => _records.Where(pair => pair.Key.Outcome == outcome).Sum(pair => pair.Value.Value);

    /// <summary>The exposition text, version 0.0.4.</summary>
    public string Write()
    {
        var text = new StringBuilder(4096);
        Header(text, "policystreams_records_total", "counter", "Ingress records decided, by outcome.");
        foreach (((string topic, Outcome outcome), Counter counter) in _records.OrderBy(p => p.Key.Topic, StringComparer.Ordinal).ThenBy(p => p.Key.Outcome))
        {
            Line(text, "policystreams_records_total", counter.Value, ("topic", topic), ("outcome", Word(outcome)));
        }

        Header(text, "policystreams_errors_total", "counter", "Errors in decisions, by rule or cause and code.");
        foreach (((string rule, string code), Counter counter) in _errors.OrderBy(p => p.Key.Rule, StringComparer.Ordinal))
        {
            Line(text, "policystreams_errors_total", counter.Value, ("rule", rule), ("code", code));
        }

        Header(text, "policystreams_hold_events_total", "counter", "Holds taken, decided upon, and ended, by event.");
        foreach ((string name, Counter counter) in _holdEvents.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            Line(text, "policystreams_hold_events_total", counter.Value, ("event", name));
        }

        Header(text, "policystreams_runtime_events_total", "counter", "Commits, aborts, restores, rebuilt producers, alarms.");
        foreach ((string name, Counter counter) in _events.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            Line(text, "policystreams_runtime_events_total", counter.Value, ("event", name));
        }

        Header(text, "policystreams_lag_records", "gauge", "Ingress records not yet committed, by partition.");
        foreach (((string topic, int partition), TaskGauges task) in _tasks.OrderBy(p => p.Key.Topic, StringComparer.Ordinal).ThenBy(p => p.Key.Partition))
        {
            if (task.EndOffset >= 0) { Line(text, "policystreams_lag_records", Math.Max(0, task.EndOffset - task.NextOffset), ("topic", topic), ("partition", Number(partition))); }
        }

        Header(text, "policystreams_open_holds", "gauge", "Holds that await an end, by partition.");
        foreach (((string topic, int partition), TaskGauges task) in _tasks.OrderBy(p => p.Key.Topic, StringComparer.Ordinal).ThenBy(p => p.Key.Partition))
        {
            Line(text, "policystreams_open_holds", task.OpenHolds, ("topic", topic), ("partition", Number(partition)));
        }

        Header(text, "policystreams_task_running", "gauge", "1 where the partition's task processes records; 0 where it restores, waits, or has stopped.");
        foreach (((string topic, int partition), TaskGauges task) in _tasks.OrderBy(p => p.Key.Topic, StringComparer.Ordinal).ThenBy(p => p.Key.Partition))
        {
            Line(text, "policystreams_task_running", task.Running ? 1 : 0, ("topic", topic), ("partition", Number(partition)));
        }

        Header(text, "policystreams_restore_left_records", "gauge", "Offsets of state and held that a restoring task has still to read, by partition; 0 where none restores.");
        foreach (((string topic, int partition), TaskGauges task) in _tasks.OrderBy(p => p.Key.Topic, StringComparer.Ordinal).ThenBy(p => p.Key.Partition))
        {
            Line(text, "policystreams_restore_left_records", task.RestoreLeft, ("topic", topic), ("partition", Number(partition)));
        }

        Header(text, "policystreams_restore_seconds", "summary", "Time that restores of tasks took.");
        lock (_commitLock)
        {
            text.Append("policystreams_restore_seconds_sum ").Append(_restoreSeconds.ToString(CultureInfo.InvariantCulture)).Append('\n');
            text.Append("policystreams_restore_seconds_count ").Append(_restores.ToString(CultureInfo.InvariantCulture)).Append('\n');
        }

        Header(text, "policystreams_policy_info", "gauge", "1 for each policy in force, with its digest.");
        foreach ((string policy, string digest) in Policies()) { Line(text, "policystreams_policy_info", 1, ("policy", policy), ("digest", digest)); }
        Header(text, "policystreams_unhealthy", "gauge", "1 for each component that is not well; see /ready.");
        foreach (string component in Unhealthy()) { Line(text, "policystreams_unhealthy", 1, ("component", component)); }
        WriteCommits(text);
        WriteProcess(text);
        return text.ToString();
    }

    /// <summary>What the process itself takes, by the names that Prometheus' clients and OpenTelemetry's .NET instrumentation use.</summary>
    private static void WriteProcess(StringBuilder text)
    {
        using Process process = Process.GetCurrentProcess();
        Single(text, "process_cpu_seconds_total", "counter", "Processor time of the process, user and system.", process.TotalProcessorTime.TotalSeconds);
        Single(text, "process_resident_memory_bytes", "gauge", "Resident memory of the process, the client library's queues included.", process.WorkingSet64);
        Single(text, "dotnet_gc_heap_total_allocated_bytes_total", "counter", "Bytes allocated on the managed heap since the start.", GC.GetTotalAllocatedBytes());
        Single(text, "dotnet_gc_pause_time_seconds_total", "counter", "Time in which the garbage collector held all threads.", GC.GetTotalPauseDuration().TotalSeconds);
    }

    private static void Single(StringBuilder text, string name, string type, string help, double value)
    {
        Header(text, name, type, help);
        text.Append(name).Append(' ').Append(value.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }

    private void WriteCommits(StringBuilder text)
    {
        Header(text, "policystreams_commit_seconds", "histogram", "Time from the end of a batch to its commit.");
        lock (_commitLock)
        {
            long below = 0;
            for (int i = 0; i < CommitBuckets.Length; i++)
            {
                below += _commitCounts[i];
                Line(text, "policystreams_commit_seconds_bucket", below, ("le", CommitBuckets[i].ToString(CultureInfo.InvariantCulture)));
            }

            Line(text, "policystreams_commit_seconds_bucket", _commits, ("le", "+Inf"));
            text.Append("policystreams_commit_seconds_sum ").Append(_commitSeconds.ToString(CultureInfo.InvariantCulture)).Append('\n');
            text.Append("policystreams_commit_seconds_count ").Append(_commits.ToString(CultureInfo.InvariantCulture)).Append('\n');
        }
    }

    private static void Header(StringBuilder text, string name, string type, string help) =>
        text.Append("# HELP ").Append(name).Append(' ').Append(help).Append("\n# TYPE ").Append(name).Append(' ').Append(type).Append('\n');

    private static void Line(StringBuilder text, string name, long value, params ReadOnlySpan<(string Name, string Value)> labels)
    {
        text.Append(name).Append('{');
        for (int i = 0; i < labels.Length; i++)
        {
            if (i > 0) { text.Append(','); }
            text.Append(labels[i].Name).Append("=\"").Append(labels[i].Value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)).Append('"');
        }

        text.Append("} ").Append(value.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Word(Outcome outcome) => outcome switch { Outcome.Allow => "allow", Outcome.Deny => "deny", _ => "hold" };

    private sealed class Counter
    {
        private long _value;

        public long Value => Interlocked.Read(ref _value);

        public void Add(long count) => Interlocked.Add(ref _value, count);
    }
}

/// <summary>What one task shows of itself. Written by its stream thread, read by any.</summary>
public sealed class TaskGauges
{
    private long _next;
    private long _end = -1;
    private long _holds;
    private long _restoreLeft;
    private volatile bool _running;

    public long NextOffset { get => Interlocked.Read(ref _next); set => Interlocked.Exchange(ref _next, value); }

    /// <summary>-1 where it is not known.</summary>
    public long EndOffset { get => Interlocked.Read(ref _end); set => Interlocked.Exchange(ref _end, value); }

    public long OpenHolds { get => Interlocked.Read(ref _holds); set => Interlocked.Exchange(ref _holds, value); }

    /// <summary>Offsets of state and held that a restore has still to read; 0 where none is under way.</summary>
    public long RestoreLeft { get => Interlocked.Read(ref _restoreLeft); set => Interlocked.Exchange(ref _restoreLeft, value); }

    public bool Running { get => _running; set => _running = value; }
}
