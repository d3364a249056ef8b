using System.Net;

namespace PolicyStreams.ApprovalService;

/// <summary>What the approval service needs to know beside its Kafka client, its view, and its key.</summary>
public sealed class ApprovalServiceOptions
{
    public const string DefaultAddress = "http://127.0.0.1:8480";

    /// <summary>Address to listen on. Default <c>http://127.0.0.1:8480</c>; port 0 takes a free one.</summary>
    public string Address { get; init; } = DefaultAddress;

    /// <summary>PEM file of the server's certificate, with its chain; needed for an HTTPS address, and for no other.</summary>
    public string? CertificateFile { get; init; }

    /// <summary>PEM file of the certificate's private key; by default it is in <see cref="CertificateFile"/>.</summary>
    public string? CertificateKeyFile { get; init; }

    /// <summary>Where the identity provider's <c>/.well-known/openid-configuration</c> is. HTTPS, unless it is on this machine's loopback.</summary>
    public required string Authority { get; init; }

    /// <summary>The <c>iss</c> that tokens must carry; by default <see cref="Authority"/>, without its final slash where it has one.</summary>
    public string? Issuer { get; init; }

    /// <summary>The <c>aud</c> that tokens must carry.</summary>
    public required string Audience { get; init; }

    /// <summary>Name of the claim that lists the caller's groups. Default <c>groups</c>.</summary>
    public string GroupsClaim { get; init; } = "groups";

    /// <summary>Name of the claim that lists the caller's roles. Default <c>roles</c>.</summary>
    public string RolesClaim { get; init; } = "roles";

    /// <summary>The role that sees every hold. It approves none. Default <c>policystreams-viewer</c>.</summary>
    public string ViewerRole { get; init; } = "policystreams-viewer";

    /// <summary>Requests a caller may make at once, before <see cref="RequestsPerSecond"/> holds. Default 60.</summary>
    public int RequestsBurst { get; init; } = 60;

    /// <summary>Requests a second that a caller may go on making. Default 20.</summary>
    public int RequestsPerSecond { get; init; } = 20;

    /// <summary>True only for the demo, which brings the dev issuer along. Everywhere else its tokens, and itself, are refused by name.</summary>
    public bool IsDemo { get; init; }

    internal string ExpectedIssuer => Issuer ?? Authority.TrimEnd('/');

    internal bool IsAuthorityLoopback => Uri.TryCreate(Authority, UriKind.Absolute, out Uri? uri) && uri.IsLoopback;

    /// <summary>Everything that is wrong, one sentence each, naming the option; empty where nothing is.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>();
        if (!Uri.TryCreate(Authority, UriKind.Absolute, out Uri? authority) || authority.Scheme is not ("https" or "http"))
        {
            problems.Add("`authority` is not an address: the identity provider's URL is expected, such as https://id.example.com/realms/payments.");
        }
        else if (authority.Scheme != "https" && !authority.IsLoopback)
        {
            problems.Add("`authority` is not HTTPS: whoever sits between could hand out keys of their own. Plain HTTP is taken on loopback only.");
        }
        if (string.IsNullOrWhiteSpace(Audience)) { problems.Add("`audience` is empty: without it tokens made for any other service would do."); }
        if (!Uri.TryCreate(Address, UriKind.Absolute, out Uri? address) || address.Scheme is not ("https" or "http")) { problems.Add("`http` is not an address such as http://127.0.0.1:8480."); }
        else if (address.Scheme == "https" != CertificateFile is not null)
        {
            problems.Add(CertificateFile is null ? "`http` is an HTTPS address: it needs `tls-certificate`." : "`tls-certificate` is given, but `http` is no HTTPS address.");
        }
        if (string.IsNullOrWhiteSpace(GroupsClaim)) { problems.Add("`groups-claim` is empty."); }
        if (RequestsBurst < 1 || RequestsPerSecond < 1) { problems.Add("`requests` must be 1 or more."); }
        if (!IsDemo && (ExpectedIssuer == Dev.DevIssuer.Issuer || Authority.TrimEnd('/') == Dev.DevIssuer.Issuer))
        {
            problems.Add("`authority` is the dev issuer, which gives anyone any name: it is for `policystreams demo` alone. Name a real OIDC issuer.");
        }
        return problems;
    }

    /// <summary>True where tokens and views would cross a network in the clear; a proxy in front may be what sees to that.</summary>
    public bool ListensInTheClearBeyondLoopback =>
        Uri.TryCreate(Address, UriKind.Absolute, out Uri? address) && address.Scheme == "http" && !address.IsLoopback && !(IPAddress.TryParse(address.Host, out IPAddress? ip) && IPAddress.IsLoopback(ip));
}
