using System.Text;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Rules.Yaml;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>Reads the mask of one rule.</summary>
internal sealed class MaskReader(DiagnosticBag bag)
{
    private static readonly string[] Keys = ["field", "tag", "detect", "in", .. MaskDocument.Names];

    public MaskDocument? Read(YamlNode node, string what)
    {
        what = $"the mask of {what}";
        var section = new Section(node, bag, what, Keys);
        if (node.Kind != YamlKind.Mapping) { return null; }
        YamlNode? detect = section.Find("detect");
        List<YamlEntry> selectors = [.. node.Entries.Where(entry => entry.Key.Text is "field" or "tag" or "in")];
        List<YamlEntry> methods = [.. node.Entries.Where(entry => Array.IndexOf(MaskDocument.Names, entry.Key.Text) >= 0)];
        if (selectors.Count != 1) { bag.Error(selectors.Count > 1 ? selectors[1].Key : node, DiagnosticCodes.EffectCount, detect is null ? $"{what} has exactly one of `field` and `tag`" : $"{what} has exactly one `in`"); }
        else if ((selectors[0].Key.Text == "in") != (detect is not null))
        {
            bag.Error(selectors[0].Key, DiagnosticCodes.EffectCount, detect is null ? $"`in` of {what} goes with `detect`" : $"`detect` of {what} takes `in`, not `{selectors[0].Key.Text}`", detect is null ? "write `field` or `tag`" : "write `in: PATH`, or `in: { tag: TAG }`");
            return null;
        }

        if (methods.Count > 1 || (methods.Count == 0 && detect is null))
        {
            bag.Error(methods.Count > 1 ? methods[1].Key : node, DiagnosticCodes.EffectCount, methods.Count > 1 ? $"{what} has more than one method" : $"{what} has no method", $"one of {string.Join(", ", MaskDocument.Names)}");
        }

        FieldPath? path = null;
        string? tag = null;
        if (selectors.Count == 1)
        {
            YamlNode selector = selectors[0].Value;
            bool isTag = selectors[0].Key.Text == "tag";
            if (selectors[0].Key.Text == "in" && selector.Kind == YamlKind.Mapping)
            {
                var place = new Section(selector, bag, $"`in` of {what}", ["tag"]);
                selector = place.Require("tag") ?? selector;
                isTag = true;
            }

            string? text = selector.Kind == YamlKind.Mapping ? null : section.Text(selector, isTag ? "tag" : selectors[0].Key.Text);
            if (text is not null && isTag) { tag = text.Length > 0 ? text : Empty(selector, what); }
            else if (text is not null) { path = Path(selector, text, what); }
        }

        int errors = bag.ErrorCount;
        IReadOnlyList<string> detectors = detect is null ? [] : Detectors(section, detect, what);
        if (bag.ErrorCount > errors || methods.Count > 1 || (methods.Count == 0 && detect is null)) { return null; }
        YamlEntry? method = methods.Count == 1 ? methods[0] : null;
        if (detect is not null && method is not null && !CheckHit(method.Value.Key, detectors, what)) { return null; }
        return Method(section, method, what, path, tag, node, selectors.Count > 0 ? selectors[0].Value : node, detect, detectors);
    }

    private IReadOnlyList<string> Detectors(Section section, YamlNode node, string what)
    {
        IReadOnlyList<string> names = section.Texts("detect", Detection.Detectors.Count) ?? [];
        foreach (string name in names)
        {
            if (Detection.Detectors.TryParse(name, out _)) { continue; }
            bag.Error(node.Items.First(item => item.Text == name), DiagnosticCodes.BadValue, $"`{YamlReader.Shown(name)}` of {what} is no detector", NearestName.Help(name, [.. Detection.Detectors.Names], "detectors"));
        }

        return [.. Detection.Detectors.Names.Where(names.Contains)];
    }

    /// <summary>What is done to a hit gives text from text, wherever in a text it stands.</summary>
    private bool CheckHit(YamlNode method, IReadOnlyList<string> detectors, string what)
    {
        if (method.Text is "bucket" or "date" or "remove")
        {
            bag.Error(method, DiagnosticCodes.BadValue, $"`{method.Text}` of {what} does nothing to a part of a text", "leave it out for a label such as [CARD]; or redact, constant, keep_last, keep_first, hmac, encrypt, email, pattern, token");
            return false;
        }

        if (method.Text != "token" || detectors.FirstOrDefault(name => name is not ("card" or "ssn" or "phone")) is not { } other) { return true; }
        bag.Error(method, DiagnosticCodes.BadValue, $"`token` of {what} takes digits, and `{other}` finds more than those", "a rule with `detect: [card, ssn, phone]` and `token`, another with the rest");
        return false;
    }

