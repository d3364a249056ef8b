using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;

namespace PolicyStreams.ApprovalService.Http;

/// <summary>The OpenAPI document at /openapi/v1.json.</summary>
internal static class OpenApi
{
    private const string Bearer = "bearer";

    internal static IServiceCollection AddApprovalOpenApi(this IServiceCollection services) => services.AddOpenApi("v1", options =>
    {
        options.AddDocumentTransformer(static (document, _, _) =>
        {
            document.Info = new OpenApiInfo
            {
                Title = "PolicyStreams approval service",
                Version = "v1",
                Description = "Open holds, and statements on them. The service signs what an approver says; the processor decides what it is worth.",
            };

            // Where it is served is the reader's to know; the address that the request came in by may be a proxy's inner one.
            document.Servers = [];
            document.Components ??= new OpenApiComponents();
            document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
            document.Components.SecuritySchemes[Bearer] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", BearerFormat = "JWT", Description = "An OIDC token with `sub` and groups." };
            foreach ((string path, IOpenApiPathItem item) in document.Paths)
            {
                if (item.Operations is null || !path.StartsWith("/holds", StringComparison.Ordinal)) { continue; }
                foreach (OpenApiOperation operation in item.Operations.Values) { operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Bearer, document)] = [] }]; }
            }
            return Task.CompletedTask;
        });
        options.AddSchemaTransformer(static (schema, context, _) =>
        {
            if (context.JsonTypeInfo.Type == typeof(RawJson))
            {
                schema.Type = null;
                schema.Properties = null;
                schema.Description = "Any JSON.";
            }
            return Task.CompletedTask;
        });
    });
}
