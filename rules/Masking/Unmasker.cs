using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>For those who hold the keys: puts the originals back where an <c>encrypt</c> mask stands in a line of text or JSON. Everything else is kept byte for byte. Not thread-safe.</summary>
/// <param name="keys">With the versions that the masks were made with: the id is inside each.</param>
public sealed class Unmasker(KeyRing keys)
{
    // The nonce and the tag of an empty text, in base64url.
    private const int SealedCharactersMin = 38;
    private const int DepthMax = 512;

    private static readonly SearchValues<byte> Base64UrlDigits = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"u8);

    private readonly ByteBuffer _text = new(256);
    private readonly ByteBuffer _line = new(1024);
    private readonly List<string> _faults = [];

    /// <summary>What could not be decrypted in the last line, and why; such a value stands as it was. Never holds a value.</summary>
    public IReadOnlyList<string> Faults => _faults;

    /// <summary>Values decrypted since the beginning.</summary>
    public long Decrypted { get; private set; }

    /// <summary>Appends a line with every masked value in it, wherever it stands, as its original text.</summary>
    public void Text(ReadOnlySpan<byte> line, ByteBuffer output)
    {
        _faults.Clear();
        while (Find(line, out int start, out int length))
        {
            output.Append(line[..start]);
            if (TryDecrypt(line.Slice(start, length))) { output.Append(_text.Written); }
            else { output.Append(line.Slice(start, length)); }
            _text.Clear(zero: true);
            line = line[(start + length)..];
        }

        output.Append(line);
    }

    /// <summary>Appends a line of JSON with every string that is a masked value as its original text.</summary>
    /// <returns>False where the line is not JSON: nothing is appended then.</returns>
    public bool Json(ReadOnlySpan<byte> line, ByteBuffer output)
    {
        _faults.Clear();
        _line.Clear();
        int kept = 0;
        var reader = new Utf8JsonReader(line, new JsonReaderOptions { MaxDepth = DepthMax, AllowMultipleValues = true });
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.String || reader.ValueSpan.Length < Encryption.Prefix.Length + SealedCharactersMin) { continue; }
                string value = reader.GetString()!;
                if (!MaskedText.IsEncrypted(value)) { continue; }
                byte[] masked = Encoding.UTF8.GetBytes(value);
                if (!Find(masked, out int start, out int length) || start != 0 || length != masked.Length) { continue; }
                if (TryDecrypt(masked))
                {
                    int from = (int)reader.TokenStartIndex;
                    _line.Append(line[kept..from]);
                    _line.Append((byte)'"');
                    _line.Append(Encoding.UTF8.GetBytes(JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(Encoding.UTF8.GetString(_text.Written))));
                    _line.Append((byte)'"');
                    kept = (int)reader.BytesConsumed;
                }

                _text.Clear(zero: true);
            }
        }
        catch (Exception wrong) when (wrong is JsonException or InvalidOperationException)
        {
            // Not JSON, or a string that is no text (half a surrogate pair).
            _faults.Clear();
            return false;
        }

        _line.Append(line[kept..]);
        output.Append(_line.Written);
        _line.Clear(zero: true);
        return true;
    }

    /// <summary>Finds <c>psenc1:KEYID:BASE64URL</c>; a text that only begins like one is none.</summary>
    private static bool Find(ReadOnlySpan<byte> line, out int start, out int length)
    {
        (start, length) = (0, 0);
        for (int from = 0; ;)
        {
            int at = line[from..].IndexOf(Encryption.Prefix);
            if (at < 0) { return false; }
            start = from + at;
            ReadOnlySpan<byte> rest = line[(start + Encryption.Prefix.Length)..];
            int colon = rest.IndexOf((byte)':');
            if (colon > 0 && IsKeyId(rest[..colon]))
            {
                int digits = rest[(colon + 1)..].IndexOfAnyExcept(Base64UrlDigits);
                if (digits < 0) { digits = rest.Length - colon - 1; }
                length = Encryption.Prefix.Length + colon + 1 + digits;
                if (digits >= SealedCharactersMin) { return true; }
            }

            from = start + Encryption.Prefix.Length;
        }
    }

    private static bool IsKeyId(ReadOnlySpan<byte> id)
    {
        int at = id.IndexOf((byte)'@');
        if (at < 1 || id.Length > 136 || at + 1 == id.Length || id[(at + 1)..].ContainsAnyExceptInRange((byte)'0', (byte)'9')) { return false; }
        return Section.IsName(Encoding.ASCII.GetString(id[..at]), 128);
    }

    private bool TryDecrypt(ReadOnlySpan<byte> masked)
    {
        if (Encryption.TryDecrypt(masked, keys, _text))
        {
            Decrypted++;
            return true;
        }

        ReadOnlySpan<byte> rest = masked[Encryption.Prefix.Length..];
        string id = Encoding.ASCII.GetString(rest[..rest.IndexOf((byte)':')]);
        _faults.Add(keys.TryGetById(id, out _) ? $"a value under key `{id}` was changed, or made with another key of that name" : $"key `{id}` is not supplied");
        return false;
    }
}
