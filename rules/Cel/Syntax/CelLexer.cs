using System.Globalization;
using System.Text;

namespace PolicyStreams.Rules.Cel.Syntax;

internal enum TokenKind : byte { End, Ident, Quoted, Int, UInt, Double, String, Bytes, Punctuation }

/// <summary>A token. <see cref="Text"/> is the name or punctuation; <see cref="Value"/> the value of a literal.</summary>
internal readonly record struct Token(TokenKind Kind, int Position, string Text, object? Value);

/// <summary>Cuts an expression into tokens as cel-spec's lexis says. Throws <see cref="CelException"/> only.</summary>
internal sealed class CelLexer(string text)
{
    private static readonly UTF8Encoding StrictUtf8 = new(false, true);

    private static readonly string[] Punctuation =
        ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")", "[", "]", "{", "}"];

    private int _at;

    public Token Next()
    {
        SkipBlank();
        int start = _at;
        if (_at >= text.Length) { return new Token(TokenKind.End, start, "end of the expression", null); }
        char c = text[_at];
        if (IsNameStart(c))
        {
            int quote = _at;
            while (quote < text.Length && quote - _at < 2 && text[quote] is 'r' or 'R' or 'b' or 'B') { quote++; }
            if (quote < text.Length && text[quote] is '"' or '\'' && IsPrefix(text.AsSpan(_at, quote - _at))) { return StringLiteral(start, quote); }
            while (_at < text.Length && (IsNameStart(text[_at]) || char.IsAsciiDigit(text[_at]))) { _at++; }
            return new Token(TokenKind.Ident, start, text[start.._at], null);
        }

        if (char.IsAsciiDigit(c) || (c == '.' && _at + 1 < text.Length && char.IsAsciiDigit(text[_at + 1]))) { return Number(start); }
        if (c is '"' or '\'') { return StringLiteral(start, _at); }
        if (c == '`') { return QuotedName(start); }
        foreach (string punctuation in Punctuation)
        {
            if (string.CompareOrdinal(text, _at, punctuation, 0, punctuation.Length) == 0)
            {
                _at += punctuation.Length;
                return new Token(TokenKind.Punctuation, start, punctuation, null);
            }
        }

        throw new CelException(start, CelCodes.Syntax, c is '=' ? "`=` is not an operator" : c is '&' or '|' ? $"`{c}` is not an operator" : "unexpected character",
            c is '=' ? "compare with `==`" : c is '&' or '|' ? $"write `{c}{c}`" : null);
    }

    private static bool IsNameStart(char c) => char.IsAsciiLetter(c) || c == '_';

    private static bool IsPrefix(ReadOnlySpan<char> prefix) =>
        prefix.Length <= 1 || (prefix.ContainsAny('r', 'R') && prefix.ContainsAny('b', 'B'));

    private void SkipBlank()
    {
        while (_at < text.Length)
        {
            if (text[_at] is ' ' or '\t' or '\n' or '\r' or '\f') { _at++; }
            else if (text[_at] == '/' && _at + 1 < text.Length && text[_at + 1] == '/')
            {
                while (_at < text.Length && text[_at] != '\n') { _at++; }
            }
            else { return; }
        }
    }

    private Token QuotedName(int start)
    {
        int end = text.IndexOf('`', start + 1);
        if (end < 0) { throw new CelException(start, CelCodes.Syntax, "a name quoted with ` does not end"); }
        string name = text[(start + 1)..end];
        foreach (char c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('_' or '.' or '-' or '/' or ' ')) { throw new CelException(start, CelCodes.Syntax, "a name quoted with ` may have letters, digits, `_`, `.`, `-`, `/`, and blanks"); }
        }

        if (name.Length == 0) { throw new CelException(start, CelCodes.Syntax, "a quoted name is empty"); }
        _at = end + 1;
        return new Token(TokenKind.Quoted, start, name, null);
    }

    private Token Number(int start)
    {
        if (text[_at] == '0' && _at + 1 < text.Length && text[_at + 1] is 'x' or 'X')
        {
            _at += 2;
            int digits = _at;
            while (_at < text.Length && char.IsAsciiHexDigit(text[_at])) { _at++; }
            return Integer(start, text.AsSpan(digits, _at - digits), NumberStyles.AllowHexSpecifier);
        }

        while (_at < text.Length && char.IsAsciiDigit(text[_at])) { _at++; }
        bool real = false;
        if (_at + 1 < text.Length && text[_at] == '.' && char.IsAsciiDigit(text[_at + 1]))
        {
            real = true;
            _at++;
            while (_at < text.Length && char.IsAsciiDigit(text[_at])) { _at++; }
        }

        if (_at < text.Length && text[_at] is 'e' or 'E')
        {
            int exponent = _at + 1;
            if (exponent < text.Length && text[exponent] is '+' or '-') { exponent++; }
            if (exponent < text.Length && char.IsAsciiDigit(text[exponent]))
            {
                real = true;
                _at = exponent;
                while (_at < text.Length && char.IsAsciiDigit(text[_at])) { _at++; }
            }
        }

        if (!real) { return Integer(start, text.AsSpan(start, _at - start), NumberStyles.None); }
        double value = double.Parse(text.AsSpan(start, _at - start), NumberStyles.Float, CultureInfo.InvariantCulture);
        AfterNumber(start);
        return double.IsInfinity(value)
            ? throw new CelException(start, CelCodes.Syntax, "the number is beyond what a double holds")
            : new Token(TokenKind.Double, start, text[start.._at], value);
    }

    // The sign is the parser's: the one int that needs it is 2^63, which is handed on as a ulong.
    private Token Integer(int start, ReadOnlySpan<char> digits, NumberStyles style)
    {
        bool unsigned = _at < text.Length && text[_at] is 'u' or 'U';
        if (unsigned) { _at++; }
        AfterNumber(start);
        if (!ulong.TryParse(digits, style, CultureInfo.InvariantCulture, out ulong value) || (!unsigned && value > (1UL << 63)))
        {
            throw new CelException(start, CelCodes.Syntax, unsigned ? "not an unsigned integer of 64 bits" : "not an integer of 64 bits");
        }

        return new Token(unsigned ? TokenKind.UInt : TokenKind.Int, start, text[start.._at], value);
    }

    private void AfterNumber(int start)
    {
        if (_at < text.Length && (IsNameStart(text[_at]) || char.IsAsciiDigit(text[_at]))) { throw new CelException(start, CelCodes.Syntax, "a name may not follow a number directly"); }
    }

    private Token StringLiteral(int start, int quoteAt)
    {
        bool raw = false, bytes = false;
        for (; _at < quoteAt; _at++)
        {
            raw |= text[_at] is 'r' or 'R';
            bytes |= text[_at] is 'b' or 'B';
        }

        char quote = text[_at];
        bool triple = _at + 2 < text.Length && text[_at + 1] == quote && text[_at + 2] == quote;
        _at += triple ? 3 : 1;
        var chars = new StringBuilder();
        var octets = bytes ? new List<byte>() : null;
        while (true)
        {
            if (_at >= text.Length) { throw new CelException(start, CelCodes.Syntax, bytes ? "a bytes literal does not end" : "a string does not end"); }
            char c = text[_at];
            if (c == quote && (!triple || (_at + 2 < text.Length && text[_at + 1] == quote && text[_at + 2] == quote)))
            {
                _at += triple ? 3 : 1;
                break;
            }

            if (!triple && c is '\n' or '\r') { throw new CelException(start, CelCodes.Syntax, "a string does not end on its line", "write \\n, or quote it three times"); }
            if (c == '\\')
            {
                if (raw)
                {
                    if (_at + 1 >= text.Length) { throw new CelException(start, CelCodes.Syntax, "a string does not end"); }
                    Append(chars, octets, "\\");
                    _at++;
                    // In a raw string a backslash is itself, and still keeps a quote after it from ending the string.
                    if (text[_at] == quote || text[_at] == '\\') { Append(chars, octets, text.AsSpan(_at++, 1)); }
                    continue;
                }

                Escape(chars, octets);
                continue;
            }

            int length = char.IsHighSurrogate(c) && _at + 1 < text.Length && char.IsLowSurrogate(text[_at + 1]) ? 2 : 1;
            if (length == 1 && char.IsSurrogate(c)) { throw new CelException(_at, CelCodes.Syntax, "half of a surrogate pair"); }
            Append(chars, octets, text.AsSpan(_at, length));
            _at += length;
        }

        return bytes
            ? new Token(TokenKind.Bytes, start, "bytes", octets!.ToArray())
            : new Token(TokenKind.String, start, "string", chars.ToString());
    }

    private static void Append(StringBuilder chars, List<byte>? octets, ReadOnlySpan<char> run)
    {
        if (octets is null) { chars.Append(run); }
        else
        {
            Span<byte> encoded = stackalloc byte[8];
            int length = StrictUtf8.GetBytes(run, encoded);
            foreach (byte octet in encoded[..length]) { octets.Add(octet); }
        }
    }

    private void Escape(StringBuilder chars, List<byte>? octets)
    {
        int at = _at++;
        char c = _at < text.Length ? text[_at++] : '\0';
        int simple = c switch
        {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'v' => 11,
            '\\' => '\\',
            '?' => '?',
            '"' => '"',
            '\'' => '\'',
            '`' => '`',
            _ => -1,
        };
        if (simple >= 0)
        {
            Append(chars, octets, [(char)simple]);
            return;
        }

        int digits = c switch { 'x' or 'X' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        int value;
        if (digits > 0)
        {
            if (octets is not null && digits > 2) { throw new CelException(at, CelCodes.Syntax, "\\u and \\U are not for bytes", "write the bytes as \\x.."); }
            if (_at + digits > text.Length || !uint.TryParse(text.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint hex)) { throw new CelException(at, CelCodes.Syntax, $"\\{c} takes {digits} hexadecimal digits"); }
            value = hex > 0x10FFFF ? -1 : (int)hex;
            _at += digits;
        }
        else if (c is >= '0' and <= '3' && _at + 1 < text.Length && text[_at] is >= '0' and <= '7' && text[_at + 1] is >= '0' and <= '7')
        {
            value = ((c - '0') << 6) | ((text[_at] - '0') << 3) | (text[_at + 1] - '0');
            _at += 2;
        }
        else { throw new CelException(at, CelCodes.Syntax, "unknown escape", "a backslash itself is \\\\; in front of a pattern, write r\"...\""); }

        if (octets is not null) { octets.Add((byte)value); }
        else if (!Rune.IsValid(value)) { throw new CelException(at, CelCodes.Syntax, "not a Unicode code point"); }
        else { chars.Append(new Rune(value).ToString()); }
    }
}
