using PolicyStreams.Processor.Kafka;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Rules;

namespace PolicyStreams.Bench.Tasks;

/// <summary>What a task writes to where nothing but the task is measured.</summary>
internal sealed class NoSink : IRecordSink, IHeldReader, ITaskObserver
{
    public void Send(in OutputRecord record, Placement? placed = null)
    {
    }

    public bool TryRead(string heldTopic, int partition, TaskHold hold, HeldRecord into, out bool found) => found = false;

    public bool TryReadState(string stateTopic, int partition, TaskHold hold, out byte[]? value)
    {
        value = null;
        return true;
    }

    public void Decided(Verdict verdict)
    {
    }

    public void HoldEvent(string eventName, string holdId)
    {
    }

    public void Alarm(string what)
    {
    }
}
