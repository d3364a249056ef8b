using System.Security.Claims;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.Tokens;
using PolicyStreams.ApprovalService.Http;

namespace PolicyStreams.ApprovalService.Auth;

/// <summary>Bearer tokens: signed with an asymmetric key of the one issuer, for this audience, in their time.</summary>
internal static class Authentication
{
    /// <summary>No <c>none</c>, and nothing symmetric: a public key must never serve as a shared secret.</summary>
    private static readonly string[] Algorithms = [SecurityAlgorithms.RsaSha256, SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.RsaSsaPssSha256];

    internal static IServiceCollection AddApprovalAuthentication(this IServiceCollection services, ApprovalServiceOptions options)
    {
        services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme).AddJwtBearer(bearer => Configure(bearer, options));
        services.AddAuthorizationBuilder().SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build());
        return services;
    }

    private static void Configure(JwtBearerOptions bearer, ApprovalServiceOptions options)
    {
        bearer.Authority = options.Authority;
        bearer.RequireHttpsMetadata = !options.IsAuthorityLoopback;
        bearer.BackchannelTimeout = TimeSpan.FromSeconds(5);
        bearer.MapInboundClaims = false;
        bearer.IncludeErrorDetails = false;
        bearer.SaveToken = false;
        bearer.TokenValidationParameters = new TokenValidationParameters
        {
            ValidAlgorithms = Algorithms,
            RequireSignedTokens = true,
            RequireExpirationTime = true,
            ValidateLifetime = true,
            ClockSkew = TimeSpan.FromSeconds(30),
            ValidateAudience = true,
            RequireAudience = true,
            ValidAudience = options.Audience,
            ValidateIssuer = true,
            ValidateIssuerSigningKey = true,
            NameClaimType = "sub",
            RoleClaimType = options.RolesClaim,

            // The library would also take the issuer that the discovery document names: only the configured one counts.
            IssuerValidator = (issuer, _, _) => IsExpected(issuer, options)
                ? issuer
                : throw new SecurityTokenInvalidIssuerException("The issuer is not the configured one."),
        };
        bearer.Events = new JwtBearerEvents
        {
            OnMessageReceived = RequireProvider,
            OnTokenValidated = context => RequirePerson(context, options),
            OnChallenge = Challenge,
        };
    }

    private static bool IsExpected(string issuer, ApprovalServiceOptions options) =>
        (options.IsDemo || issuer != Dev.DevIssuer.Issuer)
        && (issuer == options.ExpectedIssuer || (options.Issuer is null && issuer == options.Authority));

    // Without the provider's keys every token looks forged; that is the provider's absence, not the caller's fault.
    private static async Task RequireProvider(MessageReceivedContext context)
    {
        if (context.Options.ConfigurationManager is null || !context.Request.Headers.Authorization.ToString().StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)) { return; }
        try
        {
            await context.Options.ConfigurationManager.GetConfigurationAsync(context.HttpContext.RequestAborted).ConfigureAwait(false);
        }
        catch (Exception unreachable) when (unreachable is not OperationCanceledException || !context.HttpContext.RequestAborted.IsCancellationRequested)
        {
            throw new ProblemException(Problem.ProviderUnreachable, unreachable);
        }
    }

    private static Task RequirePerson(TokenValidatedContext context, ApprovalServiceOptions options)
    {
        if (Caller.From(context.Principal ?? new ClaimsPrincipal(), options) is null) { context.Fail("The token names no subject."); }
        return Task.CompletedTask;
    }

    private static async Task Challenge(JwtBearerChallengeContext context)
    {
        context.HandleResponse();
        context.Response.StatusCode = StatusCodes.Status401Unauthorized;
        bool wasGiven = context.AuthenticateFailure is not null;

        // RFC 6750: the error is named only to callers who did bring a token.
        context.Response.Headers.WWWAuthenticate = wasGiven ? "Bearer error=\"invalid_token\"" : "Bearer";
        await Problem.Write(context.HttpContext, wasGiven ? TokenProblem(context.AuthenticateFailure!) : Problem.TokenMissing).ConfigureAwait(false);
    }

    private static Problem TokenProblem(Exception failure) => failure switch
    {
        SecurityTokenExpiredException => Problem.TokenExpired,
        SecurityTokenInvalidAudienceException => Problem.TokenForAnother,
        SecurityTokenInvalidIssuerException => Problem.TokenOfAnother,
        _ => Problem.TokenInvalid,
    };
}
