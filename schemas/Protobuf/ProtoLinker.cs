using System.Globalization;
using System.Text;

namespace PolicyStreams.Schemas.Protobuf;

/// <summary>Finds imports among the references that were given, and resolves the names of types as protoc does: from the innermost scope outwards, among what the file imports.</summary>
internal sealed class ProtoLinker(IReadOnlyList<SchemaReferenceText> references)
{
    private const int FilesMax = 1_000;
    private const int TextMax = 8 * ProtoParser.TextMax;

    private readonly Dictionary<string, ProtoFile> _files = new(StringComparer.Ordinal);
    private readonly HashSet<string> _open = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ProtoFile> _definedIn = new(StringComparer.Ordinal);
    private int _fields;
    private int _characters;

    /// <summary>Every message of every file.</summary>
    public List<ProtoMessage> Messages { get; } = [];

    public ProtoFile Link(string text)
    {
        ProtoFile root = ProtoParser.Parse(text, "");
        Load(root);
        Resolve(root);
        foreach (ProtoFile file in _files.Values) { Resolve(file); }
        Components();
        foreach (ProtoMessage message in Messages) { ProtoTypeView.Make(message); }
        foreach (ProtoMessage message in Messages) { ProtoTypeView.SetFields(message); }
        return root;
    }

    private void Load(ProtoFile file)
    {
        foreach ((string fullName, object _) in file.Types)
        {
            if (!_definedIn.TryAdd(fullName, file)) { throw file.Lexer.Fault(1, 1, $"`{fullName}` is defined here and in {(_definedIn[fullName].Name.Length == 0 ? "the schema" : $"`{_definedIn[fullName].Name}`")}"); }
        }

        foreach ((ProtoMessage message, ProtoToken at) in file.All)
        {
            _fields += message.Fields.Count;
            if (_fields > ProtoParser.FieldsMax) { throw file.Lexer.Fault(at, $"the schema has more than {ProtoParser.FieldsMax} fields"); }
            Messages.Add(message);
        }

        foreach ((string name, bool _, ProtoToken at) in file.Imports)
        {
            if (_open.Contains(name)) { throw file.Lexer.Fault(at, $"`{name}` imports itself, by way of other files"); }
            if (_files.ContainsKey(name)) { continue; }

            // Built-in files go before references of the same name: what rules make of a timestamp is not for a registry to say.
            string? text = ProtoWellKnownFiles.Text(name);
            bool builtIn = text is not null;
            text ??= references.FirstOrDefault(reference => reference.Name == name)?.Text;
            if (text is null) { throw file.Lexer.Fault(at, $"import `{name}` is not among the schema's references: register it, and refer to it by this name"); }
            if (_files.Count >= FilesMax) { throw file.Lexer.Fault(at, $"the schema imports more than {FilesMax} files"); }
            if ((_characters += text.Length) > TextMax) { throw file.Lexer.Fault(at, "the files that the schema imports are larger than 8 MiB in all"); }
            ProtoFile imported = ProtoParser.Parse(text, name);
            _open.Add(name);
            if (_open.Count > 64) { throw file.Lexer.Fault(at, "imports are nested deeper than 64"); }
            Load(imported);
            _open.Remove(name);
            _files.Add(name, imported);
            if (!builtIn) { continue; }
            foreach ((ProtoMessage message, ProtoToken _) in imported.All) { message.WellKnown = ProtoWellKnownFiles.Of(message.FullName); }
        }
    }

