using PolicyStreams.Rules.Masking;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>What a rule costs at most for one record, in units of about one comparison of two numbers.</summary>
/// <param name="Rule">Its id.</param>
/// <param name="Condition">Evaluating its <c>when</c>; 0 where it has none.</param>
/// <param name="Mask">Masking every value that it selects; 0 for other effects.</param>
public readonly record struct RuleCost(string Rule, double Condition, double Mask)
{
    public double Total => Condition + Mask;

    /// <summary>All rules of a binding, in the order of the document.</summary>
    public static IReadOnlyList<RuleCost> Of(CompiledBinding binding)
    {
        ArgumentNullException.ThrowIfNull(binding);
        return [.. binding.Rules.Select(rule => new RuleCost(rule.Document.Id, rule.When?.Cost ?? 0, rule.Mask is null ? 0 : OfMask(binding, rule)))];
    }

    private static double OfMask(CompiledBinding binding, CompiledRule rule)
    {
        // All values that one selector finds share the bytes of the record, and so do all headers of a name.
        MaskDocument mask = rule.Mask!.Document;
        double bytes = binding.Document.RecordBytesMax, values = mask.Path is { } path ? Values(binding, path, bytes) : TagValues(binding, mask.Tag!, bytes);
        (double each, double perByte) = Price(mask.Method);
        if (mask.HitMethod is { } hit)
        {
            // A hit has six bytes at least: the shortest address.
            (double eachHit, double hitByte) = Price(hit);
            each += eachHit;
            perByte += hitByte + (eachHit / 6);
        }

        return (values * each) + (bytes * perByte);
    }

    /// <summary>Units for each value, and for each byte of all of them.</summary>
    private static (double Each, double PerByte) Price(MaskMethod method) => method switch
    {
        MaskMethod.Redact or MaskMethod.Constant or MaskMethod.Remove or MaskMethod.Bucket => (80, 0.1),
        MaskMethod.Hmac => (600, 2),
        MaskMethod.Encrypt => (1_500, 5),
        MaskMethod.Token => (2_500, 15),
        MaskMethod.Pattern => (100, 25),
        MaskMethod.Detect => (100, 20),
        _ => (80, 1.5),
    };

    private static double TagValues(CompiledBinding binding, string tag, double bytes) =>
        binding.Plan.TagsByPath.Where(entry => entry.Value.Contains(tag)).Sum(entry => PathText.Parse(entry.Key, out _, out _) is { } path ? Values(binding, BindingCompiler.InValue(path), bytes) : 1);

    private static double Values(CompiledBinding binding, FieldPath path, double bytes)
    {
        if (path.Root == PathRoot.Header) { return binding.Document.HeadersMax; }
        return path.Steps.Span.IndexOf(PathStep.All) < 0 ? 1 : bytes;
    }
}
