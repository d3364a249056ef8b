using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>
/// What masks would miss in another version than the checked one, beyond fields that are gone or retyped: something around a masked field that may now be of another type,
/// and fields that are masked ones under another name.
/// </summary>
internal static class MaskedPaths
{
    /// <summary>Adds a mismatch for each.</summary>
    /// <param name="plan">What is masked, and the tags of all versions.</param>
    /// <param name="expected">The checked schema's type.</param>
    /// <param name="found">The other version's.</param>
    public static void Check(CapturePlan plan, SchemaType expected, SchemaType found, List<SchemaMismatch> mismatches)
    {
        if (plan.Selectors.Count == 0) { return; }
        var explicitly = new HashSet<string>(StringComparer.Ordinal);
        var said = new HashSet<string>(StringComparer.Ordinal);
        HashSet<string> tags = [.. plan.Selectors.Select(selector => selector.Tag).OfType<string>()];
        foreach (MaskSelector selector in plan.Selectors)
        {
            if (selector.Path is not { } path) { continue; }
            explicitly.Add(path.ToString());
            Around(expected, found, path.Steps.Span, "", said, mismatches);
        }

        foreach ((string text, IReadOnlySet<string> carried) in plan.TagsByPath)
        {
            if (tags.Overlaps(carried) && PathText.Parse(text, out _, out _) is { } path) { Around(expected, found, BindingCompiler.InValue(path).Steps.Span, "", said, mismatches); }
        }

        if (explicitly.Count > 0) { Aliases(explicitly, expected, found, mismatches); }
    }

    /// <summary>
    /// A record that holds a masked field must be a record in every version that has it: where it may be a text as well, what was masked inside may go out as that text.
    /// </summary>
    private static void Around(SchemaType expected, SchemaType found, ReadOnlySpan<PathStep> steps, string path, HashSet<string> said, List<SchemaMismatch> mismatches)
    {
        if (steps.Length == 0 || IsAny(expected) || IsAny(found)) { return; }
        if (expected.Kind == ValueKind.Dyn)
        {
            foreach (SchemaType branch in expected.Branches)
            {
                SchemaType? same = found.Kind != ValueKind.Dyn ? found : found.Branches.FirstOrDefault(one => one.Kind == branch.Kind && one.FullName == branch.FullName);
                if (same?.Kind == branch.Kind) { Around(branch, same, steps, path, said, mismatches); }
            }

            return;
        }

        if (expected.Kind != found.Kind)
        {
            if (said.Add(path)) { mismatches.Add(new SchemaMismatch(path.Length == 0 ? "value" : path, $"is {SchemaPaths.Say(found)} here, {SchemaPaths.Say(expected)} in the checked schema, and something in it is masked", OlderIsFine: false)); }
            return;
        }

        PathStep step = steps[0];
        if (expected.Element is { } element && found.Element is { } other)
        {
            if (step.Kind != PathStepKind.Field) { Around(element, other, steps[1..], path + "[*]", said, mismatches); }
        }
        else if (expected.Field(step.Name) is { } field && found.Field(step.Name) is { } here)
        {
            Around(field.Type, here.Type, steps[1..], path.Length == 0 ? step.Name : $"{path}.{step.Name}", said, mismatches);
        }
    }

    private static bool IsAny(SchemaType type) => type.Kind == ValueKind.Dyn && type.Branches.Count == 0;

    private static void Aliases(HashSet<string> masked, SchemaType expected, SchemaType found, List<SchemaMismatch> mismatches)
    {
        // The version says that a field of its own is the masked one.
        SchemaAliases.Walk(found, (own, others) =>
        {
            if (masked.Contains(own)) { return; }
            foreach (string other in others)
            {
                if (masked.Contains(other)) { mismatches.Add(new SchemaMismatch(own, $"is `{other}` by alias, which is masked, and is not masked itself", OlderIsFine: false)); }
            }
        });

        // The checked schema says that the masked field was called otherwise.
        SchemaAliases.Walk(expected, (own, others) =>
        {
            if (!masked.Contains(own)) { return; }
            foreach (string other in others)
            {
                if (masked.Contains(other) || PathText.Parse(other, out _, out _) is not { } path || SchemaPaths.Resolve(found, BindingCompiler.InValue(path), out _, out _) is null) { continue; }
                mismatches.Add(new SchemaMismatch(other, $"is `{own}` of the checked schema by alias, which is masked, and is not masked itself", OlderIsFine: false));
            }
        });
    }
}
