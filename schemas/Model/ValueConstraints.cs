namespace PolicyStreams.Schemas;

/// <summary>What a schema says of the values in one place beyond their type (<c>minLength</c>, <c>pattern</c>, <c>enum</c>): asked by masks at load, never on the record path. Thread-safe.</summary>
public abstract class ValueConstraints
{
    /// <summary>The keyword that refuses a text in this place, as a pointer into the schema; null where none does, or it depends on the rest of the record.</summary>
    public abstract string? RefusesText(ReadOnlySpan<byte> utf8);

    /// <summary>The keyword that refuses every text of a shape; null where some text may pass.</summary>
    public abstract string? RefusesAll(IReadOnlyList<TextRun> shape);

    /// <summary>Why there is no empty value to redact to; null where there is one.</summary>
    public abstract string? RedactFault { get; }
}

/// <summary>Which characters a run has.</summary>
public enum TextAlphabet : byte { Star, LowerHex, Base64Url, Any }

/// <summary>A part of a text: characters of an alphabet, in code points. A <paramref name="Max"/> of -1 is no bound.</summary>
public readonly record struct TextRun(TextAlphabet Alphabet, int Min, int Max);
