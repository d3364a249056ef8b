using System.Diagnostics.CodeAnalysis;
using System.Security.Claims;
using Microsoft.AspNetCore.Http;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Rules;

namespace PolicyStreams.ApprovalService.Auth;

/// <summary>Who is asking, from a token that was checked.</summary>
[SuppressMessage("Performance", "CA1812:Avoid uninstantiated internal classes", Justification = "Made by parameter binding.")]
internal sealed class Caller
{
    internal const int NameCharactersMax = 1024;

    private Caller(string issuer, string subject, IReadOnlyList<string> groups, bool isViewer)
    {
        Issuer = issuer;
        Subject = subject;
        Groups = groups;
        IsViewer = isViewer;
    }

    internal string Issuer { get; }

    internal string Subject { get; }

    internal IReadOnlyList<string> Groups { get; }

    /// <summary>Sees every hold.</summary>
    internal bool IsViewer { get; }

    /// <summary>Null where the claims name no person; a token that passed has one.</summary>
    internal static Caller? From(ClaimsPrincipal user, ApprovalServiceOptions options)
    {
        if (user.FindFirst("iss")?.Value is not { Length: > 0 and <= NameCharactersMax } issuer || user.FindFirst("sub")?.Value is not { Length: > 0 and <= NameCharactersMax } subject) { return null; }
        string[] groups = [.. user.FindAll(options.GroupsClaim).Select(claim => claim.Value).Where(group => group.Length is > 0 and <= NameCharactersMax).Distinct(StringComparer.Ordinal)];
        return new Caller(issuer, subject, groups, user.HasClaim(options.RolesClaim, options.ViewerRole));
    }

    /// <summary>Lets endpoints take the caller as a parameter. Called behind authorization only.</summary>
    public static ValueTask<Caller?> BindAsync(HttpContext context) =>
        ValueTask.FromResult(From(context.User, (ApprovalServiceOptions)context.RequestServices.GetService(typeof(ApprovalServiceOptions))!));

    internal bool MaySee(OpenHold hold) => IsViewer || hold.State.Terms.Any(terms => terms.Approvers.Any(Groups.Contains));

    /// <summary>
    /// Of the caller's groups those that the producer or the terms name: what the processor needs to judge, and no more of a person than that.
    /// The producer's come first: where a statement cannot hold all, it is entitlement that suffers.
    /// </summary>
    internal IReadOnlyList<string> GroupsThatMatter(HoldState hold) =>
        [.. Groups.Where(hold.Principal.Groups.Contains)
            .Concat(Groups.Where(group => !hold.Principal.Groups.Contains(group) && hold.Terms.Any((HoldTerms terms) => terms.Approvers.Contains(group))))
            .Take(Statement.GroupsMax)];
}
