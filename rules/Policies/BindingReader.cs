using System.Text.RegularExpressions;
using PolicyStreams.Rules.Yaml;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>Reads one binding, and fills in its defaults.</summary>
internal sealed partial class BindingReader(DiagnosticBag bag, string policy, IReadOnlyList<RuleDocument> rules, int recordBytesMax, int headersMax, HoldTerms? holdTerms)
{
    private static readonly string[] Keys =
        ["name", "description", "format", "subject", "schema", "formats", "message", "unknown_fields", "framing", "schema_ids", "key_format", "key_subject", "key_schema", "key_framing", "identity", "headers", "stamp", "tombstones", "topics", "partitions", "seal"];

    private const int SubjectLengthMax = 512;

    private static readonly Regex FullName = FullNamePattern();

    private static readonly string[] FramingWords = ["confluent", "apicurio4", "apicurio8", "none"];

    private static readonly string[] TopicKeys = ["ingress", "governed", "rejected", "held", "state", "approvals", "decisions", "routes"];

    public BindingDocument? Read(YamlNode node)
    {
        string? given = node.Kind == YamlKind.Mapping && node.Find("name") is { Kind: YamlKind.Scalar } text ? text.Text : null;
        string what = given is null ? "a binding" : $"binding `{YamlReader.Shown(given)}`";
        var section = new Section(node, bag, what, Keys);
        if (node.Kind != YamlKind.Mapping) { return null; }

        // Kafka's topic names have 249 characters at most, and the longest prefix made from this name is `approvals.`.
        string? name = section.Name(section.Require("name"), "name", 200);
        section.Require("format");
        int format = section.Word("format", "avro", "json", "protobuf");
        BindingTopics topics = Topics(section, name ?? "x", what);
        NamedSubject? named = Subject(section, "subject", what, topics.Ingress, key: false);
        string? subject = named?.Subject;
        string? schemaFile = section.Find("schema") is { } schemaNode ? section.Text(schemaNode, "schema") : null;
        if (section.Has("subject") && section.Has("schema")) { bag.Error(section.Find("schema")!, DiagnosticCodes.BadValue, $"{what} has both `subject` and `schema`", "`subject` names a registry's schemas, `schema` a file for work offline"); }

        // Kafka's serializers name a value's subject like this unless told otherwise. JSON without a subject has no schema.
        if (subject is null && schemaFile is null && format != 1) { subject = SubjectNames.Of(SubjectNaming.Topic, topics.Ingress, key: false, ""); }
        Principal principal = Identity(section, what, out IdentityKind identity, out string identityJson);
        HeaderChoice headers = Headers(section, what, out IReadOnlyList<string> headerNames);
        TombstoneChoice tombstones = Tombstones(section, what, out HoldTerms? tombstoneTerms);
        int keyFormat = section.Word("key_format", "bytes", "string", "long", "avro", "json");
        string? seal = section.Find("seal") is { } sealNode ? section.Name(sealNode, "seal") : null;
        var keyNames = new SortedSet<string>(StringComparer.Ordinal);
        foreach (RuleDocument rule in rules)
        {
            if (rule.Mask?.KeyName is { } key && name is not null && rule.AppliesTo(name)) { keyNames.Add(key); }
        }

        if (seal is not null) { keyNames.Add(seal); }
        bool stamp = section.Word("stamp", "decision", "none") != 1;
        int? partitions = section.Int("partitions", 1, 100_000);
        if (section.Find("description") is { Kind: not YamlKind.Scalar } words) { bag.Error(words, DiagnosticCodes.WrongShape, $"`description` of {what} is text"); }
        Framing framing = FramingOf(section, what, subject);
        string? message = Message(section, what, format, named?.Record, out UnknownFields unknown);
        bool assertFormats = section.Word("formats", "annotate", "assert") == 1;
        if (section.Find("formats") is { } formats && (format != 1 || (subject is null && schemaFile is null)))
        {
            bag.Error(formats, DiagnosticCodes.BadValue, $"`formats` of {what} speaks of a JSON Schema's `format`, and there is none", "it goes with format: json and a `subject` or `schema`");
        }

        NamedSubject? keySubject = KeySchema(section, what, (KeyFormat)Math.Max(keyFormat, 0), topics.Ingress, framing, subject is not null, out string? keySchemaFile, out Framing keyFraming);
        SchemaIds ids = SchemaIdsOf(section, what, framing, keyFraming);
        return name is null ? null : new BindingDocument
        {
            Name = name,
            PolicyName = policy,
            // Values of an unknown format could be anything: nothing is said of their fields.
            Format = format < 0 ? SchemaFormat.Json : (SchemaFormat)format,
            Untyped = format < 0,
            Framing = framing,
            SchemaIds = IsApicurio(framing) ? ids : SchemaIds.Registry,
            AssertFormats = assertFormats,
            Subject = format < 0 ? null : subject,
            SchemaFile = format < 0 ? null : schemaFile,
            Naming = named?.Naming ?? SubjectNaming.Topic,
            RecordName = named?.Record,
            Message = message,
            UnknownFields = unknown,
            KeyFormat = keyFormat < 0 ? KeyFormat.Bytes : (KeyFormat)keyFormat,
            KeySubject = keySubject?.Subject,
            KeyNaming = keySubject?.Naming ?? SubjectNaming.Topic,
            KeyRecord = keySubject?.Record,
            KeySchemaFile = keySchemaFile,
            KeyFraming = keyFraming,
            KeySchemaIds = IsApicurio(keyFraming) ? ids : SchemaIds.Registry,
            Identity = identity,
            TopicPrincipal = principal,
            IdentityJson = identityJson,
            Headers = headers,
            HeaderNames = headerNames,
            Stamp = stamp,
            Tombstones = tombstones,
            TombstoneTerms = tombstoneTerms,
            Topics = topics,
            Partitions = partitions,
            Seal = seal,
            KeyNames = [.. keyNames],
            RecordBytesMax = recordBytesMax,
            HeadersMax = headersMax,
            Node = section.Find("name") ?? node,
            Whole = node,
        };
    }

