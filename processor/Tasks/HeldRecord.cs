using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Tasks;

/// <summary>A record read back from the held topic, as it was on ingress. Reused; valid until the next read.</summary>
internal sealed class HeldRecord
{
    public bool HasKey { get; set; }
    public byte[] Key { get; set; } = [];
    public bool HasValue { get; set; }
    public byte[] Value { get; set; } = [];
    public long TimestampMs { get; set; }

    /// <summary>The producer's own headers, in order.</summary>
    public RecordHeaders Headers { get; } = new();

    /// <summary>The HMAC that stood in its header; empty where there was none.</summary>
    public byte[] Hmac { get; set; } = [];

    /// <summary>Id of the key that the value is sealed with; empty where the value is open.</summary>
    public string SealedBy { get; set; } = "";
}

/// <summary>Reads single records of the held and state topics back. One a stream thread.</summary>
internal interface IHeldReader
{
    /// <summary>Reads the record of a hold. False where it cannot be had now (a pause, not a verdict); true with <paramref name="found"/> false where it is certainly not there.</summary>
    bool TryRead(string heldTopic, int partition, TaskHold hold, HeldRecord into, out bool found);

    /// <summary>Reads the state of a hold as it was written. False where it cannot be had now; true with null where it is certainly not there.</summary>
    bool TryReadState(string stateTopic, int partition, TaskHold hold, out byte[]? value);
}
