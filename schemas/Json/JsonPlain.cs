using System.Text;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Json;

/// <summary>Reads JSON that was walked before, hence is sound, to plain values.</summary>
internal ref struct JsonPlain(ReadOnlySpan<byte> json)
{
    private readonly ReadOnlySpan<byte> _json = json;
    private int _position = 0;

    /// <summary>The value that begins here, spaces before it allowed.</summary>
    public static object? Read(ReadOnlySpan<byte> json) => new JsonPlain(json).Value();

    public static object Number(double value, bool exact) => exact ? value : InexactNumber.Instance;

    private object? Value()
    {
        SkipSpace();
        int start = _position;
        switch (_json[_position])
        {
            case (byte)'"':
                return Text();
            case (byte)'{':
                return Object();
            case (byte)'[':
                return List();
            case (byte)'t':
                _position += 4;
                return true;
            case (byte)'f':
                _position += 5;
                return false;
            case (byte)'n':
                _position += 4;
                return null;
            default:
                JsonText.ScanNumber(_json, ref _position, out bool integer);
                double value = JsonText.Number(_json[start.._position], integer, out bool exact);
                return Number(value, exact);
        }
    }

    private List<object?> List()
    {
        var list = new List<object?>();
        _position++;
        SkipSpace();
        if (Skip(']')) { return list; }
        while (true)
        {
            list.Add(Value());
            SkipSpace();
            if (Skip(']')) { return list; }
            _position++;
        }
    }

    private MapValue Object()
    {
        var map = new MapValue();
        _position++;
        SkipSpace();
        if (Skip('}')) { return map; }
        while (true)
        {
            SkipSpace();
            string name = Text();
            SkipSpace();
            _position++;
            map.Add(name, Value());
            SkipSpace();
            if (Skip('}')) { return map; }
            _position++;
        }
    }

    private string Text()
    {
        int start = ++_position;
        JsonText.ScanString(_json, ref _position, out int length, out bool escaped);
        ReadOnlySpan<byte> content = _json[start..(_position - 1)];
        if (!escaped) { return Encoding.UTF8.GetString(content); }
        byte[] plain = new byte[length];
        JsonText.Unescape(content, plain);
        return Encoding.UTF8.GetString(plain);
    }

    private void SkipSpace()
    {
        while (_position < _json.Length && _json[_position] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t') { _position++; }
    }

    private bool Skip(char character)
    {
        if (_json[_position] != (byte)character) { return false; }
        _position++;
        return true;
    }
}
