using System.Security.Cryptography;
using PolicyStreams.Processor.Audit;

namespace PolicyStreams.Processor.Native;

/// <summary>The prefix, or the key's pads, are hashed once: each computation starts from a copy of that state. HMAC is RFC 2104's.</summary>
internal sealed class NativeSha256 : Sha256Digest
{
    private const int BlockBytes = 64;

    private LibCrypto.State _inner;
    private LibCrypto.State _outer;
    private readonly bool _keyed;

    private NativeSha256(bool keyed) => _keyed = keyed;

    public static NativeSha256 Plain(ReadOnlySpan<byte> prefix)
    {
        var digest = new NativeSha256(keyed: false) { _inner = LibCrypto.Init() };
        LibCrypto.Update(ref digest._inner, prefix);
        return digest;
    }

    public static NativeSha256 Keyed(ReadOnlySpan<byte> key)
    {
        Span<byte> block = stackalloc byte[BlockBytes];
        block.Clear();
        if (key.Length > BlockBytes) { SHA256.HashData(key, block); }
        else { key.CopyTo(block); }

        var digest = new NativeSha256(keyed: true) { _inner = LibCrypto.Init(), _outer = LibCrypto.Init() };
        Span<byte> pad = stackalloc byte[BlockBytes];
        for (int i = 0; i < BlockBytes; i++) { pad[i] = (byte)(block[i] ^ 0x36); }
        LibCrypto.Update(ref digest._inner, pad);
        for (int i = 0; i < BlockBytes; i++) { pad[i] = (byte)(block[i] ^ 0x5c); }
        LibCrypto.Update(ref digest._outer, pad);
        CryptographicOperations.ZeroMemory(block);
        CryptographicOperations.ZeroMemory(pad);
        return digest;
    }

    public override void Compute(ReadOnlySpan<byte> data, Span<byte> destination)
    {
        LibCrypto.State state = _inner;
        LibCrypto.Update(ref state, data);
        LibCrypto.Final(ref state, destination);
        if (!_keyed) { return; }
        state = _outer;
        LibCrypto.Update(ref state, destination[..Bytes]);
        LibCrypto.Final(ref state, destination);
    }

    protected override void Forget()
    {
        // What the pads left is as good as the key.
        _inner = default;
        _outer = default;
    }
}
