using System.Text;
using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Cel.Library;
using PolicyStreams.Tests;

namespace PolicyStreams.Rules.Tests.Cel;

/// <summary>Which texts are of a format, by the standard that the reference names.</summary>
public sealed class TextFormatsTests
{
    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string Repeat(string part, int count) => string.Concat(Enumerable.Repeat(part, count));

    // HTML: a label or dots in any place in front of the @, labels of letters, digits, and inner hyphens behind it.
    [Theory]
    [InlineData("ada@example.com", true)]
    [InlineData("a@b", true)]
    [InlineData("first.last+tag@sub.example.co.uk", true)]
    [InlineData(".!#$%&'*+/=?^_`{|}~-@x.y", true)]
    [InlineData("a..b.@x", true)]
    [InlineData("a@1.2.3.4", true)]
    [InlineData("a@x-y.z--z", true)]
    [InlineData("", false)]
    [InlineData("ada", false)]
    [InlineData("@example.com", false)]
    [InlineData("ada@", false)]
    [InlineData("a@b@c", false)]
    [InlineData("a b@c", false)]
    [InlineData("a@b c", false)]
    [InlineData(" a@b", false)]
    [InlineData("a@b\n", false)]
    [InlineData("\"a b\"@c", false)]
    [InlineData("a(comment)@b", false)]
    [InlineData("a,b@c", false)]
    [InlineData("a@-b", false)]
    [InlineData("a@b-", false)]
    [InlineData("a@b..c", false)]
    [InlineData("a@.b", false)]
    [InlineData("a@b.", false)]
    [InlineData("a@b_c", false)]
    [InlineData("a@[127.0.0.1]", false)]
    [InlineData("é@b", false)]
    [InlineData("a@é", false)]
    [InlineData("mailto:a@b", false)]
    public void IsEmail_IsHtmlsRule(string text, bool expected) => Assert.Equal(expected, TextFormats.IsEmail(Bytes(text)));

    [Theory]
    [InlineData(64, 3, 1, true)]
    [InlineData(65, 3, 1, false)]
    [InlineData(1, 63, 1, true)]
    [InlineData(1, 64, 1, false)]
    [InlineData(62, 63, 3, true)] // 62 + 1 + 3 * 63 + 2 = 254
    [InlineData(63, 63, 3, false)]
    public void IsEmail_AtItsBounds_StillHolds(int local, int label, int labels, bool expected) =>
        Assert.Equal(expected, TextFormats.IsEmail(Bytes(new string('a', local) + "@" + string.Join(".", Enumerable.Repeat(new string('b', label), labels)))));

