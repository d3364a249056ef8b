using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>Lays a case over what its table shares: mappings entry by entry, everything else whole.</summary>
internal static class YamlMerge
{
    public static YamlNode? Over(YamlNode? shared, YamlNode? own)
    {
        if (shared is null || own is null) { return own ?? shared; }
        if (shared.Kind != YamlKind.Mapping || own.Kind != YamlKind.Mapping) { return own; }
        var entries = new List<YamlEntry>();
        foreach (YamlEntry entry in shared.Entries)
        {
            YamlNode? other = own.Find(entry.Key.Text);
            entries.Add(other is null ? entry : new YamlEntry(entry.Key, Over(entry.Value, other)!));
        }

        entries.AddRange(own.Entries.Where(entry => shared.Find(entry.Key.Text) is null));
        return new YamlNode { Kind = YamlKind.Mapping, Line = own.Line, Column = own.Column, Entries = entries, Source = own.Source };
    }
}
