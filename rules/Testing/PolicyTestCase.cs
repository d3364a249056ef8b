using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using PolicyStreams.Rules.Yaml;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>One case: makes the record, judges it, compares.</summary>
internal sealed class PolicyTestCase(CompiledPolicy policy, string name, DiagnosticBag bag)
{
    internal static readonly string[] GivenKeys = ["binding", "principal", "key", "key_version", "headers", "time", "partition", "offset", "version", "value", "bytes"];
    internal static readonly string[] ExpectKeys = ["outcome", "rules", "shadow", "reasons", "errors", "tags", "holds", "masked", "keys", "to", "route", "key", "headers", "value", "absent"];

    // The code of what a JSON Schema refuses is a JSON pointer.
    private const int ErrorCodeMax = 65_536;

    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private readonly Judge _judge = new();
    private readonly Verdict _verdict = new();
    private readonly ByteBuffer _output = new();
    private readonly List<string> _failures = [];

    /// <summary>Failures, or null where the case cannot be run (an error is in the bag).</summary>
    /// <param name="tally">Null where nobody asks what was reached.</param>
    public IReadOnlyList<string>? Run(YamlNode givenNode, YamlNode expectNode, CoverageTally? tally)
    {
        string what = $"`given` of test `{YamlReader.Shown(name)}`";
        var given = new Section(givenNode, bag, what, GivenKeys);
        var expect = new Section(expectNode, bag, $"`expect` of test `{YamlReader.Shown(name)}`", ExpectKeys);
        if (givenNode.Kind != YamlKind.Mapping || expectNode.Kind != YamlKind.Mapping) { return null; }
        if (expectNode.Entries.Count == 0)
        {
            bag.Error(expectNode, DiagnosticCodes.BadExpectation, $"test `{YamlReader.Shown(name)}` expects nothing");
            return null;
        }

        int errors = bag.ErrorCount;
        if (!Record(given, what, out CompiledBinding? binding, out RecordHeaders headers, out Principal principal, out byte[]? value, out byte[]? key, out long time)) { return null; }
        RecordInput input = Input(given, binding, headers, principal, value, key, time);
        _judge.Coverage = tally?.Conditions;
        Judge(binding, input, release: false);
        tally?.Count(binding, _verdict);
        _judge.Coverage = null;
        Compare(expect, binding, input);
        return bag.ErrorCount > errors ? null : _failures;
    }

    /// <summary>Judges a record alone. Everything that the policy says of it is in the text, so that two policies' texts are the same where nothing tells them apart.</summary>
    /// <returns>Null where the record cannot be made; <c>Short</c> is for people.</returns>
    public (string Whole, string Short)? Tell(YamlNode givenNode)
    {
        const string What = "the record";
        if (givenNode.Kind != YamlKind.Mapping) { return null; }
        var given = new Section(givenNode, bag, What, GivenKeys);
        if (!Record(given, What, out CompiledBinding? binding, out RecordHeaders headers, out Principal principal, out byte[]? value, out byte[]? key, out long time)) { return null; }
        RecordInput input = Input(given, binding, headers, principal, value, key, time);
        Judge(binding, input, release: false);
        string outcome = Word(_verdict.Outcome);
        string brief = $"{outcome} {Show(_verdict.Rules)}{(_verdict.Shadow.Count > 0 ? $", shadow {Show(_verdict.Shadow)}" : "")}, to {_verdict.To}";
        var whole = new StringBuilder(brief).Append(Show(_verdict.Reasons)).AppendJoin(',', _verdict.Errors).AppendJoin(',', _verdict.Tags).AppendJoin(',', _verdict.Holds.Select(Spelled));
        if (_verdict.Outcome == Outcome.Hold) { Judge(binding, input, release: true); }
        whole.Append(Show(_verdict.Masked)).Append(Show(_verdict.Keys)).Append(_verdict.KeyNulled);
        if (_verdict.ValueRewritten) { whole.Append(Convert.ToHexString(_output.Slice(_verdict.ValueStart, _verdict.ValueLength))); }
        if (_verdict.KeyRewritten) { whole.Append(Convert.ToHexString(_output.Slice(_verdict.KeyStart, _verdict.KeyLength))); }
        for (int i = 0; i < _verdict.Headers.Count; i++) { whole.Append(Convert.ToHexString(_verdict.Headers.Name(i))).Append('=').Append(Convert.ToHexString(_verdict.Headers.Value(i))); }
        return (whole.ToString(), brief);
    }

