using System.Text.Json;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas;

/// <summary>The formats a binding may have.</summary>
public enum SchemaFormat : byte { Avro, Json, Protobuf }

/// <summary>One schema of any format, parsed: what rules check against and what writes records. Immutable, thread-safe. Parsing throws <see cref="SchemaException"/> only.</summary>
public abstract class RecordSchema
{
    public abstract SchemaFormat Format { get; }

    /// <summary>The schema's text as the registry or file gave it; empty for JSON without a schema.</summary>
    public abstract string Text { get; }

    /// <summary>The text with those that it imports: everything that its meaning depends on.</summary>
    public virtual string WholeText => Text;

    /// <summary>The root type as rules see it.</summary>
    public abstract SchemaType Type { get; }

    /// <summary>The same schema seen as the record of this full name, where a text has several (Protobuf); this one where it has none of that name, or may only be one.</summary>
    public virtual RecordSchema ForRecord(string? fullName) => this;

    /// <summary>Compiles the walk of this writer schema for a plan that was made against the checked schema (this one, or another version of the subject).</summary>
    /// <param name="mismatches">Added to: what the plan names and this schema has lost or retyped (see DESIGN, schema mismatch). A program is returned all the same; the caller decides.</param>
    public abstract RecordProgram Compile(CapturePlan plan, WalkLimits limits, ICollection<SchemaMismatch> mismatches);

    /// <summary>Decodes a whole value to a plain value. Returns the outcome; never throws on bytes.</summary>
    public abstract DecodeOutcome Decode(ReadOnlySpan<byte> value, out object? plain);

    /// <summary>Encodes plain JSON typed by the schema (union branches unwrapped, bytes as <c>{"$bytes": base64}</c>, logical types as their number or usual text).</summary>
    /// <exception cref="SchemaException">The JSON does not fit the schema; the message names the path.</exception>
    public abstract void EncodeJson(JsonElement json, ByteBuffer output);

    /// <summary>The same from JSON's text, in one pass and without allocation, where it is of the simplest form: properties in the order of the schema.</summary>
    /// <returns>False, and nothing appended, for every other form and for what does not fit: <see cref="EncodeJson"/> has the last word.</returns>
    public virtual bool TryEncodeJson(ReadOnlySpan<byte> json, ByteBuffer output) => false;

    /// <summary>Writes a value as that plain JSON.</summary>
    public abstract DecodeOutcome WriteJson(ReadOnlySpan<byte> value, Utf8JsonWriter writer);

    /// <summary>Writes a value as JSON for people: as <see cref="WriteJson"/>, but decimals, dates, and times as their usual text.</summary>
    public virtual DecodeOutcome WriteReadable(ReadOnlySpan<byte> value, Utf8JsonWriter writer) => WriteJson(value, writer);
}

/// <summary>Something that the checked schema has and a writer schema lost or changed. <paramref name="OlderIsFine"/>: a lack that an older version may have (reads as the default, a mask does nothing).</summary>
public sealed record SchemaMismatch(string Path, string Why, bool OlderIsFine);

/// <summary>A schema, or JSON meant for one, that cannot be used. The message says what, where in it, and how to mend; it never holds payload values.</summary>
public sealed class SchemaException(string message) : Exception(message);
