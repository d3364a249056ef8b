using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace PolicyStreams.Processor.Native;

/// <summary>
/// OpenSSL's SHA-256 without the look-ups and allocations of its general interface: the functions of <c>openssl/sha.h</c>, whose state is a plain struct that can be copied.
/// Used where the library is OpenSSL 3 and its answers to known questions are right; else .NET's own classes do the work.
/// </summary>
internal static unsafe class LibCrypto
{
    private static readonly nint Library = NativeLibrary.TryLoad("libcrypto.so.3", out nint handle) ? handle : 0;
    private static readonly delegate* unmanaged<State*, int> InitFunction = (delegate* unmanaged<State*, int>)Export("SHA256_Init");
    private static readonly delegate* unmanaged<State*, byte*, nuint, int> UpdateFunction = (delegate* unmanaged<State*, byte*, nuint, int>)Export("SHA256_Update");
    private static readonly delegate* unmanaged<byte*, State*, int> FinalFunction = (delegate* unmanaged<byte*, State*, int>)Export("SHA256_Final");

    /// <summary>True where the functions are there and agree with .NET's.</summary>
    public static bool IsAvailable { get; } = InitFunction != null && UpdateFunction != null && FinalFunction != null && Agrees();

    public static State Init()
    {
        State state;
        Check(InitFunction(&state));
        return state;
    }

    public static void Update(ref State state, ReadOnlySpan<byte> data)
    {
        // An empty span pins to null, which the function does not read at length 0.
        fixed (State* s = &state)
        fixed (byte* d = data) { Check(UpdateFunction(s, d, (nuint)data.Length)); }
    }

    /// <summary>Writes 32 bytes and leaves the state unusable.</summary>
    public static void Final(ref State state, Span<byte> destination)
    {
        if (destination.Length < SHA256.HashSizeInBytes) { throw new ArgumentException("A SHA-256 takes 32 bytes.", nameof(destination)); }
        fixed (State* s = &state)
        fixed (byte* d = destination) { Check(FinalFunction(d, s)); }
    }

    private static void Check(int result)
    {
        if (result != 1) { throw new CryptographicException("SHA-256 failed."); }
    }

    private static nint Export(string name) => Library != 0 && NativeLibrary.TryGetExport(Library, name, out nint address) ? address : 0;

    private static bool Agrees()
    {
        Span<byte> data = stackalloc byte[300];
        for (int i = 0; i < data.Length; i++) { data[i] = (byte)(i * 7); }
        Span<byte> expected = stackalloc byte[SHA256.HashSizeInBytes];
        Span<byte> got = stackalloc byte[SHA256.HashSizeInBytes];
        foreach (int length in (ReadOnlySpan<int>)[0, 1, 55, 56, 63, 64, 65, 119, 128, 300])
        {
            State state = Init();
            Update(ref state, data[..(length / 3)]);
            State copy = state;
            Update(ref copy, data[(length / 3)..length]);
            Final(ref copy, got);
            SHA256.HashData(data[..length], expected);
            if (!got.SequenceEqual(expected)) { return false; }
        }

        return true;
    }

    /// <summary><c>SHA256_CTX</c>: eight words of hash, the length, one block, its fill, the digest's length. 112 bytes; 16 more in reserve.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 128)]
    public struct State
    {
        private readonly long _first;
    }
}