    private static string Spelled(HoldTerms terms) => string.Create(
        CultureInfo.InvariantCulture, $"{terms.Rule} {Show(terms.Approvers)} {terms.Quorum} {terms.Expires} {terms.OnExpiry} {terms.Scope} {terms.OwnGroupMayApprove} {terms.Reason}");

    private bool Record(
        Section given, string what, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out CompiledBinding? binding, out RecordHeaders headers, out Principal principal, out byte[]? value, out byte[]? key, out long time)
    {
        int errors = bag.ErrorCount;
        (headers, principal, value, key, time) = (RecordHeaders.Empty, Principal.None, null, null, 0);
        binding = Binding(given, what);
        if (binding is null) { return false; }
        value = Value(given, binding, what);
        key = Key(given, binding, what);
        headers = Headers(given, what);
        principal = Who(given, binding, what);
        time = Time(given, what);
        return bag.ErrorCount == errors;
    }

    private static RecordInput Input(Section given, CompiledBinding binding, RecordHeaders headers, Principal principal, byte[]? value, byte[]? key, long time) => new()
    {
        Topic = binding.Document.Topics.Ingress,
        Partition = given.Int("partition", 0, int.MaxValue) ?? 0,
        Offset = given.Int("offset", 0, int.MaxValue) ?? 0,
        TimestampMs = time,
        HasKey = key is not null,
        Key = key,
        HasValue = value is not null,
        Value = value,
        Headers = headers,
        Principal = principal,
    };

    private void Judge(CompiledBinding binding, in RecordInput input, bool release)
    {
        _output.Clear();
        while (true)
        {
            JudgeResult result = release ? _judge.Release(binding, input, _output, _verdict) : _judge.Decide(binding, input, _output, _verdict);
            if (result.Decided) { return; }
            binding.AnswerUnknown(result);
        }
    }

    private CompiledBinding? Binding(Section given, string what)
    {
        if (given.Find("binding") is not { } node)
        {
            if (policy.Bindings.Count == 1) { return policy.Bindings.Values.First(); }
            bag.Error(given.Node, DiagnosticCodes.MissingKey, $"{what} needs `binding`: the policy has {policy.Bindings.Count}");
            return null;
        }

        if (policy.Bindings.TryGetValue(node.Text, out CompiledBinding? binding)) { return binding; }
        bag.Error(node, DiagnosticCodes.UnknownPolicy, $"the policy has no binding `{YamlReader.Shown(node.Text)}`", NearestName.Help(node.Text, [.. policy.Bindings.Keys], "bindings"));
        return null;
    }

    private byte[]? Value(Section given, CompiledBinding binding, string what)
    {
        YamlNode? value = given.Find("value"), bytes = given.Find("bytes");
        if (value is null == bytes is null)
        {
            bag.Error(given.Node, DiagnosticCodes.BadGiven, $"{what} has exactly one of `value` and `bytes`", "a null value is `value: null`");
            return null;
        }

        if (bytes is { Kind: not YamlKind.Scalar } or { IsNull: true })
        {
            bag.Error(bytes, DiagnosticCodes.BadGiven, $"`bytes` of {what} is hexadecimal, not {(bytes.IsNull ? "null" : bytes.KindName)}", "a null value is `value: null`, an empty one `bytes: \"\"`");
            return null;
        }

        if (bytes is not null)
        {
            try { return Convert.FromHexString(bytes.Text.Replace(" ", "", StringComparison.Ordinal)); }
            catch (FormatException)
            {
                bag.Error(bytes, DiagnosticCodes.BadGiven, $"`bytes` of {what} is hexadecimal");
                return null;
            }
        }

        if (value!.IsNull) { return null; }
        JsonElement json = YamlJson.ToElement(value, bag);
        if (!Version(given, "version", binding.Subject, binding.Unframed, what, out SchemaVersion? version)) { return null; }
        RecordSchema schema = version?.Schema ?? binding.CheckedSchema;
        var buffer = new ByteBuffer();
        if (schema.Format == SchemaFormat.Json)
        {
            // JSON is its own encoding: what its schema says of it is the judge's to find.
            if (!binding.Unframed) { binding.AppendFrame(buffer, version); }
            buffer.Append(Encoding.UTF8.GetBytes(json.GetRawText()));
            return buffer.Written.ToArray();
        }

        try
        {
            if (!binding.Unframed) { binding.AppendFrame(buffer, version); }
            schema.EncodeJson(json, buffer);
            return buffer.Written.ToArray();
        }
        catch (SchemaException fault)
        {
            bag.Error(value, DiagnosticCodes.BadGiven, $"the value of test `{YamlReader.Shown(name)}` is not one of its schema: {fault.Message}");
            return null;
        }
    }

