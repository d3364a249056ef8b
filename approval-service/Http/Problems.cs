using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace PolicyStreams.ApprovalService.Http;

/// <summary>Turns every failure into a <see cref="Problem"/>, also the framework's own bare statuses.</summary>
internal static partial class Problems
{
    internal static IServiceCollection AddApprovalProblems(this IServiceCollection services) =>
        services.AddProblemDetails(options => options.CustomizeProblemDetails = Complete).AddExceptionHandler<Handler>();

    private static void Complete(ProblemDetailsContext context)
    {
        if (context.ProblemDetails.Extensions.ContainsKey("code")) { return; }
        Problem problem = Problem.Of(context.ProblemDetails.Status ?? context.HttpContext.Response.StatusCode);
        context.ProblemDetails.Type = problem.Details.Type;
        context.ProblemDetails.Title = problem.Title;
        context.ProblemDetails.Detail = problem.Detail;
        context.ProblemDetails.Extensions["code"] = problem.Code;
    }

    [LoggerMessage(ApprovalServiceEvents.Failed, LogLevel.Error, "Request {TraceId} failed in {Where}: {Type}")]
    private static partial void Failed(ILogger logger, string traceId, string where, string type);

    private sealed class Handler(ILogger<Handler> logger) : IExceptionHandler
    {
        public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
        {
            Problem problem = exception switch
            {
                ProblemException known => known.Problem,
                BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest } when HttpMethods.IsGet(httpContext.Request.Method) => Problem.QueryMalformed,
                BadHttpRequestException bad => Problem.Of(bad.StatusCode),
                _ => Problem.Internal,
            };

            // The message may quote what was sent: type and place are enough to find the fault.
            if (problem == Problem.Internal) { Failed(logger, httpContext.TraceIdentifier, exception.TargetSite?.ToString() ?? "an unknown place", exception.GetType().Name); }
            await Problem.Write(httpContext, problem).ConfigureAwait(false);
            return true;
        }
    }
}
