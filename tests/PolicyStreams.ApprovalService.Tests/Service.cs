using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using PolicyStreams.Processor.Holds;

namespace PolicyStreams.ApprovalService.Tests;

/// <summary>The service on a free loopback port, with a provider beside it.</summary>
public sealed class Service : IAsyncLifetime
{
    private WebApplication _app = null!;
    private StatementSigner _signer = null!;

    internal FakeView View { get; } = new();

    internal FakeSink Sink { get; } = new();

    internal Provider Provider { get; private set; } = null!;

    internal StatementVerifier Verifier { get; private set; } = null!;

    internal HttpClient Http { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Provider = await Provider.StartAsync();
        _signer = StatementSigner.Generate();
        Verifier = StatementVerifier.TryParse(_signer.PublicJwks(), out _)!;
        _app = ApprovalServiceApp.Build(
            new ApprovalServiceOptions { Address = "http://127.0.0.1:0", Authority = Provider.Issuer, Audience = Provider.Audience, RequestsBurst = 200 }, View, Sink, _signer);
        await _app.StartAsync();
        Http = new HttpClient { BaseAddress = new Uri(_app.Urls.Single()) };
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.DisposeAsync();
        Verifier.Dispose();
        _signer.Dispose();
        await Provider.DisposeAsync();
    }

    internal Task<HttpResponseMessage> Get(string path, string? token) => Send(new HttpRequestMessage(HttpMethod.Get, path), token);

    internal Task<HttpResponseMessage> Post(string path, string? token, string body, string type = "application/json", string? ifMatch = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, type) };
        if (ifMatch is not null) { request.Headers.TryAddWithoutValidation("If-Match", ifMatch); }
        return Send(request, token);
    }

    /// <summary>Checks that an answer is a problem of this status, and gives its code.</summary>
    internal static async Task<string> Problem(HttpResponseMessage response, int status)
    {
        string text = await response.Content.ReadAsStringAsync();
        Assert.True((int)response.StatusCode == status, $"{(int)response.StatusCode} {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        JsonElement problem = JsonDocument.Parse(text).RootElement;
        Assert.Equal(status, problem.GetProperty("status").GetInt32());
        Assert.NotEmpty(problem.GetProperty("title").GetString()!);
        Assert.NotEmpty(problem.GetProperty("detail").GetString()!);
        string code = problem.GetProperty("code").GetString()!;
        Assert.Equal("urn:policystreams:problem:" + code, problem.GetProperty("type").GetString());
        return code;
    }

    internal static async Task<JsonElement> Json(HttpResponseMessage response)
    {
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}");
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }

    internal Task<HttpResponseMessage> Send(HttpRequestMessage request, string? token)
    {
        if (token is not null) { request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token); }
        return Http.SendAsync(request);
    }
}
