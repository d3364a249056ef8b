namespace PolicyStreams.Rules.Cel.Checking;

/// <summary>How a function is computed: arguments (the receiver first) match the overload's parameters; the result is a value or an <see cref="Evaluation.ErrorValue"/>.</summary>
internal delegate object? Implementation(object?[] args);

/// <summary>One signature of a function.</summary>
internal sealed class Overload
{
    public required bool Member { get; init; }

    /// <summary>The receiver's first, then the result's last: <c>Instantiate</c> takes them together.</summary>
    public required CelType[] Signature { get; init; }

    /// <summary>Null where there is a type but no meaning: only to be checked.</summary>
    public Implementation? Implementation { get; init; }

    /// <summary>True where the last parameter repeats, once or more.</summary>
    public bool Variadic { get; init; }

    public int Arity => Signature.Length - 1;

    public bool Takes(int count) => Variadic ? count >= Arity : count == Arity;
}

/// <summary>Functions by name. Built once, then only read; <see cref="Extend"/> makes a larger one.</summary>
internal sealed class FunctionTable
{
    private readonly Dictionary<string, List<Overload>> _functions = new(StringComparer.Ordinal);

    public IEnumerable<string> Names => _functions.Keys;

    public IReadOnlyList<Overload>? Find(string name) => _functions.GetValueOrDefault(name);

    public FunctionTable Extend()
    {
        var table = new FunctionTable();
        foreach ((string name, List<Overload> overloads) in _functions) { table._functions[name] = [.. overloads]; }
        return table;
    }

    public void Add(string name, Overload overload)
    {
        if (!_functions.TryGetValue(name, out List<Overload>? overloads)) { _functions[name] = overloads = []; }
        overloads.Add(overload);
    }

    /// <summary>Adds overloads from their spelling: <c>string.(string)bool</c> is a member's, <c>(list&lt;A>, int)A</c> a function's, <c>(A...)A</c> takes one or more.</summary>
    public void Add(string name, string signatures, Implementation? implementation)
    {
        foreach (string signature in signatures.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var reader = new SignatureReader(signature);
            Add(name, reader.Read(implementation));
        }
    }

    private sealed class SignatureReader(string text)
    {
        private int _at;

        public Overload Read(Implementation? implementation)
        {
            var types = new List<CelType>();
            bool member = text[0] != '(', variadic = false;
            if (member)
            {
                types.Add(Type());
                Expect('.');
            }

            Expect('(');
            while (!Take(')'))
            {
                types.Add(Type());
                if (string.CompareOrdinal(text, _at, "...", 0, 3) == 0)
                {
                    variadic = true;
                    _at += 3;
                }

                Take(',');
                Take(' ');
            }

            types.Add(Type());
            return _at == text.Length
                ? new Overload { Member = member, Signature = [.. types], Implementation = implementation, Variadic = variadic }
                : throw new ArgumentException($"Signature `{text}`, at {_at}.");
        }

        private bool Take(char c)
        {
            if (_at >= text.Length || text[_at] != c) { return false; }
            _at++;
            return true;
        }

        private void Expect(char c)
        {
            if (!Take(c)) { throw new ArgumentException($"Signature `{text}`: `{c}` is expected at {_at}."); }
        }

        private CelType Type()
        {
            int start = _at;
            while (_at < text.Length && char.IsAsciiLetterOrDigit(text[_at])) { _at++; }
            string name = text[start.._at];
            var parameters = new List<CelType>();
            if (Take('<'))
            {
                do
                {
                    Take(' ');
                    parameters.Add(Type());
                }
                while (Take(','));
                Expect('>');
            }

            return name switch
            {
                "dyn" => CelType.Dyn,
                "null" => CelType.Null,
                "bool" => CelType.Bool,
                "int" => CelType.Int,
                "uint" => CelType.UInt,
                "double" => CelType.Double,
                "string" => CelType.String,
                "bytes" => CelType.Bytes,
                "timestamp" => CelType.Timestamp,
                "duration" => CelType.Duration,
                "decimal" => CelType.Decimal,
                "ip" => CelType.Ip,
                "cidr" => CelType.Cidr,
                "list" => CelType.List(parameters[0]),
                "map" => CelType.Map(parameters[0], parameters[1]),
                "optional" => CelType.Optional(parameters[0]),
                "type" => CelType.TypeOf(parameters[0]),
                { Length: 1 } => CelType.Param(name),
                _ => throw new ArgumentException($"Signature `{text}`: type `{name}`."),
            };
        }
    }
}
