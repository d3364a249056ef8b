using Microsoft.Extensions.Logging;
using PolicyStreams.Processor.Metrics;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Streams;

/// <summary>Counts what tasks of one thread do, and adds it to the metrics once a transaction: only what became visible counts.</summary>
internal sealed class TaskObserver(ProcessorMetrics metrics, ILogger logger, string thread) : ITaskObserver
{
    private readonly Dictionary<(string Topic, Outcome Outcome), long> _records = [];
    private readonly Dictionary<DecisionError, long> _errors = [];
    private readonly List<(string Event, string HoldId)> _holdEvents = [];
    private string _lastTopic = "";
    private readonly long[] _lastCounts = new long[3];

    public void Decided(Verdict verdict)
    {
        string topic = verdict.Binding.Document.Topics.Ingress;
        if (!ReferenceEquals(topic, _lastTopic))
        {
            Fold();
            _lastTopic = topic;
        }

        _lastCounts[(int)verdict.Outcome]++;
        for (int i = 0; i < verdict.Errors.Count; i++)
        {
            _errors[verdict.Errors[i]] = _errors.GetValueOrDefault(verdict.Errors[i]) + 1;
        }
    }

    public void HoldEvent(string eventName, string holdId) => _holdEvents.Add((eventName, holdId));

    public void Alarm(string what)
    {
        metrics.AddEvent("alarms");
        StreamLog.Alarm(logger, thread, what);
    }

    public void Committed()
    {
        Fold();
        foreach (((string topic, Outcome outcome), long count) in _records) { metrics.AddRecords(topic, outcome, count); }
        foreach ((DecisionError error, long count) in _errors) { metrics.AddErrors(error.Rule, error.Code, count); }
        foreach ((string name, string holdId) in _holdEvents)
        {
            metrics.AddHoldEvent(name, 1);
            StreamLog.HoldEvent(logger, holdId, name);
        }

        Clear();
    }

    public void RolledBack()
    {
        Array.Clear(_lastCounts);
        Clear();
    }

    private void Clear()
    {
        _records.Clear();
        _errors.Clear();
        _holdEvents.Clear();
    }

    private void Fold()
    {
        for (int i = 0; i < _lastCounts.Length; i++)
        {
            if (_lastCounts[i] == 0) { continue; }
            (string, Outcome) key = (_lastTopic, (Outcome)i);
            _records[key] = _records.GetValueOrDefault(key) + _lastCounts[i];
            _lastCounts[i] = 0;
        }
    }
}
