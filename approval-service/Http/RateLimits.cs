using System.Globalization;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.DependencyInjection;
using PolicyStreams.ApprovalService.Auth;

namespace PolicyStreams.ApprovalService.Http;

/// <summary>A token bucket a person; callers without a valid token share one an address.</summary>
internal static class RateLimits
{
    internal static IServiceCollection AddApprovalLimits(this IServiceCollection services, ApprovalServiceOptions options) => services.AddRateLimiter(limiter =>
    {
        limiter.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(context =>
            IsHealth(context) ? RateLimitPartition.GetNoLimiter("health") : RateLimitPartition.GetTokenBucketLimiter(Partition(context, options), _ => Bucket(options)));
        limiter.OnRejected = static async (rejected, _) =>
        {
            TimeSpan wait = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out TimeSpan named) ? named : TimeSpan.FromSeconds(1);
            rejected.HttpContext.Response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            await Problem.Write(rejected.HttpContext, Problem.TooManyRequests).ConfigureAwait(false);
        };
    });

    private static bool IsHealth(HttpContext context) => context.Request.Path == "/live" || context.Request.Path == "/ready";

    private static string Partition(HttpContext context, ApprovalServiceOptions options) =>
        Caller.From(context.User, options) is { } caller ? $"person {caller.Issuer} {caller.Subject}" : $"address {context.Connection.RemoteIpAddress}";

    private static TokenBucketRateLimiterOptions Bucket(ApprovalServiceOptions options) => new()
    {
        TokenLimit = options.RequestsBurst,
        TokensPerPeriod = options.RequestsPerSecond,
        ReplenishmentPeriod = TimeSpan.FromSeconds(1),
        QueueLimit = 0,
    };
}
