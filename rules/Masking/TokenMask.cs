using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Masking;

/// <summary>
/// The <c>token</c> mask: the digits of a text replaced by as many digits, by <see cref="Ff1"/> under AES-256, and what separates them kept in its place.
/// The tweak is the policy's own, or empty: one key, one tweak, and one row of digits give one token, wherever they stand. Not thread-safe.
/// </summary>
internal sealed class TokenMask : IDisposable
{
    /// <summary>Fewer digits make a domain below 1,000,000, which can be tried out.</summary>
    public const int DigitsMin = 6;

    /// <summary>Most digits of a text.</summary>
    public const int DigitsMax = 72;

    /// <summary>Most bytes of a tweak, in UTF-8.</summary>
    public const int TweakBytesMax = 64;

    // What people write between digits. Anything else would be kept in the clear, so a text that has it is no row of digits.
    private static readonly SearchValues<byte> Kept = SearchValues.Create("0123456789 -./()+"u8);

    private readonly Ff1 _ff1;

    /// <param name="key">The named key's bytes, 32 or more.</param>
    public TokenMask(ReadOnlySpan<byte> key, string tweak) => _ff1 = new Ff1(HMACSHA256.HashData(key, "policystreams token ff1 v1"u8), 10, Encoding.UTF8.GetBytes(tweak));

    public void Dispose() => _ff1.Dispose();

    /// <summary>Appends the token of a text.</summary>
    /// <returns>False where the text has fewer than 6 or more than 72 digits, or anything but digits and separators; nothing is appended then.</returns>
    public bool TryMask(ReadOnlySpan<byte> text, ByteBuffer output) => TryReplace(text, output, undo: false);

    /// <summary>Appends the text of a token.</summary>
    public bool TryUnmask(ReadOnlySpan<byte> token, ByteBuffer output) => TryReplace(token, output, undo: true);

    private bool TryReplace(ReadOnlySpan<byte> text, ByteBuffer output, bool undo)
    {
        if (text.ContainsAnyExcept(Kept)) { return false; }
        Span<byte> digits = stackalloc byte[DigitsMax];
        int count = 0;
        foreach (byte b in text)
        {
            if (!char.IsAsciiDigit((char)b)) { continue; }
            if (count == DigitsMax) { return false; }
            digits[count++] = (byte)(b - '0');
        }

        if (count < DigitsMin) { return false; }
        digits = digits[..count];
        if (undo) { _ff1.Decrypt(digits); }
        else { _ff1.Encrypt(digits); }
        Span<byte> written = output.GetSpan(text.Length);
        int next = 0;
        for (int i = 0; i < text.Length; i++) { written[i] = char.IsAsciiDigit((char)text[i]) ? (byte)('0' + digits[next++]) : text[i]; }
        output.Advance(text.Length);
        digits.Clear();
        return true;
    }
}
