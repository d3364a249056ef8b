using System.Collections.Concurrent;
using System.CommandLine;
using Microsoft.AspNetCore.Builder;
using PolicyStreams.ApprovalService;
using PolicyStreams.ApprovalService.Dev;
using PolicyStreams.Cli.Commands;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Rules;

namespace PolicyStreams.Cli.Tests.Approvals;

/// <summary>An approval service over holds in memory, with the dev issuer, and the commands run against it.</summary>
public sealed class ApprovalsServer : IAsyncLifetime, IHoldView, IStatementSink
{
    private readonly StatementSigner _signer = StatementSigner.Generate();
    private readonly string _folder = Directory.CreateTempSubdirectory("approvals-").FullName;
    private DevIssuer _issuer = null!;
    private WebApplication _app = null!;

    public HoldViewStatus Status => new(true, []);

    internal ConcurrentDictionary<string, OpenHold> Holds { get; } = [];

    internal ConcurrentQueue<byte[]> Written { get; } = [];

    internal string Url => _app.Urls.Single();

    public async ValueTask InitializeAsync()
    {
        _issuer = await DevIssuer.StartAsync([]);
        var options = new ApprovalServiceOptions { Address = "http://127.0.0.1:0", Authority = _issuer.Address.ToString(), Issuer = DevIssuer.Issuer, Audience = DevIssuer.Audience, IsDemo = true, RequestsBurst = 1000 };
        _app = ApprovalServiceApp.Build(options, this, this, _signer);
        await _app.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        await _issuer.DisposeAsync();
        _signer.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    public OpenHold? Find(string id) => Holds.GetValueOrDefault(id);

    public IReadOnlyList<OpenHold> Page(HoldCursor? after, int limit, Func<OpenHold, bool> filter) =>
        [.. Holds.Values.Where(filter).OrderBy(hold => hold.State.Id, StringComparer.Ordinal).Where(hold => after is not { } place || string.CompareOrdinal(hold.State.Id, place.Id) > 0).Take(limit)];

    public Task<long> WriteAsync(OpenHold hold, byte[] jws, CancellationToken cancellation)
    {
        Written.Enqueue(jws);
        return Task.FromResult(7L);
    }

    internal string TokenFile(params string[] groups)
    {
        string path = Path.Combine(_folder, Guid.NewGuid().ToString("N"));
        File.WriteAllText(path, _issuer.IssueToken("ann", groups, []) + "\n");
        return path;
    }

    internal OpenHold Add(string id, string group, string reason = "large payment", string view = """{"amount":12000.0}""")
    {
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(view);
        var state = new HoldState
        {
            Id = id,
            Binding = "payments",
            Policy = "payments",
            Digest = HoldState.DigestOf("policy"u8),
            Rules = ["large-payment"],
            Reasons = [reason],
            Terms = [new HoldTerms { Rule = "large-payment", Approvers = [group], Quorum = 2, Expires = TimeSpan.FromHours(4) }],
            Principal = new Principal("checkout", ["payments-producers"], "topic"),
            DecidedMs = 1_767_323_045_678,
            ExpiresMs = 1_767_323_045_678 + 14_400_000,
            View = bytes,
            ViewDigest = HoldState.DigestOf(bytes),
        };
        return Holds[id] = new OpenHold(state, new HoldTopics("state.payments", "approvals.payments"), 0);
    }

    /// <summary>Runs <c>approvals …</c> against this service.</summary>
    internal Task<Ran> Run(string tokenFile, params string[] arguments) => RunAlone([.. arguments, "--url", Url, "--token-file", tokenFile]);

    internal static async Task<Ran> RunAlone(params string[] arguments)
    {
        var output = new StringWriter();
        var error = new StringWriter();
        ParseResult parse = ApprovalsCommand.Create().Parse(arguments);
        int code = await parse.InvokeAsync(new InvocationConfiguration { Output = output, Error = error }, TestContext.Current.CancellationToken);
        return new Ran(code, output.ToString(), error.ToString());
    }

    internal sealed record Ran(int Code, string Output, string Error);
}
