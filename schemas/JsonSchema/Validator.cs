using PolicyStreams.Schemas.Json;
using PolicyStreams.Schemas.Patterns;

namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>What validations of one thread use over and over. Part of a frame.</summary>
internal sealed class ValidatorScratch
{
    /// <summary>Which properties or elements of the values being judged some keyword has looked at; as a stack.</summary>
    public bool[] Marks = new bool[64];
    public int MarksUsed;

    /// <summary>Resources that the judgement has gone through, outermost first.</summary>
    public int[] Scope = new int[16];
    public int ScopeCount;

    /// <summary>Of <c>uniqueItems</c>: elements by hash, 1-based token, 0 where free.</summary>
    public int[] Table = [];
    public uint[] Hashes = [];

    public JsonToken[] Name { get; } = new JsonToken[1];

    /// <summary>The keyword that refused the last record that was refused: a pointer into the schema, never anything of the record.</summary>
    public string? Refusal;
}

/// <summary>
/// Judges a value by its tokens. The bytes were walked before and are sound; here only what a keyword asks for is looked at, so schemas that speak of one value several times
/// (<c>anyOf</c>, <c>if</c>, <c>not</c>) cost tokens, not bytes. Bounded: beyond <see cref="WorkMax"/> steps there is no verdict.
/// </summary>
internal ref struct Validator
{
    /// <summary>Schemas inside one another, of the value and of those in it, that a judgement may be in at once.</summary>
    public const int DepthMax = 1000;

    private readonly ValidatorScratch _scratch;
    private readonly SchemaGraph _graph;
    private TokenText _text;
    private long _work;
    private int _depth;
    private SchemaNode? _refusing;
    private string _keyword = "";

    public Validator(SchemaGraph graph, TokenText text, ValidatorScratch scratch)
    {
        _graph = graph;
        _text = text;
        _scratch = scratch;
        _work = WorkMax(text.Tokens.Length);
    }

    /// <summary>Steps that judging a record of so many values may take: a step is a schema applied to a value, a property or element looked at, or a constant compared.</summary>
    public static long WorkMax(int values) => 1_000_000 + (64L * values);

    /// <summary>Judges the value of a token.</summary>
    /// <returns><see cref="DecodeOutcome.Decoded"/>, <see cref="DecodeOutcome.Invalid"/>, or <see cref="DecodeOutcome.TooComplex"/>.</returns>
    public DecodeOutcome Judge(SchemaNode root, int at = 0)
    {
        _scratch.MarksUsed = 0;
        _scratch.ScopeCount = 0;
        _scratch.Refusal = null;
        bool valid = Validate(root, at, -1);
        if (_work < 0) { return DecodeOutcome.TooComplex; }
        if (valid) { return DecodeOutcome.Decoded; }
        _scratch.Refusal = _refusing?.At(_keyword);
        return DecodeOutcome.Invalid;
    }

    /// <param name="marks">Where the marks of the value's properties or elements begin; -1 where nobody asks.</param>
    private bool Validate(SchemaNode node, int at, int marks)
    {
        if (node.SaysNothing) { return true; }
        if (node.Never) { return Fail(node, ""); }
        if (--_work < 0) { return false; }
        if (_depth == DepthMax)
        {
            _work = -1;
            return false;
        }

        _depth++;
        int scope = _scratch.ScopeCount;
        if (_graph.IsDynamic) { Enter(node.Resource.Number); }
        ref readonly JsonToken token = ref _text.Tokens[at];
        bool valid = Values(node, token, at) && token.Kind switch
        {
            ValueKind.String => String(node, token),
            ValueKind.Double => Number(node, token),
            _ => true,
        };
        if (valid)
        {
            int used = _scratch.MarksUsed;
            int own = marks;
            bool container = token.Kind is ValueKind.Map or ValueKind.List;
            if (!container) { own = -1; }
            else if (token.Kind == ValueKind.Map ? node.UnevaluatedProperties is not null : node.UnevaluatedItems is not null) { own = Allocate(token.Length); }
            valid = (token.Kind != ValueKind.Map || Object(node, token, at, own)) && (token.Kind != ValueKind.List || List(node, token, at, own)) && InPlace(node, token, at, own);
            if (valid && own >= 0 && own != marks) { valid = Unevaluated(node, token, at, own, marks); }
            _scratch.MarksUsed = used;
        }

        _scratch.ScopeCount = scope;
        _depth--;
        return valid;
    }

    private readonly void Enter(int resource)
    {
        ValidatorScratch scratch = _scratch;
        if (scratch.ScopeCount > 0 && scratch.Scope[scratch.ScopeCount - 1] == resource) { return; }
        if (scratch.ScopeCount == scratch.Scope.Length) { Array.Resize(ref scratch.Scope, 2 * scratch.ScopeCount); }
        scratch.Scope[scratch.ScopeCount++] = resource;
    }

    private bool Fail(SchemaNode node, string keyword)
    {
        _refusing = node;
        _keyword = keyword;
        return false;
    }

    private bool Values(SchemaNode node, in JsonToken token, int at)
    {
        if (node.HasKinds)
        {
            JsonKinds kinds = node.Kinds;
            bool good = token.Kind == ValueKind.Double && (kinds & JsonKinds.Number) is JsonKinds.Number or JsonKinds.None ? (kinds & JsonKinds.Number) != 0 : (_text.Kinds(token) & kinds) != 0;
            if (!good) { return Fail(node, node.KindsKeyword); }
        }

        return (node.Enum is null || IsAmong(node.Enum, token, at) || Fail(node, "enum")) && (node.Const is null || IsAmong(node.Const, token, at) || Fail(node, "const"));
    }

    private bool IsAmong(ConstantSet values, in JsonToken token, int at)
    {
        _work -= 1 + (token.Length / 64);
        if (token.Kind == ValueKind.String) { return values.HasText(_text.Text(token)); }
        foreach (JsonView value in values.Values)
        {
            if (TokenText.Same(value.Source, 0, _text, at, ref _work)) { return true; }
        }

        return false;
    }

    private bool Number(SchemaNode node, in JsonToken token)
    {
        if (node.Minimum is null && node.Maximum is null && node.ExclusiveMinimum is null && node.ExclusiveMaximum is null && node.MultipleOf is null) { return true; }
        ReadOnlySpan<byte> text = _text.Number(token);
        _work -= text.Length / 16;
        if (node.Minimum is { } least && least.Compare(text, token.Plain) < 0) { return Fail(node, "minimum"); }
        if (node.Maximum is { } most && most.Compare(text, token.Plain) > 0) { return Fail(node, "maximum"); }
        if (node.ExclusiveMinimum is { } above && above.Compare(text, token.Plain) <= 0) { return Fail(node, "exclusiveMinimum"); }
        if (node.ExclusiveMaximum is { } below && below.Compare(text, token.Plain) >= 0) { return Fail(node, "exclusiveMaximum"); }
        return node.MultipleOf is null || ExactNumber.Of(text).IsMultipleOf(node.MultipleOf) || Fail(node, "multipleOf");
    }

    private bool String(SchemaNode node, in JsonToken token)
    {
        if (node.LengthMin == 0 && node.LengthMax == long.MaxValue && node.Pattern is null && node.FormatCheck is null) { return true; }
        ReadOnlySpan<byte> text = _text.Text(token);
        _work -= text.Length / 16;
        if (node.LengthMin > 0 || node.LengthMax < long.MaxValue)
        {
            int length = CodePoints(text);
            if (length < node.LengthMin) { return Fail(node, "minLength"); }
            if (length > node.LengthMax) { return Fail(node, "maxLength"); }
        }

        if (node.Pattern is { } pattern && !pattern.IsMatch(text)) { return Fail(node, "pattern"); }
        return node.FormatCheck is not { } format || format(text) || Fail(node, "format");
    }

    internal static int CodePoints(ReadOnlySpan<byte> utf8)
    {
        int count = 0;
        foreach (byte octet in utf8) { count += (sbyte)octet >= -64 ? 1 : 0; }
        return count;
    }

    // Objects

    private bool Object(SchemaNode node, in JsonToken token, int at, int marks)
    {
        if (token.Length < node.PropertiesMin) { return Fail(node, "minProperties"); }
        if (token.Length > node.PropertiesMax) { return Fail(node, "maxProperties"); }
        PropertyTable? table = node.Properties;
        if (table is not null || node.PatternProperties.Length > 0 || node.AdditionalProperties is not null || node.PropertyNames is not null)
        {
            int required = 0;
            int ordinal = 0;
            for (int inner = at + 1; inner < token.Next; inner = _text.Tokens[inner].Next, ordinal++)
            {
                _work--;
                ref readonly JsonToken property = ref _text.Tokens[inner];
                int number = table is null ? -1 : table.Find(property.NameHash, _text.Name(property));
                if (number >= 0 && table!.RequiredNumbers[number] >= 0) { required++; }
                if (!Property(node, property, inner, number, out bool known)) { return false; }
                if (known && marks >= 0) { _scratch.Marks[marks + ordinal] = true; }
            }

            if (required < node.Required.Length) { return Fail(node, "required"); }
        }

        foreach ((RequiredName name, RequiredName[] others) in node.DependentRequired)
        {
            if (!Has(token, at, name)) { continue; }
            foreach (RequiredName other in others)
            {
                if (!Has(token, at, other)) { return Fail(node, "dependentRequired"); }
            }
        }

        foreach ((RequiredName name, SchemaNode schema) in node.DependentSchemas)
        {
            if (Has(token, at, name) && !Validate(schema, at, marks)) { return false; }
        }

        return true;
    }

    private bool Property(SchemaNode node, in JsonToken property, int at, int number, out bool known)
    {
        known = number >= 0 && number < node.Properties!.Schemas.Length;
        if (known && !Validate(node.Properties!.Schemas[number], at, -1)) { return false; }
        foreach ((Re2 pattern, _, SchemaNode schema) in node.PatternProperties)
        {
            _work -= 1 + (property.NameLength / 16);
            if (!pattern.IsMatch(_text.Name(property))) { continue; }
            known = true;
            if (!Validate(schema, at, -1)) { return false; }
        }

        if (!known && node.AdditionalProperties is { } rest)
        {
            known = true;
            if (!Validate(rest, at, -1)) { return false; }
        }

        return node.PropertyNames is null || Name(node.PropertyNames, property);
    }

    /// <summary>Judges a property's name as a text.</summary>
    private bool Name(SchemaNode schema, in JsonToken property)
    {
        TokenText text = _text;
        _scratch.Name[0] = new JsonToken { Kind = ValueKind.String, Text = property.Name, Length = property.NameLength, TextInScratch = property.NameInScratch, Next = 1 };
        _text = text.With(_scratch.Name);
        bool valid = Validate(schema, 0, -1);
        _text = text;
        return valid;
    }

    private bool Has(in JsonToken token, int at, RequiredName name)
    {
        for (int inner = at + 1; inner < token.Next; inner = _text.Tokens[inner].Next)
        {
            _work--;
            ref readonly JsonToken property = ref _text.Tokens[inner];
            if (property.NameHash == name.Hash && _text.Name(property).SequenceEqual(name.Bytes)) { return true; }
        }

        return false;
    }

    // Lists

    private bool List(SchemaNode node, in JsonToken token, int at, int marks)
    {
        if (token.Length < node.ItemsMin) { return Fail(node, "minItems"); }
        if (token.Length > node.ItemsMax) { return Fail(node, "maxItems"); }
        if (node.Prefix.Length > 0 || node.Items is not null)
        {
            int ordinal = 0;
            for (int inner = at + 1; inner < token.Next; inner = _text.Tokens[inner].Next, ordinal++)
            {
                SchemaNode? schema = ordinal < node.Prefix.Length ? node.Prefix[ordinal] : node.Items;
                if (schema is null) { break; }
                _work--;
                if (!Validate(schema, inner, -1)) { return false; }
                if (marks >= 0) { _scratch.Marks[marks + ordinal] = true; }
            }
        }

        return (node.Contains is null || Contains(node, token, at, marks)) && (!node.UniqueItems || Unique(token, at) || Fail(node, "uniqueItems"));
    }

    private bool Contains(SchemaNode node, in JsonToken token, int at, int marks)
    {
        int ordinal = 0;
        long found = 0;
        for (int inner = at + 1; inner < token.Next; inner = _text.Tokens[inner].Next, ordinal++)
        {
            _work--;
            if (!Validate(node.Contains!, inner, -1)) { continue; }
            found++;
            if (marks >= 0) { _scratch.Marks[marks + ordinal] = true; }
            else if (found >= node.ContainsMin && node.ContainsMax == long.MaxValue) { return true; }
        }

        return found < node.ContainsMin ? Fail(node, node.ContainsMin == 1 ? "contains" : "minContains") : found <= node.ContainsMax || Fail(node, "maxContains");
    }

    private bool Unique(in JsonToken token, int at)
    {
        if (token.Length < 2) { return true; }
        ValidatorScratch scratch = _scratch;
        int size = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)token.Length) * 2;
        if (scratch.Table.Length < size) { (scratch.Table, scratch.Hashes) = (new int[size], new uint[size]); }
        Span<int> table = scratch.Table.AsSpan(0, size);
        table.Clear();
        _work -= token.Next - at;
        for (int inner = at + 1; inner < token.Next && _work >= 0; inner = _text.Tokens[inner].Next)
        {
            uint hash = _text.Hash(inner);
            int slot = (int)((hash * 2_654_435_769u) >> 7) & (size - 1);
            for (; table[slot] != 0; slot = (slot + 1) & (size - 1))
            {
                if (--_work < 0) { return false; }
                if (scratch.Hashes[slot] == hash && TokenText.Same(_text, table[slot] - 1, _text, inner, ref _work)) { return false; }
            }

            table[slot] = inner + 1;
            scratch.Hashes[slot] = hash;
        }

        return true;
    }

    // Schemas of the same value

    private bool InPlace(SchemaNode node, in JsonToken token, int at, int marks)
    {
        if (node.Reference is { } reference && !Validate(node.DynamicName is null ? reference : Dynamic(node, reference), at, marks)) { return false; }
        foreach (SchemaNode schema in node.AllOf)
        {
            if (!Validate(schema, at, marks)) { return false; }
        }

        if (node.AnyOf.Length > 0 && !AnyOf(node, token, at, marks)) { return false; }
        if (node.OneOf.Length > 0 && !OneOf(node, token, at, marks)) { return false; }
        if (node.Not is { } not && Validate(not, at, -1)) { return Fail(node, "not"); }
        if (node.If is not { } condition) { return true; }
        return Try(condition, token, at, marks) ? node.Then is null || Validate(node.Then, at, marks) : node.Else is null || Validate(node.Else, at, marks);
    }

    /// <summary>The outermost resource on the way here that has the anchor.</summary>
    private readonly SchemaNode Dynamic(SchemaNode node, SchemaNode otherwise)
    {
        foreach (int resource in _scratch.Scope.AsSpan(0, _scratch.ScopeCount))
        {
            if (_graph.Resources[resource].DynamicAnchors.TryGetValue(node.DynamicName!, out SchemaNode? found)) { return found; }
        }

        return otherwise;
    }

    /// <summary>Judges with marks that count only where the value is valid.</summary>
    private bool Try(SchemaNode schema, in JsonToken token, int at, int marks)
    {
        if (marks < 0) { return Validate(schema, at, -1); }
        int used = _scratch.MarksUsed;
        int own = Allocate(token.Length);
        bool valid = Validate(schema, at, own);
        if (valid) { Merge(own, marks, token.Length); }
        _scratch.MarksUsed = used;
        return valid;
    }

    private bool AnyOf(SchemaNode node, in JsonToken token, int at, int marks)
    {
        bool any = false;
        foreach (SchemaNode schema in node.AnyOf)
        {
            if (!Try(schema, token, at, marks)) { continue; }
            any = true;

            // Where marks are kept, every schema that holds has its say.
            if (marks < 0) { break; }
        }

        return any || Fail(node, "anyOf");
    }

    private bool OneOf(SchemaNode node, in JsonToken token, int at, int marks)
    {
        int holding = 0;
        foreach (SchemaNode schema in node.OneOf)
        {
            if (Try(schema, token, at, marks) && ++holding > 1) { break; }
        }

        return holding == 1 || Fail(node, "oneOf");
    }

    private readonly int Allocate(int count)
    {
        ValidatorScratch scratch = _scratch;
        int at = scratch.MarksUsed;
        if (scratch.Marks.Length < at + count) { Array.Resize(ref scratch.Marks, Math.Max(at + count, 2 * scratch.Marks.Length)); }
        scratch.Marks.AsSpan(at, count).Clear();
        scratch.MarksUsed = at + count;
        return at;
    }

    private void Merge(int from, int to, int count)
    {
        _work -= count / 8;
        for (int i = 0; i < count; i++) { _scratch.Marks[to + i] |= _scratch.Marks[from + i]; }
    }

    private bool Unevaluated(SchemaNode node, in JsonToken token, int at, int own, int marks)
    {
        SchemaNode rest = token.Kind == ValueKind.Map ? node.UnevaluatedProperties! : node.UnevaluatedItems!;
        int ordinal = 0;
        for (int inner = at + 1; inner < token.Next; inner = _text.Tokens[inner].Next, ordinal++)
        {
            _work--;
            if (!_scratch.Marks[own + ordinal] && !Validate(rest, inner, -1)) { return false; }
            if (marks >= 0) { _scratch.Marks[marks + ordinal] = true; }
        }

        return true;
    }
}
