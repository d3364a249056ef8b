using System.Globalization;

namespace PolicyStreams.Schemas.Protobuf;

/// <summary>
/// Whether one schema reads what another wrote, by the rules of registries: a field keeps its number and a type that lies alike in the bytes; required fields neither come nor go;
/// messages stay; and fields that were apart are not joined in a oneof.
/// </summary>
public static class ProtobufCompatibility
{
    /// <summary>Why not: a sentence each, empty where it does.</summary>
    /// <exception cref="SchemaException">One of the two is no schema.</exception>
    public static IReadOnlyList<string> Check(string reader, IReadOnlyList<SchemaReferenceText> readerReferences, string writer, IReadOnlyList<SchemaReferenceText> writerReferences)
    {
        ProtoFile reading = new ProtoLinker(readerReferences).Link(reader), writing = new ProtoLinker(writerReferences).Link(writer);
        var problems = new List<string>();
        foreach ((ProtoMessage written, ProtoToken _) in writing.All)
        {
            string name = Local(writing, written.FullName);
            if (reading.All.Find(one => Local(reading, one.Message.FullName) == name).Message is { } read) { Compare(read, written, name, problems); }
            else { problems.Add($"message {name} is gone"); }
        }

        return problems;
    }

    /// <summary>The name without the package: a package may change, the bytes do not know it.</summary>
    private static string Local(ProtoFile file, string fullName) => file.Package.Length == 0 ? fullName : fullName[(file.Package.Length + 1)..];

    private static void Compare(ProtoMessage read, ProtoMessage written, string name, List<string> problems)
    {
        foreach (ProtoField field in read.Fields)
        {
            ProtoField? before = written.Find(field.Number);
            string what = string.Create(CultureInfo.InvariantCulture, $"field {field.Number} of {name}");
            if (before is null)
            {
                if (field.Required) { problems.Add($"{what} is required and was not written"); }
                continue;
            }

            if (field.Required != before.Required) { problems.Add($"{what} is required in one of the two"); }
            if (field.IsMap != before.IsMap || !Alike(field, before)) { problems.Add($"{what} is of another type"); }
            else if (field.IsMap && (!Alike(field.MapKey!, before.MapKey!) || !Alike(field.MapValue!, before.MapValue!))) { problems.Add($"{what} is a map of other types"); }
            else if (field.Repeated != before.Repeated && field.Packable) { problems.Add($"{what} is repeated in one of the two"); }
        }

        foreach (ProtoField gone in written.Fields)
        {
            if (gone.Required && read.Find(gone.Number) is null) { problems.Add(string.Create(CultureInfo.InvariantCulture, $"field {gone.Number} of {name} was required and is gone")); }
        }

        foreach (ProtoOneof oneof in read.Oneofs)
        {
            List<ProtoField> before = [.. oneof.Members.Select(member => written.Find(member.Number)).OfType<ProtoField>()];
            if (before.Count > 1 && before.Any(field => field.Oneof is null || field.Oneof != before[0].Oneof)) { problems.Add($"fields of {name} are joined in oneof {oneof.Name}"); }
        }
    }

    private static bool Alike(ProtoField one, ProtoField other)
    {
        if (Group(one.Type) != Group(other.Type)) { return false; }
        return one.Message is null || one.IsMap || one.Message.Name == other.Message!.Name;
    }

    /// <summary>Types that read one another's bytes.</summary>
    private static int Group(ProtoType type) => type switch
    {
        ProtoType.Int32 or ProtoType.Int64 or ProtoType.UInt32 or ProtoType.UInt64 or ProtoType.Bool or ProtoType.Enum => 1,
        ProtoType.SInt32 or ProtoType.SInt64 => 2,
        ProtoType.String or ProtoType.Bytes => 3,
        ProtoType.Fixed32 or ProtoType.SFixed32 => 4,
        ProtoType.Fixed64 or ProtoType.SFixed64 => 5,
        _ => 10 + (int)type,
    };
}