    private void Resolve(ProtoFile file)
    {
        HashSet<ProtoFile> visible = [file];
        foreach ((string name, bool _, ProtoToken _) in file.Imports) { Show(_files[name], visible); }
        var packages = new HashSet<string>(StringComparer.Ordinal);
        foreach (ProtoFile one in visible)
        {
            for (string package = one.Package; package.Length > 0; package = package[..Math.Max(package.LastIndexOf('.'), 0)]) { packages.Add(package); }
        }

        foreach ((ProtoField field, string scope) in file.Named)
        {
            object type = Find(field.TypeName!, scope, visible, packages) ?? throw file.Lexer.Fault(field.At, $"type `{field.TypeName}` of `{field.Name}` is not defined, neither here nor in a file that is imported");
            if (type is ProtoEnum numbers)
            {
                field.Type = ProtoType.Enum;
                field.Enum = numbers;

                // proto3's rule for scalars: without a label of its own an enum has no presence.
                if (file.Proto3 && field.Oneof is null && field.Presence && !IsOptional(field)) { field.Presence = false; }
            }
            else
            {
                field.Type = ProtoType.Message;
                field.Message = (ProtoMessage)type;
                if (field.Message.OfGroup) { throw file.Lexer.Fault(field.At, $"`{field.TypeName}` of `{field.Name}` is a group's type"); }
            }
        }

        foreach ((ProtoMessage message, ProtoToken _) in file.All)
        {
            foreach (ProtoField field in message.Fields)
            {
                if (field.DefaultLiteral is { } literal) { field.Default = Default(field, literal) ?? throw file.Lexer.Fault(field.At, $"the default of `{field.Name}` is none of its type"); }
            }
        }

        foreach ((string name, string scope, ProtoToken at, bool tagged) in file.Extended)
        {
            if (name.TrimStart('.').StartsWith("google.protobuf.", StringComparison.Ordinal)) { continue; }
            if (Find(name, scope, visible, packages) is not ProtoMessage) { throw file.Lexer.Fault(at, $"`{name}` is extended, and is no message that is defined here or imported"); }
            if (tagged) { throw file.Lexer.Fault(at, $"an extension of `{name}` carries tags: extensions are not read, so its tags could not be kept; make it a field"); }
        }
    }

    // A field with the label is told from one without by its declaration's first word.
    private static bool IsOptional(ProtoField field) => field.At.Text == "optional";

    private void Show(ProtoFile file, HashSet<ProtoFile> visible)
    {
        if (!visible.Add(file)) { return; }
        foreach ((string name, bool isPublic, ProtoToken _) in file.Imports)
        {
            if (isPublic) { Show(_files[name], visible); }
        }
    }

    private object? Find(string name, string scope, HashSet<ProtoFile> visible, HashSet<string> packages)
    {
        if (name[0] == '.') { return Defined(name[1..], visible); }
        int dot = name.IndexOf('.', StringComparison.Ordinal);
        string first = dot < 0 ? name : name[..dot];
        for (; ; scope = scope[..Math.Max(scope.LastIndexOf('.'), 0)])
        {
            string candidate = scope.Length == 0 ? first : $"{scope}.{first}";
            object? found = Defined(candidate, visible);
            if (dot < 0)
            {
                if (found is not null) { return found; }
            }
            else if (found is not null || packages.Contains(candidate))
            {
                // The first part settles the scope: what is behind it must be there.
                return Defined(candidate + name[dot..], visible);
            }

            if (scope.Length == 0) { return null; }
        }
    }

    private object? Defined(string fullName, HashSet<ProtoFile> visible) =>
        _definedIn.TryGetValue(fullName, out ProtoFile? file) && visible.Contains(file) ? file.Types[fullName] : null;

    /// <summary>An explicit default as a plain value; null where it is none of the field's type.</summary>
    private static object? Default(ProtoField field, object literal)
    {
        if (literal is ProtoParser.Literal { Text: var bytes })
        {
            return field.Type switch
            {
                ProtoType.String => ProtoParser.Utf8(bytes),
                ProtoType.Bytes => Encoding.Latin1.GetBytes(bytes),
                _ => null,
            };
        }

