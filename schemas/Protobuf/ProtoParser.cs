using System.Globalization;
using System.Text;

namespace PolicyStreams.Schemas.Protobuf;

/// <summary>
/// Parses the text of a <c>.proto</c> file, proto2 and proto3, as protoc does. Options are read and left aside, but for those that change what bytes mean, and the tags of fields:
/// <c>[(confluent.field_meta).tags = "PII"]</c>.
/// </summary>
internal sealed class ProtoParser
{
    public const int TextMax = 1 << 20;
    public const int FieldsMax = 10_000;
    private const int DepthMax = 64;
    private const int NumberMax = (1 << 29) - 1;

    private static readonly Dictionary<string, ProtoType> Scalars = new(StringComparer.Ordinal)
    {
        ["double"] = ProtoType.Double,
        ["float"] = ProtoType.Float,
        ["int32"] = ProtoType.Int32,
        ["int64"] = ProtoType.Int64,
        ["uint32"] = ProtoType.UInt32,
        ["uint64"] = ProtoType.UInt64,
        ["sint32"] = ProtoType.SInt32,
        ["sint64"] = ProtoType.SInt64,
        ["fixed32"] = ProtoType.Fixed32,
        ["fixed64"] = ProtoType.Fixed64,
        ["sfixed32"] = ProtoType.SFixed32,
        ["sfixed64"] = ProtoType.SFixed64,
        ["bool"] = ProtoType.Bool,
        ["string"] = ProtoType.String,
        ["bytes"] = ProtoType.Bytes,
    };

    private readonly ProtoLexer _lexer;
    private readonly ProtoFile _file;
    private ProtoToken _token;
    private int _fields;
    private int _depth;

    private ProtoParser(string text, string name)
    {
        string said = name.Length == 0 ? "" : name + ":";
        if (text.Length > TextMax) { throw new SchemaException($"{said}1:1: the schema is larger than 1 MiB"); }
        _lexer = new ProtoLexer(text, said);
        _file = new ProtoFile(name) { Lexer = _lexer };
        _token = _lexer.Next();
    }

    /// <param name="name">As others import it; empty for the schema itself.</param>
    /// <exception cref="SchemaException">Not a schema; the message says line, column, and how to mend it.</exception>
    public static ProtoFile Parse(string text, string name)
    {
        var parser = new ProtoParser(text, name);
        parser.File();
        return parser._file;
    }