    /// <summary>The version that a record is written by; null for the checked one. False where the test names one that is not there.</summary>
    private bool Version(Section given, string key, SubjectSchemas? schemas, bool unframed, string what, out SchemaVersion? version)
    {
        version = null;
        if (given.Int(key, 1, int.MaxValue) is not { } number) { return !given.Has(key); }
        version = unframed ? null : schemas?.Versions.FirstOrDefault(one => one.Version == number);
        if (version is not null) { return true; }
        bag.Error(given.Find(key)!, DiagnosticCodes.BadGiven, unframed ? $"`{key}` of {what} names a version, and records without a frame are all of one" : $"`{key}` of {what}: the schemas have no version {number}",
            unframed ? "give the subject several versions: SUBJECT.v1.avsc, SUBJECT.v2.avsc" : null);
        return false;
    }

    private byte[]? Key(Section given, CompiledBinding binding, string what)
    {
        if (given.Find("key") is not { } node || node.IsNull) { return null; }
        switch (binding.Key.Format)
        {
            case KeyFormat.Long when CoreScalar.TryInt(node, out long number):
                byte[] bytes = new byte[8];
                System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(bytes, number);
                return bytes;
            case KeyFormat.Long:
                bag.Error(node, DiagnosticCodes.BadGiven, $"`key` of {what} is a whole number");
                return null;
            case KeyFormat.Json:
                return Encoding.UTF8.GetBytes(YamlJson.ToElement(node, bag).GetRawText());
            case KeyFormat.Avro:
                if (!Version(given, "key_version", binding.Key.Subject, binding.Key.Writers!.Unframed, what, out SchemaVersion? version)) { return null; }
                try { return binding.Key.Encode(YamlJson.ToElement(node, bag), version); }
                catch (SchemaException fault)
                {
                    bag.Error(node, DiagnosticCodes.BadGiven, $"`key` of {what} is not one of its schema: {fault.Message}");
                    return null;
                }

            default:
                return given.Text(node, "key", 65_536) is { } text ? Encoding.UTF8.GetBytes(text) : null;
        }
    }

    private RecordHeaders Headers(Section given, string what)
    {
        var headers = new RecordHeaders();
        if (given.Find("headers") is not { } node) { return headers; }
        var section = new Section(node, bag, $"`headers` of {what}", null);
        foreach (YamlEntry entry in node.Entries)
        {
            byte[] header = Encoding.UTF8.GetBytes(entry.Key.Text);
            foreach (YamlNode value in entry.Value.Kind == YamlKind.Sequence ? entry.Value.Items : [entry.Value])
            {
                if (value.IsNull) { headers.Add(header, default, isNull: true); }
                else if (section.Text(value, entry.Key.Text, 65_536) is { } text) { headers.Add(header, Encoding.UTF8.GetBytes(text)); }
            }
        }

        return headers;
    }

    private Principal Who(Section given, CompiledBinding binding, string what)
    {
        BindingDocument document = binding.Document;
        if (given.Find("principal") is not { } node) { return document.TopicPrincipal; }
        if (node.IsNull) { return Principal.None; }
        var section = new Section(node, bag, $"`principal` of {what}", ["id", "groups", "via"]);
        string via = document.Identity switch { IdentityKind.Topic => "topic", IdentityKind.Jws => "jws", IdentityKind.Oidc => "oidc", _ => "none" };
        int word = section.Word("via", "topic", "jws", "oidc", "none");
        if (word >= 0) { via = ((string[])["topic", "jws", "oidc", "none"])[word]; }
        return new Principal(section.Text("id", "", 4096), section.Texts("groups", 1_000, mayBeEmpty: true) ?? [], via, via == "oidc");
    }

