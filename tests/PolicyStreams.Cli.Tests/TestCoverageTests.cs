using System.Text.Json;

namespace PolicyStreams.Cli.Tests;

/// <summary><c>policystreams test --coverage</c>: what the tests of a policy did not reach.</summary>
public sealed class TestCoverageTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("coverage-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Test_Coverage_NamesRulesAndBranchesThatNoTestReached()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "a.policy.yaml"), """
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: a, owner: tests }
            bindings: [{ name: a, format: json }]
            rules:
              - { id: big, when: value.n > 100.0 && value.n < 200.0, deny: { reason: big } }
              - { id: card, mask: { field: card, constant: x } }
            """, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(_folder, "a.policy.tests.yaml"), "policy: a.policy.yaml\ntests:\n  - { name: small, given: { value: { n: 1.0, card: y } }, expect: { outcome: allow } }\n", TestContext.Current.CancellationToken);
        string json = Path.Combine(_folder, "report.json");
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("test", _folder, "--coverage", "--json", json);
        Assert.Equal(0, ran.Code);
        Assert.Equal(
            [
                "coverage 44.4 %",
                "    3/8   a/big: never fired; `value.n > 100.0 && value.n < 200.0` was never true; `value.n > 100.0` was never true; `value.n < 200.0` was never true; `value.n < 200.0` was never false",
                "    1/1   a/card",
                "1 passed, 0 failed",
            ],
            ran.Lines[^4..]);
        JsonElement coverage = JsonDocument.Parse(await File.ReadAllTextAsync(json, TestContext.Current.CancellationToken)).RootElement.GetProperty("coverage");
        Assert.Equal(44.44, coverage.GetProperty("percent").GetDouble());
        Assert.Equal((false, true), (coverage.GetProperty("rules")[0].GetProperty("fired").GetBoolean(), coverage.GetProperty("rules")[0].GetProperty("not_fired").GetBoolean()));
        Assert.DoesNotContain("never fired", (await BuiltCommand.RunAsync("test", _folder)).Output, StringComparison.Ordinal);
    }
}