    private string? Empty(YamlNode at, string what)
    {
        bag.Error(at, DiagnosticCodes.BadValue, $"the tag of {what} is empty");
        return null;
    }

    private FieldPath? Path(YamlNode node, string text, string what)
    {
        FieldPath? path = PathText.Parse(text, out string fault, out int column);
        if (path is null)
        {
            (int line, int at) = node.Locate(1, column);
            bag.Add(line, at, DiagnosticCodes.BadPath, Severity.Error, $"`{YamlReader.Shown(text)}` is no path in {what}: {fault}", "for example customer.email, items[*].sku, attributes[\"ssn\"], key, headers[\"x\"]");
        }

        return path;
    }

    /// <param name="entry">The method; null where `detect` puts labels.</param>
    private MaskDocument? Method(Section section, YamlEntry? entry, string what, FieldPath? path, string? tag, YamlNode node, YamlNode selectorNode, YamlNode? detect, IReadOnlyList<string> detectors)
    {
        string name = entry?.Key.Text ?? "";
        YamlNode value = entry?.Value ?? detect!;
        MaskMethod method = entry is null ? MaskMethod.Detect : (MaskMethod)Array.IndexOf(MaskDocument.Names, name);
        string constant = "", match = "", replace = "", tweak = "";
        string? key = null;
        int keep = 0, errors = bag.ErrorCount;
        double bucket = 0;
        bool keepDomain = true;
        DatePart date = DatePart.Day;
        switch (method)
        {
            case MaskMethod.Detect:
                break;
            case MaskMethod.Redact or MaskMethod.Remove:
                if (!value.IsNull && !(CoreScalar.TypeOf(value) == CoreType.Bool && CoreScalar.IsTrue(value)) && !(value.Kind == YamlKind.Mapping && value.Entries.Count == 0))
                {
                    bag.Error(value, DiagnosticCodes.BadValue, $"`{name}` of {what} takes nothing", $"write `{name}: true`");
                }

                break;
            case MaskMethod.Constant:
                constant = section.Text(value, name) ?? "";
                break;
            case MaskMethod.KeepLast or MaskMethod.KeepFirst:
                keep = section.Int(name, 0, 1_000) ?? 0;
                break;
            case MaskMethod.Hmac or MaskMethod.Encrypt:
                key = section.Name(value, name);
                break;
            case MaskMethod.Token when value.Kind == YamlKind.Mapping:
                var token = new Section(value, bag, $"`token` of {what}", ["key", "tweak"]);
                key = token.Name(token.Require("key"), "key");
                tweak = token.Text("tweak", "");
                if (Encoding.UTF8.GetByteCount(tweak) > TokenMask.TweakBytesMax) { bag.Error(token.Find("tweak")!, DiagnosticCodes.BadValue, $"the tweak of {what} is longer than {TokenMask.TweakBytesMax} bytes"); }
                break;
            case MaskMethod.Token:
                key = section.Name(value, name);
                break;
            case MaskMethod.Email:
                if (value.IsNull) { break; }
                var email = new Section(value, bag, $"`email` of {what}", ["keep_first", "keep_domain"]);
                keep = email.Int("keep_first", 0, 64) ?? 0;
                keepDomain = email.Bool("keep_domain") ?? true;
                break;
            case MaskMethod.Pattern:
                var pattern = new Section(value, bag, $"`pattern` of {what}", ["match", "replace"]);
                match = pattern.Require("match") is { } expression ? pattern.Text(expression, "match", RuleReader.WhenMax) ?? "" : "";
                replace = pattern.Require("replace") is not null ? pattern.Text("replace", "") : "";
                break;
            case MaskMethod.Bucket:
                if (!CoreScalar.TryDouble(value, out bucket) || !(bucket > 0) || !double.IsFinite(bucket))
                {
                    bag.Error(value, DiagnosticCodes.BadValue, $"`bucket` of {what} is a number greater than 0");
                }

                break;
            default:
                int part = section.Word(name, "year", "month", "day", "hour");
                date = part < 0 ? DatePart.Day : (DatePart)part;
                break;
        }

        return (path is null && tag is null) || bag.ErrorCount > errors ? null : new MaskDocument
        {
            Path = path,
            Tag = tag,
            Method = detect is null ? method : MaskMethod.Detect,
            Detect = detectors,
            HitMethod = detect is null || entry is null ? null : method,
            Constant = constant,
            Keep = keep,
            KeepDomain = keepDomain,
            KeyName = key,
            Tweak = tweak,
            Match = match,
            Replace = replace,
            Bucket = bucket,
            Date = date,
            Node = node,
            SelectorNode = selectorNode,
            MethodNode = value,
        };
    }
}