    private long Time(Section given, string what)
    {
        if (given.Find("time") is not { } node) { return 1_767_225_600_000; }
        if (CoreScalar.TryInt(node, out long milliseconds)) { return milliseconds; }
        if (node.Kind == YamlKind.Scalar && InstantText.TryParse(node.Text, out long instant)) { return instant; }
        bag.Error(node, DiagnosticCodes.BadGiven, $"`time` of {what} is an instant", "for example 2026-01-02T03:04:05Z, or milliseconds since the Unix epoch");
        return 0;
    }

    private void Compare(Section expect, CompiledBinding binding, in RecordInput input)
    {
        string outcome = Word(_verdict.Outcome);
        if (expect.Find("outcome") is not null && expect.Word("outcome", "allow", "deny", "hold") is >= 0 and int word && (Outcome)word != _verdict.Outcome)
        {
            // A deny or hold has its rules; an allow is what is left where none of them fired.
            List<string> causes = [.. _verdict.Rules.Where(id => id.StartsWith("ps:", StringComparison.Ordinal) || Rule(id)?.Effect == (_verdict.Outcome == Outcome.Deny ? Effect.Deny : Effect.Hold))];
            string why = _verdict.Outcome != Outcome.Allow && causes.Count > 0 ? $", because of {string.Join(", ", causes.Select(Placed))}" : "";
            string errors = _verdict.Errors.Count > 0 ? $" ({string.Join(", ", _verdict.Errors.Select(error => $"{error.Rule}: {error.Code}"))})" : "";
            _failures.Add($"outcome: expected {Word((Outcome)word)}, got {outcome}{why}{errors}");
        }

        List(expect, "rules", _verdict.Rules);
        List(expect, "shadow", _verdict.Shadow);
        List(expect, "reasons", _verdict.Reasons);
        Errors(expect);
        if (expect.Find("tags") is { } tags) { Tags(tags); }
        if (expect.Find("holds") is { } holds) { Holds(holds); }
        if (expect.Find("to") is { } to && expect.Text(to, "to") is { } published) { Same("to", published, _verdict.To); }
        if (expect.Find("route") is { } route && expect.Text(route, "route") is { } topic) { Same("route", topic, _verdict.To); }
        if (!(expect.Has("value") || expect.Has("masked") || expect.Has("keys") || expect.Has("key") || expect.Has("headers") || expect.Has("absent"))) { return; }

        // A held record is shown as a release would publish it.
        if (_verdict.Outcome == Outcome.Hold) { Judge(binding, input, release: true); }
        List(expect, "masked", _verdict.Masked);
        List(expect, "keys", _verdict.Keys);
        if (expect.Find("value") is { } value) { Value(value, binding, input); }
        if (expect.Find("absent") is { } absent) { Absent(expect, absent, binding, input); }
        if (expect.Find("key") is { } key) { KeyOut(key, binding, input); }
        if (expect.Find("headers") is { } headers) { HeadersOut(headers); }
    }

    private void Value(YamlNode expected, CompiledBinding binding, in RecordInput input)
    {
        if (_verdict.Outcome != Outcome.Allow)
        {
            if (!expected.IsNull) { _failures.Add($"value: expected one, and nothing would be published ({Word(_verdict.Outcome)})"); }
            return;
        }

        JsonElement want = YamlJson.ToElement(expected, bag);
        using JsonDocument? document = Published(binding, input, out RecordSchema? schema);
        if (document is null)
        {
            if (!expected.IsNull) { _failures.Add("value: expected one, got null"); }
            return;
        }

        var differences = new List<string>();
        JsonCompare.Within(want, document.RootElement, schema!.Type, "value", differences);
        _failures.AddRange(differences.Select(difference => difference + Masker(difference, binding)));
    }

    /// <summary>What would be published, as JSON; null for a null value.</summary>
    private JsonDocument? Published(CompiledBinding binding, in RecordInput input, out RecordSchema? schema)
    {
        var json = new ByteBuffer();
        using var writer = new Utf8JsonWriter(json, Relaxed);
        if (!PolicyStreams.Rules.Judge.Payload(binding, input, _verdict, out schema, out ReadOnlySpan<byte> payload) || schema!.WriteJson(payload, writer) != DecodeOutcome.Decoded) { return null; }
        writer.Flush();
        return JsonDocument.Parse(json.Written.ToArray(), new JsonDocumentOptions { MaxDepth = 1024 });
    }

