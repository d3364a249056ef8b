using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Audit;

/// <summary>
/// The audit chain of one ingress partition: counts decisions (<c>seq</c>, from 1, no gap), hashes the bytes of each, and makes the checkpoint that ends a transaction.
/// Works on one transaction at a time: <see cref="Commit"/> keeps what it did, <see cref="Rollback"/> drops it.
/// </summary>
internal sealed class AuditChain(string ingressTopic, int partition, RecordPath recordPath = RecordPath.Native) : IDisposable
{
    private readonly MerkleTree _tree = new(recordPath);
    private readonly ByteBuffer _checkpoint = new(512);
    private readonly Utf8JsonWriter _json = new(Stream.Null);
    private ChainState _committed = ChainState.Start;
    private ChainState _now = ChainState.Start;

    /// <summary>Key of the partition's checkpoints on the decisions topic.</summary>
    public byte[] CheckpointKey { get; } = DigestText.Utf8(string.Create(CultureInfo.InvariantCulture, $"checkpoint/{ingressTopic}-{partition}"));

    /// <summary>Decisions since the last checkpoint.</summary>
    public long Pending => _tree.Count;

    /// <summary>The number that the next decision gets.</summary>
    public long NextSeq => _now.Seq + 1;

    /// <summary>What a restore starts from and a head carries.</summary>
    public ChainState State => _now;

    /// <summary>Adds a decision that carries <see cref="NextSeq"/>, as the exact bytes that are written.</summary>
    public void Add(ReadOnlySpan<byte> decision)
    {
        _tree.Add(decision);
        _now = _now with { Seq = _now.Seq + 1 };
    }

    /// <summary>
    /// Closes the range of decisions since the last checkpoint. Returns the checkpoint's bytes (valid until the next call), or nothing where no decision came.
    /// </summary>
    public ReadOnlySpan<byte> Checkpoint(DateTimeOffset time)
    {
        if (_tree.Count == 0) { return default; }
        Span<byte> root = stackalloc byte[MerkleTree.HashBytes];
        _tree.Root(root);
        string rootText = DigestText.Encode(root);
        _checkpoint.Clear();
        _json.Reset(_checkpoint);
        _json.WriteStartObject();
        _json.WriteNumber("v", 1);
        _json.WriteString("event", "checkpoint");
        _json.WriteString("topic", ingressTopic);
        _json.WriteNumber("partition", partition);
        _json.WriteNumber("from", _now.Seq - _tree.Count + 1);
        _json.WriteNumber("to", _now.Seq);
        _json.WriteString("root", rootText);
        _json.WriteString("previous", _now.Checkpoint);
        HoldJson.WriteInstant(_json, "time", time.ToUnixTimeMilliseconds());
        _json.WriteEndObject();
        _json.Flush();
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(_checkpoint.Written, hash);
        _now = new ChainState(_now.Seq, DigestText.Encode(hash), rootText, _now.Seq - _tree.Count + 1);
        _tree.Clear();
        return _checkpoint.Written;
    }

    public void Commit() => _committed = _now;

    public void Rollback()
    {
        _now = _committed;
        _tree.Clear();
    }

    public void Restore(ChainState state)
    {
        _committed = _now = state;
        _tree.Clear();
    }

    public void Dispose()
    {
        _tree.Dispose();
        _json.Dispose();
    }
}

/// <summary>Where a chain stands.</summary>
/// <param name="Seq">Number of the last decision; 0 before the first.</param>
/// <param name="Checkpoint">SHA-256 of the last checkpoint's bytes, base64url; empty before the first.</param>
/// <param name="Root">Merkle root in the last checkpoint, base64url; empty before the first.</param>
/// <param name="From">First <c>seq</c> of the last checkpoint's range; 0 before the first.</param>
internal readonly record struct ChainState(long Seq, string Checkpoint, string Root, long From)
{
    public static ChainState Start { get; } = new(0, "", "", 0);
}