    /// <summary>What only Protobuf has: which message of its schema values are, and what becomes of unknown fields.</summary>
    private string? Message(Section section, string what, int format, string? record, out UnknownFields unknown)
    {
        unknown = UnknownFields.Deny;
        if (format != (int)SchemaFormat.Protobuf)
        {
            foreach (string key in (string[])["message", "unknown_fields"])
            {
                if (format >= 0 && section.Find(key) is { } needless) { bag.Error(needless, DiagnosticCodes.BadValue, $"`{key}` of {what} is Protobuf's, and the format is another", "leave it out"); }
            }

            return null;
        }

        int word = section.Word("unknown_fields", "deny", "keep", "drop");
        if (word > 0) { unknown = (UnknownFields)word; }
        if (section.Find("message") is not { } node) { return null; }
        string? message = section.Text(node, "message", SubjectLengthMax);
        if (message is not null && !FullName.IsMatch(message))
        {
            bag.Error(node, DiagnosticCodes.BadName, $"`message` of {what} is no full name of a message", "package and name, with dots: shop.Order");
            return null;
        }

        if (message is not null && record is not null && message != record) { bag.Error(node, DiagnosticCodes.BadValue, $"`message` of {what} is another than the record that its subject is named after", "leave it out"); }
        return message;
    }

    private Framing FramingOf(Section section, string what, string? subject)
    {
        int word = section.Word("framing", FramingWords);
        if (word is >= 0 and < 3 && subject is null)
        {
            bag.Error(section.Find("framing")!, DiagnosticCodes.BadValue, $"`framing` of {what} carries schema ids, and without a `subject` nothing says which are admitted", "name the subject, or write framing: none");
        }

        if (word >= 0) { return (Framing)word; }
        return subject is null ? Framing.None : Framing.Confluent;
    }

    private static bool IsApicurio(Framing framing) => framing is Framing.Apicurio4 or Framing.Apicurio8;

    /// <summary>Which of Apicurio's ids its serializers were told to write; the frame does not say it.</summary>
    private SchemaIds SchemaIdsOf(Section section, string what, Framing framing, Framing keyFraming)
    {
        int word = section.Word("schema_ids", "global", "content");
        if (section.Find("schema_ids") is { } node && !IsApicurio(framing) && !IsApicurio(keyFraming))
        {
            bag.Error(node, DiagnosticCodes.BadValue, $"`schema_ids` of {what} speaks of ids of Apicurio's serializers, and nothing is framed as they do", "it goes with framing: apicurio4 or apicurio8");
        }

        return word switch { 0 => SchemaIds.Global, 1 => SchemaIds.Content, _ => SchemaIds.Either };
    }