    /// <summary>Paths at which what would be published has nothing.</summary>
    private void Absent(Section expect, YamlNode node, CompiledBinding binding, in RecordInput input)
    {
        if (expect.Texts("absent", 1000) is not { } paths) { return; }
        if (_verdict.Outcome != Outcome.Allow)
        {
            _failures.Add($"absent: nothing would be published ({Word(_verdict.Outcome)})");
            return;
        }

        using JsonDocument? document = Published(binding, input, out _);
        foreach (string text in paths)
        {
            if (PathText.Parse(text, out string fault, out _) is not { } path) { bag.Error(node, DiagnosticCodes.BadExpectation, $"`{YamlReader.Shown(text)}` in `absent` of test `{YamlReader.Shown(name)}` is no path: {fault}"); }
            else if (path.Root != PathRoot.Value) { bag.Error(node, DiagnosticCodes.BadExpectation, $"`{YamlReader.Shown(text)}` in `absent` of test `{YamlReader.Shown(name)}` is not of the value"); }
            else if (document is not null && JsonPlaces.IsThere(document.RootElement, path.Steps.Span)) { _failures.Add($"absent: {text} is there"); }
        }
    }

    private void KeyOut(YamlNode expected, CompiledBinding binding, in RecordInput input)
    {
        if (binding.Key.Writers is null || expected.IsNull || _verdict.KeyNulled || !input.HasKey)
        {
            // A key without a schema is a text or a number; one with a schema may be expected, and null come.
            if (binding.Key.Writers is null && expected.Kind != YamlKind.Scalar) { bag.Error(expected, DiagnosticCodes.WrongShape, $"`key` in `expect` of test `{YamlReader.Shown(name)}` is a plain value, not {expected.KindName}"); }
            else { Same("key", expected.Kind == YamlKind.Scalar ? expected.IsNull ? "null" : Told(expected.Text) : expected.KindName, KeyText(binding, input)); }
            return;
        }

        ReadOnlySpan<byte> key = _verdict.KeyRewritten ? _output.Slice(_verdict.KeyStart, _verdict.KeyLength) : input.Key;
        var json = new ByteBuffer();
        using var writer = new Utf8JsonWriter(json, Relaxed);
        if (!PolicyStreams.Rules.Judge.KeyPayload(binding, input, key, out RecordSchema? schema, out ReadOnlySpan<byte> payload) || schema!.WriteJson(payload, writer) != DecodeOutcome.Decoded)
        {
            _failures.Add("key: expected one of its schema, and it cannot be read");
            return;
        }

        writer.Flush();
        using JsonDocument document = JsonDocument.Parse(json.Written.ToArray(), new JsonDocumentOptions { MaxDepth = 1024 });
        JsonCompare.Within(YamlJson.ToElement(expected, bag), document.RootElement, schema.Type, "key", _failures);
    }

    /// <summary>Which rule's mask wrote the value that a difference speaks of.</summary>
    private string Masker(string difference, CompiledBinding binding)
    {
        if (!difference.StartsWith("value.", StringComparison.Ordinal)) { return ""; }
        string path = difference["value.".Length..difference.IndexOf(": ", StringComparison.Ordinal)];
        foreach ((string masked, int rule) in _verdict.MaskedSet.Owners)
        {
            string pattern = "^" + System.Text.RegularExpressions.Regex.Escape(masked).Replace(@"\[\*]", @"(\[\d+\]|\.[^.\[]+)", StringComparison.Ordinal) + @"($|[.\[])";
            if (System.Text.RegularExpressions.Regex.IsMatch(path, pattern, System.Text.RegularExpressions.RegexOptions.NonBacktracking)) { return $" (masked by {Placed(binding.Rules[rule].Document.Id)})"; }
        }

        return "";
    }

    private RuleDocument? Rule(string id) => policy.Document.Rules.FirstOrDefault(rule => rule.Id == id);

    /// <summary>A rule's id and where it stands; the id alone for causes of the system's own and rules that are not there.</summary>
    private string Placed(string id) => Rule(id) is { } rule ? string.Create(CultureInfo.InvariantCulture, $"{id} ({policy.Document.Path}:{rule.PlaceOf("id").Line})") : id;

