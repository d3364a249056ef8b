using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>
/// What versions took away of what masks select, told from one version to the next and never from the checked one, so that a restart, which checks the latest, unmasks nothing. A version that
/// loses a masked field and in the same step brings one that nobody tagged or masked may have moved it there: it is a mismatch, and so are those after it that keep what it brought.
/// </summary>
internal sealed class MaskedLosses
{
    private const int LeavesMax = 20_000;
    private const int NamedMax = 3;

    private readonly CapturePlan _plan;
    private readonly bool _inKey;
    private readonly HashSet<string> _tags;
    private readonly HashSet<string> _explicit = new(StringComparer.Ordinal);
    private readonly List<Masked> _masked = [];
    private readonly Dictionary<int, List<SchemaMismatch>> _moved = [];
    private readonly Dictionary<int, List<SchemaMismatch>> _gone = [];

    /// <param name="plan">What is masked, and the tags of all versions.</param>
    /// <param name="recordName">Versions that are another record write nothing, and took nothing away; null where any will do.</param>
    /// <param name="inKey">True for the schemas of keys: paths are then spelled from there.</param>
    public MaskedLosses(SubjectSchemas subject, CapturePlan plan, string? recordName, bool inKey = false)
    {
        _plan = plan;
        _inKey = inKey;
        _tags = [.. plan.Selectors.Select(selector => selector.Tag).OfType<string>()];
        foreach (MaskSelector selector in plan.Selectors)
        {
            if (selector.Path is not { } path) { continue; }
            _masked.Add(new Masked(path.ToString(), path.Steps.ToArray(), null));
            _explicit.Add(path.ToString());
        }

        foreach ((string text, IReadOnlySet<string> carried) in plan.TagsByPath)
        {
            if (!_tags.Overlaps(carried) || PathText.Parse(text, out _, out _) is not { } path) { continue; }
            PathStep[] steps = BindingCompiler.InValue(path).Steps.ToArray();
            foreach (string tag in carried.Where(_tags.Contains)) { _masked.Add(new Masked(text, steps, tag)); }
        }

        if (_masked.Count == 0 || subject.Versions.Count < 2) { return; }
        foreach (IReadOnlySet<string> names in SchemaNumbers.Same(subject.Versions))
        {
            if (_explicit.Overlaps(names)) { _explicit.UnionWith(names); }
        }

        Follow([.. subject.Versions.Where(version => recordName is null || version.Schema.Type.FullName == recordName)]);
    }

    /// <summary>How much of a type a path leads to: unions have branches that it does not.</summary>
    private enum Reach : byte { None, Some, All }

    private sealed record Masked(string Path, PathStep[] Steps, string? Tag);

    /// <summary>A value with nothing inside it.</summary>
    /// <param name="Tags">Its own and those of what it is in, of all versions.</param>
    /// <param name="Explicit">True where a mask names it, or what it is in, by path.</param>
    private sealed record Leaf(string Path, ValueKind Kind, PathStep[] Steps, IReadOnlySet<string> Tags, bool Explicit);

    /// <param name="Had">What the version before the loss had of it.</param>
    /// <param name="Since">The version that lost it.</param>
    /// <param name="Brought">What that version brought that nobody tagged or masked; null where it is too much to tell.</param>
    private sealed record Loss(Reach Had, int Since, List<Leaf>? Brought);

    /// <summary>The mismatches of a version, those that it has anyway and what it took away.</summary>
    public IReadOnlyList<SchemaMismatch> AddTo(IEnumerable<SchemaMismatch> others, int version)
    {
        List<SchemaMismatch> all = [.. others];
        if (_moved.TryGetValue(version, out List<SchemaMismatch>? moved)) { all.AddRange(moved.ExceptBy(all.ConvertAll(one => one.Path), one => one.Path)); }
        return all;
    }

    /// <summary>Masked fields that the version has not got any more, with nothing in their place, while records of an earlier version may still have them.</summary>
    public IReadOnlyList<SchemaMismatch> Gone(int version) => _gone.GetValueOrDefault(version) ?? [];

    private void Follow(SchemaVersion[] versions)
    {
        var reached = new Reach[_masked.Count];
        bool[] live = new bool[_masked.Count];
        var losses = new SortedDictionary<int, Loss>();
        for (int at = 0; at < versions.Length; at++)
        {
            SchemaVersion version = versions[at];
            var lost = new List<(int Masked, Reach Had)>();
            for (int i = 0; i < reached.Length; i++)
            {
                Reach here = Find(version.Schema.Type, _masked[i].Steps);
                if (here < reached[i]) { lost.Add((i, reached[i])); }
                else if (losses.TryGetValue(i, out Loss? loss) && here >= loss.Had) { losses.Remove(i); }
                reached[i] = here;
                live[i] |= here != Reach.None && !version.Deleted;
            }

            // What is gone in the meantime hides nothing any more; where it comes again, it is a new field.
            foreach (Loss loss in losses.Values) { loss.Brought?.RemoveAll(leaf => Find(version.Schema.Type, leaf.Steps) == Reach.None); }
            if (lost.Count > 0) { Compare(versions[at - 1], version, lost, reached, losses); }
            foreach ((int i, Loss loss) in losses) { Say(version, i, loss, reached[i], live[i]); }
        }
    }

