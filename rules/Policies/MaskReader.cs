using System.Text;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Rules.Yaml;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>Reads the mask of one rule.</summary>
internal sealed class MaskReader(DiagnosticBag bag)
{
    private static readonly string[] Keys = ["field", "tag", .. MaskDocument.Names];

    public MaskDocument? Read(YamlNode node, string what)
    {
        what = $"the mask of {what}";
        var section = new Section(node, bag, what, Keys);
        if (node.Kind != YamlKind.Mapping) { return null; }
        List<YamlEntry> selectors = [.. node.Entries.Where(entry => entry.Key.Text is "field" or "tag")];
        List<YamlEntry> methods = [.. node.Entries.Where(entry => Array.IndexOf(MaskDocument.Names, entry.Key.Text) >= 0)];
        if (selectors.Count != 1) { bag.Error(selectors.Count > 1 ? selectors[1].Key : node, DiagnosticCodes.EffectCount, $"{what} has exactly one of `field` and `tag`"); }
        if (methods.Count != 1)
        {
            bag.Error(methods.Count > 1 ? methods[1].Key : node, DiagnosticCodes.EffectCount, methods.Count > 1 ? $"{what} has more than one method" : $"{what} has no method", $"one of {string.Join(", ", MaskDocument.Names)}");
        }

        FieldPath? path = null;
        string? tag = null;
        if (selectors.Count == 1)
        {
            YamlNode selector = selectors[0].Value;
            string? text = section.Text(selector, selectors[0].Key.Text);
            if (text is not null && selectors[0].Key.Text == "tag") { tag = text.Length > 0 ? text : Empty(selector, what); }
            else if (text is not null) { path = Path(selector, text, what); }
        }

        return methods.Count == 1 ? Method(section, methods[0], what, path, tag, node, selectors.Count > 0 ? selectors[0].Value : node) : null;
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

    private MaskDocument? Method(Section section, YamlEntry entry, string what, FieldPath? path, string? tag, YamlNode node, YamlNode selectorNode)
    {
        string name = entry.Key.Text;
        YamlNode value = entry.Value;
        var method = (MaskMethod)Array.IndexOf(MaskDocument.Names, name);
        string constant = "", match = "", replace = "", tweak = "";
        string? key = null;
        int keep = 0, errors = bag.ErrorCount;
        double bucket = 0;
        bool keepDomain = true;
        DatePart date = DatePart.Day;
        switch (method)
        {
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
            Method = method,
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
