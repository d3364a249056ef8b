using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using PolicyStreams.Cli.Policies;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams decrypt</c>: governed values with the originals back where an <c>encrypt</c> mask stands, for those who hold the key.</summary>
internal static class DecryptCommand
{
    private enum LineFormat : byte { Text, Json, Hex }

    internal static Command Create()
    {
        var inputs = new PolicyInputs();
        var input = new Option<string>("--input") { Description = "Governed values, one a line; - is standard input [default: -]", HelpName = "FILE|-" };
        var format = new Option<string>("--input-format") { Description = "text: masked values anywhere in a line; json: strings of JSON; hex: the value's bytes, shown as JSON [default: text]", HelpName = "text|json|hex" };
        format.AcceptOnlyFromAmong("text", "json", "hex");
        var schema = new Option<string>("--schema") { Description = "The Avro schema of hex values, which are unframed", HelpName = "FILE" };
        var command = new Command("decrypt", "Read back what `encrypt` masks have written, with their keys") { input, format, schema, inputs.Key };
        command.SetAction(parsed =>
        {
            try
            {
                LineFormat form = parsed.GetValue(format) switch { "json" => LineFormat.Json, "hex" => LineFormat.Hex, _ => LineFormat.Text };
                if ((form == LineFormat.Hex) != (parsed.GetValue(schema) is not null)) { return Terminal.CouldNotRun("--schema goes with --input-format hex, and hex needs it"); }
                if (parsed.GetValue(inputs.Key) is not { Length: > 0 }) { return Terminal.CouldNotRun("--key is needed: NAME=file:PATH or NAME=env:VARIABLE, NAME@VERSION for an earlier version"); }
                RecordSchema? type = parsed.GetValue(schema) is { } file ? AvroSchema.Parse(PolicyInputs.Read(file).Text, []) : null;
                using Stream lines = parsed.GetValue(input) is null or "-" ? Console.OpenStandardInput() : File.OpenRead(parsed.GetValue(input)!);
                using Stream answers = Console.OpenStandardOutput();
                return Run(new Unmasker(inputs.Keys(parsed)), form, type, lines, answers);
            }
            catch (SchemaException fault)
            {
                return Terminal.CouldNotRun($"--schema {parsed.GetValue(schema)}: {fault.Message}");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or StartException)
            {
                return Terminal.CouldNotRun(e.Message);
            }
        });
        return command;
    }

    private static int Run(Unmasker unmasker, LineFormat format, RecordSchema? schema, Stream lines, Stream answers)
    {
        var plain = new ByteBuffer(1024);
        return (int)LineRewriter.Run((line, output) => Line(unmasker, format, schema, line, plain, output), () => unmasker.Faults, lines, answers);
    }

    /// <summary>False where the line is not of the format; it is then given as it was.</summary>
    private static bool Line(Unmasker unmasker, LineFormat format, RecordSchema? schema, ReadOnlySpan<byte> line, ByteBuffer plain, ByteBuffer output)
    {
        plain.Clear(zero: true);
        switch (format)
        {
            case LineFormat.Text:
                unmasker.Text(line, output);
                return true;
            case LineFormat.Json when unmasker.Json(line, output):
            case LineFormat.Hex when TryWrite(schema!, line, plain) && unmasker.Json(plain.Written, output):
                return true;
            default:
                output.Append(line);
                return false;
        }
    }

    /// <summary>Appends a value in hexadecimal as JSON. False where it is none of the schema's.</summary>
    internal static bool TryWrite(RecordSchema schema, ReadOnlySpan<byte> hex, ByteBuffer json)
    {
        byte[] value = new byte[hex.Length / 2];
        if (Convert.FromHexString(hex, value, out _, out _) != System.Buffers.OperationStatus.Done) { return false; }
        using var writer = new Utf8JsonWriter(json, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });
        return schema.WriteJson(value, writer) == DecodeOutcome.Decoded;
    }
}
