using System.Buffers.Text;
using System.Text;
using PolicyStreams.Rules.Detection;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Masking;

/// <summary>Where a masked value is, for masks whose output depends on it.</summary>
internal ref struct MaskPlace
{
    public string Topic;
    public int Partition;
    public long Offset;
    public string Path;
}

/// <summary>Applies masks to texts. Keeps hash states, so it is not thread-safe; one a stream thread and binding.</summary>
internal sealed class TextMasker(KeyedHashFactory hashes)
{
    public const int HmacBytes = 16;

    private readonly Dictionary<string, KeyedHash> _hmacs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Encryption> _encryptions = new(StringComparer.Ordinal);
    private readonly Dictionary<(string, string), TokenMask> _tokens = [];
    private (CompiledMask? Mask, KeyedHash? Hash) _lastHmac;

    /// <summary>Appends the masked text.</summary>
    /// <param name="text">Valid UTF-8.</param>
    /// <returns>False where the mask cannot be applied; partial output may be left.</returns>
    public bool TryMask(CompiledMask mask, ReadOnlySpan<byte> text, in MaskPlace place, ByteBuffer output, out bool changed) =>
        mask.Method == MaskMethod.Detect ? TryDetect(mask, text, place, output, out changed) : TryMask(mask, mask.Method, text, place, output, out changed);

    /// <summary>Masks what the detectors find, and keeps the rest.</summary>
    private bool TryDetect(CompiledMask mask, ReadOnlySpan<byte> text, in MaskPlace place, ByteBuffer output, out bool changed)
    {
        changed = false;
        var scan = new DetectorScan(text, mask.Detect, stackalloc Hit[Detectors.Count]);
        int kept = 0;
        while (scan.Next(out Hit hit, out Detector by))
        {
            output.Append(text[kept..hit.Start]);
            kept = hit.End;
            changed = true;
            if (mask.Document.HitMethod is not { } method) { output.Append(Detectors.Label(by)); }
            else if (method != MaskMethod.Redact && !TryMask(mask, method, text[hit.Start..hit.End], place, output, out _)) { return false; }
        }

        output.Append(text[kept..]);
        return true;
    }

    private bool TryMask(CompiledMask mask, MaskMethod method, ReadOnlySpan<byte> text, in MaskPlace place, ByteBuffer output, out bool changed)
    {
        changed = true;
        switch (method)
        {
            case MaskMethod.Constant:
                output.Append(mask.Constant);
                return true;
            case MaskMethod.KeepLast:
                KeepLast(text, mask.Document.Keep, output);
                return true;
            case MaskMethod.KeepFirst:
                KeepFirst(text, mask.Document.Keep, output);
                return true;
            case MaskMethod.Hmac:
                Hmac(mask, text, output);
                return true;
            case MaskMethod.Encrypt:
                Encrypter(mask).Encrypt(text, place, output);
                return true;
            case MaskMethod.Email:
                Email(text, mask.Document.Keep, mask.Document.KeepDomain, output);
                return true;
            case MaskMethod.Pattern:
                return mask.Pattern!.TryReplace(text, output, out changed);
            case MaskMethod.Token:
                return Tokenizer(mask).TryMask(text, output);
            case MaskMethod.Date:
                return DateMask.TryCut(text, mask.Document.Date, output);
            default:
                return false;
        }
    }

    private static void KeepLast(ReadOnlySpan<byte> text, int keep, ByteBuffer output)
    {
        int total = CodePoints(text);
        if (total <= keep) { Stars(total, output); return; }
        Stars(total - keep, output);
        output.Append(text[SkipCodePoints(text, total - keep)..]);
    }

    private static void KeepFirst(ReadOnlySpan<byte> text, int keep, ByteBuffer output)
    {
        int total = CodePoints(text);
        if (total <= keep) { Stars(total, output); return; }
        output.Append(text[..SkipCodePoints(text, keep)]);
        Stars(total - keep, output);
    }

    private static void Email(ReadOnlySpan<byte> text, int keepFirst, bool keepDomain, ByteBuffer output)
    {
        int at = text.LastIndexOf((byte)'@');
        if (at < 0) { Stars(CodePoints(text), output); return; }
        KeepFirst(text[..at], keepFirst, output);
        output.Append((byte)'@');
        if (keepDomain) { output.Append(text[(at + 1)..]); }
        else { Stars(CodePoints(text[(at + 1)..]), output); }
    }

    private void Hmac(CompiledMask mask, ReadOnlySpan<byte> text, ByteBuffer output)
    {
        if (!ReferenceEquals(_lastHmac.Mask, mask))
        {
            if (!_hmacs.TryGetValue(mask.KeyId, out KeyedHash? made)) { _hmacs[mask.KeyId] = made = hashes(mask.Key.Span); }
            _lastHmac = (mask, made);
        }

        Span<byte> digest = stackalloc byte[KeyedHash.Bytes];
        _lastHmac.Hash!.Compute(text, digest);
        Span<byte> hex = output.GetSpan(2 * HmacBytes);
        Convert.TryToHexStringLower(digest[..HmacBytes], hex, out int written);
        output.Advance(written);
    }

    private Encryption Encrypter(CompiledMask mask)
    {
        if (!_encryptions.TryGetValue(mask.KeyId, out Encryption? found)) { _encryptions[mask.KeyId] = found = new Encryption(mask.KeyId, mask.Key.Span, hashes); }
        return found;
    }

    private TokenMask Tokenizer(CompiledMask mask)
    {
        if (!_tokens.TryGetValue((mask.KeyId, mask.Document.Tweak), out TokenMask? found)) { _tokens[(mask.KeyId, mask.Document.Tweak)] = found = new TokenMask(mask.Key.Span, mask.Document.Tweak); }
        return found;
    }

    private static int CodePoints(ReadOnlySpan<byte> text)
    {
        int count = 0;
        foreach (byte b in text)
        {
            if ((b & 0xC0) != 0x80) { count++; }
        }

        return count;
    }

    private static int SkipCodePoints(ReadOnlySpan<byte> text, int count)
    {
        int i = 0;
        while (i < text.Length)
        {
            if ((text[i] & 0xC0) != 0x80 && count-- == 0) { break; }
            i++;
        }

        return i;
    }

    private static void Stars(int count, ByteBuffer output)
    {
        output.GetSpan(Math.Max(count, 1))[..count].Fill((byte)'*');
        output.Advance(count);
    }
}
