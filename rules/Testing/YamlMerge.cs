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
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (YamlEntry entry in shared.Entries)
        {
            places.TryAdd(entry.Key.Text, entries.Count);
            entries.Add(entry);
        }

        foreach (YamlEntry entry in own.Entries)
        {
            if (places.TryGetValue(entry.Key.Text, out int place)) { entries[place] = new YamlEntry(entries[place].Key, Over(entries[place].Value, entry.Value)!); }
            else { entries.Add(entry); }
        }

        return new YamlNode { Kind = YamlKind.Mapping, Line = own.Line, Column = own.Column, Entries = entries, Source = own.Source };
    }
}
