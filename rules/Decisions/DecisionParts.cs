using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Decisions;

/// <summary>The parts of a binding's decisions that every record shares, spelled once.</summary>
internal sealed class DecisionParts
{
    public DecisionParts(CompiledBinding binding)
    {
        Topic = binding.Document.Topics.Ingress;
        var buffer = new ByteBuffer(256);
        buffer.Append("{\"v\":1,\"id\":\""u8);
        JsonText.AppendEscaped(buffer, Topic);
        buffer.Append((byte)'-');
        Start = buffer.Written.ToArray();

        buffer.Clear();
        buffer.Append(",\"policy\":"u8);
        JsonText.Append(buffer, binding.PolicyDocument.Name);
        buffer.Append(",\"digest\":"u8);
        JsonText.Append(buffer, binding.Policy.Digest);
        int implied = buffer.Length;
        buffer.Append(",\"binding\":"u8);
        JsonText.Append(buffer, binding.Document.Name);
        Policy = buffer.Slice(0, binding.Document.Name == binding.PolicyDocument.Name ? implied : buffer.Length).ToArray();
    }

    public string Topic { get; }

    /// <summary>From the brace to the dash behind the ingress topic.</summary>
    public byte[] Start { get; }

    /// <summary>Policy and digest, and the binding where it is not named like the policy.</summary>
    public byte[] Policy { get; }
}
