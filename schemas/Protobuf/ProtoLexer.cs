using System.Globalization;
using System.Text;

namespace PolicyStreams.Schemas.Protobuf;

internal enum ProtoTokenKind : byte { End, Name, Integer, Float, Text, Symbol }

/// <summary>A word of a schema and where it stands: line and column from 1.</summary>
internal readonly record struct ProtoToken(ProtoTokenKind Kind, string Text, int Line, int Column);

/// <summary>Cuts the text of a <c>.proto</c> file into words; comments are left out.</summary>
internal sealed class ProtoLexer(string text, string file)
{
    private int _at;
    private int _line = 1;
    private int _lineStart;

    /// <exception cref="SchemaException">A character, number, or string that the language does not have.</exception>
    public ProtoToken Next()
    {
        SkipSpace();
        int line = _line, column = _at - _lineStart + 1;
        if (_at >= text.Length) { return new ProtoToken(ProtoTokenKind.End, "the end of the file", line, column); }
        int start = _at;
        char c = text[_at];
        if (IsNameStart(c))
        {
            while (_at < text.Length && (IsNameStart(text[_at]) || char.IsAsciiDigit(text[_at]))) { _at++; }
            return new ProtoToken(ProtoTokenKind.Name, text[start.._at], line, column);
        }

        if (char.IsAsciiDigit(c) || (c == '.' && _at + 1 < text.Length && char.IsAsciiDigit(text[_at + 1]))) { return Number(line, column); }
        if (c is '"' or '\'') { return new ProtoToken(ProtoTokenKind.Text, Quoted(c, line, column), line, column); }
        if (";{}[]()<>=,.:-+/".Contains(c, StringComparison.Ordinal))
        {
            _at++;
            return new ProtoToken(ProtoTokenKind.Symbol, c.ToString(), line, column);
        }

        throw Fault(line, column, "a character that the language does not have");
    }

    public SchemaException Fault(int line, int column, string what) => new(string.Create(CultureInfo.InvariantCulture, $"{file}{line}:{column}: {what}"));

    public SchemaException Fault(ProtoToken at, string what) => Fault(at.Line, at.Column, what);

    private static bool IsNameStart(char c) => char.IsAsciiLetter(c) || c == '_';

    private void SkipSpace()
    {
        while (_at < text.Length)
        {
            char c = text[_at];
            if (c == '\n')
            {
                _at++;
                _line++;
                _lineStart = _at;
            }
            else if (c is ' ' or '\t' or '\r' or '\f' or '\v') { _at++; }
            else if (c == '\uFEFF' && _at == 0)
            {
                _at++;
                _lineStart = 1;
            }
            else if (c == '/' && _at + 1 < text.Length && text[_at + 1] == '/')
            {
                while (_at < text.Length && text[_at] != '\n') { _at++; }
            }
            else if (c == '/' && _at + 1 < text.Length && text[_at + 1] == '*') { SkipComment(); }
            else { return; }
        }
    }

    private void SkipComment()
    {
        int line = _line, column = _at - _lineStart + 1;
        for (_at += 2; _at + 1 < text.Length; _at++)
        {
            if (text[_at] == '*' && text[_at + 1] == '/')
            {
                _at += 2;
                return;
            }

            if (text[_at] != '\n') { continue; }
            _line++;
            _lineStart = _at + 1;
        }

        throw Fault(line, column, "a comment without an end");
    }

    private ProtoToken Number(int line, int column)
    {
        int start = _at;
        bool real = false;
        if (text[_at] == '0' && _at + 1 < text.Length && text[_at + 1] is 'x' or 'X')
        {
            _at += 2;
            while (_at < text.Length && char.IsAsciiHexDigit(text[_at])) { _at++; }
        }
        else
        {
            while (_at < text.Length && char.IsAsciiDigit(text[_at])) { _at++; }
            if (_at < text.Length && text[_at] == '.')
            {
                real = true;
                _at++;
                while (_at < text.Length && char.IsAsciiDigit(text[_at])) { _at++; }
            }

            if (_at < text.Length && text[_at] is 'e' or 'E')
            {
                real = true;
                _at++;
                if (_at < text.Length && text[_at] is '+' or '-') { _at++; }
                while (_at < text.Length && char.IsAsciiDigit(text[_at])) { _at++; }
            }

            if (real && _at < text.Length && text[_at] is 'f' or 'F') { _at++; }
        }

        if (_at < text.Length && (IsNameStart(text[_at]) || char.IsAsciiDigit(text[_at]))) { throw Fault(line, column, "a number with a letter in it"); }
        return new ProtoToken(real ? ProtoTokenKind.Float : ProtoTokenKind.Integer, text[start.._at], line, column);
    }

    /// <summary>The string's bytes, one a character: escapes may spell bytes that are no UTF-8.</summary>
    private string Quoted(char quote, int line, int column)
    {
        var bytes = new StringBuilder();
        for (_at++; _at < text.Length && text[_at] != '\n'; _at++)
        {
            char c = text[_at];
            if (c == quote)
            {
                _at++;
                return bytes.ToString();
            }

            if (c != '\\')
            {
                Rune.TryGetRuneAt(text, _at, out Rune rune);
                if (rune.Value == 0 && c != 0) { throw Fault(line, column, "a string with half a surrogate pair"); }
                Append(bytes, rune);
                _at += rune.Utf16SequenceLength - 1;
                continue;
            }

            if (++_at >= text.Length) { break; }
            Escape(bytes, line, column);
        }

        throw Fault(line, column, "a string without an end");
    }

    private void Escape(StringBuilder bytes, int line, int column)
    {
        char c = text[_at];
        const string Names = "abfnrtv\\'\"?", Values = "\a\b\f\n\r\t\v\\'\"?";
        if (Names.IndexOf(c, StringComparison.Ordinal) is >= 0 and int plain)
        {
            bytes.Append(Values[plain]);
            return;
        }

        int radix = c is 'x' or 'X' ? 16 : c is 'u' or 'U' ? 32 : 8;
        int most = radix == 16 ? 2 : radix == 32 ? (c == 'u' ? 4 : 8) : 3;
        if (radix != 8) { _at++; }
        int value = 0, digits = 0;
        while (digits < most && _at < text.Length && (radix == 8 ? text[_at] is >= '0' and <= '7' : char.IsAsciiHexDigit(text[_at])))
        {
            value = (value * (radix == 8 ? 8 : 16)) + Convert.ToInt32(text[_at].ToString(), 16);
            digits++;
            _at++;
        }

        _at--;
        if (digits == 0 || (radix == 32 && (digits != most || !Rune.IsValid(value))) || (radix == 8 && value > 255)) { throw Fault(line, column, "a string with an escape that the language does not have"); }
        if (radix == 32) { Append(bytes, new Rune(value)); }
        else { bytes.Append((char)value); }
    }

    private static void Append(StringBuilder bytes, Rune rune)
    {
        Span<byte> utf8 = stackalloc byte[4];
        int length = rune.EncodeToUtf8(utf8);
        foreach (byte one in utf8[..length]) { bytes.Append((char)one); }
    }
}
