using System.Runtime.CompilerServices;
using System.Text;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Decisions;

/// <summary>Spells JSON straight into a buffer; allocates nothing.</summary>
internal static class JsonText
{
    /// <summary>A quoted string.</summary>
    public static void Append(ByteBuffer output, string text)
    {
        output.Append((byte)'"');
        AppendEscaped(output, text);
        output.Append((byte)'"');
    }

    /// <summary>The inside of a quoted string.</summary>
    public static void AppendEscaped(ByteBuffer output, ReadOnlySpan<char> text)
    {
        // The worst char takes six bytes (\u001f).
        Span<byte> space = output.GetSpan((6 * text.Length) + 1);
        int at = 0;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (c is >= ' ' and < '\u007F' and not '"' and not '\\') { space[at++] = (byte)c; }
            else { at += Special(text, ref i, space[at..]); }
        }

        output.Advance(at);
    }

    public static byte[] Quoted(string text)
    {
        var buffer = new ByteBuffer(text.Length + 16);
        Append(buffer, text);
        return buffer.Written.ToArray();
    }

    /// <summary><c>["a","b"]</c></summary>
    public static void AppendArray(ByteBuffer output, IReadOnlyList<string> texts)
    {
        output.Append((byte)'[');
        for (int i = 0; i < texts.Count; i++)
        {
            if (i > 0) { output.Append((byte)','); }
            Append(output, texts[i]);
        }

        output.Append((byte)']');
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Append(ByteBuffer output, long number)
    {
        System.Buffers.Text.Utf8Formatter.TryFormat(number, output.GetSpan(20), out int written);
        output.Advance(written);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Special(ReadOnlySpan<char> text, ref int i, Span<byte> space)
    {
        char c = text[i];
        byte two = c switch { '"' => (byte)'"', '\\' => (byte)'\\', '\n' => (byte)'n', '\r' => (byte)'r', '\t' => (byte)'t', '\b' => (byte)'b', '\f' => (byte)'f', _ => 0 };
        if (two != 0)
        {
            space[0] = (byte)'\\';
            space[1] = two;
            return 2;
        }

        if (c < ' ' || c == '\u007F')
        {
            "\\u00"u8.CopyTo(space);
            space[4] = (byte)"0123456789abcdef"[c >> 4];
            space[5] = (byte)"0123456789abcdef"[c & 15];
            return 6;
        }

        // Half a surrogate pair becomes U+FFFD.
        Rune.DecodeFromUtf16(text[i..], out Rune rune, out int used);
        i += used - 1;
        return rune.EncodeToUtf8(space);
    }
}
