using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;

namespace PolicyStreams.Schemas.Tests;

/// <summary>A registry at the wire that does what a test tells it.</summary>
internal sealed class ScriptedPeer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<string> _requests = new();

    private ScriptedPeer(WebApplication app) => _app = app;

    public string Url { get; private set; } = "";

    /// <summary>Paths with queries, in order.</summary>
    public IReadOnlyCollection<string> Requests => _requests;

    public Func<HttpContext, Task> Script { get; set; } = _ => Task.CompletedTask;

    /// <param name="certificate">With its key, for https; null for http.</param>
    public static async Task<ScriptedPeer> StartAsync(Func<HttpContext, Task> script, X509Certificate2? certificate = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            if (certificate is null) { return; }
            listen.UseHttps(certificate, https =>
            {
                https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                https.AllowAnyClientCertificate();
            });
        }));
        WebApplication app = builder.Build();
        var peer = new ScriptedPeer(app) { Script = script };
        app.Run(async context =>
        {
            peer._requests.Enqueue(context.Request.Path + context.Request.QueryString);
            await peer.Script(context);
        });
        await app.StartAsync();
        peer.Url = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return peer;
    }

    public static Task Json(HttpContext context, string json, int status = 200)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/vnd.schemaregistry.v1+json";
        return context.Response.WriteAsync(json);
    }

    public static Task NotFound(HttpContext context, int code) => Json(context, $$"""{"error_code":{{code}},"message":"none"}""", 404);

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }
}

/// <summary>A clock that a test moves on; its timers run on the system's.</summary>
internal sealed class ShiftedTime : TimeProvider
{
    private long _ticks;

    public override long GetTimestamp() => System.GetTimestamp() + Interlocked.Read(ref _ticks);

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + new TimeSpan(Interlocked.Read(ref _ticks) * TimeSpan.TicksPerSecond / TimestampFrequency);

    public void Advance(TimeSpan by) => Interlocked.Add(ref _ticks, (long)(by.TotalSeconds * TimestampFrequency));
}
