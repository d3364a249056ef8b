using System.Text;

namespace PolicyStreams.Processor.Audit;

/// <summary>Digests as decisions spell them: base64url without padding (RFC 4648, section 5); 32 bytes are 43 characters.</summary>
internal static class DigestText
{
    public static string Encode(ReadOnlySpan<byte> bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);

    /// <summary>Reads a 43-character digest; false where it is anything else.</summary>
    public static bool TryDecode(string? text, Span<byte> digest) =>
        text is { Length: 43 } && digest.Length == 32 && System.Buffers.Text.Base64Url.TryDecodeFromChars(text, digest, out int written) && written == 32;

    public static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
