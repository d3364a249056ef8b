using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Cel.Compilation;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Rules.Yaml;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Json;
using PolicyStreams.Schemas.Protobuf;

namespace PolicyStreams.Rules;

/// <summary>Compiles the rules that apply to one binding against its schemas.</summary>
/// <param name="keySubject">Null where keys have no schema.</param>
/// <param name="running">
/// True where a running policy is compiled anew because its subjects have more versions. What a version brings is then no mistake of the policy's author: tags that sit where
/// their mask cannot be applied, and schemas that cannot be used, are warnings, and the records that they touch are denied one by one.
/// </param>
internal sealed class BindingCompiler(PolicyDocument policy, BindingDocument binding, SubjectSchemas subject, SubjectSchemas? keySubject, KeyRing keys, PatternTable patterns, DiagnosticBag bag, bool running = false)
{
    private readonly List<(CompiledRule Rule, MaskSelector Selector)> _explicit = [];
    private readonly List<(CompiledRule Rule, MaskSelector Selector)> _tagged = [];
    private readonly List<(CompiledRule Rule, MaskSelector Selector)> _keyed = [];
    private readonly List<(CompiledRule Rule, MaskSelector Selector)> _keyTagged = [];
    private Dictionary<string, IReadOnlySet<string>> _tags = [];
    private Dictionary<string, IReadOnlySet<string>> _keyTags = [];

    public CompiledBinding? Compile()
    {
        int errors = bag.ErrorCount;
        SchemaType type = subject.Checked.Type;
        var root = new CaptureRow { Node = new CaptureNode { Type = type } };
        SubjectSchemas? keySchemas = KeySchemas();
        RecordSchema? keySchema = keySchemas?.Checked;
        CheckRecordName(subject, binding.Message ?? binding.RecordName);
        CheckProtobuf();
        if (keySchemas is not null) { CheckRecordName(keySchemas, binding.KeyRecord); }
        var compiler = new ConditionCompiler(type, KeyType(keySchema), root) { RecordBytesMax = policy.RecordBytesMax, HeadersMax = policy.HeadersMax, Avro = binding.Format == SchemaFormat.Avro, Patterns = patterns };
        _tags = Tags(subject);
        _keyTags = keySchemas is null ? [] : Tags(keySchemas);

        var rules = new List<CompiledRule>();
        foreach (RuleDocument rule in policy.Rules)
        {
            if (!rule.AppliesTo(binding.Name)) { continue; }
            var compiled = new CompiledRule { Document = rule, Index = rules.Count, When = Condition(compiler, rule) };
            rules.Add(compiled);
            if (rule.Mask is { } mask && !binding.Untyped) { Select(compiled, mask, type, keySchema); }
        }

        CheckKeyNames();

        // Explicit paths come before tags, and each in document order: sites of one value come in the order of selectors, so the first that applies is the one that holds.
        List<(CompiledRule Rule, MaskSelector Selector)> selectors = [.. _explicit, .. _tagged];
        List<(CompiledRule Rule, MaskSelector Selector)> keySelectors = [.. _keyed, .. _keyTagged];
        if (selectors.Count > ushort.MaxValue || keySelectors.Count > ushort.MaxValue)
        {
            bag.Error(binding.Node, DiagnosticCodes.TooMany, $"binding `{binding.Name}` has more than {ushort.MaxValue} masks");
            return null;
        }

        var masks = new CompiledMask[selectors.Count];
        for (int i = 0; i < masks.Length; i++) { masks[i] = Mask(selectors[i].Rule, i); }
        var keyMasks = new CompiledMask[keySelectors.Count];
        for (int i = 0; i < keyMasks.Length; i++) { keyMasks[i] = Mask(keySelectors[i].Rule, i); }
        CompiledMask[] headerMasks = [.. rules.Where(rule => rule.Document.Mask?.Path?.Root == PathRoot.Header).Select(rule => Mask(rule, -1))];
        CompiledMask[] wholeKeyMasks = [.. rules.Where(rule => rule.Document.Mask?.Path is { Root: PathRoot.Key, Steps.Length: 0 }).Select(rule => Mask(rule, -1))];
        if (bag.ErrorCount > errors) { return null; }

        var plan = new CapturePlan { Root = root, Selectors = [.. selectors.Select(selector => selector.Selector)], TagsByPath = _tags, UnknownFields = binding.UnknownFields };
        CapturePlan? keyPlan = keySchema is null ? null : new CapturePlan
        {
            Root = new CaptureRow { Node = new CaptureNode { Type = keySchema.Type } },
            Selectors = [.. keySelectors.Select(selector => selector.Selector)],
            TagsByPath = _keyTags,
        };
        var compiledBinding = new CompiledBinding
        {
            Document = binding,
            PolicyDocument = policy,
            Subject = subject,
            Rules = [.. rules],
            Plan = plan,
            Masks = masks,
            HeaderMasks = headerMasks,
            WholeKeyMasks = wholeKeyMasks,
            Key = new KeyCodec(binding, keySchemas, keyPlan, keyMasks, [.. rules.SelectMany(rule => rule.When?.KeyPathsRead ?? [])]),
        };
        compiledBinding.Open();
        AddWriters(compiledBinding.Writers, subject, compiledBinding.Losses, "");
        if (compiledBinding.Key.Writers is { } keyWriters) { AddWriters(keyWriters, keySchemas!, compiledBinding.Key.Losses!, "keys of "); }
        return bag.ErrorCount > errors ? null : compiledBinding;
    }

