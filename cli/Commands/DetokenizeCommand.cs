using System.CommandLine;
using PolicyStreams.Cli.Policies;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams detokenize</c>: governed values with the originals back where a <c>token</c> mask stands, for those who hold the key.</summary>
internal static class DetokenizeCommand
{
    private enum LineFormat : byte { Text, Json, Hex }

    internal static Command Create()
    {
        var inputs = new PolicyInputs();
        var input = new Option<string>("--input") { Description = "Governed values, one a line; - is standard input [default: -]", HelpName = "FILE|-" };
        var format = new Option<string>("--input-format") { Description = "text: a line is a token; json: tokens are at --field; hex: the value's bytes, shown as JSON [default: text]", HelpName = "text|json|hex" };
        format.AcceptOnlyFromAmong("text", "json", "hex");
        var field = new Option<string[]>("--field") { Description = "Where a token is, as policies spell paths; may be repeated", HelpName = "PATH" };
        var schema = new Option<string>("--schema") { Description = "The Avro schema of hex values, which are unframed", HelpName = "FILE" };
        var version = new Option<int?>("--key-version") { Description = "Which version of the key made the tokens [default: the highest that is supplied]", HelpName = "N" };
        var tweak = new Option<string>("--tweak") { Description = "The mask's tweak, where it has one", HelpName = "TEXT" };
        var command = new Command("detokenize", "Read back what `token` masks have written, with their key") { input, format, field, schema, inputs.Key, version, tweak };
        command.SetAction(parsed =>
        {
            try
            {
                LineFormat form = parsed.GetValue(format) switch { "json" => LineFormat.Json, "hex" => LineFormat.Hex, _ => LineFormat.Text };
                string[] fields = parsed.GetValue(field) ?? [];
                if ((form == LineFormat.Hex) != (parsed.GetValue(schema) is not null)) { return Terminal.CouldNotRun("--schema goes with --input-format hex, and hex needs it"); }
                if ((form == LineFormat.Text) == (fields.Length > 0)) { return Terminal.CouldNotRun("--field goes with --input-format json and hex, which need it: nothing tells a token from other digits"); }
                KeyRing keys = inputs.Keys(parsed);
                if (keys.Names.Count != 1) { return Terminal.CouldNotRun("--key is needed, for one key: NAME=file:PATH or NAME=env:VARIABLE, NAME@VERSION for another version of it"); }
                using Detokenizer? detokenizer = Detokenizer.Create(keys, keys.Names.Single(), parsed.GetValue(version), parsed.GetValue(tweak) ?? "", fields, out string fault);
                if (detokenizer is null) { return Terminal.CouldNotRun(fault); }
                RecordSchema? type = parsed.GetValue(schema) is { } file ? AvroSchema.Parse(PolicyInputs.Read(file).Text, []) : null;
                using Stream lines = parsed.GetValue(input) is null or "-" ? Console.OpenStandardInput() : File.OpenRead(parsed.GetValue(input)!);
                using Stream answers = Console.OpenStandardOutput();
                var plain = new ByteBuffer(1024);
                return (int)LineRewriter.Run((line, output) => Line(detokenizer, form, type, line, plain, output), () => detokenizer.Faults, lines, answers);
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

    private static bool Line(Detokenizer detokenizer, LineFormat format, RecordSchema? schema, ReadOnlySpan<byte> line, ByteBuffer plain, ByteBuffer output)
    {
        plain.Clear(zero: true);
        switch (format)
        {
            case LineFormat.Text:
                detokenizer.Text(line, output);
                return true;
            case LineFormat.Json when detokenizer.Json(line, output):
            case LineFormat.Hex when DecryptCommand.TryWrite(schema!, line, plain) && detokenizer.Json(plain.Written, output):
                return true;
            default:
                output.Append(line);
                return false;
        }
    }
}