    private void Compare(SchemaVersion before, SchemaVersion version, List<(int Masked, Reach Had)> lost, Reach[] reached, SortedDictionary<int, Loss> losses)
    {
        List<Leaf>? old = Leaves(before.Schema.Type), now = Leaves(version.Schema.Type);
        HashSet<(string, ValueKind)> known = [.. (old ?? []).Select(leaf => (leaf.Path, leaf.Kind))];
        List<Leaf>? brought = old is null || now is null ? null : now.FindAll(leaf => leaf.Tags.Count == 0 && !leaf.Explicit && !known.Contains((leaf.Path, leaf.Kind)));
        foreach ((int i, Reach had) in lost)
        {
            if (brought is not null && reached[i] == Reach.None && Moved(_masked[i].Tag, old!, now!)) { continue; }
            losses[i] = losses.TryGetValue(i, out Loss? loss)
                ? new Loss(loss.Had, loss.Since, brought is null || loss.Brought is null ? null : [.. loss.Brought, .. brought])
                : new Loss(had, version.Version, brought is null ? null : [.. brought]);
        }
    }

    /// <summary>True where as many values are masked in other places now as are not in theirs any more: whoever renamed the fields took their tags along, or the policy names them.</summary>
    private static bool Moved(string? tag, List<Leaf> old, List<Leaf> now)
    {
        int gone = Others(old, now, leaf => tag is null ? leaf.Explicit : leaf.Tags.Contains(tag));
        return gone > 0 && Others(now, old, leaf => leaf.Explicit || (tag is not null && leaf.Tags.Contains(tag))) >= gone;

        static int Others(List<Leaf> leaves, List<Leaf> but, Func<Leaf, bool> masked) =>
            leaves.Where(masked).Select(leaf => leaf.Path).Except(but.Select(leaf => leaf.Path), StringComparer.Ordinal).Count();
    }

    private void Say(SchemaVersion version, int masked, Loss loss, Reach reach, bool live)
    {
        string path = Spelled(_masked[masked].Path);
        if (loss.Brought is { Count: 0 })
        {
            if (live && reach == Reach.None) { Add(_gone, $"is masked, and gone since version {loss.Since}"); }
            return;
        }

        string what = loss.Brought is null ? "more fields than can be looked at" : string.Join(", ", loss.Brought.Take(NamedMax).Select(leaf => $"`{Spelled(leaf.Path)}`"));
        if (loss.Brought?.Count > NamedMax) { what += $" and {loss.Brought.Count - NamedMax} more"; }
        Add(_moved, $"is masked, and not {(reach == Reach.None ? "" : "everywhere ")}in this schema since version {loss.Since}, which brought {what} without a tag or mask");

        void Add(Dictionary<int, List<SchemaMismatch>> said, string why)
        {
            if (!said.TryGetValue(version.Version, out List<SchemaMismatch>? all)) { said.Add(version.Version, all = []); }
            if (all.TrueForAll(one => one.Path != path)) { all.Add(new SchemaMismatch(path, why, OlderIsFine: false)); }
        }
    }

    private string Spelled(string path) => _inKey ? KeyCodec.KeyPath(path) : path;

    private static Reach Find(SchemaType type, ReadOnlySpan<PathStep> steps)
    {
        if (steps.Length == 0) { return Reach.All; }
        if (type.Kind != ValueKind.Dyn)
        {
            SchemaType? next = type.Kind == ValueKind.Map || (type.Element is not null && steps[0].Kind == PathStepKind.All) ? type.Element
                : steps[0].Kind != PathStepKind.All ? type.Field(steps[0].Name)?.Type : null;
            return next is null ? Reach.None : Find(next, steps[1..]);
        }

        bool all = true, any = type.Branches.Count == 0;
        foreach (SchemaType branch in type.Branches)
        {
            Reach reach = Find(branch, steps);
            all &= reach == Reach.All;
            any |= reach != Reach.None;
        }

        return all ? Reach.All : any ? Reach.Some : Reach.None;
    }

    /// <summary>Null where there are too many.</summary>
    private List<Leaf>? Leaves(SchemaType root)
    {
        var leaves = new List<Leaf>();
        int budget = LeavesMax;
        Walk(root, [], new HashSet<string>(), false, [], leaves, ref budget);
        return budget > 0 ? leaves : null;
    }

    private void Walk(SchemaType type, List<PathStep> steps, IReadOnlySet<string> tags, bool named, List<SchemaType> open, List<Leaf> leaves, ref int budget)
    {
        if (--budget <= 0) { return; }
        if (type is { Kind: ValueKind.Dyn, Branches.Count: > 0 })
        {
            foreach (SchemaType branch in type.Branches) { Walk(branch, steps, tags, named, open, leaves, ref budget); }
            return;
        }

        string path = new FieldPath(PathRoot.Value, null, [.. steps]).ToString();
        named |= _explicit.Contains(path);
        if (_plan.TagsByPath.TryGetValue(path, out IReadOnlySet<string>? own)) { tags = new HashSet<string>([.. tags, .. own]); }
        bool deep = steps.Count >= PathText.StepsMax;
        if (type.Element is { } element && !deep)
        {
            steps.Add(PathStep.All);
            Walk(element, steps, tags, named, open, leaves, ref budget);
            steps.RemoveAt(steps.Count - 1);
        }
        else if (type.Kind == ValueKind.Record && !deep)
        {
            // A record in itself says nothing new.
            if (open.Count(one => ReferenceEquals(one.Fields, type.Fields)) > 1) { return; }
            open.Add(type);
            foreach (SchemaField field in type.Fields)
            {
                steps.Add(new PathStep(PathStepKind.Field, field.Name));
                Walk(field.Type, steps, tags, named, open, leaves, ref budget);
                steps.RemoveAt(steps.Count - 1);
            }

            open.RemoveAt(open.Count - 1);
        }
        else { leaves.Add(new Leaf(path, type.Kind, [.. steps], tags, named)); }
    }
}