    private CompiledMask Mask(CompiledRule rule, int selector)
    {
        MaskDocument document = rule.Document.Mask!;
        PatternMask? pattern = null;
        if (document.Method == MaskMethod.Pattern || document.HitMethod == MaskMethod.Pattern)
        {
            pattern = PatternMask.Create(document.Match, document.Replace, patterns, out string fault);
            if (pattern is null) { bag.Error(document.MethodNode, DiagnosticCodes.ConditionPattern, $"the pattern of rule `{rule.Document.Id}` cannot be used: {fault}"); }
        }

        return rule.Mask = CompiledMask.Create(document, rule.Index, selector, keys, pattern);
    }

    private SubjectSchemas? KeySchemas()
    {
        switch (binding.KeyFormat)
        {
            case KeyFormat.Json:
                return new SubjectSchemas("", [new SchemaVersion(1, 0, SchemalessJson.Instance)]);
            case KeyFormat.Avro when keySubject is { Versions.Count: > 0, Checked.Format: SchemaFormat.Avro }:
                return keySubject;
            case KeyFormat.Avro:
                bag.Error(binding.Node, keySubject is { Versions.Count: > 0 } ? DiagnosticCodes.SchemaFormatMismatch : DiagnosticCodes.SchemaMissing,
                    $"binding `{binding.Name}` has `key_format: avro`, and no Avro schema for its keys", binding.KeySubject is { } name ? $"register one under subject `{name}`" : null);
                return null;
            default:
                return null;
        }
    }

    private static Dictionary<string, IReadOnlySet<string>> Tags(SubjectSchemas subject)
    {
        var tags = new Dictionary<string, IReadOnlySet<string>>(StringComparer.Ordinal);
        foreach (SchemaVersion version in subject.Versions) { SchemaPaths.AddTags(version.Schema.Type, tags, version.Tags); }

        // A field that is another one by alias carries its tags, and the other way round.
        foreach (SchemaVersion version in subject.Versions)
        {
            SchemaAliases.Walk(version.Schema.Type, (own, others) =>
            {
                SortedSet<string> all = new([.. tags.GetValueOrDefault(own) ?? Enumerable.Empty<string>(), .. others.SelectMany(other => tags.GetValueOrDefault(other) ?? Enumerable.Empty<string>())], StringComparer.Ordinal);
                if (all.Count == 0) { return; }
                foreach (string path in (string[])[own, .. others]) { tags[path] = all; }
            });
        }

        SchemaNumbers.Unite(subject.Versions, tags);
        return tags;
    }

