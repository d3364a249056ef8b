using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Rules.Yaml;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Rules;

/// <summary>Compiles the rules that apply to one binding against its schemas.</summary>
internal sealed class BindingCompiler(PolicyDocument policy, BindingDocument binding, SubjectSchemas subject, SubjectSchemas? keySubject, KeyRing keys, DiagnosticBag bag)
{
    private readonly List<(CompiledRule Rule, MaskSelector Selector)> _explicit = [];
    private readonly List<(CompiledRule Rule, MaskSelector Selector)> _tagged = [];
    private readonly List<(CompiledRule Rule, MaskSelector Selector)> _keyed = [];
    private Dictionary<string, IReadOnlySet<string>> _tags = [];

    public CompiledBinding? Compile()
    {
        int errors = bag.ErrorCount;
        SchemaType type = subject.Checked.Type;
        var root = new CaptureRow { Node = new CaptureNode { Type = type } };
        RecordSchema? keySchema = KeySchema();
        var compiler = new ConditionCompiler(type, KeyType(keySchema), root);
        _tags = new Dictionary<string, IReadOnlySet<string>>(StringComparer.Ordinal);
        foreach (SchemaVersion version in subject.Versions) { SchemaPaths.AddTags(version.Schema.Type, _tags); }

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
        if (selectors.Count > ushort.MaxValue)
        {
            bag.Error(binding.Node, DiagnosticCodes.TooMany, $"binding `{binding.Name}` has more than {ushort.MaxValue} masks");
            return null;
        }

        var masks = new CompiledMask[selectors.Count];
        for (int i = 0; i < masks.Length; i++) { masks[i] = Mask(selectors[i].Rule, i); }
        var keyMasks = new CompiledMask[_keyed.Count];
        for (int i = 0; i < keyMasks.Length; i++) { keyMasks[i] = Mask(_keyed[i].Rule, i); }
        CompiledMask[] headerMasks = [.. rules.Where(rule => rule.Document.Mask?.Path?.Root == PathRoot.Header).Select(rule => Mask(rule, -1))];
        CompiledMask[] wholeKeyMasks = [.. rules.Where(rule => rule.Document.Mask?.Path is { Root: PathRoot.Key, Steps.Length: 0 }).Select(rule => Mask(rule, -1))];
        if (bag.ErrorCount > errors) { return null; }

        var plan = new CapturePlan { Root = root, Selectors = [.. selectors.Select(selector => selector.Selector)], TagsByPath = _tags };
        CapturePlan? keyPlan = keySchema is null || keyMasks.Length == 0 ? null
            : new CapturePlan { Root = new CaptureRow { Node = new CaptureNode { Type = keySchema.Type } }, Selectors = [.. _keyed.Select(selector => selector.Selector)] };
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
            Key = new KeyCodec(binding.KeyFormat, keySchema, keySubject, keyPlan, keyMasks),
        };
        AddWriters(compiledBinding);
        return bag.ErrorCount > errors ? null : compiledBinding;
    }

    private CompiledMask Mask(CompiledRule rule, int selector)
    {
        MaskDocument document = rule.Document.Mask!;
        PatternMask? pattern = null;
        if (document.Method == MaskMethod.Pattern)
        {
            pattern = PatternMask.Create(document.Match, document.Replace, out string fault);
            if (pattern is null) { bag.Error(document.MethodNode, DiagnosticCodes.ConditionPattern, $"the pattern of rule `{rule.Document.Id}` cannot be used: {fault}"); }
        }

        return rule.Mask = CompiledMask.Create(document, rule.Index, selector, keys, pattern);
    }

    private RecordSchema? KeySchema()
    {
        switch (binding.KeyFormat)
        {
            case KeyFormat.Json:
                return SchemalessJson.Instance;
            case KeyFormat.Avro:
                if (keySubject is { Versions.Count: > 0 }) { return keySubject.Checked; }
                bag.Error(binding.Node, DiagnosticCodes.SchemaMissing, $"binding `{binding.Name}` has `key_format: avro`, and no schema for its keys", $"register one under subject `{binding.Topics.Ingress}-key`");
                return null;
            default:
                return null;
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
                (path.Root == PathRoot.Key ? _keyed : _explicit).Add((rule, new MaskSelector(resolved.Path, null)));
                return;
        }
    }

    private void SelectTag(CompiledRule rule, MaskDocument mask, string tag, string what, SchemaType type)
    {
        bool found = false;
        foreach ((string text, IReadOnlySet<string> tags) in _tags.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            if (!tags.Contains(tag)) { continue; }
            found = true;
            foreach (SchemaVersion version in subject.Versions)
            {
                // A tag may sit on a field that another version lacks: each version is checked where it has the field.
                if (PathText.Parse(text, out _, out _) is { } path && SchemaPaths.Resolve(version.Schema.Type, new FieldPath(PathRoot.Value, null, Steps(path)), out _, out _) is { } resolved)
                {
                    MaskTypes.Check(mask, text, resolved.Types, resolved.ParentKind, what, bag);
                }
            }
        }

        if (found || type.Kind == ValueKind.Dyn && type.Branches.Count == 0 && NoTags(mask, tag, what))
        {
            _tagged.Add((rule, new MaskSelector(null, tag)));
            return;
        }

        if (type.Kind == ValueKind.Dyn && type.Branches.Count == 0) { return; }
        List<string> known = [.. _tags.Values.SelectMany(set => set).Distinct().Order(StringComparer.Ordinal)];
        bag.Error(mask.SelectorNode, DiagnosticCodes.UnknownTag, $"no field of {SubjectName()} carries tag `{YamlReader.Shown(tag)}` of {what}", NearestName.Help(tag, known, "tags"));
    }

    private bool NoTags(MaskDocument mask, string tag, string what)
    {
        bag.Error(mask.SelectorNode, DiagnosticCodes.UnknownTag, $"tag `{YamlReader.Shown(tag)}` of {what}: JSON without a schema has no tags", "select by `field`");
        return false;
    }

    /// <summary>A field of the value that is named like a root (<c>key</c>) keeps its name when a tag's path is read back.</summary>
    private static PathStep[] Steps(FieldPath path) => path.Root switch
    {
        PathRoot.Key => [new PathStep(PathStepKind.Field, "key"), .. path.Steps.Span],
        PathRoot.Header => [new PathStep(PathStepKind.Field, "headers"), new PathStep(PathStepKind.MapKey, path.Header!)],
        _ => path.Steps.ToArray(),
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

    private void AddWriters(CompiledBinding compiled)
    {
        foreach (SchemaVersion version in subject.Versions)
        {
            Writer? writer = compiled.Admit(version);
            if (writer?.Program is null)
            {
                bag.Error(binding.Node, DiagnosticCodes.SchemaUnusable, $"version {version.Version} of {SubjectName()} cannot be compiled for binding `{binding.Name}`");
                continue;
            }

            // Records of such a version are denied or held one by one; the author hears of it here.
            foreach (SchemaMismatch mismatch in writer.Mismatches)
            {
                bag.Warning(binding.Node, DiagnosticCodes.VersionMismatch, $"version {version.Version} of {SubjectName()}: `{mismatch.Path}` {mismatch.Why}", "its records get what `on_schema_mismatch` says");
            }
        }
    }
}
