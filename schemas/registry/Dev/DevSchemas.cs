using System.Text.Json;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Protobuf;

namespace PolicyStreams.Schemas.Registry;

/// <summary>What the dev registry knows of schema languages.</summary>
internal static class DevSchemas
{
    /// <summary>Checks that a text is a schema of its type. A JSON Schema must be an object or a boolean.</summary>
    /// <param name="references">What it refers to, those that others need first.</param>
    public static void Check(DevSchema schema, IReadOnlyList<SchemaReferenceText> references)
    {
        switch (schema.Type)
        {
            case "AVRO":
                Parse(schema, references);
                break;
            case "JSON":
                CheckJson(schema.Text);
                if (schema.Text.AsSpan().Trim() is not ("true" or "false" or ['{', ..])) { throw DevProblem.Invalid("a JSON Schema is an object or a boolean"); }
                break;
            case "PROTOBUF":
                if (string.IsNullOrWhiteSpace(schema.Text)) { throw DevProblem.Invalid("empty schema"); }
                Protobuf(() => ProtobufSchema.Check(schema.Text, references));
                break;
            default:
                throw DevProblem.Invalid("the type is none of AVRO, JSON, and PROTOBUF");
        }
    }

    /// <summary>Refuses a text that is not JSON.</summary>
    public static void CheckJson(string text)
    {
        try
        {
            JsonDocument.Parse(text).Dispose();
        }
        catch (JsonException)
        {
            throw DevProblem.Invalid("the text is not JSON");
        }
    }

    /// <summary>Why a new schema breaks a compatibility level against the versions before it (oldest first); empty where it does not. JSON Schemas are not compared with one another.</summary>
    /// <param name="references">Gives what a schema refers to, those that others need first.</param>
    public static List<string> Incompatibilities(string level, DevSchema schema, IReadOnlyList<DevVersion> earlier, Func<DevSchema, IReadOnlyList<SchemaReferenceText>> references)
    {
        var problems = new List<string>();
        bool backward = level.StartsWith("BACKWARD", StringComparison.Ordinal) || level.StartsWith("FULL", StringComparison.Ordinal);
        bool forward = level.StartsWith("FORWARD", StringComparison.Ordinal) || level.StartsWith("FULL", StringComparison.Ordinal);
        if (!backward && !forward) { return problems; }
        AvroSchema? next = schema.Type == "AVRO" ? Parse(schema, references(schema)) : null;
        foreach (DevVersion version in level.EndsWith("_TRANSITIVE", StringComparison.Ordinal) ? earlier : earlier.TakeLast(1))
        {
            DevSchema other = version.Entry.Schema;
            if (other.Type != schema.Type)
            {
                problems.Add($"version {version.Number} is of type {other.Type}, not {schema.Type}");
                continue;
            }

            if (schema.Type == "PROTOBUF")
            {
                if (backward) { AddProtobuf($"the new schema cannot read what version {version.Number} wrote", schema, other); }
                if (forward) { AddProtobuf($"version {version.Number} cannot read what the new schema writes", other, schema); }
            }

            if (next is null) { continue; }
            AvroSchema last = Parse(other, references(other));
            if (backward) { Add($"the new schema cannot read what version {version.Number} wrote", AvroCompatibility.Check(reader: next, writer: last)); }
            if (forward) { Add($"version {version.Number} cannot read what the new schema writes", AvroCompatibility.Check(reader: last, writer: next)); }
        }

        return problems;

        void AddProtobuf(string what, DevSchema reader, DevSchema writer) =>
            Protobuf(() => problems.AddRange(ProtobufCompatibility.Check(reader.Text, references(reader), writer.Text, references(writer)).Select(why => $"{what}: {why}")));

        void Add(string what, IReadOnlyList<AvroIncompatibility> reasons)
        {
            foreach (AvroIncompatibility reason in reasons) { problems.Add($"{what}: {(reason.Path.Length == 0 ? "" : reason.Path + ": ")}{reason.Why}"); }
        }
    }

    private static void Protobuf(Action read)
    {
        try { read(); }
        catch (SchemaException exception) { throw DevProblem.Invalid(exception.Message); }
    }

    private static AvroSchema Parse(DevSchema schema, IReadOnlyList<SchemaReferenceText> references)
    {
        try
        {
            return AvroSchema.Parse(schema.Text, [.. references.Select(reference => reference.Text)]);
        }
        catch (SchemaException exception)
        {
            throw DevProblem.Invalid(exception.Message);
        }
    }
}
