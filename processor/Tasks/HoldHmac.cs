using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using PolicyStreams.Processor.Audit;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Tasks;

/// <summary>
/// The HMAC by the hold key that a held record carries, over its id, key, headers, value, timestamp, and terms, each with its length in front, so that no two
/// different records have one text. One a stream thread; not thread-safe.
/// </summary>
internal sealed class HoldHmac(ReadOnlySpan<byte> holdKey) : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, holdKey);

    public string Compute(string id, bool hasKey, ReadOnlySpan<byte> key, RecordHeaders headers, bool hasValue, ReadOnlySpan<byte> value, long timestampMs, IReadOnlyList<HoldTerms> terms)
    {
        Text("policystreams-held-1");
        Text(id);
        Number(hasKey ? 1 : 0);
        Bytes(key);
        Number(headers.Count);
        for (int i = 0; i < headers.Count; i++)
        {
            Bytes(headers.Name(i));
            Number(headers.IsNull(i) ? 1 : 0);
            Bytes(headers.Value(i));
        }

        Number(hasValue ? 1 : 0);
        Bytes(value);
        Number(timestampMs);
        Number(terms.Count);
        foreach (HoldTerms term in terms)
        {
            Text(term.Rule);
            Number(term.Approvers.Count);
            foreach (string group in term.Approvers) { Text(group); }
            Number(term.Quorum);
            Number(term.Expires.Ticks);
            Number((int)term.OnExpiry);
            Number((int)term.Scope);
            Number(term.OwnGroupMayApprove ? 1 : 0);
            Text(term.Reason);
        }

        Span<byte> digest = stackalloc byte[32];
        _hash.GetHashAndReset(digest);
        return DigestText.Encode(digest);
    }

    /// <summary>Compares in constant time.</summary>
    public static bool Same(string computed, ReadOnlySpan<byte> found)
    {
        Span<byte> expected = stackalloc byte[64];
        int length = Encoding.ASCII.GetBytes(computed, expected);
        return CryptographicOperations.FixedTimeEquals(expected[..length], found);
    }

    public void Dispose() => _hash.Dispose();

    private void Text(string text) => Bytes(Encoding.UTF8.GetBytes(text));

    private void Bytes(ReadOnlySpan<byte> bytes)
    {
        Number(bytes.Length);
        _hash.AppendData(bytes);
    }

    private void Number(long number)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, number);
        _hash.AppendData(bytes);
    }
}