    private string KeyText(CompiledBinding binding, in RecordInput input)
    {
        if (_verdict.KeyNulled || (!input.HasKey && !_verdict.KeyRewritten)) { return "null"; }
        ReadOnlySpan<byte> key = _verdict.KeyRewritten ? _output.Slice(_verdict.KeyStart, _verdict.KeyLength) : input.Key;
        return binding.Key.Format == KeyFormat.Long && key.Length == 8
            ? System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(key).ToString(CultureInfo.InvariantCulture)
            : Told(Encoding.UTF8.GetString(key));
    }

    private void HeadersOut(YamlNode expected)
    {
        if (!AllScalars(expected, "headers", lists: true)) { return; }
        var got = new List<string>();
        for (int i = 0; i < _verdict.Headers.Count; i++)
        {
            got.Add($"{Encoding.UTF8.GetString(_verdict.Headers.Name(i))}: {(_verdict.Headers.IsNull(i) ? "null" : Told(Encoding.UTF8.GetString(_verdict.Headers.Value(i))))}");
        }

        List<string> want = [.. expected.Entries.SelectMany(entry => (entry.Value.Kind == YamlKind.Sequence ? entry.Value.Items : [entry.Value]).Select(value => $"{entry.Key.Text}: {(value.IsNull ? "null" : Told(value.Text))}"))];
        if (!want.Order(StringComparer.Ordinal).SequenceEqual(got.Order(StringComparer.Ordinal))) { _failures.Add($"headers: expected {Show(want)}, got {Show(got)}"); }
    }

    private void Errors(Section expect)
    {
        if (expect.Find("errors") is not { } node) { return; }
        string what = $"`errors` of test `{YamlReader.Shown(name)}`";
        if (node.Kind != YamlKind.Sequence)
        {
            bag.Error(node, DiagnosticCodes.WrongShape, $"{what} is a list, not {node.KindName}", "- CODE, or - { rule: ID, code: CODE }");
            return;
        }

        var want = new List<string>();
        foreach (YamlNode item in node.Items)
        {
            if (item.Kind != YamlKind.Mapping)
            {
                if (expect.Text(item, "errors", ErrorCodeMax) is { } code) { want.Add(code); }
                continue;
            }

            var error = new Section(item, bag, $"an error in {what}", ["rule", "code"]);
            if (error.Require("rule") is { } rule && error.Require("code") is { } itsCode && error.Text(rule, "rule") is { } by && error.Text(itsCode, "code", ErrorCodeMax) is { } why) { want.Add($"{by}: {why}"); }
        }

        if (want.Count < node.Items.Count) { return; }
        IEnumerable<string> got = _verdict.Errors.Select((error, i) => i < node.Items.Count && node.Items[i].Kind != YamlKind.Mapping ? error.Code : $"{error.Rule}: {error.Code}");
        if (!want.SequenceEqual(got)) { _failures.Add($"errors: expected {Show(want)}, got {Show([.. _verdict.Errors.Select(error => $"{error.Rule}: {error.Code}")])}"); }
    }

    private void Tags(YamlNode node)
    {
        if (!AllScalars(node, "tags", lists: false)) { return; }
        List<string> want = [.. node.Entries.Select(entry => $"{entry.Key.Text}: {entry.Value.Text}").Order(StringComparer.Ordinal)];
        List<string> got = [.. _verdict.Tags.Select(tag => $"{tag.Key}: {tag.Value}").Order(StringComparer.Ordinal)];
        if (!want.SequenceEqual(got)) { _failures.Add($"tags: expected {Show(want)}, got {Show(got)}"); }
    }

    /// <summary>True for a mapping of names to plain values; else says what is none.</summary>
    /// <param name="lists">A name may have a list of values as well.</param>
    private bool AllScalars(YamlNode node, string key, bool lists)
    {
        int errors = bag.ErrorCount;
        string what = $"`{key}` of test `{YamlReader.Shown(name)}`";
        _ = new Section(node, bag, what, null);
        foreach (YamlNode value in node.Entries.SelectMany(entry => lists && entry.Value.Kind == YamlKind.Sequence ? entry.Value.Items : [entry.Value]))
        {
            if (value.Kind != YamlKind.Scalar) { bag.Error(value, DiagnosticCodes.WrongShape, $"a value in {what} is plain, not {value.KindName}"); }
        }

        return bag.ErrorCount == errors;
    }

