using System.Text.Json;
using PolicyStreams.Processor.Holds;

namespace PolicyStreams.Cli.Tests.Approvals;

public sealed class ApprovalsCommandTests(ApprovalsServer server) : IClassFixture<ApprovalsServer>
{
    [Fact]
    public async Task List_Holds_IsATableOfThem()
    {
        server.Add("raw.payments-0-1", "list", reason: "large [red]payment[/]");
        ApprovalsServer.Ran ran = await server.Run(server.TokenFile("list"), "list");
        Assert.Equal((0, ""), (ran.Code, ran.Error));
        Assert.Contains("raw.payments-0-1", ran.Output);
        Assert.Contains("large [red]payment[/]", ran.Output);
        Assert.Contains("list 0/2", ran.Output);
        Assert.Contains("due", ran.Output);
        Assert.Contains("1 hold.", ran.Output);
    }

    [Fact]
    public async Task List_NothingToSee_SaysSo()
    {
        ApprovalsServer.Ran ran = await server.Run(server.TokenFile("nobody"), "list");
        Assert.Equal(0, ran.Code);
        Assert.Contains("No hold is open that you may see.", ran.Output);
    }

    [Fact]
    public async Task List_Json_IsAnArrayOverAllPages()
    {
        for (int i = 0; i < 600; i++) { server.Add($"raw.payments-0-9{i:000}", "many"); }
        ApprovalsServer.Ran ran = await server.Run(server.TokenFile("many"), "list", "--limit", "550", "--output", "json");
        JsonElement holds = JsonDocument.Parse(ran.Output).RootElement;
        Assert.Equal(550, holds.GetArrayLength());
        Assert.Equal(550, holds.EnumerateArray().Select(hold => hold.GetProperty("id").GetString()).Distinct().Count());
    }

    [Fact]
    public async Task Show_Hold_HasTermsAndView()
    {
        OpenHold hold = server.Add("raw.payments-0-2", "show");
        ApprovalsServer.Ran ran = await server.Run(server.TokenFile("show"), "show", "raw.payments-0-2");
        Assert.Equal(0, ran.Code);
        foreach (string part in new[] { "checkout (payments-producers) by topic", "0 of 2", "\"amount\": 12000.0", hold.State.ViewDigest, "may decide it" }) { Assert.Contains(part, ran.Output); }
    }

    [Theory]
    [InlineData("table")]
    [InlineData("json")]
    public async Task Show_ViewWithTerminalSequences_DoesNotSteerTheTerminal(string output)
    {
        server.Add("raw.payments-0-3", "evil", reason: "\u001b[2Jgone", view: "{\"a\":\"\\u001b[2J\\u009b2J\u202e\"}");
        ApprovalsServer.Ran ran = await server.Run(server.TokenFile("evil"), "show", "raw.payments-0-3", "--output", output);
        Assert.Equal(0, ran.Code);
        Assert.DoesNotContain(ran.Output, character => (char.IsControl(character) && character is not ('\n' or '\r')) || character == '\u202e');
    }

    [Fact]
    public async Task Approve_WithReason_WritesAStatement()
    {
        server.Add("raw.payments-0-4", "approve");
        ApprovalsServer.Ran ran = await server.Run(server.TokenFile("approve"), "approve", "raw.payments-0-4", "--reason", "fine");
        Assert.Equal((0, ""), (ran.Code, ran.Error));
        Assert.Contains("raw.payments-0-4/a-7", ran.Output);
        Assert.NotEmpty(server.Written);
    }

    [Fact]
    public async Task Reject_OtherViewThanSeen_IsRefusedWithOne()
    {
        server.Add("raw.payments-0-5", "reject");
        ApprovalsServer.Ran ran = await server.Run(server.TokenFile("reject"), "reject", "raw.payments-0-5", "--reason", "no", "--view", HoldState.DigestOf("other"u8));
        Assert.Equal(1, ran.Code);
        Assert.Contains("view-changed", ran.Error);
        Assert.Contains("help:", ran.Error);
    }

    [Fact]
    public async Task Show_NoSuchHold_IsOne()
    {
        ApprovalsServer.Ran ran = await server.Run(server.TokenFile("risk"), "show", "raw.payments-9-9");
        Assert.Equal(1, ran.Code);
        Assert.Contains("404 no-such-hold", ran.Error);
        Assert.Contains(server.Url, ran.Error);
    }

    [Fact]
    public async Task List_InvalidToken_CouldNotRunAndDoesNotShowIt()
    {
        string file = server.TokenFile("risk");
        await File.WriteAllTextAsync(file, "TOKENSECRET");
        ApprovalsServer.Ran ran = await server.Run(file, "list");
        Assert.Equal(2, ran.Code);
        Assert.Contains("401 token-invalid", ran.Error);
        Assert.DoesNotContain("SECRET", ran.Error + ran.Output);
    }

    [Theory]
    [InlineData("http://127.0.0.1:1", "cannot be reached")]
    [InlineData("http://approvals.example.com", "in the clear")]
    [InlineData("approvals", "not an address")]
    public async Task List_BadAddress_CouldNotRun(string url, string expected)
    {
        ApprovalsServer.Ran ran = await ApprovalsServer.RunAlone("list", "--url", url, "--token-file", server.TokenFile("risk"));
        Assert.Equal(2, ran.Code);
        Assert.Contains(expected, ran.Error);
    }

    [Fact]
    public async Task List_NoTokenFile_CouldNotRunAndNamesIt()
    {
        ApprovalsServer.Ran ran = await server.Run("/no/such/token", "list");
        Assert.Equal(2, ran.Code);
        Assert.Contains("/no/such/token", ran.Error);
    }

    [Fact]
    public async Task Keygen_NewFiles_FitEachOtherAndAreTheOwnersAlone()
    {
        string folder = Directory.CreateTempSubdirectory("keygen-").FullName;
        string secret = Path.Combine(folder, "approvals.pem");
        ApprovalsServer.Ran ran = await ApprovalsServer.RunAlone("keygen", "--out", secret);
        Assert.Equal((0, ""), (ran.Code, ran.Error));
        using StatementSigner signer = StatementSigner.TryParse(await File.ReadAllTextAsync(secret), out _)!;
        using StatementVerifier verifier = StatementVerifier.TryParse(await File.ReadAllTextAsync(Path.Combine(folder, "approvals.jwks.json")), out _)!;
        Assert.Equal([signer.KeyId], verifier.KeyIds);
        if (!OperatingSystem.IsWindows()) { Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(secret)); }

        string before = await File.ReadAllTextAsync(secret);
        ran = await ApprovalsServer.RunAlone("keygen", "--out", secret);
        Assert.Equal(2, ran.Code);
        Assert.Contains("never overwritten", ran.Error);
        Assert.Equal(before, await File.ReadAllTextAsync(secret));

        File.Move(secret, secret + ".old");
        Assert.Equal(2, (await ApprovalsServer.RunAlone("keygen", "--out", secret)).Code);
        Assert.False(File.Exists(secret));
        Directory.Delete(folder, recursive: true);
    }
}
