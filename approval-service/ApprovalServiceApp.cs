using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using PolicyStreams.ApprovalService.Auth;
using PolicyStreams.ApprovalService.Http;
using PolicyStreams.Processor.Holds;

namespace PolicyStreams.ApprovalService;

/// <summary>The approval service: shows open holds to those who may decide them, and signs what they say. See docs/reference/approval-api.md.</summary>
public static class ApprovalServiceApp
{
    private const int BodyBytesMax = 16 * 1024;

    /// <summary>Builds the application; start it with <c>StartAsync</c> or <c>RunAsync</c>.</summary>
    /// <param name="signer">The service's own key. The caller disposes of it, of the view, and of the sink, after the application.</param>
    /// <param name="configure">For hosts that add logging or the like.</param>
    /// <exception cref="System.Security.Cryptography.CryptographicException">The certificate cannot be used.</exception>
    /// <exception cref="ArgumentException">The options have <see cref="ApprovalServiceOptions.Problems"/>.</exception>
    public static WebApplication Build(
        ApprovalServiceOptions options,
        IHoldView view,
        IStatementSink sink,
        StatementSigner signer,
        TimeProvider? time = null,
        Action<WebApplicationBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(view);
        ArgumentNullException.ThrowIfNull(sink);
        ArgumentNullException.ThrowIfNull(signer);
        if (options.Problems() is { Count: > 0 } problems) { throw new ArgumentException(string.Join(' ', problems), nameof(options)); }

        // Slim, and without the files and variables that a web application reads by itself: an option has one place.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "PolicyStreams.ApprovalService", EnvironmentName = Environments.Production });
        builder.WebHost.UseKestrelCore().UseUrls(options.Address).ConfigureKestrel(Limit);
        if (options.CertificateFile is not null)
        {
            var certificate = X509Certificate2.CreateFromPemFile(options.CertificateFile, options.CertificateKeyFile);
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(options.CertificateFile);
            builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.ConfigureHttpsDefaults(https => (https.ServerCertificate, https.ServerCertificateChain) = (certificate, chain)));
        }
        builder.Services.AddSingleton(options).AddSingleton(view).AddSingleton(sink).AddSingleton(signer).AddSingleton(time ?? TimeProvider.System);
        builder.Services.AddRoutingCore();
        builder.Services.Configure<RouteHandlerOptions>(route => route.ThrowOnBadRequest = true);
        builder.Services.ConfigureHttpJsonOptions(json => Configure(json.SerializerOptions));
        builder.Services.AddApprovalProblems().AddApprovalAuthentication(options).AddApprovalLimits(options).AddApprovalOpenApi();
        builder.Services.TryAddSingleton<HoldDesk>();
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);

        // The handlers' failures are told to callers as problems; the framework would log the exception, with what it quotes, on top.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Diagnostics", LogLevel.None);
        configure?.Invoke(builder);

        WebApplication app = builder.Build();
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.Use(static (context, next) =>
        {
            context.Response.Headers.CacheControl = "no-store";
            context.Response.Headers.XContentTypeOptions = "nosniff";
            return next(context);
        });
        app.UseRouting();
        app.UseAuthentication();
        app.UseRateLimiter();
        app.UseAuthorization();
        app.MapApprovalService();
        return app;
    }

    /// <summary>The JSON of requests and answers: names in snake case, unknown and repeated names refused.</summary>
    internal static void Configure(JsonSerializerOptions json)
    {
        json.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
        json.PropertyNameCaseInsensitive = false;
        json.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
        json.AllowDuplicateProperties = false;
        json.NumberHandling = JsonNumberHandling.Strict;
        json.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
        json.MaxDepth = 1024;
        json.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false));
    }

    private static void Limit(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = BodyBytesMax;
        kestrel.Limits.MaxRequestHeadersTotalSize = 32 * 1024;
        kestrel.Limits.MaxRequestHeaderCount = 64;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(60);
        kestrel.Limits.MaxConcurrentConnections = 1000;
    }
}