        if (literal is not string text) { return null; }
        bool negative = text.StartsWith('-');
        string digits = negative ? text[1..] : text;
        switch (field.Type)
        {
            case ProtoType.Bool:
                return text is "true" or "false" ? text == "true" : null;
            case ProtoType.Enum:
                return field.Enum!.NumberOf(text) is { } number ? field.Enum.Symbols[field.Enum.IndexOf[number]] : null;
            case ProtoType.Double or ProtoType.Float:
                double? real = digits switch
                {
                    "inf" => double.PositiveInfinity,
                    "nan" => double.NaN,
                    _ when ProtoParser.TryInteger(digits, out ulong whole) => whole,
                    _ => double.TryParse(digits.TrimEnd('f', 'F'), NumberStyles.Float, CultureInfo.InvariantCulture, out double parsed) ? parsed : null,
                };
                if (real is null) { return null; }
                double signed = negative ? -real.Value : real.Value;
                return field.Type == ProtoType.Float ? (double)(float)signed : signed;
            case ProtoType.UInt32 or ProtoType.UInt64 or ProtoType.Fixed32 or ProtoType.Fixed64:
                return !negative && ProtoParser.TryInteger(digits, out ulong unsigned) && (field.Type is ProtoType.UInt64 or ProtoType.Fixed64 || unsigned <= uint.MaxValue) ? unsigned : null;
            case ProtoType.Int32 or ProtoType.SInt32 or ProtoType.SFixed32 or ProtoType.Int64 or ProtoType.SInt64 or ProtoType.SFixed64:
                if (!ProtoParser.TryInteger(digits, out ulong magnitude) || magnitude > (negative ? 1UL << 63 : long.MaxValue)) { return null; }
                long value = negative ? unchecked(-(long)magnitude) : (long)magnitude;
                return field.Type is ProtoType.Int32 or ProtoType.SInt32 or ProtoType.SFixed32 && value is < int.MinValue or > int.MaxValue ? null : value;
            default:
                return null;
        }
    }

    /// <summary>Numbers the strongly connected components of messages (Tarjan's algorithm, without recursion).</summary>
    private void Components()
    {
        var index = new Dictionary<ProtoMessage, int>();
        var low = new Dictionary<ProtoMessage, int>();
        var onStack = new HashSet<ProtoMessage>();
        var stack = new Stack<ProtoMessage>();
        int components = 0;
        foreach (ProtoMessage start in Messages)
        {
            if (index.ContainsKey(start)) { continue; }
            var calls = new Stack<(ProtoMessage Message, IEnumerator<ProtoMessage> Below)>();
            Enter(start);
            while (calls.TryPeek(out (ProtoMessage Message, IEnumerator<ProtoMessage> Below) call))
            {
                if (call.Below.MoveNext())
                {
                    ProtoMessage next = call.Below.Current;
                    if (!index.TryGetValue(next, out int at)) { Enter(next); }
                    else if (onStack.Contains(next)) { low[call.Message] = Math.Min(low[call.Message], at); }
                    continue;
                }

                calls.Pop();
                if (calls.TryPeek(out (ProtoMessage Message, IEnumerator<ProtoMessage> Below) outer)) { low[outer.Message] = Math.Min(low[outer.Message], low[call.Message]); }
                if (low[call.Message] != index[call.Message]) { continue; }
                var members = new List<ProtoMessage>();
                ProtoMessage member;
                do
                {
                    member = stack.Pop();
                    onStack.Remove(member);
                    member.Component = components;
                    members.Add(member);
                }
                while (member != call.Message);
                bool recursive = members.Count > 1 || Below(members[0]).Contains(members[0]);
                foreach (ProtoMessage one in members) { one.Recursive = recursive; }
                components++;
            }

            void Enter(ProtoMessage message)
            {
                index[message] = low[message] = index.Count;
                stack.Push(message);
                onStack.Add(message);
                calls.Push((message, Below(message).GetEnumerator()));
            }
        }
    }

    public static IEnumerable<ProtoMessage> Below(ProtoMessage message)
    {
        foreach (ProtoField field in message.Fields)
        {
            if ((field.IsMap ? field.MapValue!.Message : field.Message) is { } below) { yield return below; }
        }
    }
}