    /// <summary>A subject by its own name, or as producers' serializers name it: <c>{ naming: record, record: shop.Payment }</c>.</summary>
    private NamedSubject? Subject(Section binding, string name, string what, string ingress, bool key)
    {
        if (binding.Find(name) is not { } node) { return null; }
        if (node.Kind != YamlKind.Mapping)
        {
            string? text = binding.Text(node, name, SubjectLengthMax);
            if (text is { Length: 0 }) { bag.Error(node, DiagnosticCodes.BadValue, $"`{name}` of {what} is empty"); }
            return text is null ? null : new NamedSubject(text, SubjectNaming.Topic, null);
        }

        var section = new Section(node, bag, $"`{name}` of {what}", ["naming", "record"]);
        section.Require("naming");
        int word = section.Word("naming", "topic", "record", "topic-record");
        if (word < 0) { return null; }
        var naming = (SubjectNaming)word;
        if (naming == SubjectNaming.Topic)
        {
            if (section.Find("record") is { } needless) { bag.Error(needless, DiagnosticCodes.BadValue, $"`record` of `{name}` of {what} names nothing: with `naming: topic` the topic alone names the subject", "leave it out, or write naming: record or topic-record"); }
            return new NamedSubject(SubjectNames.Of(naming, ingress, key, ""), naming, null);
        }

        string? record = section.Require("record") is { } recordNode ? section.Text(recordNode, "record", SubjectLengthMax) : null;
        if (record is null) { return null; }
        if (!FullName.IsMatch(record))
        {
            bag.Error(section.Find("record")!, DiagnosticCodes.BadName, $"`record` of `{name}` of {what} is no full name of a record", "namespace and name, with dots: shop.Payment");
            return null;
        }

        return new NamedSubject(SubjectNames.Of(naming, ingress, key, record), naming, record);
    }

    private NamedSubject? KeySchema(Section section, string what, KeyFormat format, string ingress, Framing valueFraming, bool valueHasSubject, out string? file, out Framing framing)
    {
        file = section.Find("key_schema") is { } fileNode ? section.Text(fileNode, "key_schema") : null;
        framing = Framing.None;
        NamedSubject? subject = Subject(section, "key_subject", what, ingress, key: true);
        int word = section.Word("key_framing", FramingWords);
        if (format != KeyFormat.Avro)
        {
            foreach (string key in (string[])["key_subject", "key_schema", "key_framing"])
            {
                if (section.Find(key) is { } needless) { bag.Error(needless, DiagnosticCodes.BadValue, $"`{key}` of {what} speaks of schemas of keys, and only `key_format: avro` has any"); }
            }

            return null;
        }

        if (file is not null)
        {
            if (subject is not null) { bag.Error(section.Find("key_schema")!, DiagnosticCodes.BadValue, $"{what} has both `key_subject` and `key_schema`", "`key_subject` names a registry's schemas, `key_schema` a file for work offline"); }
            if (word is >= 0 and < 3) { bag.Error(section.Find("key_framing")!, DiagnosticCodes.BadValue, $"`key_framing` of {what} carries schema ids, and with `key_schema` nothing says which are admitted", "name the subject, or write key_framing: none"); }
            return null;
        }

        // Keys are framed as values are, where values are.
        framing = word >= 0 ? (Framing)word : valueHasSubject ? valueFraming : Framing.Confluent;
        return subject ?? new NamedSubject(SubjectNames.Of(SubjectNaming.Topic, ingress, key: true, ""), SubjectNaming.Topic, null);
    }

    private BindingTopics Topics(Section binding, string name, string what)
    {
        Section topics = binding.Find("topics") is { } node
            ? new Section(node, bag, $"`topics` of {what}", TopicKeys)
            : new Section(new YamlNode { Kind = YamlKind.Mapping, Line = binding.Node.Line, Column = binding.Node.Column }, bag, what, TopicKeys);
        var routes = new List<string>();
        foreach (YamlNode route in topics.Texts("routes", 256) is null ? [] : topics.Find("routes")!.Items)
        {
            if (topics.Topic(route, "routes") is { } topic) { routes.Add(topic); }
        }

        var all = new BindingTopics(
            topics.Topic("ingress", $"raw.{name}"), topics.Topic("governed", $"governed.{name}"), topics.Topic("rejected", $"rejected.{name}"), topics.Topic("held", $"held.{name}"),
            topics.Topic("state", $"state.{name}"), topics.Topic("approvals", $"approvals.{name}"), topics.Topic("decisions", "decisions"), routes);
        (string Role, string Topic)[] roles =
        [
            ("ingress", all.Ingress), ("governed", all.Governed), ("rejected", all.Rejected), ("held", all.Held), ("state", all.State), ("approvals", all.Approvals), ("decisions", all.Decisions),
            .. routes.Where(route => route != all.Governed).Select(route => ("routes", route)),
        ];
        for (int i = 0; i < roles.Length; i++)
        {
            for (int j = 0; j < i; j++)
            {
                if (roles[i].Topic != roles[j].Topic || (roles[i].Role == "routes" && roles[j].Role == "routes")) { continue; }
                bag.Error(topics.Find(roles[i].Role) ?? topics.Node, DiagnosticCodes.TopicClash, $"topic `{roles[i].Topic}` of {what} is `{roles[j].Role}` and `{roles[i].Role}`");
            }
        }

        return all;
    }

