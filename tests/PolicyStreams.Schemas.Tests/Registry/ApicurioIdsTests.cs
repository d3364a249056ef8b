using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Schemas.Tests;

/// <summary>Apicurio has two numbers for a version, and the same number is another version in the other kind: what a record names is looked up by what its id means.</summary>
public class ApicurioIdsTests
{
    private static readonly CancellationToken _never = CancellationToken.None;

    [Theory]
    [InlineData(SchemaIds.Global, false, new[] { 2, 3, 4 })]
    [InlineData(SchemaIds.Global, true, new[] { 2, 3, 4 })]
    [InlineData(SchemaIds.Content, false, new[] { 1, 2, 3 })]
    [InlineData(SchemaIds.Content, true, new[] { 1, 2, 3 })]
    public async Task GetSubject_OfEachKind_HasItsIds_WhicheverTheConfluentApiAnswersBy(SchemaIds ids, bool legacy, int[] expected)
    {
        await using ApicurioPeer peer = await DriftedAsync();
        peer.LegacyIds = legacy;
        using RegistryClient client = Client(peer);
        RegistryAnswer<IReadOnlyList<RegisteredSchema>> answer = await client.By(ids).GetSubjectAsync("y", _never);
        Assert.Equal("", answer.Reason);
        Assert.Equal(expected, answer.Value!.Select(version => version.Id));
        Assert.Equal(["1", "2", "3"], answer.Value!.Select(version => version.Text));
        Assert.All(answer.Value!, version => Assert.Null(version.Unusable));
    }

    [Theory]
    [InlineData(SchemaIds.Global, 2)]
    [InlineData(SchemaIds.Content, 3)]
    public async Task GetById_TheSameNumber_IsTheVersionThatItsKindNames(SchemaIds ids, int version)
    {
        await using ApicurioPeer peer = await DriftedAsync();
        using RegistryClient client = Client(peer);
        RegisteredSchema found = (await client.By(ids).GetByIdAsync(3, "y", _never)).Value!;
        Assert.Equal((3, version), (found.Id, found.Version));
    }

    [Theory]
    [InlineData(SchemaIds.Global, 1)]
    [InlineData(SchemaIds.Global, 5)]
    [InlineData(SchemaIds.Content, 4)]
    public async Task GetById_OfAnotherSubject_IsNoVersion(SchemaIds ids, int id)
    {
        await using ApicurioPeer peer = await DriftedAsync();
        peer.Register("z", "4");
        using RegistryClient client = Client(peer);
        RegisteredSchema found = (await client.By(ids).GetByIdAsync(id, "y", _never)).Value!;
        Assert.Equal((id, 0), (found.Id, found.Version));
    }

    [Theory]
    [InlineData(SchemaIds.Global, 5)]
    [InlineData(SchemaIds.Content, 4)]
    [InlineData(SchemaIds.Either, 5)]
    public async Task GetById_ThatTheKindDoesNotHave_IsNotFound(SchemaIds ids, int id)
    {
        await using ApicurioPeer peer = await DriftedAsync();
        using RegistryClient client = Client(peer);
        Assert.Equal(RegistryAnswerKind.NotFound, (await client.By(ids).GetByIdAsync(id, "y", _never)).Kind);
    }

    [Fact]
    public async Task GetSubject_WhereNothingSaysWhichKind_HasThoseAloneThatAreTheSameInBoth()
    {
        await using ApicurioPeer peer = await ApicurioPeer.StartAsync();
        peer.Register("y", "1");
        peer.Register("x", "1");
        peer.Register("y", "2");
        using RegistryClient client = Client(peer);
        IReadOnlyList<RegisteredSchema> versions = (await client.By(SchemaIds.Either).GetSubjectAsync("y", _never)).Value!;
        Assert.Null(versions[0].Unusable);
        Assert.Contains("global id 3 or by content id 2", versions[1].Unusable, StringComparison.Ordinal);
        Assert.Equal(1, (await client.By(SchemaIds.Either).GetByIdAsync(1, "y", _never)).Value!.Version);

        // One number is that version's content id, the other its global id: by neither is it read.
        Assert.NotNull((await client.By(SchemaIds.Either).GetByIdAsync(2, "y", _never)).Value!.Unusable);
        Assert.Equal(0, (await client.By(SchemaIds.Either).GetByIdAsync(3, "y", _never)).Value!.Version);
    }

    [Fact]
    public async Task WithoutTheCoreApi_NothingIsTold()
    {
        await using ApicurioPeer peer = await DriftedAsync();
        peer.HasCoreApi = false;
        using RegistryClient client = Client(peer);
        foreach (SchemaIds ids in (SchemaIds[])[SchemaIds.Either, SchemaIds.Global, SchemaIds.Content])
        {
            RegistryAnswer<IReadOnlyList<RegisteredSchema>> subject = await client.By(ids).GetSubjectAsync("y", _never);
            Assert.Equal(RegistryAnswerKind.Unreachable, subject.Kind);
            Assert.Contains("core API", subject.Reason, StringComparison.Ordinal);
            Assert.Equal(RegistryAnswerKind.Unreachable, (await client.By(ids).GetByIdAsync(3, "y", _never)).Kind);
        }

        Assert.True((await client.GetSubjectAsync("y", _never)).IsFound);
    }

    [Fact]
    public async Task GlobalIdThatIsAnotherVersionThanBefore_IsAConflict()
    {
        await using ApicurioPeer peer = await DriftedAsync();
        using RegistryClient client = Client(peer);
        Assert.True((await client.By(SchemaIds.Global).GetSubjectAsync("y", _never)).IsFound);

        // Made anew in another order: each text has the content id that it had, and y's versions other global ids.
        peer.Clear();
        peer.Register("y", "1");
        peer.Register("y", "2");
        peer.Register("y", "3");
        RegistryAnswer<IReadOnlyList<RegisteredSchema>> answer = await client.By(SchemaIds.Global).GetSubjectAsync("y", _never);
        Assert.Equal((RegistryAnswerKind.Conflict, 1L), (answer.Kind, Math.Min(client.Health.Conflicts, 1)));
        Assert.True((await client.GetSubjectAsync("y", _never)).IsFound);
    }

    [Fact]
    public async Task GetByGuid_IsNothingThatApicurioWrites()
    {
        await using ApicurioPeer peer = await ApicurioPeer.StartAsync();
        using RegistryClient client = Client(peer);
        await Assert.ThrowsAsync<NotSupportedException>(() => client.By(SchemaIds.Global).GetByGuidAsync(Guid.NewGuid(), "y", _never));
    }

    /// <summary>The text of y's first version is x's too, so that y's versions are 2, 3, 4 as global ids and 1, 2, 3 as content ids.</summary>
    private static async Task<ApicurioPeer> DriftedAsync()
    {
        ApicurioPeer peer = await ApicurioPeer.StartAsync();
        peer.Register("x", "1");
        foreach (string text in (string[])["1", "2", "3"]) { peer.Register("y", text); }
        return peer;
    }

    private static RegistryClient Client(ApicurioPeer peer) => new(new RegistryClientOptions { Urls = [peer.Url], Retries = 0, NegativeTtl = TimeSpan.Zero });
}
