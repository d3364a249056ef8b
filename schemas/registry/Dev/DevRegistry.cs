using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace PolicyStreams.Schemas.Registry;

/// <summary>
/// A schema registry for development and tests: the part of Confluent's REST API that stock serializers use, on loopback, in memory. What is registered is gone when it stops;
/// the same files in the same folder give the same ids again.
/// </summary>
public sealed class DevRegistry : IAsyncDisposable
{
    private readonly WebApplication _app;

    private DevRegistry(WebApplication app, string url)
    {
        _app = app;
        Url = url;
    }

    /// <summary>Base address, without a slash at the end: <c>http://127.0.0.1:8081</c>.</summary>
    public string Url { get; }

    /// <summary>Loads the folder and starts to listen.</summary>
    /// <exception cref="SchemaException">A schema file cannot be read or registered; the message names it.</exception>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<DevRegistry> StartAsync(DevRegistryOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        DevStore store;
        try
        {
            store = new DevStore(options.Compatibility, options.SchemasMax);
        }
        catch (DevProblem problem)
        {
            throw new ArgumentException(problem.Message, nameof(options));
        }

        if (options.Folder is not null) { DevFolder.Load(store, options.Folder); }

        // Empty: neither environment variables nor files may move it off loopback.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.BodyBytesMax;
            kestrel.Listen(IPAddress.Loopback, options.Port);
        });
        builder.Services.AddRoutingCore();
        WebApplication app = builder.Build();
        app.UseRouting();
        app.MapDevRegistry(store);
        app.MapFallback(context => DevEndpoints.WriteProblemAsync(context, new DevProblem(404, 404, "HTTP 404 Not Found")));
        try
        {
            await app.StartAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await app.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        string address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return new DevRegistry(app, address.TrimEnd('/'));
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync().ConfigureAwait(false);
        await _app.StopAsync(now.Token).ConfigureAwait(false);
        await _app.DisposeAsync().ConfigureAwait(false);
    }
}