    private Principal Identity(Section binding, string what, out IdentityKind kind, out string json)
    {
        kind = IdentityKind.None;
        json = "";
        if (binding.Find("identity") is not { } node || (node.Kind == YamlKind.Scalar && node.Text == "none")) { return Principal.None; }
        if (node.Kind != YamlKind.Mapping || node.Entries.Count != 1)
        {
            bag.Error(node, DiagnosticCodes.BadValue, $"`identity` of {what} is `none` or exactly one of `topic`, `jws`, `oidc`");
            return Principal.None;
        }

        var identity = new Section(node, bag, $"`identity` of {what}", ["topic", "jws", "oidc"]);
        if (identity.Find("topic") is { } topicNode)
        {
            kind = IdentityKind.Topic;
            var topic = new Section(topicNode, bag, $"`identity.topic` of {what}", ["id", "groups"]);
            string id = topic.Require("id") is { } idNode ? topic.Text(idNode, "id", 256) ?? "" : "";
            if (topic.Find("id") is { } empty && id.Length == 0 && empty.Text.Length == 0) { bag.Error(empty, DiagnosticCodes.BadValue, $"`id` of {what} is empty"); }
            return new Principal(id, topic.Texts("groups", 256, mayBeEmpty: true) ?? [], "topic");
        }

        YamlNode? details = identity.Find("jws") ?? identity.Find("oidc");
        if (details is null) { return Principal.None; }
        kind = identity.Has("jws") ? IdentityKind.Jws : IdentityKind.Oidc;
        if (details.Kind != YamlKind.Mapping || details.Entries.Count == 0)
        {
            bag.Error(details, DiagnosticCodes.WrongShape, $"`identity.{(kind == IdentityKind.Jws ? "jws" : "oidc")}` of {what} is a mapping of its settings");
            return Principal.None;
        }

        json = YamlJson.Canonical(details, bag);
        return Principal.None;
    }

    private HeaderChoice Headers(Section binding, string what, out IReadOnlyList<string> names)
    {
        names = [];
        if (binding.Find("headers") is not { } node) { return HeaderChoice.Keep; }
        if (node.Kind == YamlKind.Sequence)
        {
            names = binding.Texts("headers", 1_000) ?? [];
            foreach (YamlNode item in node.Items)
            {
                if (item.Text.StartsWith("ps-", StringComparison.Ordinal)) { bag.Error(item, DiagnosticCodes.BadValue, $"`{YamlReader.Shown(item.Text)}` in `headers` of {what}: headers under `ps-` are the processor's, and always removed"); }
            }

            return HeaderChoice.Names;
        }

        if (node.Kind == YamlKind.Scalar && node.Text is "keep" or "drop") { return node.Text == "drop" ? HeaderChoice.Drop : HeaderChoice.Keep; }
        bag.Error(node, DiagnosticCodes.BadValue, $"`headers` of {what} is `keep`, `drop`, or a list of names to keep");
        return HeaderChoice.Keep;
    }

    private TombstoneChoice Tombstones(Section binding, string what, out HoldTerms? terms)
    {
        terms = null;
        if (binding.Find("tombstones") is not { } node) { return TombstoneChoice.Deny; }
        if (node.Kind == YamlKind.Mapping)
        {
            var hold = new Section(node, bag, $"`tombstones` of {what}", ["hold"]);
            terms = hold.Require("hold") is { } termsNode ? HoldReader.Read(termsNode, bag, $"the hold of `tombstones` of {what}", SystemCauses.Tombstone) : null;
            return TombstoneChoice.Hold;
        }

        int word = binding.Word("tombstones", "deny", "allow", "hold");
        if (word < 2) { return word == 1 ? TombstoneChoice.Allow : TombstoneChoice.Deny; }

        // The plain word borrows who may approve from the policy's other holds of the system's own.
        if (holdTerms is not null) { terms = holdTerms with { Rule = SystemCauses.Tombstone }; }
        else
        {
            bag.Error(node, DiagnosticCodes.HoldTermsMissing, $"`tombstones: hold` of {what} takes its terms from `on_error` or `on_schema_mismatch`, and neither holds", "write tombstones: { hold: { approvers: [...], expires: 4h, on_expiry: deny } }");
        }

        return TombstoneChoice.Hold;
    }

    [GeneratedRegex(@"\A[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\z")]
    private static partial Regex FullNamePattern();

    private sealed record NamedSubject(string Subject, SubjectNaming Naming, string? Record);
}
