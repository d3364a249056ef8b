using System.CommandLine;
using System.Text.Json;
using PolicyStreams.ApprovalService;
using PolicyStreams.Cli.Approvals;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams approvals</c>: holds and their decision, through the approval service.</summary>
internal static class ApprovalsCommand
{
    private const string TokenVariable = "POLICYSTREAMS_TOKEN";
    private const int PageSize = 500;

    private static readonly string[] Outputs = ["table", "json"];

    internal static Command Create() => new("approvals", "Look at open holds, and approve or reject them, through the approval service.") { List(), Show(), Decide("approve"), Decide("reject"), Keygen() };

    private static Command List()
    {
        var service = new ServiceOptions();
        var binding = new Option<string?>("--binding") { Description = "Only this binding's.", HelpName = "NAME" };
        var group = new Option<string?>("--group") { Description = "Only those that this group may approve.", HelpName = "NAME" };
        var limit = new Option<int>("--limit") { Description = "Most holds to list.", HelpName = "N", DefaultValueFactory = _ => 100 };
        limit.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 100_000) { result.AddError("`--limit` must be 1 to 100000."); }
        });
        var command = new Command("list", "List the holds that you may see, oldest first.") { binding, group, limit };
        service.AddTo(command);
        command.SetAction((parse, cancellation) => ApprovalsFailure.Run(parse, async () =>
        {
            using ApprovalsClient client = service.Client(parse);
            int wanted = parse.GetValue(limit);
            var holds = new List<JsonElement>();
            string? after = null;
            do
            {
                int size = Math.Min(PageSize, wanted - holds.Count);
                JsonElement page = await client.Get("holds?" + Query(("binding", parse.GetValue(binding)), ("group", parse.GetValue(group)), ("after", after), ("limit", FormattableString.Invariant($"{size}"))), cancellation).ConfigureAwait(false);
                int before = holds.Count;
                if (page.TryGetProperty("holds", out JsonElement items) && items.ValueKind == JsonValueKind.Array) { holds.AddRange(items.EnumerateArray()); }
                after = holds.Count > before && page.TryGetProperty("next", out JsonElement next) ? next.GetString() : null;
            }
            while (after is not null && holds.Count < wanted);
            if (service.IsJson(parse)) { ServiceOptions.Output(parse).Json(JsonSerializer.SerializeToElement(holds)); }
            else { ServiceOptions.Output(parse).List(holds, more: after is not null); }
        }));
        return command;
    }

    private static Command Show()
    {
        var service = new ServiceOptions();
        Argument<string> id = HoldId();
        var command = new Command("show", "Show one hold with its masked view, its terms, and what was said so far.") { id };
        service.AddTo(command);
        command.SetAction((parse, cancellation) => ApprovalsFailure.Run(parse, async () =>
        {
            using ApprovalsClient client = service.Client(parse);
            JsonElement hold = await client.Get("holds/" + Uri.EscapeDataString(parse.GetValue(id)!), cancellation).ConfigureAwait(false);
            if (service.IsJson(parse)) { ServiceOptions.Output(parse).Json(hold); }
            else { ServiceOptions.Output(parse).Show(hold); }
        }));
        return command;
    }

    private static Command Decide(string verdict)
    {
        var service = new ServiceOptions();
        Argument<string> id = HoldId();
        var reason = new Option<string>("--reason") { Description = "Why: 1 to 1000 characters. It goes into the signed statement.", HelpName = "TEXT", Required = true };
        var view = new Option<string?>("--view") { Description = "The view digest that `show` gave: refused where the hold is another by now.", HelpName = "DIGEST" };
        var command = new Command(verdict, verdict == "approve" ? "Approve a hold." : "Reject a hold: one rejection refuses it.") { id, reason, view };
        service.AddTo(command);
        command.SetAction((parse, cancellation) => ApprovalsFailure.Run(parse, async () =>
        {
            using ApprovalsClient client = service.Client(parse);
            var body = new Dictionary<string, string> { ["reason"] = parse.GetValue(reason)! };
            if (parse.GetValue(view) is { } digest) { body["view"] = digest; }
            JsonElement stated = await client.Post($"holds/{Uri.EscapeDataString(parse.GetValue(id)!)}/{verdict}", body, cancellation).ConfigureAwait(false);
            if (service.IsJson(parse)) { ServiceOptions.Output(parse).Json(stated); }
            else { ServiceOptions.Output(parse).Stated(stated); }
        }));
        return command;
    }

    private static Command Keygen()
    {
        var path = new Option<string>("--out") { Description = "Where the private key goes, for the service's --signing-key: readable by its owner only.", HelpName = "FILE", Required = true };
        var publicPath = new Option<string?>("--public") { Description = "Where the public key goes, a JWK Set for the processor's --approval-keys. Default: beside it, with the extension .jwks.json.", HelpName = "FILE" };
        var command = new Command("keygen", "Make the approval service's signing key. Nothing is overwritten.") { path, publicPath };
        command.SetAction((parse, _) => ApprovalsFailure.Run(parse, async () =>
        {
            string secret = parse.GetValue(path)!;
            string shown = parse.GetValue(publicPath) ?? Path.ChangeExtension(secret, ".jwks.json");
            string keyId = SigningKeyFile.Generate(secret, shown);
            TextWriter output = parse.InvocationConfiguration.Output;
            await output.WriteLineAsync($"{secret}: the private key {keyId}, for `policystreams approval-service --signing-key`.").ConfigureAwait(false);
            await output.WriteLineAsync($"{shown}: its public key, for `policystreams run --approval-keys`.").ConfigureAwait(false);
        }));
        return command;
    }

    private static Argument<string> HoldId() => new("hold") { Description = "The hold's id, such as raw.payments-0-42.", HelpName = "HOLD" };

    private static string Query(params (string Name, string? Value)[] parameters) =>
        string.Join('&', parameters.Where(parameter => parameter.Value is not null).Select(parameter => $"{parameter.Name}={Uri.EscapeDataString(parameter.Value!)}"));

    /// <summary>Options of every command that asks the service.</summary>
    private sealed class ServiceOptions
    {
        private readonly Option<string> _url = new("--url") { Description = "Address of the approval service.", HelpName = "URL", DefaultValueFactory = _ => ApprovalServiceOptions.DefaultAddress };
        private readonly Option<string?> _tokenFile = new("--token-file") { Description = $"File with your bearer token. Default: the variable {TokenVariable}.", HelpName = "FILE" };
        private readonly Option<string> _output = new("--output") { Description = "How to show it: table or json.", HelpName = "FORMAT", DefaultValueFactory = _ => Outputs[0] };

        internal void AddTo(Command command)
        {
            _output.AcceptOnlyFromAmong(Outputs);
            command.Add(_url);
            command.Add(_tokenFile);
            command.Add(_output);
        }

        internal bool IsJson(ParseResult parse) => parse.GetValue(_output) == "json";

        internal static ApprovalsOutput Output(ParseResult parse) => new(parse.InvocationConfiguration.Output, TimeProvider.System);

        internal ApprovalsClient Client(ParseResult parse) => ApprovalsClient.Create(parse.GetValue(_url)!, Token(parse.GetValue(_tokenFile)));

        // Never an option's value: the command line of a process is there for all to read.
        private static string Token(string? file)
        {
            string? token = file is not null ? TextFile.Read(file, "--token-file", 65_536) : Environment.GetEnvironmentVariable(TokenVariable);
            return token?.Trim() ?? throw new ApprovalsFailure(ExitCode.CouldNotRun, "There is no token.", $"Name a file with --token-file, or set {TokenVariable}.");
        }
    }
}
