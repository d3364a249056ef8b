using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Evaluation;

namespace PolicyStreams.Rules.Cel.Library;

internal static partial class StandardLibrary
{
    private static void AddNetwork(FunctionTable table)
    {
        table.Add("ip", "(string)ip", a => IpValue.TryParse((string)a[0]!, out IpValue? ip) ? ip : ErrorValue.Conversion);
        table.Add("isIP", "(string)bool", a => Bool(IpValue.TryParse((string)a[0]!, out _)));
        table.Add("ip.isCanonical", "(string)bool", a => IpValue.TryParse((string)a[0]!, out IpValue? ip) ? Bool(ip!.ToString() == (string)a[0]!) : ErrorValue.Conversion);
        table.Add("family", "ip.()int", a => ((IpValue)a[0]!).IsV4 ? 4L : 6L);
        table.Add("isUnspecified", "ip.()bool", a => Bool(((IpValue)a[0]!).IsUnspecified));
        table.Add("isLoopback", "ip.()bool", a => Bool(((IpValue)a[0]!).IsLoopback));
        table.Add("isGlobalUnicast", "ip.()bool", a => Bool(((IpValue)a[0]!).IsGlobalUnicast));
        table.Add("isLinkLocalMulticast", "ip.()bool", a => Bool(((IpValue)a[0]!).IsLinkLocalMulticast));
        table.Add("isLinkLocalUnicast", "ip.()bool", a => Bool(((IpValue)a[0]!).IsLinkLocalUnicast));
        table.Add("cidr", "(string)cidr", a => CidrValue.TryParse((string)a[0]!, out CidrValue? cidr) ? cidr : ErrorValue.Conversion);
        table.Add("isCIDR", "(string)bool", a => Bool(CidrValue.TryParse((string)a[0]!, out _)));
        table.Add("containsIP", "cidr.(ip)bool", a => Bool(((CidrValue)a[0]!).Contains((IpValue)a[1]!)));
        table.Add("containsIP", "cidr.(string)bool", a => IpValue.TryParse((string)a[1]!, out IpValue? ip) ? Bool(((CidrValue)a[0]!).Contains(ip!)) : ErrorValue.Conversion);
        table.Add("containsCIDR", "cidr.(cidr)bool", a => Bool(((CidrValue)a[0]!).Contains((CidrValue)a[1]!)));
        table.Add("containsCIDR", "cidr.(string)bool", a => CidrValue.TryParse((string)a[1]!, out CidrValue? cidr) ? Bool(((CidrValue)a[0]!).Contains(cidr!)) : ErrorValue.Conversion);
        table.Add("ip", "cidr.()ip", a => ((CidrValue)a[0]!).Ip);
        table.Add("masked", "cidr.()cidr", a => a[0] is CidrValue cidr ? cidr with { Ip = cidr.Ip.Masked(cidr.Prefix) } : ErrorValue.Type);
        table.Add("prefixLength", "cidr.()int", a => (long)((CidrValue)a[0]!).Prefix);
        table.Add("string", "(ip)string; (cidr)string", a => a[0]!.ToString());
    }
}
