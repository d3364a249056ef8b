using System.Security.Cryptography;

namespace PolicyStreams.Rules.Masking;

/// <summary>Makes the HMAC-SHA-256 of one key.</summary>
public delegate KeyedHash KeyedHashFactory(ReadOnlySpan<byte> key);

/// <summary>HMAC-SHA-256 under one key, made many times over. Not thread-safe. A host may bring its own, as long as it computes the same.</summary>
public abstract class KeyedHash : IDisposable
{
    /// <summary>Of a hash.</summary>
    public const int Bytes = 32;

    /// <summary>.NET's.</summary>
    public static KeyedHash OfNet(ReadOnlySpan<byte> key) => new ManagedHash(IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key));

    /// <summary>Writes <see cref="Bytes"/> bytes. Source and destination may overlap.</summary>
    public abstract void Compute(ReadOnlySpan<byte> data, Span<byte> destination);

    public void Dispose()
    {
        Forget();
        GC.SuppressFinalize(this);
    }

    /// <summary>Forgets the key; nothing is computed afterwards.</summary>
    protected abstract void Forget();

    private sealed class ManagedHash(IncrementalHash hash) : KeyedHash
    {
        public override void Compute(ReadOnlySpan<byte> data, Span<byte> destination)
        {
            hash.AppendData(data);
            hash.GetHashAndReset(destination);
        }

        protected override void Forget() => hash.Dispose();
    }
}