    /// <summary>Terms of the holds that fired, by rule: those that the test names.</summary>
    private void Holds(YamlNode node)
    {
        var all = new Section(node, bag, $"`holds` of test `{YamlReader.Shown(name)}`", [.. policy.Document.Rules.Select(rule => rule.Id), SystemCauses.Error, SystemCauses.SchemaMismatch, SystemCauses.Tombstone]);
        foreach (YamlEntry entry in node.Entries)
        {
            string rule = entry.Key.Text, what = $"`{YamlReader.Shown(rule)}` in `holds` of test `{YamlReader.Shown(name)}`";
            if (_verdict.Holds.Find(one => one.Rule == rule) is not { } terms)
            {
                if (all.Has(rule)) { _failures.Add($"holds: expected {Placed(rule)} to hold, got {Show([.. _verdict.Holds.Select(one => one.Rule)])}"); }
                continue;
            }

            var want = new Section(entry.Value, bag, what, HoldReader.Keys);
            if (want.Texts("approvers", HoldReader.ApproversMax) is { } approvers && !approvers.Order(StringComparer.Ordinal).SequenceEqual(terms.Approvers.Order(StringComparer.Ordinal))) { Differs("approvers", Show(approvers), Show(terms.Approvers)); }
            if (want.Int("quorum", 1, HoldReader.QuorumMax) is { } quorum && quorum != terms.Quorum) { Differs("quorum", Number(quorum), Number(terms.Quorum)); }
            if (want.Duration("expires", HoldReader.ExpiresMin, HoldReader.ExpiresMax) is { } expires && expires != terms.Expires) { Differs("expires", DurationText.Format(expires), DurationText.Format(terms.Expires)); }
            if (want.Word("on_expiry", "deny", "allow") is >= 0 and int onExpiry && onExpiry == 1 != (terms.OnExpiry == OnExpiry.Allow)) { Differs("on_expiry", onExpiry == 1 ? "allow" : "deny", onExpiry == 1 ? "deny" : "allow"); }
            if (want.Word("scope", "record", "key") is >= 0 and int scope && scope == 1 != (terms.Scope == HoldScope.Key)) { Differs("scope", scope == 1 ? "key" : "record", scope == 1 ? "record" : "key"); }
            if (want.Bool("own_group_may_approve") is { } own && own != terms.OwnGroupMayApprove) { Differs("own_group_may_approve", own ? "true" : "false", own ? "false" : "true"); }
            if (want.Find("reason") is { } reason && want.Text(reason, "reason") is { } words && words != terms.Reason) { Differs("reason", words, terms.Reason); }

            void Differs(string key, string wanted, string got) => _failures.Add($"holds.{rule}.{key}: expected {wanted}, got {got} ({Placed(rule)})");
        }

        static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
    }

    private void List(Section expect, string key, List<string> got)
    {
        if (expect.Find(key) is null) { return; }
        IReadOnlyList<string>? want = expect.Texts(key, 10_000, mayBeEmpty: true);
        if (want is null || want.Order(StringComparer.Ordinal).SequenceEqual(got.Order(StringComparer.Ordinal))) { return; }
        bool rules = key is "rules" or "shadow";
        string missing = string.Join(", ", want.Except(got).Select(text => rules ? Placed(text) : text)), extra = string.Join(", ", got.Except(want).Select(text => rules ? Placed(text) : text));
        _failures.Add($"{key}: expected {Show(want)}, got {Show(got)}{(missing.Length > 0 ? $"; missing {missing}" : "")}{(extra.Length > 0 ? $"; not expected {extra}" : "")}");
    }

    private void Same(string key, string want, string got)
    {
        if (want != got) { _failures.Add($"{key}: expected {want}, got {got}"); }
    }

    /// <summary>A key's or header's text, apart from no text.</summary>
    private static string Told(string text) => text == "null" ? "\"null\"" : text;

    private static string Show(IReadOnlyList<string> texts) => $"[{string.Join(", ", texts)}]";

    private static string Word(Outcome outcome) => outcome switch { Outcome.Allow => "allow", Outcome.Deny => "deny", _ => "hold" };
}
