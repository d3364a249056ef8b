namespace PolicyStreams.Schemas;

/// <summary>Framing of values: Confluent's (id after byte 0, GUID after byte 1, or either in a header), Apicurio's with 4 or 8 byte ids, or none.</summary>
public enum Framing : byte { Confluent, Apicurio4, Apicurio8, None }
