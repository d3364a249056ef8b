using System.Runtime.CompilerServices;

namespace PolicyStreams.Schemas.Avro;

/// <summary>A reason why a reader's schema cannot read what a writer's schema wrote. <paramref name="Path"/> is in the reader's schema; empty at the root.</summary>
public sealed record AvroIncompatibility(string Path, string Why);

/// <summary>
/// The specification's schema resolution, asked ahead of the data: can a reader with one schema read everything that a writer with another may write?
/// Backward compatibility is <c>Check(reader: next, writer: last)</c>, forward <c>Check(reader: last, writer: next)</c>, full both.
/// </summary>
public static class AvroCompatibility
{
    /// <summary>Every reason why not; empty where the reader can read it all. Logical types do not matter, as in other implementations; the reader's aliases do.</summary>
    public static IReadOnlyList<AvroIncompatibility> Check(AvroSchema reader, AvroSchema writer)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(writer);
        var checker = new Checker();
        try
        {
            return checker.Check(reader.Root, writer.Root);
        }
        catch (InsufficientExecutionStackException)
        {
            return [new AvroIncompatibility("", "the schemas are nested too deep to be compared")];
        }
    }

    private sealed class Checker
    {
        private readonly HashSet<(AvroType Reader, AvroType Writer)> _refuted = [];
        private readonly HashSet<(AvroType Reader, AvroType Writer)> _seen = [];
        private readonly HashSet<(AvroType Reader, AvroType Writer)> _explained = [];
        private readonly List<AvroIncompatibility> _problems = [];
        private bool _changed;

        public List<AvroIncompatibility> Check(AvroType reader, AvroType writer)
        {
            // Records lead back to themselves: assume that each pair agrees until it is refuted, and go on until nothing new is.
            do
            {
                _changed = false;
                _seen.Clear();
                Agrees(reader, writer);
            }
            while (_changed);
            Explain(reader, writer, "");
            return _problems;
        }

        private bool Agrees(AvroType reader, AvroType writer)
        {
            RuntimeHelpers.EnsureSufficientExecutionStack();

            // Every branch and field is looked at even where one has said no: what is refuted must be known in full before it is explained.
            if (writer.Kind == AvroKind.Union)
            {
                bool all = true;
                foreach (AvroType branch in writer.Branches) { all &= Agrees(reader, branch); }
                return all;
            }

            if (reader.Kind == AvroKind.Union)
            {
                bool any = false;
                foreach (AvroType branch in reader.Branches) { any |= Agrees(branch, writer); }
                return any;
            }

            if (Shallow(reader, writer) is not null) { return false; }
            if (reader.Kind is AvroKind.Array or AvroKind.Map) { return Agrees(reader.Element, writer.Element); }
            if (reader.Kind != AvroKind.Record) { return true; }
            if (_refuted.Contains((reader, writer))) { return false; }
            if (!_seen.Add((reader, writer))) { return true; }
            bool fields = true;
            foreach (AvroField field in reader.Fields)
            {
                AvroField? written = Written(field, writer);
                fields &= written is null ? field.HasDefault : Agrees(field.Type, written.Type);
            }

            if (!fields && _refuted.Add((reader, writer))) { _changed = true; }
            return fields;
        }

        private void Explain(AvroType reader, AvroType writer, string path)
        {
            RuntimeHelpers.EnsureSufficientExecutionStack();
            if (writer.Kind == AvroKind.Union)
            {
                foreach (AvroType branch in writer.Branches) { Explain(reader, branch, path); }
                return;
            }

            if (reader.Kind == AvroKind.Union)
            {
                if (Array.Exists(reader.Branches, branch => Agrees(branch, writer))) { return; }
                AvroType? alike = Array.Find(reader.Branches, branch => Shallow(branch, writer) is null);
                if (alike is null) { Add(path, $"no branch of the reader's union reads the writer's {writer.Name}"); }
                else { Explain(alike, writer, path); }
                return;
            }

            if (Shallow(reader, writer) is { } why)
            {
                Add(path, why);
                return;
            }

            if (reader.Kind is AvroKind.Array or AvroKind.Map) { Explain(reader.Element, writer.Element, path + "[*]"); }
            if (reader.Kind != AvroKind.Record || !_refuted.Contains((reader, writer)) || !_explained.Add((reader, writer))) { return; }
            foreach (AvroField field in reader.Fields)
            {
                string inner = path.Length == 0 ? field.Name : path + "." + field.Name;
                AvroField? written = Written(field, writer);
                if (written is not null) { Explain(field.Type, written.Type, inner); }
                else if (!field.HasDefault) { Add(inner, "the writer has no such field, and the reader gives it no default"); }
            }
        }

        private void Add(string path, string why) => _problems.Add(new AvroIncompatibility(path, why));

        /// <summary>What keeps two types apart that no deeper look can mend; null where nothing does. Neither is a union.</summary>
        private static string? Shallow(AvroType reader, AvroType writer)
        {
            if (reader.Kind != writer.Kind)
            {
                bool promoted = (writer.Kind, reader.Kind) is (AvroKind.Int, AvroKind.Long or AvroKind.Float or AvroKind.Double)
                    or (AvroKind.Long, AvroKind.Float or AvroKind.Double)
                    or (AvroKind.Float, AvroKind.Double)
                    or (AvroKind.String, AvroKind.Bytes)
                    or (AvroKind.Bytes, AvroKind.String);
                return promoted ? null : $"the reader's {reader.Name} does not read the writer's {writer.Name}";
            }

            if (reader.FullName is not null && !SameName(reader, writer)) { return $"the reader's {reader.FullName} is not the writer's {writer.FullName}, by name or alias"; }
            if (reader.Kind == AvroKind.Fixed && reader.Size != writer.Size) { return $"the fixed {reader.FullName} has {reader.Size} bytes for the reader, {writer.Size} for the writer"; }
            if (reader.Kind == AvroKind.Enum && reader.EnumDefault < 0)
            {
                string[] unknown = [.. writer.Symbols.Except(reader.Symbols).Take(4)];
                if (unknown.Length > 0) { return $"the enum {reader.FullName} lacks symbols of the writer ({string.Join(", ", unknown)}) and has no default"; }
            }

            return null;
        }

        private static bool SameName(AvroType reader, AvroType writer) => Simple(reader.FullName!) == Simple(writer.FullName!) || reader.Aliases.Contains(writer.FullName);

        private static string Simple(string fullName) => fullName[(fullName.LastIndexOf('.') + 1)..];

        private static AvroField? Written(AvroField field, AvroType writer)
        {
            int index = writer.FieldIndex(field.Name);
            for (int i = 0; index < 0 && i < field.Aliases.Length; i++) { index = writer.FieldIndex(field.Aliases[i]); }
            return index < 0 ? null : writer.Fields[index];
        }
    }
}
