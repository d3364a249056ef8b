using Confluent.Kafka;

namespace PolicyStreams.Processor.Streams;

/// <summary>Ingress topics that are deleted, or made anew under the same name: their records are not those that the task's offsets speak of.</summary>
internal sealed partial class StreamThread
{
    private static readonly TimeSpan LookAtTopicsAfter = TimeSpan.FromSeconds(5);

    private Task<IReadOnlyDictionary<string, string?>>? _topicLook;
    private long _topicLookAt;

    // Not there at the last look. A broker that has just started may not know a topic yet: gone is what is missing twice.
    private readonly HashSet<string> _missingTopics = new(StringComparer.Ordinal);

    private void LookAtTopicsSoon() => _topicLookAt = Math.Min(_topicLookAt, After(RetryAfter));

    private void WatchTopics()
    {
        if (_clients.Embedded) { return; }
        if (_topicLook is null)
        {
            if (_time.GetTimestamp() < _topicLookAt) { return; }
            _topicLookAt = After(LookAtTopicsAfter);
            _topicLook = _clients.TopicIdsAsync(_assigned, [.. _snapshot.ByIngressTopic.Keys]);
            return;
        }

        if (!_topicLook.IsCompleted) { return; }
        Task<IReadOnlyDictionary<string, string?>> look = _topicLook;
        _topicLook = null;

        // A broker that cannot be asked says nothing of its topics.
        if (look.IsFaulted)
        {
            _ = look.Exception;
            return;
        }

        foreach ((string topic, string? id) in look.GetAwaiter().GetResult()) { LookAt(topic, id); }
    }

    private void LookAt(string topic, string? id)
    {
        string component = "topic " + topic;
        if (id is null)
        {
            if (_missingTopics.Add(topic))
            {
                LookAtTopicsSoon();
                return;
            }

            const string Gone = "the ingress topic is not there: it was deleted, and records that were not read yet are lost";
            if (_health.Bad(component, Gone))
            {
                _metrics.AddEvent("alarms");
                StreamLog.Alarm(_logger, component, Gone);
            }

            StopTasksOf(topic, Gone + ". Make it anew and start with `--adopt-offsets`, or take its binding out of the policy");
            return;
        }

        _missingTopics.Remove(topic);
        _health.Good(component);
        foreach (TaskRunner runner in _tasks.Values)
        {
            string known = runner.Task.TopicId;
            if (runner.Ingress.Topic == topic && known.Length > 0 && id.Length > 0 && known != id)
            {
                StopTasksOf(topic, $"the ingress topic was deleted and made anew (its id was {known} and is {id}). Nothing is processed until an operator has looked; `--adopt-offsets` goes on from where the new one begins and records it");
                return;
            }
        }
    }

    private void StopTasksOf(string topic, string why)
    {
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (runner.Ingress.Topic != topic) { continue; }

            // What it has in the open transaction may be of the topic that is gone, or of the new one: it is not committed.
            if (runner.Task.Touched) { AbortTransaction(); }
            StopTask(runner, why);
        }
    }

    private void LearnTopicId(string topic)
    {
        if (_clients.Embedded) { return; }
        IReadOnlyDictionary<string, string?> ids = _clients.TopicIdsAsync(_assigned, [topic]).WaitAsync(_stopping).GetAwaiter().GetResult();
        _topicIds[topic] = ids[topic] ?? throw new KafkaException(new Error(ErrorCode.UnknownTopicOrPart, $"topic {topic} is not there"));
    }
}