    /// <summary>A string's bytes as the text that they spell.</summary>
    public static string Utf8(string bytes) => Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(bytes));

    private void File()
    {
        Syntax();
        bool package = false;
        while (_token.Kind != ProtoTokenKind.End)
        {
            ProtoToken at = _token;
            switch (_token.Text)
            {
                case ";":
                    Take();
                    break;
                case "package":
                    Take();
                    if (package) { throw Fault(at, "a second `package`: a file has one"); }
                    package = true;
                    _file.Package = FullName("a package's name");
                    Expect(";");
                    break;
                case "import":
                    Import();
                    break;
                case "option":
                    Option(null);
                    break;
                case "message":
                    Take();
                    _file.Messages.Add(Message("", at));
                    break;
                case "enum":
                    Take();
                    Enum("", at);
                    break;
                case "extend":
                    Extend(null);
                    break;
                case "service":
                    Take();
                    Name("a service's name");
                    SkipBraces();
                    break;
                case "syntax" or "edition":
                    throw Fault(at, $"`{at.Text}` stands before everything else in a file, once");
                default:
                    throw Fault(at, $"{Shown(at)} begins no declaration: `message`, `enum`, `import`, `package`, `option`, `extend`, and `service` do");
            }
        }
    }

    private void Syntax()
    {
        // A file that does not say is proto2, as protoc has it.
        if (_token is { Kind: ProtoTokenKind.Name, Text: "edition" }) { throw Fault(_token, "editions are not supported: write syntax = \"proto2\" or \"proto3\""); }
        if (_token is not { Kind: ProtoTokenKind.Name, Text: "syntax" }) { return; }
        Take();
        Expect("=");
        ProtoToken at = _token;
        string syntax = Text("a syntax");
        if (syntax is not ("proto2" or "proto3")) { throw Fault(at, "the syntax is \"proto2\" or \"proto3\""); }
        _file.Proto3 = syntax == "proto3";
        Expect(";");
    }

    private void Import()
    {
        Take();
        bool isPublic = _token is { Kind: ProtoTokenKind.Name, Text: "public" };
        if (isPublic || _token is { Kind: ProtoTokenKind.Name, Text: "weak" }) { Take(); }
        ProtoToken at = _token;
        _file.Imports.Add((Utf8(Text("a file's name")), isPublic, at));
        Expect(";");
    }

    // Messages

    private ProtoMessage Message(string scope, ProtoToken at)
    {
        string name = Name("a message's name");
        ProtoMessage message = Declare(scope, name, at);
        Body(message);
        return message;
    }

    private ProtoMessage Declare(string scope, string name, ProtoToken at)
    {
        var message = new ProtoMessage(Below(scope.Length == 0 ? _file.Package : scope, name), name);
        Define(message.FullName, message, at);
        _file.All.Add((message, at));
        return message;
    }

    private void Define(string fullName, object type, ProtoToken at)
    {
        if (!_file.Types.TryAdd(fullName, type)) { throw Fault(at, $"`{fullName}` is defined twice"); }
    }

    private void Body(ProtoMessage message)
    {
        if (++_depth > DepthMax) { throw Fault(_token, $"messages are nested deeper than {DepthMax}"); }
        Expect("{");
        while (!Taken("}"))
        {
            ProtoToken at = _token;
            switch (_token.Kind == ProtoTokenKind.Name ? _token.Text : _token.Kind == ProtoTokenKind.Symbol && _token.Text == ";" ? ";" : _token.Kind == ProtoTokenKind.Symbol && _token.Text == "." ? "." : "")
            {
                case ";":
                    Take();
                    break;
                case "message":
                    Take();
                    message.Nested.Add(Message(message.FullName, at));
                    break;
                case "enum":
                    Take();
                    Enum(message.FullName, at);
                    break;
                case "option":
                    Option(message);
                    break;
                case "oneof":
                    Oneof(message);
                    break;
                case "reserved":
                    Take();
                    Reserved(message.Ranges, message.ReservedNames, NumberMax, negative: false);
                    break;
                case "extensions":
                    Extensions(message);
                    break;
                case "extend":
                    Extend(message);
                    break;
                case "":
                    throw Fault(at, $"{Shown(at)} where a field, a nested type, or `}}` belongs");
                default:
                    Field(message, message.FullName, null, message.Fields);
                    break;
            }
        }

        _depth--;
        Check(message);
    }

    private void Oneof(ProtoMessage message)
    {
        Take();
        ProtoToken at = _token;
        var oneof = new ProtoOneof(Name("a oneof's name"));
        if (message.Oneofs.Exists(other => other.Name == oneof.Name)) { throw Fault(at, $"oneof `{oneof.Name}` is defined twice"); }
        message.Oneofs.Add(oneof);
        Expect("{");
        while (!Taken("}"))
        {
            if (Taken(";")) { continue; }
            if (_token is { Kind: ProtoTokenKind.Name, Text: "option" }) { Option(null); }
            else { Field(message, message.FullName, oneof, message.Fields); }
        }

        if (oneof.Members.Count == 0) { throw Fault(at, $"oneof `{oneof.Name}` has no field"); }
    }

    private void Field(ProtoMessage? message, string scope, ProtoOneof? oneof, List<ProtoField> fields)
    {
        ProtoToken at = _token;
        if (++_fields > FieldsMax) { throw Fault(at, $"the schema has more than {FieldsMax} fields"); }
        string label = _token is { Kind: ProtoTokenKind.Name, Text: "optional" or "required" or "repeated" } ? Take().Text : "";
        if (label.Length > 0 && oneof is not null) { throw Fault(at, $"`{label}` in a oneof: its fields have no label"); }
        if (label == "required" && _file.Proto3) { throw Fault(at, "`required` is proto2's: leave it out"); }
        ProtoToken typeAt = _token;
        if (typeAt is { Kind: ProtoTokenKind.Name, Text: "map" })
        {
            Take();
            if (_token is { Kind: ProtoTokenKind.Symbol, Text: "<" })
            {
                if (label.Length > 0) { throw Fault(at, $"`{label}` before a map: maps have no label"); }
                if (oneof is not null) { throw Fault(at, "a map in a oneof: put it into a message of its own"); }
                if (message is null) { throw Fault(at, "a map as an extension"); }
                Map(message, scope, at, fields);
                return;
            }
        }

        if (typeAt is { Kind: ProtoTokenKind.Name, Text: "group" })
        {
            Take();
            Group(message, scope, oneof, label, at, fields);
            return;
        }

        string typeName = typeAt is { Kind: ProtoTokenKind.Name, Text: "map" } ? "map" + (Taken(".") ? "." + FullName("a type's name") : "") : TypeName();
        if (label.Length == 0 && oneof is null && !_file.Proto3) { throw Fault(at, "a field of proto2 without a label: write `optional`, `required`, or `repeated` (or syntax = \"proto3\" at the top of the file)"); }
        string name = Name("a field's name");
        int number = Number(name);
        FieldOptions options = Options();
        Expect(";");
        bool scalar = Scalars.TryGetValue(typeName, out ProtoType type);
        bool repeated = label == "repeated";
        if (options.Default is not null && (repeated || _file.Proto3)) { throw Fault(at, $"field `{name}` has a default, and {(repeated ? "is repeated" : "proto3 has none")}"); }
        var field = new ProtoField
        {
            Name = name,
            Number = number,
            At = at,
            Type = type,
            TypeName = scalar ? null : typeName,
            Repeated = repeated,
            Required = label == "required",
            Presence = !repeated && (!_file.Proto3 || label == "optional" || oneof is not null || !scalar),
            Oneof = oneof,
            Packed = options.Packed ?? _file.Proto3,
            DefaultLiteral = options.Default,
            Tags = [.. options.Tags],
            JsonName = options.JsonName ?? "",
        };
        Add(field, scope, fields);
    }

    private void Map(ProtoMessage message, string scope, ProtoToken at, List<ProtoField> fields)
    {
        Expect("<");
        ProtoToken keyAt = _token;
        if (!Scalars.TryGetValue(TypeName(), out ProtoType keyType) || keyType is ProtoType.Double or ProtoType.Float or ProtoType.Bytes) { throw Fault(keyAt, "a map's key is an integer, a bool, or a string"); }
        Expect(",");
        ProtoToken valueAt = _token;
        string valueName = TypeName();
        Expect(">");
        string name = Name("a field's name");
        int number = Number(name);
        FieldOptions options = Options();
        Expect(";");
        if (options.Default is not null) { throw Fault(at, $"map `{name}` has a default, and maps have none"); }
        bool scalar = Scalars.TryGetValue(valueName, out ProtoType valueType);
        var value = new ProtoField { Name = "value", Number = 2, At = valueAt, Type = valueType, TypeName = scalar ? null : valueName, Presence = false };
        if (!scalar) { _file.Named.Add((value, scope)); }
        message.Nested.Add(null);
        Add(new ProtoField
        {
            Name = name,
            Number = number,
            At = at,
            Type = ProtoType.Message,
            Repeated = true,
            MapKey = new ProtoField { Name = "key", Number = 1, At = keyAt, Type = keyType },
            MapValue = value,
            Tags = [.. options.Tags],
            JsonName = options.JsonName ?? "",
        }, scope, fields);
    }

    private void Group(ProtoMessage? message, string scope, ProtoOneof? oneof, string label, ProtoToken at, List<ProtoField> fields)
    {
        if (_file.Proto3) { throw Fault(at, "groups are proto2's: use a message"); }
        if (label.Length == 0 && oneof is null) { throw Fault(at, "a group of proto2 without a label: write `optional`, `required`, or `repeated`"); }
        ProtoToken nameAt = _token;
        string name = Name("a group's name");
        if (!char.IsAsciiLetterUpper(name[0])) { throw Fault(nameAt, "a group's name begins with a capital letter"); }
        int number = Number(name);
        FieldOptions options = Options();
        ProtoMessage type = Declare(message is null ? scope : message.FullName, name, nameAt);
        type.OfGroup = true;
        message?.Nested.Add(type);
        Add(new ProtoField
        {
            Name = name.ToLowerInvariant(),
            Number = number,
            At = at,
            Type = ProtoType.Group,
            Message = type,
            Repeated = label == "repeated",
            Required = label == "required",
            Presence = label != "repeated",
            Oneof = oneof,
            Tags = [.. options.Tags],
            JsonName = options.JsonName ?? "",
        }, scope, fields);
        Body(type);
    }

    private void Add(ProtoField field, string scope, List<ProtoField> fields)
    {
        if (field.JsonName.Length == 0) { field.JsonName = JsonNameOf(field.Name); }
        fields.Add(field);
        field.Oneof?.Members.Add(field);
        if (field.TypeName is not null) { _file.Named.Add((field, scope.Length == 0 ? _file.Package : scope)); }
    }

    /// <summary>lowerCamelCase, as protoc makes it.</summary>
    private static string JsonNameOf(string name)
    {
        var json = new StringBuilder();
        bool capital = false;
        foreach (char c in name)
        {
            if (c == '_') { capital = true; }
            else
            {
                json.Append(capital ? char.ToUpperInvariant(c) : c);
                capital = false;
            }
        }

        return json.ToString();
    }

    private void Check(ProtoMessage message)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var numbers = new Dictionary<int, string>();
        foreach (ProtoField field in message.Fields)
        {
            if (!names.Add(field.Name)) { throw Fault(field.At, $"field `{field.Name}` is defined twice in `{message.FullName}`"); }
            if (!numbers.TryAdd(field.Number, field.Name)) { throw Fault(field.At, string.Create(CultureInfo.InvariantCulture, $"field number {field.Number} of `{field.Name}` is `{numbers[field.Number]}`'s already, in `{message.FullName}`")); }
            if (message.ReservedNames.Contains(field.Name)) { throw Fault(field.At, $"the name of field `{field.Name}` is reserved in `{message.FullName}`"); }
            foreach ((int first, int last, bool extensions) in message.Ranges)
            {
                if (field.Number >= first && field.Number <= last) { throw Fault(field.At, string.Create(CultureInfo.InvariantCulture, $"number {field.Number} of field `{field.Name}` is {(extensions ? "left to extensions" : "reserved")} in `{message.FullName}`")); }
            }
        }

        message.ByNumber = [.. message.Fields.OrderBy(field => field.Number)];
    }

    private int Number(string name)
    {
        Expect("=");
        ProtoToken at = _token;
        long number = Integer("a field number");
        if (number is < 1 or > NumberMax or (>= 19_000 and <= 19_999)) { throw Fault(at, $"the number of field `{name}` is 1 to 536870911, without 19000 to 19999"); }
        return (int)number;
    }

    private void Extensions(ProtoMessage message)
    {
        ProtoToken at = Take();
        if (_file.Proto3) { throw Fault(at, "`extensions` is proto2's"); }
        do
        {
            (int first, int last) = Range(NumberMax, negative: false);
            message.Ranges.Add((first, last, true));
        }
        while (Taken(","));
        Options();
        Expect(";");
    }

    private void Reserved(List<(int, int, bool)> ranges, HashSet<string> names, int most, bool negative)
    {
        do
        {
            if (_token.Kind == ProtoTokenKind.Text) { names.Add(Utf8(Text("a name"))); }
            else
            {
                (int first, int last) = Range(most, negative);
                ranges.Add((first, last, false));
            }
        }
        while (Taken(","));
        Expect(";");
    }

    private (int First, int Last) Range(int most, bool negative)
    {
        ProtoToken at = _token;
        long first = negative ? SignedInteger() : Integer("a number");
        long last = first;
        if (_token is { Kind: ProtoTokenKind.Name, Text: "to" })
        {
            Take();
            if (_token is { Kind: ProtoTokenKind.Name, Text: "max" })
            {
                Take();
                last = most;
            }
            else { last = negative ? SignedInteger() : Integer("a number"); }
        }

        if (last < first || last > most || first < (negative ? int.MinValue : 1)) { throw Fault(at, "a range of numbers that is empty, or leaves what numbers there are"); }
        return ((int)first, (int)last);
    }

    private void Extend(ProtoMessage? message)
    {
        ProtoToken at = Take();
        string name = TypeName();
        string scope = message?.FullName ?? "";
        var fields = new List<ProtoField>();
        Expect("{");
        while (!Taken("}"))
        {
            if (Taken(";")) { continue; }
            Field(null, scope, null, fields);
        }

        _file.Extended.Add((name, scope.Length == 0 ? _file.Package : scope, at, fields.Exists(field => field.Tags.Length > 0)));
    }

    // Enums

    private void Enum(string scope, ProtoToken at)
    {
        string name = Name("an enum's name");
        var type = new ProtoEnum(Below(scope.Length == 0 ? _file.Package : scope, name));
        Define(type.FullName, type, at);
        Expect("{");
        var ranges = new List<(int First, int Last, bool)>();
        var numbers = new HashSet<int>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        (string Name, ProtoToken At)? again = null;
        var places = new List<ProtoToken>();
        while (!Taken("}"))
        {
            if (Taken(";")) { continue; }
            ProtoToken valueAt = _token;
            if (_token is { Kind: ProtoTokenKind.Name, Text: "option" })
            {
                (string option, object value) = OptionStatement();
                if (option == "allow_alias") { type.AllowAlias = value is "true"; }
                continue;
            }

            if (_token is { Kind: ProtoTokenKind.Name, Text: "reserved" })
            {
                Take();
                Reserved(ranges, type.ReservedNames, int.MaxValue, negative: true);
                continue;
            }

            if (++_fields > FieldsMax) { throw Fault(valueAt, $"the schema has more than {FieldsMax} fields"); }
            string value2 = Name("an enum value's name");
            Expect("=");
            long number = SignedInteger();
            if (number is < int.MinValue or > int.MaxValue) { throw Fault(valueAt, $"the number of `{value2}` is a 32-bit integer"); }
            Options();
            Expect(";");
            if (!names.Add(value2)) { throw Fault(valueAt, $"`{value2}` is defined twice in enum `{type.FullName}`"); }
            if (!numbers.Add((int)number)) { again ??= (value2, valueAt); }
            type.Values.Add((value2, (int)number));
            places.Add(valueAt);
        }

        if (type.Values.Count == 0) { throw Fault(at, $"enum `{type.FullName}` has no value"); }
        if (again is { } twice && !type.AllowAlias) { throw Fault(twice.At, $"the number of `{twice.Name}` is another value's already: give it one of its own, or write option allow_alias = true"); }
        if (_file.Proto3 && type.Values[0].Number != 0) { throw Fault(places[0], $"the first value of enum `{type.FullName}` is 0 in proto3"); }
        for (int i = 0; i < type.Values.Count; i++)
        {
            if (type.ReservedNames.Contains(type.Values[i].Name) || ranges.Exists(range => type.Values[i].Number >= range.First && type.Values[i].Number <= range.Last))
            {
                throw Fault(places[i], $"`{type.Values[i].Name}` is reserved in enum `{type.FullName}`");
            }
        }

        type.Close();
    }

    // Options

    private sealed class FieldOptions
    {
        public List<string> Tags { get; } = [];

        public object? Default { get; set; }

        public bool? Packed { get; set; }

        public string? JsonName { get; set; }
    }

    private void Option(ProtoMessage? message)
    {
        ProtoToken at = _token;
        (string name, object value) = OptionStatement();
        if (message is null) { return; }
        if (name == "message_set_wire_format" && value is "true") { throw Fault(at, "message_set_wire_format is not supported"); }
        if (name == "map_entry") { throw Fault(at, "map_entry is protoc's own: write map<KEY, VALUE>"); }
    }

    private (string Name, object Value) OptionStatement()
    {
        Take();
        (string name, object value) = Assignment();
        Expect(";");
        return (name, value);
    }

    private FieldOptions Options()
    {
        var options = new FieldOptions();
        if (!Taken("[")) { return options; }
        do
        {
            ProtoToken at = _token;
            (string name, object value) = Assignment();
            switch (name)
            {
                case "default":
                    options.Default = value;
                    break;
                case "packed":
                    options.Packed = value is "true";
                    break;
                case "json_name" when value is Literal { Text: var json }:
                    options.JsonName = Utf8(json);
                    break;
                case "(confluent.field_meta).tags" or "(.confluent.field_meta).tags":
                    Tags(value, options.Tags, at);
                    break;
                case "(confluent.field_meta)" or "(.confluent.field_meta)":
                    if (value is not List<(string, object)> meta) { throw Fault(at, "confluent.field_meta is a message: { tags: [\"PII\"] }"); }
                    foreach ((string key, object inner) in meta)
                    {
                        if (key == "tags") { Tags(inner, options.Tags, at); }
                    }

                    break;
            }
        }
        while (Taken(","));
        Expect("]");
        return options;
    }

    private void Tags(object value, List<string> tags, ProtoToken at)
    {
        foreach (object one in value is List<object> several ? several : [value])
        {
            if (one is not Literal { Text: var tag }) { throw Fault(at, "tags are strings: [(confluent.field_meta).tags = \"PII\"]"); }
            tags.Add(Utf8(tag));
        }
    }

    /// <summary>A string among the values of options; everything else scalar is its spelling.</summary>
    internal sealed record Literal(string Text);

    private (string Name, object Value) Assignment()
    {
        var name = new StringBuilder();
        do
        {
            if (name.Length > 0) { name.Append('.'); }
            if (Taken("("))
            {
                name.Append('(').Append(TypeName()).Append(')');
                Expect(")");
            }
            else { name.Append(Name("an option's name")); }
        }
        while (Taken("."));
        Expect("=");
        return (name.ToString(), Value());
    }

    private object Value()
    {
        if (++_depth > DepthMax) { throw Fault(_token, $"options are nested deeper than {DepthMax}"); }
        object value;
        ProtoToken at = _token;
        if (Taken("{") || Taken("<"))
        {
            value = Aggregate(at.Text == "{" ? "}" : ">");
        }
        else if (Taken("["))
        {
            var list = new List<object>();
            while (!Taken("]"))
            {
                list.Add(Value());
                if (!Taken(",") && _token.Text != "]") { throw Fault(_token, "`,` or `]` belongs here"); }
            }

            value = list;
        }
        else if (_token.Kind == ProtoTokenKind.Text) { value = new Literal(Text("a value")); }
        else
        {
            string sign = Taken("-") ? "-" : "";
            if (_token.Kind is not (ProtoTokenKind.Integer or ProtoTokenKind.Float or ProtoTokenKind.Name)) { throw Fault(_token, $"{Shown(_token)} where a value belongs"); }
            var text = new StringBuilder(sign).Append(Take().Text);
            while (_token is { Kind: ProtoTokenKind.Symbol, Text: "." })
            {
                Take();
                text.Append('.').Append(Name("a name"));
            }

            value = text.ToString();
        }

        _depth--;
        return value;
    }

    private List<(string, object)> Aggregate(string close)
    {
        var members = new List<(string, object)>();
        while (!Taken(close))
        {
            string name;
            if (Taken("["))
            {
                name = TypeName();
                while (Taken("/")) { name += "/" + TypeName(); }
                Expect("]");
            }
            else { name = Name("a field's name"); }
            if (!Taken(":") && _token.Text is not ("{" or "<")) { throw Fault(_token, "`:` belongs here"); }
            members.Add((name, Value()));
            if (!Taken(",")) { Taken(";"); }
        }

        return members;
    }

    // Words

    private void SkipBraces()
    {
        Expect("{");
        for (int open = 1; open > 0;)
        {
            if (_token.Kind == ProtoTokenKind.End) { throw Fault(_token, "`}` is missing at the end of the file"); }
            ProtoToken token = Take();
            if (token.Kind != ProtoTokenKind.Symbol) { continue; }
            open += token.Text == "{" ? 1 : token.Text == "}" ? -1 : 0;
        }
    }

    private string TypeName()
    {
        bool whole = Taken(".");
        return (whole ? "." : "") + FullName("a type's name");
    }

    private string FullName(string what)
    {
        var name = new StringBuilder(Name(what));
        while (Taken(".")) { name.Append('.').Append(Name(what)); }
        return name.ToString();
    }

    private string Name(string what)
    {
        if (_token.Kind != ProtoTokenKind.Name) { throw Fault(_token, $"{Shown(_token)} where {what} belongs"); }
        return Take().Text;
    }

    private string Text(string what)
    {
        if (_token.Kind != ProtoTokenKind.Text) { throw Fault(_token, $"{Shown(_token)} where {what} in quotes belongs"); }
        string text = Take().Text;
        while (_token.Kind == ProtoTokenKind.Text) { text += Take().Text; }
        return text;
    }

    private long SignedInteger() => Taken("-") ? -Integer("a number") : Integer("a number");

    private long Integer(string what)
    {
        if (_token.Kind != ProtoTokenKind.Integer || !TryInteger(_token.Text, out ulong number) || number > long.MaxValue) { throw Fault(_token, $"{Shown(_token)} where {what} belongs"); }
        Take();
        return (long)number;
    }

    /// <summary>Decimal, hexadecimal (<c>0x</c>), or octal (<c>0</c>).</summary>
    public static bool TryInteger(string text, out ulong number)
    {
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)) { return ulong.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number); }
        if (text.Length < 2 || text[0] != '0') { return ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number); }
        number = 0;
        foreach (char c in text)
        {
            if (c is < '0' or > '7' || number > ulong.MaxValue >> 3) { return false; }
            number = (number << 3) | (uint)(c - '0');
        }

        return true;
    }

    private bool Taken(string symbol)
    {
        if (_token.Kind != ProtoTokenKind.Symbol || _token.Text != symbol) { return false; }
        Take();
        return true;
    }

    private void Expect(string symbol)
    {
        if (!Taken(symbol)) { throw Fault(_token, $"{Shown(_token)} where `{symbol}` belongs"); }
    }

    private ProtoToken Take()
    {
        ProtoToken token = _token;
        _token = _lexer.Next();
        return token;
    }

    private static string Below(string scope, string name) => scope.Length == 0 ? name : $"{scope}.{name}";

    private static string Shown(ProtoToken token) => token.Kind switch
    {
        ProtoTokenKind.End => token.Text,
        ProtoTokenKind.Text => "a string",
        _ => $"`{(token.Text.Length > 64 ? token.Text[..64] + "…" : token.Text)}`",
    };

    private SchemaException Fault(ProtoToken at, string what) => _lexer.Fault(at, what);
}
