using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Bench.Decide;

/// <summary>Makes input for `policystreams decide` of an example's records, over and over: <c>lines FOLDER SCHEMA COUNT json|hex FILE</c>. What the schema cannot read is left out.</summary>
internal static class DecideLines
{
    public static int Run(string[] arguments)
    {
        if (arguments is not [string folder, string schemaFile, string count, "json" or "hex", string file]) { throw new ArgumentException("lines FOLDER SCHEMA COUNT json|hex FILE"); }
        AvroSchema schema = AvroSchema.Parse(File.ReadAllText(schemaFile));
        var lines = new List<byte[]>();
        foreach (string line in File.ReadLines(Path.Combine(folder, "records.jsonl")))
        {
            if ((string?)JsonNode.Parse(line)!["value"] is not { Length: > 0 } hex) { continue; }
            byte[] value;
            try { value = Convert.FromHexString(hex); }
            catch (FormatException) { continue; }

            var json = new ByteBuffer();
            using (var writer = new Utf8JsonWriter(json))
            {
                if (schema.WriteJson(value, writer) != DecodeOutcome.Decoded) { continue; }
            }

            lines.Add([.. arguments[3] == "hex" ? System.Text.Encoding.ASCII.GetBytes(Convert.ToHexStringLower(value)) : json.Written, (byte)'\n']);
        }

        using FileStream output = File.Create(file);
        using var buffered = new BufferedStream(output, 1 << 20);
        long wanted = long.Parse(count, CultureInfo.InvariantCulture);
        for (long i = 0; i < wanted; i++) { buffered.Write(lines[(int)(i % lines.Count)]); }
        return 0;
    }
}