    /// <summary>What a Protobuf binding leaves to chance.</summary>
    private void CheckProtobuf()
    {
        if (subject.Checked is not ProtobufSchema schema) { return; }
        if (binding.Message is { } message && schema.Type.FullName != message)
        {
            (int line, int column) = binding.PlaceOf("message");
            bag.Add(line, column, DiagnosticCodes.SchemaUnusable, Severity.Error, $"the schema of binding `{binding.Name}` has no message `{message}`", NearestName.Help(message, schema.MessageNames, "its messages"));
        }

        if (binding is { Message: null, RecordName: null } && schema.MessageNames.Count > 1)
        {
            bag.Add(binding.Node.Line, binding.Node.Column, DiagnosticCodes.FirstMessage, Severity.Note, $"the schema of binding `{binding.Name}` has {schema.MessageNames.Count} messages, and `{schema.Type.FullName}`, its first, is taken: records of the others are denied", $"say which: message: {schema.Type.FullName}");
        }

        if (binding.UnknownFields == UnknownFields.Keep)
        {
            (int line, int column) = binding.PlaceOf("unknown_fields");
            bag.Add(line, column, DiagnosticCodes.UnknownFieldsKept, Severity.Note, $"binding `{binding.Name}` keeps unknown fields: what a record carries beyond its own schema goes out unseen by every rule and mask", "`drop` cuts it out, `deny` refuses such records");
        }
    }

    /// <summary>A subject that is named after a record holds that record; a version that is another one may not write, and the checked one must not be.</summary>
    private void CheckRecordName(SubjectSchemas schemas, string? record)
    {
        if (record is null || schemas.Versions[^1].Id == 0 || (binding.Message is not null && schemas.CheckedVersion.Schema.Type.FullName != record)) { return; }
        foreach (SchemaVersion version in schemas.Versions)
        {
            if (version.Deleted || version.Schema.Type.FullName == record) { continue; }
            string what = $"version {version.Version} of subject `{schemas.Subject}` is {(version.Schema.Type.FullName is { } other ? $"record `{other}`" : "no record")}, not `{record}`, which the subject is named after";
            if (version.Version == schemas.CheckedVersion.Version) { bag.Error(binding.Node, DiagnosticCodes.SchemaUnusable, what, "name the record that producers write"); }
            else { bag.Warning(binding.Node, DiagnosticCodes.VersionMismatch, what, "its records are denied"); }
        }
    }

    private SchemaType KeyType(RecordSchema? schema) => schema?.Type ?? new SchemaType
    {
        Kind = binding.KeyFormat switch { KeyFormat.String => ValueKind.String, KeyFormat.Long => ValueKind.Int, _ => ValueKind.Bytes },
        Nullable = true,
        NativeName = binding.KeyFormat switch { KeyFormat.String => "string", KeyFormat.Long => "long", _ => "bytes" },
    };

    private Condition? Condition(ConditionCompiler compiler, RuleDocument rule)
    {
        if (rule.When is null) { return null; }
        var found = new List<CelDiagnostic>();
        Condition? condition = compiler.Compile(rule.When, found);
        foreach (CelDiagnostic one in found) { Say(one, rule, Severity.Error); }
        if (condition is not null)
        {
            foreach (CelDiagnostic one in condition.Notes) { Say(one, rule, Severity.Warning); }
        }
        else if (found.Count == 0) { bag.Error(rule.WhenNode!, DiagnosticCodes.ConditionOther, $"the condition of {rule.Named} cannot be used"); }

        return condition;
    }

    private void Say(CelDiagnostic one, RuleDocument rule, Severity severity)
    {
        (int line, int column) = rule.WhenNode!.Locate(one.Line, one.Column);
        string where = one.Code == CelCodes.UnknownField ? $" in {rule.Named} ({SubjectName()})" : $" in {rule.Named}";
        bag.Add(line, column, CodeOf(one.Code), severity, one.Message + where, one.Help);
    }

    private string SubjectName() => subject.Versions[^1].Id == 0 ? $"binding `{binding.Name}`" : $"subject `{subject.Subject}`";

