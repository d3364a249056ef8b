using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace PolicyStreams.Processor.Hosting;

/// <summary><c>/live</c>, <c>/ready</c>, and <c>/metrics</c>: for orchestrators and Prometheus.</summary>
public static class HealthEndpoints
{
    public static void MapProcessorHealth(this IEndpointRouteBuilder routes, ProcessorHost host)
    {
        routes.MapGet("/live", () => Results.Text("live\n"));

        // 200 where every task processes; 503 with the reasons, one a line, where something stands in the way.
        routes.MapGet("/ready", () =>
        {
            var text = new StringBuilder();
            if (host.Health.Ready) { text.Append("ready\n"); }
            foreach ((string component, string reason) in host.Health.Reasons.OrderBy(pair => pair.Key, StringComparer.Ordinal)) { text.Append(component).Append(": ").Append(reason).Append('\n'); }
            if (host.HoldsNotice.Length > 0) { text.Append("notice: ").Append(host.HoldsNotice).Append('\n'); }
            return Results.Text(text.ToString(), statusCode: host.Health.Ready ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
        });

        routes.MapGet("/metrics", () => Results.Text(host.Metrics.Write(), "text/plain; version=0.0.4"));
    }
}
