using PolicyStreams.Rules.Yaml;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>Reads one binding, and fills in its defaults.</summary>
internal sealed class BindingReader(DiagnosticBag bag, string policy, IReadOnlyList<RuleDocument> rules, int recordBytesMax, int headersMax, HoldTerms? holdTerms)
{
    private static readonly string[] Keys =
        ["name", "description", "format", "subject", "schema", "framing", "key_format", "identity", "headers", "stamp", "tombstones", "topics", "partitions", "seal"];

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
        string? subject = section.Find("subject") is { } subjectNode ? section.Text(subjectNode, "subject", 512) : null;
        string? schemaFile = section.Find("schema") is { } schemaNode ? section.Text(schemaNode, "schema") : null;
        if (section.Has("subject") && section.Has("schema")) { bag.Error(section.Find("schema")!, DiagnosticCodes.BadValue, $"{what} has both `subject` and `schema`", "`subject` names a registry's schemas, `schema` a file for work offline"); }
        if (subject is { Length: 0 }) { bag.Error(section.Find("subject")!, DiagnosticCodes.BadValue, $"`subject` of {what} is empty"); }

        // Kafka's serializers name a value's subject like this unless told otherwise. JSON without a subject has no schema.
        if (subject is null && schemaFile is null && format != 1) { subject = $"{topics.Ingress}-value"; }
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
        return name is null ? null : new BindingDocument
        {
            Name = name,
            PolicyName = policy,
            // Values of an unknown format could be anything: nothing is said of their fields.
            Format = format < 0 ? SchemaFormat.Json : (SchemaFormat)format,
            Untyped = format < 0,
            Framing = framing,
            Subject = format < 0 ? null : subject,
            SchemaFile = format < 0 ? null : schemaFile,
            KeyFormat = keyFormat < 0 ? KeyFormat.Bytes : (KeyFormat)keyFormat,
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

    private Framing FramingOf(Section section, string what, string? subject)
    {
        int word = section.Word("framing", "confluent", "apicurio4", "apicurio8", "none");
        if (word is >= 0 and < 3 && subject is null)
        {
            bag.Error(section.Find("framing")!, DiagnosticCodes.BadValue, $"`framing` of {what} carries schema ids, and without a `subject` nothing says which are admitted", "name the subject, or write framing: none");
        }

        if (word >= 0) { return (Framing)word; }
        return subject is null ? Framing.None : Framing.Confluent;
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
}