    private static string CodeOf(string code) => code switch
    {
        CelCodes.Syntax => DiagnosticCodes.ConditionSyntax,
        CelCodes.TooLarge => DiagnosticCodes.ConditionTooLarge,
        CelCodes.UnknownVariable => DiagnosticCodes.UnknownVariable,
        CelCodes.UnknownField => DiagnosticCodes.UnknownField,
        CelCodes.UnknownFunction => DiagnosticCodes.UnknownFunction,
        CelCodes.Type => DiagnosticCodes.ConditionType,
        CelCodes.Pattern => DiagnosticCodes.ConditionPattern,
        CelCodes.Constant => DiagnosticCodes.ConditionConstant,
        CelCodes.NotBool => DiagnosticCodes.NotBool,
        CelCodes.UnguardedNull => DiagnosticCodes.UnguardedNull,
        CelCodes.NotASymbol => DiagnosticCodes.NotASymbol,
        _ => DiagnosticCodes.ConditionOther,
    };

    private void Select(CompiledRule rule, MaskDocument mask, SchemaType type, RecordSchema? keySchema)
    {
        string what = rule.Document.Named;
        if (mask.Tag is { } tag)
        {
            SelectTag(rule, mask, tag, what, type);
            return;
        }

        FieldPath path = mask.Path!;
        switch (path.Root)
        {
            case PathRoot.Header:
                if (path.Header!.StartsWith("ps-", StringComparison.Ordinal)) { bag.Error(mask.SelectorNode, DiagnosticCodes.BadPath, $"{what} masks header `{YamlReader.Shown(path.Header)}`: headers under `ps-` are always removed"); }
                MaskTypes.CheckHeader(mask, what, bag);
                return;
            case PathRoot.Key when path.Steps.Length == 0:
                MaskTypes.CheckKey(mask, binding.KeyFormat, what, bag);
                return;
            case PathRoot.Key when keySchema is null:
                bag.Error(mask.SelectorNode, DiagnosticCodes.UnknownField, $"`{path}` in {what}: a key of format {KeyType(null).NativeName} has no fields");
                return;
            default:
                SchemaType root = path.Root == PathRoot.Key ? keySchema!.Type : type;
                ResolvedPath? resolved = SchemaPaths.Resolve(root, path, out string message, out string? help);
                if (resolved is null)
                {
                    bag.Error(mask.SelectorNode, DiagnosticCodes.UnknownField, $"{message} in {what} ({SubjectName()})", help);
                    return;
                }

                MaskTypes.Check(mask, resolved.Path.ToString(), resolved.Types, resolved.ParentKind, what, bag);

                if (root.Kind == ValueKind.Dyn && root.Branches.Count == 0 && path.Steps.Span.IndexOf(PathStep.All) is >= 0 and var all)
                {
                    string list = new FieldPath(path.Root, null, path.Steps[..all].ToArray()).ToString();
                    bag.Add(mask.SelectorNode.Line, mask.SelectorNode.Column, DiagnosticCodes.ListsOnly, Severity.Note, $"`{path}` in {what} masks where `{(list.Length > 0 ? list : "the value")}` is a list: without a schema an object is no map, and `[*]` selects none of its values", "name the properties of an object, one mask each");
                }

                // A program walks a key as it walks a value: paths start at what is walked.
                if (path.Root == PathRoot.Key) { _keyed.Add((rule, new MaskSelector(new FieldPath(PathRoot.Value, null, resolved.Path.Steps.ToArray()), null))); }
                else { _explicit.Add((rule, new MaskSelector(resolved.Path, null))); }
                return;
        }
    }

    private void SelectTag(CompiledRule rule, MaskDocument mask, string tag, string what, SchemaType type)
    {
        bool found = Carried(mask, tag, what, subject, _tags, inKey: false);
        bool inKey = keySubject is not null && Carried(mask, tag, what, keySubject, _keyTags, inKey: true);
        if (inKey) { _keyTagged.Add((rule, new MaskSelector(null, tag))); }
        if (found) { _tagged.Add((rule, new MaskSelector(null, tag))); }
        if (found || inKey) { return; }
        if (type.Kind == ValueKind.Dyn && type.Branches.Count == 0)
        {
            bag.Error(mask.SelectorNode, DiagnosticCodes.UnknownTag, $"tag `{YamlReader.Shown(tag)}` of {what}: JSON without a schema has no tags", "select by `field`");
            return;
        }

        List<string> known = [.. _tags.Values.Concat(_keyTags.Values).SelectMany(set => set).Distinct().Order(StringComparer.Ordinal)];
        bag.Error(mask.SelectorNode, DiagnosticCodes.UnknownTag, $"no field of {SubjectName()} carries tag `{YamlReader.Shown(tag)}` of {what}", NearestName.Help(tag, known, "tags"));
    }

