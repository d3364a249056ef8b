using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;

namespace PolicyStreams.ApprovalService.Http;

/// <summary>An error as callers see it (RFC 9457): a stable code, a sentence, and how to mend it. Never anything that the caller sent or a record holds.</summary>
internal sealed record Problem(int Status, string Code, string Title, string Detail)
{
    private const string TypePrefix = "urn:policystreams:problem:";

    internal static Problem TokenMissing { get; } = new(401, "token-missing", "No bearer token", "Send a token of the configured identity provider as `Authorization: Bearer TOKEN`.");
    internal static Problem TokenInvalid { get; } = new(401, "token-invalid", "The token is not valid", "It is malformed, not signed by the configured identity provider with RS256, PS256, or ES256, or names no subject. Get a new one.");
    internal static Problem TokenExpired { get; } = new(401, "token-expired", "The token has expired", "Get a new one from the identity provider.");
    internal static Problem TokenForAnother { get; } = new(401, "token-audience", "The token is for another service", "Ask the identity provider for one with this service's audience.");
    internal static Problem TokenOfAnother { get; } = new(401, "token-issuer", "The token is of another issuer", "Get one from the identity provider that this service is configured with.");
    internal static Problem NoGroups { get; } = new(403, "no-groups", "The token names no groups", "Holds are shown to the groups that may approve them. Have the identity provider put groups into the claim that this service reads (`--groups-claim`), or the viewer role into its roles.");
    internal static Problem Unentitled { get; } = new(403, "unentitled", "You may see this hold, not decide it", "You are in none of the groups that its terms name.");
    internal static Problem OwnGroup { get; } = new(403, "own-group", "You are of the producer's own group", "The hold's terms leave the decision to others than those who produced the record.");
    internal static Problem NoSuchHold { get; } = new(404, "no-such-hold", "No such hold is open", "It has ended, never was, or is for other groups to decide.");
    internal static Problem NotFound { get; } = new(404, "not-found", "There is nothing here", "The document at /openapi/v1.json lists what there is.");
    internal static Problem MethodNotAllowed { get; } = new(405, "method", "Another method is expected here", "The document at /openapi/v1.json lists what there is.");
    internal static Problem Repeat { get; } = new(409, "repeat", "You have said so already", "Your statement counts. Others of the groups asked for may still have to approve.");
    internal static Problem ViewChanged { get; } = new(409, "view-changed", "The hold is not the one that you saw", "Look at it again, and decide on its present `view_digest`.");
    internal static Problem VersionChanged { get; } = new(412, "version-changed", "The hold is not the one that you saw", "Look at it again, and send its present `ETag` as `If-Match`.");
    internal static Problem BodyTooLarge { get; } = new(413, "body-too-large", "The request is too large", "A body may have 16 KiB.");
    internal static Problem NotJson { get; } = new(415, "not-json", "The body is not JSON", "Send `Content-Type: application/json`.");
    internal static Problem BodyMalformed { get; } = new(400, "body-malformed", "The request cannot be read", "The body is one JSON object with `reason` (a string) and, if wanted, `view` (a string), nothing else.");
    internal static Problem QueryMalformed { get; } = new(400, "query-malformed", "The query cannot be read", "`binding`, `group`, and `after` are texts, `limit` is a whole number.");
    internal static Problem ReasonMissing { get; } = new(400, "reason-missing", "A reason is required", "Say in `reason` why: 1 to 1000 characters.");
    internal static Problem ReasonTooLong { get; } = new(400, "reason-too-long", "The reason is too long", "`reason` may have 1000 characters.");
    internal static Problem ReasonNotText { get; } = new(400, "reason-not-text", "The reason is not plain text", "`reason` may hold no control characters but line ends and tabs.");
    internal static Problem CursorUnknown { get; } = new(400, "after-unknown", "`after` is no place in the list", "Hand back the `next` of the page before as it was given.");
    internal static Problem LimitOutOfRange { get; } = new(400, "limit-range", "`limit` is out of range", "It may be 1 to 500; 100 where it is not given.");
    internal static Problem TooManyRequests { get; } = new(429, "too-many-requests", "Too many requests", "Wait as many seconds as `Retry-After` says.");
    internal static Problem NotReady { get; } = new(503, "not-ready", "The service is not up to date with the holds", "It catches up by itself; /ready says why. Try again in a moment.");
    internal static Problem ProviderUnreachable { get; } = new(503, "provider-unreachable", "The identity provider cannot be reached", "Without its keys no token can be checked. Try again in a moment.");
    internal static Problem NotWritten { get; } = new(503, "not-written", "Kafka did not confirm the statement", "Say it again: should both have been written, one counts.");
    internal static Problem Internal { get; } = new(500, "internal", "The service failed", "The fault is the service's; its log has the trace id.");

    internal ProblemDetails Details => new() { Type = TypePrefix + Code, Title = Title, Status = Status, Detail = Detail, Extensions = { ["code"] = Code } };

    /// <summary>The answer of a typed endpoint.</summary>
    internal ProblemHttpResult Result() => TypedResults.Problem(Details);

    /// <summary>What a bare status of the framework's means.</summary>
    internal static Problem Of(int status) => status switch
    {
        StatusCodes.Status401Unauthorized => TokenMissing,
        StatusCodes.Status404NotFound => NotFound,
        StatusCodes.Status405MethodNotAllowed => MethodNotAllowed,
        StatusCodes.Status413PayloadTooLarge => BodyTooLarge,
        StatusCodes.Status415UnsupportedMediaType => NotJson,
        StatusCodes.Status429TooManyRequests => TooManyRequests,
        >= 400 and < 500 => BodyMalformed with { Status = status },
        _ => Internal,
    };

    internal static async Task Write(HttpContext context, Problem problem)
    {
        context.Response.StatusCode = problem.Status;
        await context.RequestServices.GetRequiredService<IProblemDetailsService>()
            .TryWriteAsync(new ProblemDetailsContext { HttpContext = context, ProblemDetails = problem.Details }).ConfigureAwait(false);
    }
}

/// <summary>Ends a request with a problem where no result can be returned.</summary>
internal sealed class ProblemException(Problem problem, Exception? inner = null) : Exception(problem.Title, inner)
{
    internal Problem Problem { get; } = problem;
}
