using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Masking;

/// <summary>
/// The <c>encrypt</c> mask: <c>psenc1:KEYID:BASE64URL</c>, where the base64url part is a 12-byte nonce, the AES-256-GCM ciphertext, and its 16-byte tag; the text before it is authenticated too.
/// The nonce is the start of an HMAC over position, path, and text, so the same record gives the same bytes whenever it is judged, and no two texts share one.
/// </summary>
internal sealed class Encryption : IDisposable
{
    public static ReadOnlySpan<byte> Prefix => "psenc1:"u8;

    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private readonly byte[] _head;
    private readonly AesGcm _aes;
    private readonly KeyedHash _nonce;
    private readonly ByteBuffer _scratch = new(256);

    public Encryption(string keyId, ReadOnlySpan<byte> key, KeyedHashFactory hashes)
    {
        _head = Encoding.UTF8.GetBytes($"psenc1:{keyId}:");
        _aes = new AesGcm(CipherKey(key), TagBytes);
        _nonce = hashes(HMACSHA256.HashData(key, "policystreams encrypt nonce v1"u8));
    }

    public void Dispose()
    {
        _aes.Dispose();
        _nonce.Dispose();
    }

    public void Encrypt(ReadOnlySpan<byte> text, in MaskPlace place, ByteBuffer output)
    {
        _scratch.Clear();
        Part(place.Topic);
        Span<byte> number = stackalloc byte[12];
        BinaryPrimitives.WriteInt32BigEndian(number, place.Partition);
        BinaryPrimitives.WriteInt64BigEndian(number[4..], place.Offset);
        _scratch.Append(number);
        Part(place.Path);
        _scratch.Append(text);
        Span<byte> digest = stackalloc byte[KeyedHash.Bytes];
        _nonce.Compute(_scratch.Written, digest);

        _scratch.Clear(zero: true);
        Span<byte> sealedBytes = _scratch.GetSpan(NonceBytes + text.Length + TagBytes)[..(NonceBytes + text.Length + TagBytes)];
        digest[..NonceBytes].CopyTo(sealedBytes);
        _aes.Encrypt(digest[..NonceBytes], text, sealedBytes.Slice(NonceBytes, text.Length), sealedBytes[(NonceBytes + text.Length)..], _head);
        output.Append(_head);
        Base64Url.EncodeToUtf8(sealedBytes, output.GetSpan(Base64Url.GetEncodedLength(sealedBytes.Length)), out _, out int written);
        output.Advance(written);
    }

    /// <summary>Undoes the mask. False for anything that is not its output, or was made with a key that the ring lacks, or was changed.</summary>
    public static bool TryDecrypt(ReadOnlySpan<byte> masked, KeyRing keys, ByteBuffer output)
    {
        if (!masked.StartsWith(Prefix)) { return false; }
        int colon = masked[Prefix.Length..].IndexOf((byte)':');
        if (colon <= 0) { return false; }
        int head = Prefix.Length + colon + 1;
        string keyId = Encoding.UTF8.GetString(masked.Slice(Prefix.Length, colon));
        if (!keys.TryGetById(keyId, out ReadOnlyMemory<byte> key)) { return false; }
        byte[] sealedBytes = new byte[Base64Url.GetMaxDecodedLength(masked.Length - head)];
        if (Base64Url.DecodeFromUtf8(masked[head..], sealedBytes, out int consumed, out int length) != System.Buffers.OperationStatus.Done || consumed != masked.Length - head || length < NonceBytes + TagBytes) { return false; }
        int textLength = length - NonceBytes - TagBytes;
        using var aes = new AesGcm(CipherKey(key.Span), TagBytes);
        byte[] text = new byte[textLength];
        try
        {
            aes.Decrypt(sealedBytes.AsSpan(0, NonceBytes), sealedBytes.AsSpan(NonceBytes, textLength), sealedBytes.AsSpan(NonceBytes + textLength, TagBytes), text, masked[..head]);
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }

        output.Append(text);
        return true;
    }

    private static byte[] CipherKey(ReadOnlySpan<byte> key) => HMACSHA256.HashData(key, "policystreams encrypt cipher v1"u8);

    /// <summary>Length first, so that no two tuples run together to the same bytes.</summary>
    private void Part(string text)
    {
        int bytes = Encoding.UTF8.GetByteCount(text);
        BinaryPrimitives.WriteInt32BigEndian(_scratch.GetSpan(4), bytes);
        _scratch.Advance(4);
        Encoding.UTF8.GetBytes(text, _scratch.GetSpan(Math.Max(bytes, 1)));
        _scratch.Advance(bytes);
    }
}
