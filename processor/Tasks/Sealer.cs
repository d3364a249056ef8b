using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Tasks;

/// <summary>How opening a sealed value came out.</summary>
public enum SealOutcome
{
    Opened,

    /// <summary>The key that it names is not given.</summary>
    NoKey,

    /// <summary>Changed, cut short, or sealed for another record.</summary>
    Damaged,
}

/// <summary>
/// Values of bindings that say <c>seal: KEY</c>: AES-256-GCM, as byte 1 (the form), a 12-byte nonce, the ciphertext, and its 16-byte tag. The position of the ingress record (topic,
/// partition, offset) and the key's id are authenticated, so that a sealed value opens only as the record that it was. The nonce is the start of an HMAC over position
/// and value: the same record gives the same bytes whenever it is written, and no two values share a nonce. Thread-safe.
/// </summary>
public sealed class Sealer(KeyRing keys) : IDisposable
{
    /// <summary>By how much a sealed value is longer.</summary>
    public const int Overhead = 1 + NonceBytes + TagBytes;

    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const byte Form = 1;
    private readonly ConcurrentDictionary<string, SealKey> _byId = new(StringComparer.Ordinal);

    /// <summary>Appends the sealed value.</summary>
    /// <param name="keyName">As the binding names it; its current version seals.</param>
    /// <param name="position">The ingress record's, <c>raw.payments-0-42</c>.</param>
    /// <returns>Id of the key: goes into the header beside the value.</returns>
    internal string Seal(string keyName, ReadOnlySpan<byte> position, ReadOnlySpan<byte> value, ByteBuffer output)
    {
        // A policy whose seal key is missing does not load.
        if (!keys.TryGet(keyName, out ReadOnlyMemory<byte> key, out string id)) { throw new InvalidOperationException($"Seal key `{keyName}` is not given."); }
        SealKey found = KeyOf(id, key);
        Span<byte> nonce = stackalloc byte[HMACSHA256.HashSizeInBytes];
        found.Nonce(position, value, nonce);
        byte[] bound = Bound(id, position);
        Span<byte> into = output.GetSpan(value.Length + Overhead)[..(value.Length + Overhead)];
        into[0] = Form;
        nonce[..NonceBytes].CopyTo(into[1..]);
        using AesGcm aes = found.Cipher();
        aes.Encrypt(nonce[..NonceBytes], value, into.Slice(1 + NonceBytes, value.Length), into[^TagBytes..], bound);
        output.Advance(into.Length);
        return id;
    }

    /// <summary>Opens a sealed value with the key that its header names.</summary>
    /// <param name="position">The ingress record's: the header <c>ps-decision</c> of held and rejected records.</param>
    /// <param name="value">Empty unless opened.</param>
    public SealOutcome TryOpen(string keyId, ReadOnlySpan<byte> position, ReadOnlySpan<byte> sealedValue, out byte[] value)
    {
        value = [];
        if (!keys.TryGetById(keyId, out ReadOnlyMemory<byte> key)) { return SealOutcome.NoKey; }
        if (sealedValue.Length < Overhead || sealedValue[0] != Form) { return SealOutcome.Damaged; }
        byte[] open = new byte[sealedValue.Length - Overhead];
        using AesGcm aes = KeyOf(keyId, key).Cipher();
        try
        {
            aes.Decrypt(sealedValue.Slice(1, NonceBytes), sealedValue[(1 + NonceBytes)..^TagBytes], sealedValue[^TagBytes..], open, Bound(keyId, position));
        }
        catch (AuthenticationTagMismatchException)
        {
            return SealOutcome.Damaged;
        }

        value = open;
        return SealOutcome.Opened;
    }

    public void Dispose()
    {
        foreach (SealKey key in _byId.Values) { key.Forget(); }
        _byId.Clear();
    }

    private SealKey KeyOf(string id, ReadOnlyMemory<byte> key) => _byId.GetOrAdd(id, static (_, material) => new SealKey(material.Span), key);

    private static byte[] Bound(string keyId, ReadOnlySpan<byte> position)
    {
        int idBytes = Encoding.UTF8.GetByteCount(keyId);
        byte[] bound = new byte[4 + idBytes + position.Length];
        BinaryPrimitives.WriteInt32BigEndian(bound, idBytes);
        Encoding.UTF8.GetBytes(keyId, bound.AsSpan(4));
        position.CopyTo(bound.AsSpan(4 + idBytes));
        return bound;
    }

    /// <summary>Both keys that are derived from a seal key's material.</summary>
    private sealed class SealKey(ReadOnlySpan<byte> material)
    {
        private readonly byte[] _cipher = HMACSHA256.HashData(material, "policystreams seal cipher v1"u8);
        private readonly byte[] _nonce = HMACSHA256.HashData(material, "policystreams seal nonce v1"u8);

        public AesGcm Cipher() => new(_cipher, TagBytes);

        public void Nonce(ReadOnlySpan<byte> position, ReadOnlySpan<byte> value, Span<byte> digest)
        {
            using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _nonce);
            Span<byte> length = stackalloc byte[4];
            BinaryPrimitives.WriteInt32BigEndian(length, position.Length);
            hash.AppendData(length);
            hash.AppendData(position);
            hash.AppendData(value);
            hash.GetHashAndReset(digest);
        }

        public void Forget()
        {
            CryptographicOperations.ZeroMemory(_cipher);
            CryptographicOperations.ZeroMemory(_nonce);
        }

        public override string ToString() => "seal key";
    }
}
