using System.Text;

namespace PolicyStreams.Processor.Audit;

/// <summary>Digests as decisions spell them: base64url without padding (RFC 4648, section 5); 32 bytes are 43 characters.</summary>
internal static class DigestText
{
    public static string Encode(ReadOnlySpan<byte> bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);

    public static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
