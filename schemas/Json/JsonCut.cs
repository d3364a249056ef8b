namespace PolicyStreams.Schemas.Json;

/// <summary>
/// Finds what goes with a property or element that is removed: its name and one comma, so that what is left is JSON. Asked in the order of the record. The text is sound.
/// </summary>
internal ref struct JsonCut(ReadOnlySpan<byte> json)
{
    private readonly ReadOnlySpan<byte> _json = json;

    /// <summary>Behind the comma that the last removal of a first member took: what begins there is the first member now.</summary>
    private int _firstBehind = -1;

    /// <summary>Widens a value's bounds to its member's, and a comma. False for the top value, which cannot be removed.</summary>
    public bool TryAround(ref int from, ref int to)
    {
        int before = SkipSpaceBack(from);
        if (before < 0) { return false; }
        int start = from;
        if (_json[before] == (byte)':')
        {
            start = NameStart(SkipSpaceBack(before));
            before = SkipSpaceBack(start);
        }

        bool first = _json[before] != (byte)',' || before + 1 == _firstBehind;
        if (!first)
        {
            from = before;
            return true;
        }

        from = start;
        int behind = to;
        while (IsSpace(_json[behind])) { behind++; }
        if (_json[behind] == (byte)',')
        {
            to = behind + 1;
            _firstBehind = to;
        }

        return true;
    }

    /// <summary>The opening quote of the name that ends here: the next quote before it that is not escaped.</summary>
    private readonly int NameStart(int closing)
    {
        int at = closing - 1;
        while (true)
        {
            while (_json[at] != (byte)'"') { at--; }
            int slashes = 0;
            while (_json[at - 1 - slashes] == (byte)'\\') { slashes++; }
            if (slashes % 2 == 0) { return at; }
            at--;
        }
    }

    private readonly int SkipSpaceBack(int position)
    {
        int at = position - 1;
        while (at >= 0 && IsSpace(_json[at])) { at--; }
        return at;
    }

    private static bool IsSpace(byte character) => character is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t';
}
