using System.Runtime.CompilerServices;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Json;

/// <summary>
/// One walk over one JSON text: checks every byte, fills slots and sites. Where a value begins and ends, with its kind, its node, and its depth, is known in one place
/// (<see cref="Value"/>); for validation by a schema it is noted as a token, so that no byte is looked at twice.
/// </summary>
/// <param name="tokens">True where tokens are wanted.</param>
internal ref struct JsonWalker(ReadOnlySpan<byte> json, CaptureFrame frame, WalkLimits limits, int depthMax, bool tokens = false)
{
    /// <summary>Values of one record of which tokens are kept.</summary>
    public const int TokensMax = 2_000_000;

    // Up to so many names are compared one by one; beyond, a table finds them.
    private const int LinearNames = 12;

    private readonly ReadOnlySpan<byte> _json = json;
    private readonly CaptureFrame _frame = frame;
    private readonly JsonScratch _scratch = frame.Json ??= new JsonScratch();
    private int _position = 0;

    /// <summary>Of the property whose value comes next; a length of -1 outside objects.</summary>
    private JsonName _name = new() { Length = -1 };

    public DecodeOutcome Walk(JsonNode? root)
    {
        if (_json.IsEmpty) { return DecodeOutcome.EmptyValue; }
        _scratch.TokenCount = 0;
        _scratch.NamesUsed = 0;
        _scratch.TableUsed = 0;
        SkipSpace();
        DecodeOutcome outcome = Value(root, row: 0, depth: 0);
        if (outcome != DecodeOutcome.Decoded) { return outcome; }
        SkipSpace();
        return _position == _json.Length ? DecodeOutcome.Decoded : Behind();
    }

    /// <summary>Walks the value at the position, which is not a space.</summary>
    /// <param name="row">Where the row begins that the node's slot is in.</param>
    private DecodeOutcome Value(JsonNode? node, int row, int depth)
    {
        if (_position >= _json.Length) { return DecodeOutcome.Truncated; }
        int start = _position;
        int site = -1;
        if (node is not null && node.Selectors.Length > 0)
        {
            site = _frame.SiteCount;
            if (!AddSites(node)) { return DecodeOutcome.TooLarge; }
        }

        int token = -1;
        if (tokens)
        {
            if (_scratch.TokenCount == TokensMax) { return DecodeOutcome.TooLarge; }
            token = AddToken(start);
        }

        // Bits and Aux as a scalar slot of the kind has them.
        long bits = 0;
        int aux = 0;
        ValueKind kind;
        SlotSource source = SlotSource.Record;
        DecodeOutcome outcome;
        switch (_json[_position])
        {
            case (byte)'"':
                kind = ValueKind.String;
                _position++;
                outcome = JsonText.ScanString(_json, ref _position, out aux, out bool escaped);
                bits = start + 1;
                if (escaped && outcome == DecodeOutcome.Decoded && (tokens || (node is not null && (node.Slot >= 0 || site >= 0))))
                {
                    bits = Unescape(start + 1, _position - 1, aux);
                    source = SlotSource.Scratch;
                }

                break;
            case (byte)'{':
                kind = ValueKind.Map;
                outcome = Object(node, row, depth + 1, out aux);
                break;
            case (byte)'[':
                kind = ValueKind.List;
                outcome = List(node, row, depth + 1, out int firstRow, out aux);
                bits = firstRow;
                break;
            case (byte)'t':
                kind = ValueKind.Bool;
                bits = 1;
                outcome = Literal("true"u8);
                break;
            case (byte)'f':
                kind = ValueKind.Bool;
                outcome = Literal("false"u8);
                break;
            case (byte)'n':
                kind = ValueKind.Null;
                outcome = Literal("null"u8);
                break;
            case (byte)'-' or (>= (byte)'0' and <= (byte)'9'):
                kind = ValueKind.Double;
                outcome = JsonText.ScanNumber(_json, ref _position, out bool integer);
                if (tokens) { _scratch.Tokens[token].Plain = integer; }
                if (outcome == DecodeOutcome.Decoded && node is not null && (node.Slot >= 0 || site >= 0))
                {
                    bits = BitConverter.DoubleToInt64Bits(JsonText.Number(_json[start.._position], integer, out bool exact));
                    aux = exact ? 0 : 1;
                }

                break;
            default:
                return NoValue();
        }

        if (outcome != DecodeOutcome.Decoded) { return outcome; }
        if (tokens) { FinishToken(token, kind, (int)bits, aux, source); }
        if (node is not null)
        {
            if (node.Typed is { } typed)
            {
                if (!typed.Admits(kind)) { return DecodeOutcome.Invalid; }
                if (kind == ValueKind.Double && typed.Expected == ValueKind.Int) { JsonSchema.TypedNode.ToInt(_json[start.._position], ref kind, ref bits, ref aux); }
            }

            if (node.Slot >= 0) { Put(node, row, start, kind, bits, aux, source); }
            if (site >= 0) { FinishSites(node, site, start, kind, bits, aux, source); }
        }

        return DecodeOutcome.Decoded;
    }

    private readonly int AddToken(int start)
    {
        JsonScratch scratch = _scratch;
        if (scratch.TokenCount == scratch.Tokens.Length) { System.Array.Resize(ref scratch.Tokens, Math.Max(64, 2 * scratch.TokenCount)); }
        scratch.Tokens[scratch.TokenCount] = new JsonToken { Start = start, NameHash = _name.Hash, Name = _name.Start, NameLength = _name.Length, NameInScratch = _name.InScratch };
        return scratch.TokenCount++;
    }

    private readonly void FinishToken(int index, ValueKind kind, int text, int length, SlotSource source)
    {
        ref JsonToken token = ref _scratch.Tokens[index];
        token.Kind = kind;
        token.End = _position;
        token.Text = text;
        token.Length = length;
        token.TextInScratch = source == SlotSource.Scratch;
        token.Next = _scratch.TokenCount;
    }

    private readonly void Put(JsonNode node, int row, int start, ValueKind kind, long bits, int aux, SlotSource source)
    {
        if (node.Typed is { } typed && node.Mode == CaptureMode.Scalar)
        {
            ReadOnlySpan<byte> text = kind != ValueKind.String ? default : source == SlotSource.Scratch ? _frame.Scratch.AsSpan((int)bits, aux) : _json.Slice((int)bits, aux);
            typed.ToScalar(ref kind, ref bits, ref aux, text);
        }

        ref Slot slot = ref _frame.Slots[row + node.Slot];
        slot.Kind = kind;
        slot.Node = node.Id;
        bool raw = node.Mode == CaptureMode.Raw || (kind is ValueKind.List or ValueKind.Map && node.Mode != CaptureMode.Elements);
        slot.Bits = raw ? start : bits;
        slot.Aux = raw ? _position - start : aux;
        slot.Source = raw ? SlotSource.Record : source;
    }

    private readonly bool AddSites(JsonNode node)
    {
        int wanted = _frame.SiteCount + node.Selectors.Length;
        if (wanted > limits.SitesMax) { return false; }
        if (wanted > _frame.Sites.Length) { System.Array.Resize(ref _frame.Sites, Math.Max(wanted, 2 * _frame.Sites.Length)); }
        _frame.SiteCount = wanted;
        return true;
    }

    private readonly void FinishSites(JsonNode node, int first, int start, ValueKind kind, long bits, int aux, SlotSource source)
    {
        bool text = kind == ValueKind.String;
        for (int i = 0; i < node.Selectors.Length; i++)
        {
            _frame.Sites[first + i] = new MaskSite
            {
                Start = start,
                End = _position,
                TextStart = text ? (int)bits : start,
                TextLength = text ? aux : _position - start,
                TextSource = source,
                Kind = kind,
                Selector = node.Selectors[i],
                Node = node.Id,
                Bits = kind is ValueKind.Double or ValueKind.Int or ValueKind.Bool ? bits : 0,
                Aux = kind == ValueKind.Double ? aux : 0,
            };
        }
    }

    private DecodeOutcome List(JsonNode? node, int row, int depth, out int firstRow, out int count)
    {
        firstRow = 0;
        count = 0;
        if (depth > depthMax) { return DecodeOutcome.TooDeep; }
        _position++;
        bool rows = node is not null && node.HasRows;
        int reserved = int.MaxValue;
        if (rows)
        {
            firstRow = _frame.SlotsUsed;
            if (node!.RowsNest)
            {
                reserved = JsonText.CountElements(_json[_position..]);
                if (!AddRows(reserved, node.RowSlots)) { return DecodeOutcome.TooLarge; }
            }
        }

        SkipSpace();
        if (Next(']')) { return DecodeOutcome.Decoded; }
        while (true)
        {
            int elementRow = row;
            if (rows)
            {
                elementRow = firstRow + (count * node!.RowSlots);
                if (!node.RowsNest && !AddRows(1, node.RowSlots)) { return DecodeOutcome.TooLarge; }

                // The count came out short: the bytes are no JSON, and only the walk could have found that.
                if (count >= reserved) { return Unexpected(); }
            }

            if (tokens) { _name.Length = -1; }
            JsonNode? element = node is null ? null : node.Typed is { } typed ? typed.ElementAt(count, node.Element) : node.Element;
            DecodeOutcome outcome = Value(element, elementRow, depth);
            if (outcome != DecodeOutcome.Decoded) { return outcome; }
            count++;
            SkipSpace();
            if (Next(']')) { return DecodeOutcome.Decoded; }
            if (!Next(',')) { return Unexpected(); }
            SkipSpace();
        }
    }

    /// <summary>Makes absent rows behind the slots in use.</summary>
    private readonly bool AddRows(int rows, int rowSlots)
    {
        long wanted = _frame.SlotsUsed + ((long)rows * rowSlots);
        if (wanted > limits.SlotsMax) { return false; }
        if (wanted > _frame.Slots.Length) { System.Array.Resize(ref _frame.Slots, (int)Math.Max(wanted, 2L * _frame.Slots.Length)); }
        System.Array.Clear(_frame.Slots, _frame.SlotsUsed, (int)wanted - _frame.SlotsUsed);
        _frame.SlotsUsed = (int)wanted;
        return true;
    }

    private DecodeOutcome Object(JsonNode? node, int row, int depth, out int count)
    {
        count = 0;
        if (depth > depthMax) { return DecodeOutcome.TooDeep; }
        _position++;
        SkipSpace();
        if (Next('}')) { return DecodeOutcome.Decoded; }
        JsonScratch scratch = _scratch;
        int names = scratch.NamesUsed;
        int table = scratch.TableUsed;
        int tableSize = 0;
        while (true)
        {
            if (!Next('"')) { return Unexpected(); }
            int start = _position;
            DecodeOutcome outcome = JsonText.ScanString(_json, ref _position, out int length, out bool escaped);
            if (outcome != DecodeOutcome.Decoded) { return outcome; }
            ReadOnlySpan<byte> name;
            if (escaped)
            {
                start = Unescape(start, _position - 1, length);
                name = _frame.Scratch.AsSpan(start, length);
            }
            else
            {
                name = _json.Slice(start, length);
            }

            uint hash = JsonHash.Of(name);
            if (count >= LinearNames && 2 * (count + 1) > tableSize) { tableSize = GrowTable(names, count, table, tableSize); }
            if (tableSize == 0 ? IsAmong(names, count, hash, name) : !TryEnter(names, count, table, tableSize, hash, name)) { return DecodeOutcome.DuplicateKey; }
            if (scratch.NamesUsed == scratch.Names.Length) { System.Array.Resize(ref scratch.Names, 2 * scratch.NamesUsed); }
            var read = new JsonName { Hash = hash, Start = start, Length = length, InScratch = escaped };
            scratch.Names[scratch.NamesUsed++] = read;
            count++;
            if (tokens) { _name = read; }

            SkipSpace();
            if (!Next(':')) { return Unexpected(); }
            SkipSpace();
            outcome = Value(node?.Property(hash, name), row, depth);
            if (outcome != DecodeOutcome.Decoded) { return outcome; }
            SkipSpace();
            if (Next('}')) { break; }
            if (!Next(',')) { return Unexpected(); }
            SkipSpace();
        }

        scratch.NamesUsed = names;
        scratch.TableUsed = table;
        return DecodeOutcome.Decoded;
    }

    private readonly bool IsAmong(int first, int count, uint hash, ReadOnlySpan<byte> name)
    {
        ReadOnlySpan<JsonName> names = _scratch.Names.AsSpan(first, count);
        for (int i = 0; i < names.Length; i++)
        {
            if (names[i].Hash == hash && name.SequenceEqual(Plain(names[i]))) { return true; }
        }

        return false;
    }

    /// <summary>Enters a name that is about to be the object's next; false where it is there.</summary>
    private readonly bool TryEnter(int first, int count, int table, int size, uint hash, ReadOnlySpan<byte> name)
    {
        Span<int> slots = _scratch.Table.AsSpan(table, size);
        int at = (int)hash & (size - 1);
        for (; slots[at] != 0; at = (at + 1) & (size - 1))
        {
            ref readonly JsonName other = ref _scratch.Names[first + slots[at] - 1];
            if (other.Hash == hash && name.SequenceEqual(Plain(other))) { return false; }
        }

        slots[at] = count + 1;
        return true;
    }

    /// <summary>Makes the object's table, or one twice the size; the objects inside are behind us, so it may end the stack.</summary>
    private readonly int GrowTable(int first, int count, int table, int size)
    {
        size = size == 0 ? 4 * LinearNames : size;
        size = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)size + 1);
        if (_scratch.Table.Length < table + size) { System.Array.Resize(ref _scratch.Table, Math.Max(table + size, 2 * _scratch.Table.Length)); }
        _scratch.TableUsed = table + size;
        Span<int> slots = _scratch.Table.AsSpan(table, size);
        slots.Clear();
        for (int i = 0; i < count; i++)
        {
            int at = (int)_scratch.Names[first + i].Hash & (size - 1);
            while (slots[at] != 0) { at = (at + 1) & (size - 1); }
            slots[at] = i + 1;
        }

        return size;
    }

    private readonly ReadOnlySpan<byte> Plain(in JsonName name) =>
        name.InScratch ? _frame.Scratch.AsSpan(name.Start, name.Length) : _json.Slice(name.Start, name.Length);

    /// <summary>Puts the plain form of a scanned string into the frame's scratch. All of it together is shorter than the record.</summary>
    private readonly int Unescape(int start, int end, int plainLength)
    {
        CaptureFrame frame = _frame;
        int at = frame.ScratchUsed;
        if (frame.Scratch.Length - at < plainLength) { System.Array.Resize(ref frame.Scratch, Math.Max(at + plainLength, 2 * frame.Scratch.Length)); }
        JsonText.Unescape(_json[start..end], frame.Scratch.AsSpan(at, plainLength));
        frame.ScratchUsed = at + plainLength;
        return at;
    }

    private DecodeOutcome Literal(ReadOnlySpan<byte> word)
    {
        ReadOnlySpan<byte> rest = _json[_position..];
        if (rest.StartsWith(word))
        {
            _position += word.Length;
            return DecodeOutcome.Decoded;
        }

        return rest.Length < word.Length && word.StartsWith(rest) ? DecodeOutcome.Truncated : DecodeOutcome.Malformed;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void SkipSpace()
    {
        while ((uint)_position < (uint)_json.Length && _json[_position] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t') { _position++; }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool Next(char character)
    {
        if ((uint)_position >= (uint)_json.Length || _json[_position] != (byte)character) { return false; }
        _position++;
        return true;
    }

    // What is wrong where the grammar has something else. None of it is looked at in a text that is sound.

    private readonly DecodeOutcome Unexpected() => _position >= _json.Length ? DecodeOutcome.Truncated : IsComment ? DecodeOutcome.Comment : DecodeOutcome.Malformed;

    private readonly DecodeOutcome NoValue()
    {
        ReadOnlySpan<byte> rest = _json[_position..];
        if (_position == 0 && rest.StartsWith("\uFEFF"u8)) { return DecodeOutcome.ByteOrderMark; }
        return JsonText.IsNotANumber(rest) ? DecodeOutcome.NotANumber : Unexpected();
    }

    /// <summary>Behind the value: numbers and words are another value only after a space, else they are what is wrong with the one before.</summary>
    private readonly DecodeOutcome Behind()
    {
        if (IsComment) { return DecodeOutcome.Comment; }
        byte next = _json[_position];
        bool spaced = _json[_position - 1] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t';
        bool begins = next is (byte)'{' or (byte)'[' or (byte)'"' || (spaced && next is (byte)'-' or (>= (byte)'0' and <= (byte)'9') or (byte)'t' or (byte)'f' or (byte)'n');
        return begins ? DecodeOutcome.SecondDocument : DecodeOutcome.TrailingBytes;
    }

    private readonly bool IsComment => _json[_position..] is [(byte)'/', (byte)'/' or (byte)'*', ..];
}
