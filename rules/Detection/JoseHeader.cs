namespace PolicyStreams.Rules.Detection;

/// <summary>
/// Whether bytes are the header of a JSON Web Token: an object with a text under <c>alg</c>. A reader of its own, since what it is asked about is mostly no JSON at all, and must then cost
/// neither an exception nor an allocation.
/// </summary>
internal ref struct JoseHeader
{
    private const int DepthMax = 32;

    private readonly ReadOnlySpan<byte> _json;
    private int _at;

    private JoseHeader(ReadOnlySpan<byte> json) => _json = json;

    public static bool HasAlgorithm(ReadOnlySpan<byte> json)
    {
        var header = new JoseHeader(json);
        bool alg = false;
        header.Blank();
        if (!header.Object(1, ref alg)) { return false; }
        header.Blank();
        return alg && header._at == json.Length;
    }

    private readonly byte Next => _at < _json.Length ? _json[_at] : (byte)0;

    private void Blank()
    {
        while (Next is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n') { _at++; }
    }

    private bool Take(byte wanted)
    {
        if (Next != wanted) { return false; }
        _at++;
        Blank();
        return true;
    }

    /// <param name="alg">Set where the outermost object has a text of that name.</param>
    private bool Object(int depth, ref bool alg)
    {
        if (depth > DepthMax || !Take((byte)'{')) { return false; }
        if (Take((byte)'}')) { return true; }
        do
        {
            int start = _at;
            if (!Text()) { return false; }
            bool named = depth == 1 && _json[start.._at].SequenceEqual("\"alg\""u8);
            Blank();
            if (!Take((byte)':')) { return false; }
            alg |= named && Next == '"';
            if (!Value(depth, ref alg)) { return false; }
            Blank();
        }
        while (Take((byte)','));
        return Take((byte)'}');
    }

    private bool Value(int depth, ref bool alg)
    {
        switch (Next)
        {
            case (byte)'"': return Text();
            case (byte)'{': return Object(depth + 1, ref alg);
            case (byte)'[':
                if (depth == DepthMax) { return false; }
                Take((byte)'[');
                if (Take((byte)']')) { return true; }
                do
                {
                    if (!Value(depth + 1, ref alg)) { return false; }
                    Blank();
                }
                while (Take((byte)','));
                return Take((byte)']');
            default:
                // A number or a word: what it says is nobody's matter.
                int start = _at;
                while (char.IsAsciiLetterOrDigit((char)Next) || Next is (byte)'-' or (byte)'+' or (byte)'.') { _at++; }
                return _at > start;
        }
    }

    private bool Text()
    {
        if (Next != '"') { return false; }
        for (_at++; _at < _json.Length; _at++)
        {
            if (_json[_at] < ' ') { return false; }
            if (_json[_at] == '\\') { _at++; }
            else if (_json[_at] == '"')
            {
                _at++;
                return true;
            }
        }

        return false;
    }
}
