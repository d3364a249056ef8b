using System.Text;
using System.Text.Json;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>
/// For those who hold the key: puts the originals back where <c>token</c> masks stand. A token looks like any other row of digits and names no key, so whoever asks says where tokens
/// are, and which version of the key made them; the wrong version gives wrong digits, and no fault. Not thread-safe.
/// </summary>
public sealed class Detokenizer : IDisposable
{
    private const int DepthMax = 512;

    private readonly TokenMask _tokens;
    private readonly PathStep[][] _paths;
    private readonly ByteBuffer _line = new(1024);
    private readonly ByteBuffer _text = new(128);
    private readonly List<string> _faults = [];
    private int _kept;

    private Detokenizer(TokenMask tokens, PathStep[][] paths)
    {
        _tokens = tokens;
        _paths = paths;
    }

    /// <summary>What stands where a token should and is none, in the last line; it stands as it was. Never holds a value.</summary>
    public IReadOnlyList<string> Faults => _faults;

    /// <summary>Tokens read back since the beginning.</summary>
    public long Read { get; private set; }

    /// <param name="key">Name of the key, without a version.</param>
    /// <param name="version">Which version of it made the tokens; null for the current one.</param>
    /// <param name="tweak">As the mask has it; empty where it has none.</param>
    /// <param name="fields">Where tokens are in lines of JSON, as policies spell paths into the value.</param>
    /// <param name="fault">What is wrong, where null is returned.</param>
    public static Detokenizer? Create(KeyRing keys, string key, int? version, string tweak, IReadOnlyList<string> fields, out string fault)
    {
        ReadOnlyMemory<byte> bytes;
        if (version is { } wanted)
        {
            fault = $"version {wanted} of key `{key}` is not supplied";
            if (!keys.TryGetById($"{key}@{wanted.ToString(System.Globalization.CultureInfo.InvariantCulture)}", out bytes)) { return null; }
        }
        else
        {
            fault = $"key `{key}` is not supplied";
            if (!keys.TryGet(key, out bytes, out _)) { return null; }
        }

        if (Encoding.UTF8.GetByteCount(tweak) > TokenMask.TweakBytesMax)
        {
            fault = $"a tweak has at most {TokenMask.TweakBytesMax} bytes";
            return null;
        }

        var paths = new List<PathStep[]>();
        foreach (string field in fields)
        {
            if (PathText.Parse(field, out string why, out int column) is not { } path)
            {
                fault = $"`{field}` is no path, at character {column}: {why}";
                return null;
            }

            // Lines are values: `key` and `headers` are fields of theirs, if anything.
            paths.Add(BindingCompiler.InValue(path).Steps.ToArray());
        }

        fault = "";
        return new Detokenizer(new TokenMask(bytes.Span, tweak), [.. paths]);
    }

    public void Dispose() => _tokens.Dispose();

    /// <summary>Appends a line that is one token as its original text.</summary>
    public void Text(ReadOnlySpan<byte> line, ByteBuffer output)
    {
        _faults.Clear();
        if (line.IsEmpty) { return; }
        if (_tokens.TryUnmask(line, output)) { Read++; }
        else
        {
            output.Append(line);
            _faults.Add("the line is no token");
        }
    }

    /// <summary>Appends a line of JSON with the token at each of the fields as its original text, and everything else byte for byte.</summary>
    /// <returns>False where the line is not JSON: nothing is appended then.</returns>
    public bool Json(ReadOnlySpan<byte> line, ByteBuffer output)
    {
        _faults.Clear();
        _line.Clear();
        _kept = 0;
        var reader = new Utf8JsonReader(line, new JsonReaderOptions { MaxDepth = DepthMax, AllowMultipleValues = true });
        try
        {
            while (reader.Read()) { Value(ref reader, line, [.. Enumerable.Range(0, _paths.Length).Select(path => (path, 0))]); }
        }
        catch (Exception wrong) when (wrong is JsonException or InvalidOperationException)
        {
            // Not JSON, or a text that is none (half a surrogate pair).
            _faults.Clear();
            _line.Clear(zero: true);
            return false;
        }

        _line.Append(line[_kept..]);
        output.Append(_line.Written);
        _line.Clear(zero: true);
        return true;
    }

    /// <summary>One value, and how far each path has come to it.</summary>
    private void Value(ref Utf8JsonReader reader, ReadOnlySpan<byte> line, List<(int Path, int Step)> states)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject or JsonTokenType.StartArray when states.Count == 0:
                reader.Skip();
                return;
            case JsonTokenType.StartObject:
                while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
                {
                    string name = reader.GetString()!;
                    List<(int, int)> next = [.. states.Where(state => Takes(state, name)).Select(state => (state.Path, state.Step + 1))];
                    reader.Read();
                    Value(ref reader, line, next);
                }

                return;
            case JsonTokenType.StartArray:
                List<(int, int)> inside = [.. states.Where(state => Takes(state, null)).Select(state => (state.Path, state.Step + 1))];
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray) { Value(ref reader, line, inside); }
                return;
            case JsonTokenType.Null:
                return;
            default:
                foreach ((int path, int step) in states)
                {
                    if (step != _paths[path].Length) { continue; }
                    Token(ref reader, line);
                    return;
                }

                return;
        }
    }

    /// <param name="name">Of a property; null for an element of a list.</param>
    private bool Takes((int Path, int Step) state, string? name)
    {
        if (state.Step >= _paths[state.Path].Length) { return false; }
        PathStep step = _paths[state.Path][state.Step];
        return step.Kind == PathStepKind.All || (name is not null && step.Name == name);
    }

    private void Token(ref Utf8JsonReader reader, ReadOnlySpan<byte> line)
    {
        _text.Clear(zero: true);
        if (reader.TokenType != JsonTokenType.String || !_tokens.TryUnmask(Encoding.UTF8.GetBytes(reader.GetString()!), _text))
        {
            _faults.Add("what stands at a field is no token");
            return;
        }

        // Digits and what separates them stand in JSON as they are.
        _line.Append(line[_kept..((int)reader.TokenStartIndex + 1)]);
        _line.Append(_text.Written);
        _line.Append((byte)'"');
        _kept = (int)reader.BytesConsumed;
        _text.Clear(zero: true);
        Read++;
    }
}
