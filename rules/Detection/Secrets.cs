using System.Buffers;

namespace PolicyStreams.Rules.Detection;

/// <summary>What opens doors: private keys in PEM, JSON Web Tokens, access keys of Amazon Web Services.</summary>
internal static class Secrets
{
    private const int LabelMax = 64;
    private const int HeaderMax = 4096;
    private const int AccessKeyLength = 20;
    private const int SecretLength = 40;
    private const int SecretReach = 48;

    private static readonly SearchValues<byte> Base64Url = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"u8);
    private static readonly SearchValues<byte> Base64 = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"u8);
    private static readonly SearchValues<byte> Base32 = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"u8);
    private static readonly SearchValues<byte> Label = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "u8);

    /// <summary>From <c>-----BEGIN … PRIVATE KEY-----</c> to its end; to the text's end where there is none, since the rest of a key that was cut off is a key all the same.</summary>
    public static bool PrivateKey(ReadOnlySpan<byte> text, int from, out Hit hit)
    {
        for (int at = from; at < text.Length;)
        {
            int found = text[at..].IndexOf("-----BEGIN "u8);
            if (found < 0) { break; }
            int start = at + found;
            at = start + "-----BEGIN "u8.Length;
            if (!Armor(text, at, out int body)) { continue; }
            int end = text.Length;
            for (int search = body; search < text.Length;)
            {
                found = text[search..].IndexOf("-----END "u8);
                if (found < 0) { break; }
                search += found + "-----END "u8.Length;
                if (!Armor(text, search, out int behind)) { continue; }
                end = behind;
                break;
            }

            hit = new Hit(start, end);
            return true;
        }

        hit = default;
        return false;
    }

    /// <summary>The rest of a line of armour: a label of a private key, and five hyphens.</summary>
    private static bool Armor(ReadOnlySpan<byte> text, int at, out int end)
    {
        ReadOnlySpan<byte> rest = text.Slice(at, Math.Min(LabelMax + 5, text.Length - at));
        int length = rest.IndexOfAnyExcept(Label);
        end = at + length + 5;
        if (length < 0 || !rest[length..].StartsWith("-----"u8)) { return false; }
        ReadOnlySpan<byte> label = rest[..length];
        return label.EndsWith("PRIVATE KEY"u8) || label.EndsWith("PRIVATE KEY BLOCK"u8);
    }

    /// <summary>Three parts in base64url (five where it is encrypted), the first a JSON object with <c>alg</c>.</summary>
    public static bool Jwt(ReadOnlySpan<byte> text, int from, out Hit hit)
    {
        for (int at = from; at < text.Length;)
        {
            int found = text[at..].IndexOf("eyJ"u8);
            if (found < 0) { break; }
            int start = at + found, header = Part(text, start);
            at = header;
            if ((start > 0 && (Base64Url.Contains(text[start - 1]) || text[start - 1] == '.')) || header == text.Length || text[header] != '.' || !IsHeader(text[start..header])) { continue; }
            int end = header, parts = 1;
            for (int next = header; parts < 5 && next < text.Length && text[next] == '.';)
            {
                int begun = next + 1;
                next = Part(text, begun);

                // Without a payload, or a key of its own: two full stops. Without a signature: one behind the payload. Any other is a sentence's.
                if (next == begun && (parts > 2 || (parts == 2 && end == header + 1))) { break; }
                parts++;
                if (parts != 4) { end = next; }
            }

            at = end;
            if (parts < 3) { continue; }
            hit = new Hit(start, end);
            return true;
        }

        hit = default;
        return false;
    }

    private static int Part(ReadOnlySpan<byte> text, int at)
    {
        int length = text[at..].IndexOfAnyExcept(Base64Url);
        return length < 0 ? text.Length : at + length;
    }

    private static bool IsHeader(ReadOnlySpan<byte> header)
    {
        // A header that is longer than any that is sent about is not decoded, and counts: it begins like one.
        if (header.Length > HeaderMax) { return true; }
        Span<byte> json = stackalloc byte[HeaderMax];
        if (System.Buffers.Text.Base64Url.DecodeFromUtf8(header, json, out _, out int length) != OperationStatus.Done) { return false; }
        return JoseHeader.HasAlgorithm(json[..length]);
    }

    /// <summary>Ids of access keys by their prefixes, and secrets of 40 characters behind words for them.</summary>
    public static bool AwsKey(ReadOnlySpan<byte> text, int from, out Hit hit)
    {
        for (int at = from; at < text.Length;)
        {
            int found = text[at..].IndexOfAny(Base64);
            if (found < 0) { break; }
            int start = at + found, length = text[start..].IndexOfAnyExcept(Base64);
            if (length < 0) { length = text.Length - start; }
            ReadOnlySpan<byte> run = text.Slice(start, length);
            at = start + length;
            if (length == SecretLength && start > 0 && IsSecret(run) && AfterSecretWord(text, start))
            {
                hit = new Hit(start, at);
                return true;
            }

            // Ids stand between slashes of paths too.
            for (int i = 0; i + AccessKeyLength <= run.Length;)
            {
                int slash = run[i..].IndexOfAny((byte)'/', (byte)'+');
                int end = slash < 0 ? run.Length : i + slash;
                if (end - i == AccessKeyLength && (i > 0 || start == 0 || !Glyphs.WordBefore(text, start)) && IsAccessKey(run[i..end]))
                {
                    hit = new Hit(start + i, start + end);
                    return true;
                }

                i = end + 1;
            }
        }

        hit = default;
        return false;
    }

    private static bool IsAccessKey(ReadOnlySpan<byte> text) =>
        (text.StartsWith("AKIA"u8) || text.StartsWith("ASIA"u8) || text.StartsWith("ABIA"u8) || text.StartsWith("ACCA"u8)) && !text.ContainsAnyExcept(Base32);

    private static bool IsSecret(ReadOnlySpan<byte> text) =>
        text.ContainsAnyInRange((byte)'A', (byte)'Z') && text.ContainsAnyInRange((byte)'a', (byte)'z') && text.ContainsAnyInRange((byte)'0', (byte)'9');

    private static bool AfterSecretWord(ReadOnlySpan<byte> text, int at)
    {
        ReadOnlySpan<byte> before = text[Math.Max(0, at - SecretReach)..at];
        return Has(before, "secret") && (Has(before, "aws") || Has(before, "access"));
    }

    private static bool Has(ReadOnlySpan<byte> text, string lower)
    {
        for (int i = 0; i + lower.Length <= text.Length; i++)
        {
            if (Glyphs.Is(text.Slice(i, lower.Length), lower)) { return true; }
        }

        return false;
    }
}
