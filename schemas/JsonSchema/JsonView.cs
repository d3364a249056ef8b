using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>JSON with its tokens: a constant of a schema. Immutable.</summary>
internal sealed class JsonView
{
    private readonly byte[] _json;
    private readonly byte[] _scratch;

    private JsonView(byte[] json, byte[] scratch, JsonToken[] tokens)
    {
        _json = json;
        _scratch = scratch;
        Tokens = tokens;
    }

    public JsonToken[] Tokens { get; }

    public TokenText Source => new(_json, _scratch, Tokens);

    /// <exception cref="SchemaException">The text would be refused as a record.</exception>
    public static JsonView Of(byte[] json)
    {
        var frame = new CaptureFrame();
        frame.Begin(0, []);
        DecodeOutcome outcome = System.Text.Unicode.Utf8.IsValid(json) ? new JsonWalker(json, frame, WalkLimits.Default, SchemalessJson.DepthMax, tokens: true).Walk(null) : DecodeOutcome.BadUtf8;
        if (outcome != DecodeOutcome.Decoded) { throw new SchemaException($"holds a value that would be refused in a record as well: {DecodeOutcomes.Code(outcome)}"); }
        return new JsonView(json, frame.Scratch.AsSpan(0, frame.ScratchUsed).ToArray(), frame.Json!.Tokens.AsSpan(0, frame.Json.TokenCount).ToArray());
    }

    public ReadOnlySpan<byte> Text(in JsonToken token) => Source.Text(token);

    public JsonKinds Kinds(int token) => Source.Kinds(Tokens[token]);
}

/// <summary>Reads what tokens point to.</summary>
internal readonly ref struct TokenText(ReadOnlySpan<byte> json, ReadOnlySpan<byte> scratch, ReadOnlySpan<JsonToken> tokens)
{
    private readonly ReadOnlySpan<byte> _json = json;
    private readonly ReadOnlySpan<byte> _scratch = scratch;

    public readonly ReadOnlySpan<JsonToken> Tokens = tokens;

    /// <summary>The same text with other tokens.</summary>
    public TokenText With(ReadOnlySpan<JsonToken> other) => new(_json, _scratch, other);

    /// <summary>The plain form of a string.</summary>
    public ReadOnlySpan<byte> Text(in JsonToken token) => token.TextInScratch ? _scratch.Slice(token.Text, token.Length) : _json.Slice(token.Text, token.Length);

    /// <summary>The plain name of a property.</summary>
    public ReadOnlySpan<byte> Name(in JsonToken token) => token.NameInScratch ? _scratch.Slice(token.Name, token.NameLength) : _json.Slice(token.Name, token.NameLength);

    /// <summary>The text of a number.</summary>
    public ReadOnlySpan<byte> Number(in JsonToken token) => _json[token.Start..token.End];

    public JsonKinds Kinds(in JsonToken token) => token.Kind switch
    {
        ValueKind.Null => JsonKinds.Null,
        ValueKind.Bool => JsonKinds.Bool,
        ValueKind.Map => JsonKinds.Object,
        ValueKind.List => JsonKinds.Array,
        ValueKind.String => JsonKinds.String,
        _ => token.Plain || ExactNumber.Of(Number(token)).IsInteger ? JsonKinds.Integer : JsonKinds.Fraction,
    };

    /// <summary>True where two values are equal as JSON Schema has it: numbers by value, objects whatever their order. <paramref name="work"/> goes down by a step a value; below zero the answer means nothing.</summary>
    public static bool Same(in TokenText one, int oneAt, in TokenText other, int otherAt, ref long work)
    {
        ref readonly JsonToken left = ref one.Tokens[oneAt];
        ref readonly JsonToken right = ref other.Tokens[otherAt];
        if (left.Kind != right.Kind || --work < 0) { return false; }
        switch (left.Kind)
        {
            case ValueKind.Null:
                return true;
            case ValueKind.Bool:
                return left.End - left.Start == right.End - right.Start;
            case ValueKind.String:
                return one.Text(left).SequenceEqual(other.Text(right));
            case ValueKind.Double:
                work -= (left.End - left.Start) / 16;
                return ExactNumber.Compare(ExactNumber.Of(one.Number(left)), ExactNumber.Of(other.Number(right))) == 0;
        }

        if (left.Length != right.Length) { return false; }
        bool list = left.Kind == ValueKind.List;
        int next = otherAt + 1;
        for (int at = oneAt + 1; at < left.Next; at = one.Tokens[at].Next)
        {
            int against = next;
            if (!list)
            {
                // Properties mostly come in one order: the search goes on from where the last was found.
                against = Find(other, otherAt, next, one.Name(one.Tokens[at]), one.Tokens[at].NameHash, ref work);
                if (against < 0) { return false; }
            }

            if (!Same(one, at, other, against, ref work)) { return false; }
            next = other.Tokens[against].Next;
        }

        return true;
    }

    private static int Find(in TokenText source, int of, int from, ReadOnlySpan<byte> name, uint hash, ref long work)
    {
        ref readonly JsonToken all = ref source.Tokens[of];
        int at = from < all.Next ? from : of + 1;
        for (int i = 0; i < all.Length; i++)
        {
            if (--work < 0) { return -1; }
            ref readonly JsonToken property = ref source.Tokens[at];
            if (property.NameHash == hash && name.SequenceEqual(source.Name(property))) { return at; }
            at = property.Next < all.Next ? property.Next : of + 1;
        }

        return -1;
    }

    /// <summary>The same for equal values.</summary>
    public uint Hash(int at)
    {
        ref readonly JsonToken token = ref Tokens[at];
        uint hash;
        switch (token.Kind)
        {
            case ValueKind.Null: return 1;
            case ValueKind.Bool: return token.End - token.Start == 4 ? 2u : 3u;
            case ValueKind.String: return JsonHash.Of(Text(token));
            case ValueKind.Double: return ExactNumber.Of(Number(token)).Hash();
            case ValueKind.List:
                hash = 17;
                for (int inner = at + 1; inner < token.Next; inner = Tokens[inner].Next) { hash = (hash * 31) + Hash(inner); }
                return hash;
            default:
                hash = 19;
                for (int inner = at + 1; inner < token.Next; inner = Tokens[inner].Next) { hash += (Tokens[inner].NameHash * 31) ^ Mixed(Hash(inner)); }
                return hash;
        }
    }

    private static uint Mixed(uint hash) => (hash ^ (hash >> 15)) * 0x85EB_CA6B;
}