    /// <summary>True where some version carries the tag. Each version that has the field is checked: a tag may sit on a field that another one lacks.</summary>
    private bool Carried(MaskDocument mask, string tag, string what, SubjectSchemas schemas, Dictionary<string, IReadOnlySet<string>> byPath, bool inKey)
    {
        bool found = false;
        foreach ((string text, IReadOnlySet<string> tags) in byPath.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            if (!tags.Contains(tag)) { continue; }
            found = true;
            if (PathText.Parse(text, out _, out _) is not { } path) { continue; }
            foreach (SchemaVersion version in schemas.Versions)
            {
                if (version.Deleted || SchemaPaths.Resolve(version.Schema.Type, InValue(path), out _, out _) is not { } resolved) { continue; }
                MaskTypes.Check(mask, inKey ? KeyCodec.KeyPath(text) : text, resolved.Types, resolved.ParentKind, what, bag, running ? Severity.Warning : Severity.Error);
            }
        }

        return found;
    }

    /// <summary>A field of the value that is named like a root (<c>key</c>) keeps its name when a tag's path is read back.</summary>
    internal static FieldPath InValue(FieldPath path) => path.Root switch
    {
        PathRoot.Key => new FieldPath(PathRoot.Value, null, [new PathStep(PathStepKind.Field, "key"), .. path.Steps.Span]),
        PathRoot.Header => new FieldPath(PathRoot.Value, null, [new PathStep(PathStepKind.Field, "headers"), new PathStep(PathStepKind.MapKey, path.Header!)]),
        _ => path,
    };

    private void CheckKeyNames()
    {
        foreach (RuleDocument rule in policy.Rules)
        {
            if (rule.AppliesTo(binding.Name) && rule.Mask is { KeyName: { } name } mask) { CheckKey(name, mask.MethodNode, $"rule `{rule.Id}`"); }
        }

        if (binding.Seal is { } seal) { CheckKey(seal, binding.Node, $"the seal of binding `{binding.Name}`"); }
    }

    private void CheckKey(string name, YamlNode at, string what)
    {
        if (keys.Contains(name)) { return; }
        bag.Error(at, DiagnosticCodes.UnknownMaskKey, $"key `{name}` of {what} is not supplied", NearestName.Find(name, keys.Names) is { } near ? $"did you mean `{near}`?" : $"supply it: --key {name}=file:PATH");
    }

    private void AddWriters(WriterTable writers, SubjectSchemas schemas, MaskedLosses losses, string of)
    {
        foreach (SchemaVersion version in schemas.Versions)
        {
            Writer writer = writers.Admit(version);
            string what = $"version {version.Version} of {of}{(version.Id == 0 ? $"binding `{binding.Name}`" : $"subject `{schemas.Subject}`")}";
            if (writer is { Program: null, RefusedForGood: false })
            {
                if (running && version.Version != schemas.CheckedVersion.Version) { bag.Warning(binding.Node, DiagnosticCodes.SchemaUnusable, $"{what} cannot be compiled for binding `{binding.Name}`", "its records are denied"); }
                else { bag.Error(binding.Node, DiagnosticCodes.SchemaUnusable, $"{what} cannot be compiled for binding `{binding.Name}`"); }
                continue;
            }

            // Records of such a version are denied or held one by one; the author hears of it here.
            foreach (SchemaMismatch mismatch in writer.Mismatches)
            {
                bag.Warning(binding.Node, DiagnosticCodes.VersionMismatch, $"{what}: `{mismatch.Path}` {mismatch.Why}", "its records get what `on_schema_mismatch` says");
            }

            if (version.Version != schemas.CheckedVersion.Version) { continue; }
            foreach (SchemaMismatch gone in losses.Gone(version.Version))
            {
                bag.Warning(binding.Node, DiagnosticCodes.VersionMismatch, $"{what}, which is checked: `{gone.Path}` {gone.Why}", "nothing is masked in its place: where another field holds it now, tag that one");
            }
        }
    }
}
