using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using PolicyStreams.Processor.Holds;

namespace PolicyStreams.ApprovalService.Tests;

public sealed class HealthTests : IAsyncLifetime
{
    private readonly FakeView _view = new();
    private readonly FakeSink _sink = new();
    private readonly StatementSigner _signer = StatementSigner.Generate();
    private readonly Lines _log = new();
    private Provider _provider = null!;
    private WebApplication _app = null!;
    private HttpClient _http = null!;

    public async ValueTask InitializeAsync()
    {
        _provider = await Provider.StartAsync();
        var options = new ApprovalServiceOptions { Address = "http://127.0.0.1:0", Authority = _provider.Issuer, Audience = Provider.Audience, RequestsBurst = 5, RequestsPerSecond = 1 };
        _app = ApprovalServiceApp.Build(options, _view, _sink, _signer, configure: builder => builder.Logging.AddProvider(_log));
        await _app.StartAsync();
        _http = new HttpClient { BaseAddress = new Uri(_app.Urls.Single()), DefaultRequestHeaders = { Authorization = new("Bearer", _provider.Token(groups: ["risk"])) } };
    }

    [Fact]
    public async Task Get_ViewNotCaughtUp_IsNotReadyAndSaysWhy()
    {
        _view.Status = new HoldViewStatus(false, ["the state topics are being read"]);
        HttpResponseMessage ready = await _http.GetAsync("/ready");
        Assert.Equal(503, (int)ready.StatusCode);
        Assert.Equal("the state topics are being read", JsonDocument.Parse(await ready.Content.ReadAsStringAsync()).RootElement.GetProperty("reasons")[0].GetString());
        Assert.True((await _http.GetAsync("/live")).IsSuccessStatusCode);
        Assert.Equal("not-ready", await Service.Problem(await _http.GetAsync("/holds"), 503));
        _view.Status = new HoldViewStatus(true, []);
        Assert.True((await _http.GetAsync("/ready")).IsSuccessStatusCode);
        await Service.Json(await _http.GetAsync("/holds"));
    }

    [Fact]
    public async Task Approve_KafkaDown_IsNotAccepted()
    {
        _view.Holds[Samples.Id] = Samples.Hold();
        _sink.Fails = true;
        Assert.Equal("not-written", await Service.Problem(await _http.PostAsync($"/holds/{Samples.Id}/approve", new StringContent("""{"reason":"ok"}""", null, "application/json")), 503));
    }

    [Fact]
    public async Task Get_TooOften_IsToldToWaitWhileOthersAreNot()
    {
        HttpResponseMessage[] answers = await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => _http.GetAsync("/holds")));
        HttpResponseMessage refused = answers.First(answer => (int)answer.StatusCode == 429);
        Assert.Equal("too-many-requests", await Service.Problem(refused, 429));
        Assert.NotNull(refused.Headers.RetryAfter);
        using var other = new HttpClient { BaseAddress = _http.BaseAddress, DefaultRequestHeaders = { Authorization = new("Bearer", _provider.Token("ben", ["risk"])) } };
        await Service.Json(await other.GetAsync("/holds"));
        Assert.True((await _http.GetAsync("/live")).IsSuccessStatusCode);
    }

    [Fact]
    public async Task Log_OfAnApproval_HasNoReasonViewOrToken()
    {
        _view.Holds[Samples.Id] = Samples.Hold(view: """{"name":"VIEWSECRET"}""");
        string token = _provider.Token(groups: ["risk"]);
        await _http.GetAsync($"/holds/{Samples.Id}");
        await _http.PostAsync($"/holds/{Samples.Id}/approve", new StringContent("""{"reason":"REASONSECRET"}""", null, "application/json"));
        await _http.PostAsync($"/holds/{Samples.Id}/approve", new StringContent("""REASONSECRET""", null, "application/json"));
        string log = string.Join('\n', _log.All);
        Assert.Contains("approve of " + Samples.Id, log);
        Assert.DoesNotContain("SECRET", log);
        Assert.DoesNotContain(token.Split('.')[1], log);
    }

    [Fact]
    public async Task Build_Certificate_ServesHttps()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 certificate = new CertificateRequest("CN=approvals", key, HashAlgorithmName.SHA256).CreateSelfSigned(new DateTimeOffset(2026, 1, 1, 0, 0, 0, default), new DateTimeOffset(2126, 1, 1, 0, 0, 0, default));
        string file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem());
        var options = new ApprovalServiceOptions { Address = "https://127.0.0.1:0", CertificateFile = file, Authority = _provider.Issuer, Audience = Provider.Audience };
        await using WebApplication app = ApprovalServiceApp.Build(options, _view, _sink, _signer);
        File.Delete(file);
        await app.StartAsync();
        using var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, shown, _, _) => shown!.Thumbprint == certificate.Thumbprint };
        using var http = new HttpClient(handler) { BaseAddress = new Uri(app.Urls.Single()) };
        Assert.True((await http.GetAsync("/live")).IsSuccessStatusCode);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _app.DisposeAsync();
        await _provider.DisposeAsync();
        _signer.Dispose();
    }

    private sealed class Lines : ILoggerProvider, ILogger
    {
        internal System.Collections.Concurrent.ConcurrentQueue<string> All { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => All.Enqueue(formatter(state, exception) + exception);

        public void Dispose() { }
    }
}
