using System.Security.Cryptography;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Native;
using PolicyStreams.Rules.Masking;

namespace PolicyStreams.Processor.Audit;

/// <summary>
/// SHA-256 of a fixed prefix and data, or HMAC-SHA-256 of data under a fixed key, made many times over. Not thread-safe.
/// </summary>
internal abstract class Sha256Digest : KeyedHash
{
    /// <summary>SHA-256 of <paramref name="prefix"/> followed by what <see cref="Compute"/> is given.</summary>
    public static Sha256Digest Plain(RecordPath path, ReadOnlySpan<byte> prefix = default) =>
        path == RecordPath.Native && LibCrypto.IsAvailable ? NativeSha256.Plain(prefix) : new Managed(IncrementalHash.CreateHash(HashAlgorithmName.SHA256), prefix.ToArray());

    /// <summary>HMAC-SHA-256 under <paramref name="key"/>.</summary>
    public static Sha256Digest Keyed(RecordPath path, ReadOnlySpan<byte> key) =>
        path == RecordPath.Native && LibCrypto.IsAvailable ? NativeSha256.Keyed(key) : new Managed(IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key), []);

    private sealed class Managed(IncrementalHash hash, byte[] prefix) : Sha256Digest
    {
        public override void Compute(ReadOnlySpan<byte> data, Span<byte> destination)
        {
            if (prefix.Length > 0) { hash.AppendData(prefix); }
            hash.AppendData(data);
            hash.GetHashAndReset(destination);
        }

        protected override void Forget() => hash.Dispose();
    }
}
