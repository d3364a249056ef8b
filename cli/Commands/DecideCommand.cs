using System.CommandLine;
using System.Globalization;
using PolicyStreams.Cli.Policies;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams decide</c>: judges records offline, a line a record.</summary>
internal static class DecideCommand
{
    private const int ChunkBytes = 1 << 20;
    private const int LinesPerPart = 64;

    internal static Command Create()
    {
        var inputs = new PolicyInputs();
        var policy = new Option<string>("--policy") { Description = "The policy file", HelpName = "FILE", Required = true };
        var binding = new Option<string>("--binding") { Description = "The binding of the policy", HelpName = "NAME", Required = true };
        var schema = new Option<string>("--schema") { Description = "The schema, in place of the binding's subject; values are then unframed", HelpName = "FILE" };
        var input = new Option<string>("--input") { Description = "Records, one a line; - is standard input", HelpName = "FILE|-", Required = true };
        var format = new Option<string>("--input-format") { Description = "json: plain JSON typed by the schema; hex: the value's bytes", HelpName = "json|hex", Required = true };
        format.AcceptOnlyFromAmong("json", "hex");
        var principal = new Option<string>("--principal") { Description = "Who produced the records [default: as the binding says]", HelpName = "ID" };
        var groups = new Option<string>("--groups") { Description = "Groups of that principal, with commas", HelpName = "A,B" };
        var time = new Option<string>("--time") { Description = "Time of records and decisions [default: now]", HelpName = "INSTANT" };
        var command = new Command("decide", "Judge records offline with the processor's own core: {\"decision\":…,\"value\":…,\"hex\":…} a line")
        {
            policy, binding, schema, input, format, inputs.Key, principal, groups, time,
        };
        inputs.AddRegistryTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                long timeMs = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
                if (parsed.GetValue(time) is { } text && !InstantText.TryParse(text, out timeMs)) { return Terminal.CouldNotRun($"--time: `{text}` is no instant; for example 2026-01-02T03:04:05Z"); }
                if (parsed.GetValue(groups) is not null && parsed.GetValue(principal) is null) { return Terminal.CouldNotRun("--groups names the groups of --principal ID, and there is none"); }
                var diagnostics = new List<Diagnostic>();
                using RegistryClient? registry = inputs.Client(parsed);
                CompiledBinding? compiled = await CompileAsync(parsed.GetValue(policy)!, parsed.GetValue(binding)!, parsed.GetValue(schema), registry, inputs.Keys(parsed), diagnostics, cancellationToken).ConfigureAwait(false);
                foreach (Diagnostic diagnostic in diagnostics) { await Console.Error.WriteLineAsync(diagnostic.ToString()).ConfigureAwait(false); }
                if (compiled is null) { return (int)ExitCode.CouldNotRun; }
                Principal? who = parsed.GetValue(principal) is { } id
                    ? new Principal(id, (parsed.GetValue(groups) ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries), Via(compiled.Document.Identity)) : null;
                List<OfflineJudge> judges = [.. Enumerable.Range(0, Math.Clamp(Environment.ProcessorCount, 1, 16)).Select(_ => new OfflineJudge(compiled, who, timeMs))];
                await using Stream records = parsed.GetValue(input) == "-" ? Console.OpenStandardInput() : File.OpenRead(parsed.GetValue(input)!);
                await using Stream answers = Console.OpenStandardOutput();
                return Run(judges, parsed.GetValue(format) == "hex" ? RecordLineFormat.Hex : RecordLineFormat.Json, records, answers);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or StartException)
            {
                return Terminal.CouldNotRun(e.Message);
            }
        });
        return command;
    }

    /// <summary>
    /// Judges line by line, parts of a chunk on as many cores as there are; answers keep the order of lines. A line that holds no record is denied like a record that cannot be
    /// read, and told to the person.
    /// </summary>
    internal static int Run(IReadOnlyList<OfflineJudge> judges, RecordLineFormat format, Stream records, Stream answers)
    {
        var faults = new Faults();
        Part[] parts = [.. judges.Select(judge => new Part(judge, format, faults))];
        byte[] buffer = new byte[ChunkBytes];
        int lineMax = judges[0].LineBytesMax(format);
        var lines = new List<(int Start, int Length)>();
        int filled = 0;
        long number = 0;
        bool skipping = false;
        while (true)
        {
            int read = records.Read(buffer, filled, buffer.Length - filled);
            filled += read;
            int start = 0, end;
            if (skipping)
            {
                // The rest of a line that was answered already.
                end = buffer.AsSpan(0, filled).IndexOf((byte)'\n');
                skipping = end < 0;
                start = skipping ? filled : end + 1;
            }

            lines.Clear();
            while ((end = buffer.AsSpan(start, filled - start).IndexOf((byte)'\n')) >= 0)
            {
                lines.Add((start, end));
                start += end + 1;
            }

            if (read == 0 && start < filled)
            {
                lines.Add((start, filled - start));
                start = filled;
            }

            // A few lines (a person typing, a slow pipe) are not worth handing around.
            int used = lines.Count < LinesPerPart * parts.Length ? 1 : parts.Length;
            long first = number;
            Parallel.For(0, used, i => parts[i].Judge(buffer, lines, (int)((long)lines.Count * i / used), (int)((long)lines.Count * (i + 1) / used), first));
            for (int i = 0; i < used; i++) { parts[i].Flush(answers); }
            number += lines.Count;
            if (read == 0) { break; }
            buffer.AsSpan(start, filled - start).CopyTo(buffer);
            filled -= start;
            if (filled > lineMax)
            {
                parts[0].TooLong(number++);
                parts[0].Flush(answers);
                skipping = true;
                filled = 0;
            }
            else if (filled == buffer.Length) { Array.Resize(ref buffer, (int)Math.Min(2L * buffer.Length, lineMax + (long)ChunkBytes)); }
        }

        answers.Flush();
        faults.Sum();
        return (int)ExitCode.Ok;
    }

    /// <summary>Tells of lines that hold no record, the first of them one by one.</summary>
    private sealed class Faults
    {
        private const int ToldMax = 100;
        private long _count;

        public void Tell(string fault)
        {
            if (++_count <= ToldMax) { Console.Error.WriteLine(fault); }
        }

        public void Sum()
        {
            if (_count > ToldMax) { Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"policystreams: {_count - ToldMax} more lines held no record")); }
        }
    }

    /// <summary>One core's share of a chunk.</summary>
    private sealed class Part(OfflineJudge judge, RecordLineFormat format, Faults told)
    {
        private readonly ByteBuffer _output = new(ChunkBytes);
        private readonly List<string> _faults = [];

        public void TooLong(long number) => _faults.Add(Say(number, judge.JudgeTooLong(number, _output)));

        public void Judge(byte[] buffer, List<(int Start, int Length)> lines, int from, int to, long first)
        {
            for (int i = from; i < to; i++)
            {
                ReadOnlySpan<byte> line = buffer.AsSpan(lines[i].Start, lines[i].Length);
                if (line.EndsWith("\r"u8)) { line = line[..^1]; }
                if (judge.Judge(line, format, first + i, _output) is { } fault) { _faults.Add(Say(first + i, fault)); }
            }
        }

        public void Flush(Stream answers)
        {
            answers.Write(_output.Written);
            _output.Clear();
            foreach (string fault in _faults) { told.Tell(fault); }
            _faults.Clear();
        }

        private static string Say(long number, string fault) => string.Create(CultureInfo.InvariantCulture, $"policystreams: line {number + 1}: {fault}");
    }

    /// <summary>Compiles a policy for one of its bindings. Null where a diagnostic of severity error was added.</summary>
    /// <exception cref="IOException">There is no such binding, or a file or the registry cannot be read.</exception>
    internal static async Task<CompiledBinding?> CompileAsync(
        string policyPath, string bindingName, string? schemaPath, ISchemaRegistry? registry, KeyRing keys, List<Diagnostic> diagnostics, CancellationToken cancellationToken)
    {
        PolicyLoad load = PolicySet.Load([PolicyInputs.Read(policyPath)]);
        diagnostics.AddRange(load.Diagnostics);
        if (load.Set is null) { return null; }
        PolicyDocument document = load.Set.Policies[0];
        if (document.Binding(bindingName) is not { } binding)
        {
            throw new IOException($"policy `{document.Name}` has no binding `{bindingName}`; it has {string.Join(", ", document.Bindings.Select(one => one.Name))}");
        }

        Dictionary<string, SubjectSchemas> subjects;
        if (schemaPath is not null)
        {
            // Only the binding that is asked for needs a schema.
            document = document.Only(binding.Name);
            try { subjects = new() { [binding.Name] = LocalSchemas.Single(binding, PolicyInputs.Read(schemaPath).Text, PolicyInputs.Beside(PolicyInputs.FolderOf(schemaPath))) }; }
            catch (SchemaException fault) { throw new IOException($"--schema {schemaPath}: {fault.Message}"); }
            if (binding.KeyFormat == KeyFormat.Avro)
            {
                // Records on lines have no key; its schema is wanted for conditions that speak of one.
                var said = new List<Diagnostic>();
                IReadOnlyDictionary<string, SubjectSchemas> beside = LocalSchemas.Load(document, PolicyInputs.Beside(PolicyInputs.FolderOf(policyPath)), said);
                if (!beside.TryGetValue(binding.Name + "/key", out SubjectSchemas? keySchemas)) { diagnostics.AddRange(said); return null; }
                subjects[binding.Name + "/key"] = keySchemas;
            }
        }
        else
        {
            document = document.Only(binding.Name);
            subjects = new(await PolicyInputs.SchemasAsync(document, registry, diagnostics, cancellationToken).ConfigureAwait(false));
            if (diagnostics.Exists(diagnostic => diagnostic.Severity == Severity.Error)) { return null; }
        }

        return CompiledPolicy.Compile(document, subjects, keys, diagnostics)?.Bindings[bindingName];
    }

    private static string Via(IdentityKind kind) => kind switch { IdentityKind.Topic => "topic", IdentityKind.Jws => "jws", IdentityKind.Oidc => "oidc", _ => "none" };
}