    [Theory]
    // RFC 3986, 1.1.2.
    [InlineData("ftp://ftp.is.co.za/rfc/rfc1808.txt", true)]
    [InlineData("http://www.ietf.org/rfc/rfc2396.txt", true)]
    [InlineData("ldap://[2001:db8::7]/c=GB?objectClass?one", true)]
    [InlineData("mailto:John.Doe@example.com", true)]
    [InlineData("news:comp.infosystems.www.servers.unix", true)]
    [InlineData("tel:+1-816-555-1212", true)]
    [InlineData("telnet://192.0.2.16:80/", true)]
    [InlineData("urn:oasis:names:specification:docbook:dtd:xml:4.1.2", true)]
    // 5.4: what references come to, and references, which have no scheme of their own.
    [InlineData("g:h", true)]
    [InlineData("http://a/b/c/g;x=1/y?y#s", true)]
    [InlineData("http://a/b/c/d;p?q", true)]
    [InlineData("http://a/b/c/g?y/../x", true)]
    [InlineData("http://a/b/c/g#s/./x", true)]
    [InlineData("http:g", true)]
    [InlineData("http://g", true)]
    [InlineData("./g", false)]
    [InlineData("/g", false)]
    [InlineData("//g", false)]
    [InlineData("?y", false)]
    [InlineData("#s", false)]
    [InlineData("g;x=1/../y", false)]
    [InlineData("", false)]
    // Schemes.
    [InlineData("a:", true)]
    [InlineData("a+b-c.1:", true)]
    [InlineData(":a", false)]
    [InlineData("1a:b", false)]
    [InlineData("-a:b", false)]
    [InlineData("a_b:c", false)]
    [InlineData("é:c", false)]
    [InlineData("example.com", false)]
    // Authority: user, host, port, of which each may be empty.
    [InlineData("file:///etc/hosts", true)]
    [InlineData("http://", true)]
    [InlineData("http://:80/", true)]
    [InlineData("http://a:/", true)]
    [InlineData("http://user:pass:word@a:80/", true)]
    [InlineData("http://%41%2f.example/", true)]
    [InlineData("http://a!$&'()*+,;=b/", true)]
    [InlineData("http://999.1.1.1/", true)]
    [InlineData("http://a:port/", false)]
    [InlineData("http://a:80a", false)]
    [InlineData("http://a:80:81/", false)]
    [InlineData("http://a@b@c/", false)]
    [InlineData("http://a b/", false)]
    // An address in brackets, and no bracket elsewhere.
    [InlineData("http://[::1]", true)]
    [InlineData("http://u@[::ffff:192.0.2.1]:80?q", true)]
    [InlineData("http://[1:2:3:4:5:6:7:8]/", true)]
    [InlineData("http://[1:2:3:4:5:6:7::]/", true)]
    [InlineData("http://[::]:", true)]
    [InlineData("http://[v1.a:b]/", true)]
    [InlineData("http://[VF.~]/", true)]
    [InlineData("http://[zz]/", false)]
    [InlineData("http://[]/", false)]
    [InlineData("http://[::1", false)]
    [InlineData("http://::1]/", false)]
    [InlineData("http://]/", false)]
    [InlineData("http://a[b/", false)]
    [InlineData("http://a[::1]/", false)]
    [InlineData("http://[::1]a/", false)]
    [InlineData("http://[::1]:a/", false)]
    [InlineData("http://[[::1]]/", false)]
    [InlineData("http://[127.0.0.1]/", false)]
    [InlineData("http://[1:2:3:4:5:6:7:8:9]/", false)]
    [InlineData("http://[1::2::3]/", false)]
    [InlineData("http://[::12345]/", false)]
    [InlineData("http://[::1%25eth0]/", false)]
    [InlineData("http://[::1/64]/", false)]
    [InlineData("http://[::1.2.3.256]/", false)]
    [InlineData("http://[v.a]/", false)]
    [InlineData("http://[v1.]/", false)]
    [InlineData("http://[vg.a]/", false)]
    [InlineData("http://a/[b]", false)]
    [InlineData("http://a?[b]", false)]
    [InlineData("urn:[b]", false)]
    // Percent signs, and what must have one.
    [InlineData("urn:%c3%A9", true)]
    [InlineData("urn:é", false)]
    [InlineData("urn:%", false)]
    [InlineData("urn:%4", false)]
    [InlineData("urn:%4g", false)]
    [InlineData("urn:a b", false)]
    [InlineData("urn:a#b#c", false)]
    [InlineData("urn:a#b?c", true)]
    [InlineData("urn:a\\b", false)]
    [InlineData("urn:<a>", false)]
    [InlineData("urn:\"a\"", false)]
    [InlineData("urn:a^b", false)]
    [InlineData("urn:a|b", false)]
    [InlineData("urn:{a}", false)]
    [InlineData("urn:a\n", false)]
    public void IsUri_IsRfc3986(string text, bool expected) => Assert.Equal(expected, TextFormats.IsUri(Bytes(text)));

    [Theory]
    [InlineData("2f1c1c56-8f3a-4c1b-9d53-0a51c3d4e5f6", true)]
    [InlineData("2F1C1C56-8F3A-4C1B-9D53-0A51C3D4E5F6", true)]
    [InlineData("00000000-0000-0000-0000-000000000000", true)]
    [InlineData("", false)]
    [InlineData("2f1c1c56-8f3a-4c1b-9d53-0a51c3d4e5f", false)]
    [InlineData("2f1c1c56-8f3a-4c1b-9d53-0a51c3d4e5f67", false)]
    [InlineData("2f1c1c56-8f3a-4c1b-9d53-0a51c3d4e5fg", false)]
    [InlineData("2f1c1c56-8f3a-4c1b-9d530-a51c3d4e5f6", false)]
    [InlineData("2f1c1c56-8f3a-4c1b-9d53-0a51c3d4e5-6", false)]
    [InlineData("2f1c1c56_8f3a_4c1b_9d53_0a51c3d4e5f6", false)]
    [InlineData("2f1c1c568f3a4c1b9d530a51c3d4e5f6", false)]
    [InlineData("{2f1c1c56-8f3a-4c1b-9d53-0a51c3d4e5}", false)]
    [InlineData("urn:uuid:2f1c1c56-8f3a-4c1b-9d53-0a5", false)]
    [InlineData("éf1c1c56-8f3a-4c1b-9d53-0a51c3d4e5f", false)]
    public void IsUuid_IsThirtyTwoDigitsWithFourHyphens(string text, bool expected) => Assert.Equal(expected, TextFormats.IsUuid(Bytes(text)));

