using System.ComponentModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using PolicyStreams.ApprovalService.Auth;
using PolicyStreams.Processor.Holds;

namespace PolicyStreams.ApprovalService.Http;

/// <summary>All endpoints.</summary>
internal static class MapApprovalServiceExtensions
{
    private const int LimitDefault = 100;
    private const int LimitMax = 500;

    internal static void MapApprovalService(this IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder holds = routes.MapGroup("/holds").WithTags("holds").RequireAuthorization().AddEndpointFilter(RequireReady)
            .ProducesProblem(StatusCodes.Status401Unauthorized).ProducesProblem(StatusCodes.Status403Forbidden).ProducesProblem(StatusCodes.Status429TooManyRequests)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
        holds.MapGet("/", List).WithName("listHolds").WithSummary("Open holds that the caller may see, oldest first").ProducesProblem(StatusCodes.Status400BadRequest);
        holds.MapGet("/{id}", Show).WithName("showHold").WithSummary("One open hold with its masked view; its ETag names what a statement on it would speak of").ProducesProblem(StatusCodes.Status404NotFound);
        foreach (StatementVerdict verdict in new[] { StatementVerdict.Approve, StatementVerdict.Reject })
        {
            string word = verdict.Word();
            holds.MapPost("/{id}/" + word, (string id, Judgement judgement, [FromHeader(Name = "If-Match")] string? ifMatch, Caller caller, HoldDesk desk, CancellationToken cancellation) =>
                    State(verdict, id, judgement, ifMatch, caller, desk, cancellation))
                .WithName(word + "Hold").WithSummary($"Signs the caller's word to {word} the hold; answered once Kafka has it").Accepts<Judgement>("application/json")
                .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict)
                .ProducesProblem(StatusCodes.Status412PreconditionFailed).ProducesProblem(StatusCodes.Status413PayloadTooLarge).ProducesProblem(StatusCodes.Status415UnsupportedMediaType);
        }
        routes.MapGet("/live", () => TypedResults.Ok(new Health("live", []))).WithName("live").WithTags("health").AllowAnonymous();
        routes.MapGet("/ready", Ready).WithName("ready").WithTags("health").WithSummary("Whether all holds have been read").AllowAnonymous();
        routes.MapOpenApi().AllowAnonymous();
    }

    private static Results<Ok<HoldPage>, ProblemHttpResult> List(
        [Description("Only this binding's.")] string? binding,
        [Description("Only those that this group may approve.")] string? group,
        [Description("The `next` of the page before.")] string? after,
        [Description("Most holds in the page: 1 to 500, 100 where it is not given.")] int? limit,
        Caller caller,
        HoldDesk desk)
    {
        if (caller is { IsViewer: false, Groups.Count: 0 }) { return Problem.NoGroups.Result(); }
        if (limit is < 1 or > LimitMax) { return Problem.LimitOutOfRange.Result(); }
        HoldCursor place = default;
        if (after is not null && !HoldCursor.TryParse(after, out place)) { return Problem.CursorUnknown.Result(); }
        int count = limit ?? LimitDefault;

        // One more than asked for tells whether there is a next page.
        IReadOnlyList<OpenHold> found = desk.Page(caller, binding, group, after is null ? null : place, count + 1);
        string? next = found.Count > count ? HoldCursor.Of(found[count - 1]).ToString() : null;
        return TypedResults.Ok(new HoldPage([.. found.Take(count).Select(Shape.Summary)], next));
    }

    private static Results<Ok<HoldDetail>, ProblemHttpResult> Show(string id, Caller caller, HoldDesk desk, HttpResponse response)
    {
        if (desk.Find(caller, id) is not { } hold) { return Problem.NoSuchHold.Result(); }
        response.Headers.ETag = Tag(hold);
        return TypedResults.Ok(Shape.Detail(hold, HoldDesk.MayDecide(caller, hold)));
    }

    private static async Task<Results<Accepted<Stated>, ProblemHttpResult>> State(
        StatementVerdict verdict, string id, Judgement judgement, string? ifMatch, Caller caller, HoldDesk desk, CancellationToken cancellation)
    {
        if (desk.Find(caller, id) is not { } hold) { return Problem.NoSuchHold.Result(); }
        string? reason = judgement.Reason?.Trim();
        if (string.IsNullOrEmpty(reason)) { return Problem.ReasonMissing.Result(); }
        if (reason.Length > Statement.ReasonCharactersMax) { return Problem.ReasonTooLong.Result(); }
        if (!IsText(reason)) { return Problem.ReasonNotText.Result(); }
        if (ifMatch is not null && !Matches(ifMatch, Tag(hold))) { return Problem.VersionChanged.Result(); }
        if (judgement.View is not null && judgement.View != hold.State.ViewDigest) { return Problem.ViewChanged.Result(); }
        Stated stated = await desk.State(caller, hold, verdict, reason, cancellation).ConfigureAwait(false);
        return TypedResults.Accepted("/holds/" + Uri.EscapeDataString(id), stated);
    }

    private static Results<Ok<Health>, JsonHttpResult<Health>> Ready(HoldDesk desk) => desk.Status is { Ready: true } ready
        ? TypedResults.Ok(new Health("ready", ready.Reasons))
        : TypedResults.Json(new Health("not ready", desk.Status.Reasons), statusCode: StatusCodes.Status503ServiceUnavailable);

    private static async ValueTask<object?> RequireReady(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var desk = (HoldDesk)context.HttpContext.RequestServices.GetService(typeof(HoldDesk))!;
        return desk.IsReady ? await next(context).ConfigureAwait(false) : Problem.NotReady.Result();
    }

    private static bool IsText(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])) { i++; }
            else if (char.IsSurrogate(text[i]) || (char.IsControl(text[i]) && text[i] is not ('\n' or '\r' or '\t'))) { return false; }
        }
        return true;
    }

    private static string Tag(OpenHold hold) => $"\"{hold.Version}\"";

    // RFC 9110 section 13.1.1: a list of tags or `*`. A weak one never matches here.
    private static bool Matches(string ifMatch, string tag) => ifMatch.Split(',', StringSplitOptions.TrimEntries).Any(given => given == "*" || given == tag);
}
