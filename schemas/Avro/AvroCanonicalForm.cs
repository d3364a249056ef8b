using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace PolicyStreams.Schemas.Avro;

/// <summary>The specification's parsing canonical form, and its 64-bit Rabin fingerprint.</summary>
internal static class AvroCanonicalForm
{
    private const ulong Empty = 0xC15D_213A_A4D7_A795;
    private static readonly ulong[] Table = MakeTable();

    public static string Of(AvroType type)
    {
        var text = new StringBuilder();
        Write(type, text, []);
        return text.ToString();
    }

    public static long Crc64(ReadOnlySpan<byte> bytes)
    {
        ulong fingerprint = Empty;
        foreach (byte b in bytes) { fingerprint = (fingerprint >> 8) ^ Table[(int)(fingerprint ^ b) & 0xFF]; }
        return (long)fingerprint;
    }

    private static void Write(AvroType type, StringBuilder text, HashSet<string> written)
    {
        // References can make a chain of definitions that no one text nests.
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack()) { throw new SchemaException("The schema's types are nested too deep for a canonical form."); }

        // No string here needs an escape: names and symbols are letters, digits, underscores, and dots.
        if (type.FullName is { } name && !written.Add(name))
        {
            text.Append('"').Append(name).Append('"');
            return;
        }

        switch (type.Kind)
        {
            case AvroKind.Record:
                text.Append("{\"name\":\"").Append(type.FullName).Append("\",\"type\":\"record\",\"fields\":[");
                for (int i = 0; i < type.Fields.Length; i++)
                {
                    text.Append(i == 0 ? "" : ",").Append("{\"name\":\"").Append(type.Fields[i].Name).Append("\",\"type\":");
                    Write(type.Fields[i].Type, text, written);
                    text.Append('}');
                }

                text.Append("]}");
                break;
            case AvroKind.Enum:
                text.Append("{\"name\":\"").Append(type.FullName).Append("\",\"type\":\"enum\",\"symbols\":[");
                for (int i = 0; i < type.Symbols.Length; i++) { text.Append(i == 0 ? "\"" : ",\"").Append(type.Symbols[i]).Append('"'); }
                text.Append("]}");
                break;
            case AvroKind.Fixed:
                text.Append("{\"name\":\"").Append(type.FullName).Append("\",\"type\":\"fixed\",\"size\":").Append(type.Size.ToString(CultureInfo.InvariantCulture)).Append('}');
                break;
            case AvroKind.Array:
                text.Append("{\"type\":\"array\",\"items\":");
                Write(type.Element, text, written);
                text.Append('}');
                break;
            case AvroKind.Map:
                text.Append("{\"type\":\"map\",\"values\":");
                Write(type.Element, text, written);
                text.Append('}');
                break;
            case AvroKind.Union:
                text.Append('[');
                for (int i = 0; i < type.Branches.Length; i++)
                {
                    text.Append(i == 0 ? "" : ",");
                    Write(type.Branches[i], text, written);
                }

                text.Append(']');
                break;
            default:
                text.Append('"').Append(type.Name).Append('"');
                break;
        }
    }

    private static ulong[] MakeTable()
    {
        ulong[] table = new ulong[256];
        for (int i = 0; i < table.Length; i++)
        {
            ulong value = (ulong)i;
            for (int bit = 0; bit < 8; bit++) { value = (value >> 1) ^ (Empty & (ulong)-(long)(value & 1)); }
            table[i] = value;
        }

        return table;
    }
}