    [Theory]
    [InlineData("4111111111111111", true)]
    [InlineData("4111 1111-1111 1111", true)]
    [InlineData("79927398713", true)]
    [InlineData("6331101999990016", true)]
    [InlineData("4000000000000000006", true)]
    [InlineData("00", true)]
    [InlineData("18", true)]
    [InlineData("81", false)]
    [InlineData("4111111111111112", false)]
    [InlineData("1411111111111111", false)]
    [InlineData("79927398710", false)]
    [InlineData("", false)]
    [InlineData("0", false)]
    [InlineData(" - ", false)]
    [InlineData("0-", false)]
    [InlineData("4111x1111111111111", false)]
    [InlineData("4111.1111.1111.1111", false)]
    [InlineData("٠٠", false)]
    public void IsLuhn_IsASumOfZero(string text, bool expected) => Assert.Equal(expected, TextFormats.IsLuhn(Bytes(text)));

    [Theory]
    [InlineData("'10.0.0.0'.inCidr('10.0.0.0/8')", true)]
    [InlineData("'10.255.255.255'.inCidr('10.0.0.0/8')", true)]
    [InlineData("'11.0.0.0'.inCidr('10.0.0.0/8')", false)]
    [InlineData("'9.255.255.255'.inCidr('10.0.0.0/8')", false)]
    [InlineData("'10.0.0.127'.inCidr('10.0.0.1/25')", true)]
    [InlineData("'10.0.0.128'.inCidr('10.0.0.1/25')", false)]
    [InlineData("'1.2.3.4'.inCidr('0.0.0.0/0')", true)]
    [InlineData("'1.2.3.4'.inCidr('1.2.3.4/32')", true)]
    [InlineData("'1.2.3.5'.inCidr('1.2.3.4/32')", false)]
    [InlineData("'2001:db8:ffff::1'.inCidr('2001:db8::/32')", true)]
    [InlineData("'2001:db9::'.inCidr('2001:db8::/32')", false)]
    [InlineData("'2001:DB8:0:0:0:0:0:1'.inCidr('2001:db8::1/128')", true)]
    [InlineData("'::1'.inCidr('::/0')", true)]
    [InlineData("'10.0.0.1'.inCidr('::/0')", false)]
    [InlineData("'::1'.inCidr('0.0.0.0/0')", false)]
    [InlineData("'192.168.1.1'.inCidr(['10.0.0.0/8', '192.168.0.0/16'])", true)]
    [InlineData("'172.16.0.1'.inCidr(['10.0.0.0/8', '192.168.0.0/16'])", false)]
    [InlineData("'::1'.inCidr(['10.0.0.0/8', '::1/128'])", true)]
    [InlineData("'10.0.0.1'.inCidr([])", false)]
    // Not written as an address is: in none.
    [InlineData("'::ffff:10.0.0.1'.inCidr('10.0.0.0/8')", false)]
    [InlineData("'010.0.0.1'.inCidr('10.0.0.0/8')", false)]
    [InlineData("'10.0.0.1 '.inCidr('10.0.0.0/8')", false)]
    [InlineData("'10.0.0'.inCidr('10.0.0.0/8')", false)]
    [InlineData("'10.0.0.256'.inCidr('0.0.0.0/0')", false)]
    [InlineData("'fe80::1%eth0'.inCidr('::/0')", false)]
    [InlineData("''.inCidr('0.0.0.0/0')", false)]
    public void InCidr_IsTheAddressInTheNetwork(string expression, bool expected) => Assert.Equal((expected ? Truth.True : Truth.False, EvalError.None), Payments.Evaluate(expression, Payments.Sample()));

    [Theory]
    [InlineData("'10.0.0.1'.inCidr('10.0.0.0')")]
    [InlineData("'10.0.0.1'.inCidr('10.0.0.0/')")]
    [InlineData("'10.0.0.1'.inCidr('10.0.0.0/08')")]
    [InlineData("'10.0.0.1'.inCidr('10.0.0.0/33')")]
    [InlineData("'::1'.inCidr('::/129')")]
    [InlineData("'10.0.0.1'.inCidr(['10.0.0.0/8', 'ten'])")]
    public void InCidr_ANetworkThatIsNone_IsRefused(string expression)
    {
        var diagnostics = new List<CelDiagnostic>();
        Assert.Null(new ConditionCompiler(Payments.Type, Payments.Text, Payments.Plan()).Compile(expression, diagnostics));
        Assert.Equal(CelCodes.Constant, Assert.Single(diagnostics).Code);
    }

    // What is linear stays so: each is of the greatest size that a text can have.
    [Fact]
    public void AnyFormat_OfAMegabyte_AllocatesNothing()
    {
        byte[][] texts = [Bytes("http://[" + Repeat("1:", 500_000)), Bytes("http://" + Repeat("@", 1_000_000)), Bytes("a:" + Repeat("%41", 333_000)), Bytes(Repeat("4-", 500_000))];
        Assert.Equal(0, Allocated.By(() =>
        {
            foreach (byte[] text in texts) { _ = TextFormats.IsUri(text) | TextFormats.IsEmail(text) | TextFormats.IsUuid(text) | TextFormats.IsLuhn(text); }
        }));
    }
}
