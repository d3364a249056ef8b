using PolicyStreams.Processor.Holds;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Tests.Holds;

public sealed class HoldTallyTests
{
    private const long InTime = HoldSamples.Decided + 60_000;

    [Fact]
    public void Standing_QuorumOfTwo_IsMetByTwoPeopleOnly()
    {
        HoldState hold = HoldSamples.Hold();
        hold = Count(hold, HoldSamples.Says(hold, "ann"));
        Assert.Equal(HoldStanding.Open, HoldTally.Standing(hold));
        Assert.Equal(1, HoldTally.Progress(hold).Single().Approved);
        hold = Count(hold, HoldSamples.Says(hold, "ben"));
        Assert.Equal(HoldStanding.Met, HoldTally.Standing(hold));
    }

    [Fact]
    public void Check_SamePersonAgain_IsARepeat()
    {
        HoldState hold = HoldSamples.Hold();
        hold = Count(hold, HoldSamples.Says(hold, "ann"));
        Assert.Equal(TallyOutcome.Repeat, Check(hold, HoldSamples.Says(hold, "ann")));
    }

    [Fact]
    public void Check_SameSubjectOfAnotherIssuer_IsAnotherPerson()
    {
        HoldState hold = HoldSamples.Hold();
        hold = Count(hold, HoldSamples.Says(hold, "ann"));
        hold = Count(hold, HoldSamples.Says(hold, "ann", issuer: "https://other.example"));
        Assert.Equal(HoldStanding.Met, HoldTally.Standing(hold));
    }

    [Fact]
    public void Check_RejectAfterOwnApprove_CountsAndRefuses()
    {
        HoldState hold = HoldSamples.Hold();
        hold = Count(hold, HoldSamples.Says(hold, "ann"));
        hold = Count(hold, HoldSamples.Says(hold, "ann", StatementVerdict.Reject));
        Assert.Equal(HoldStanding.Rejected, HoldTally.Standing(hold));
    }

    [Fact]
    public void Standing_OneReject_OutweighsAMetQuorum()
    {
        HoldState hold = HoldSamples.Hold();
        hold = Count(hold, HoldSamples.Says(hold, "ann"));
        hold = Count(hold, HoldSamples.Says(hold, "ben"));
        hold = Count(hold, HoldSamples.Says(hold, "cam", StatementVerdict.Reject));
        Assert.Equal(HoldStanding.Rejected, HoldTally.Standing(hold));
    }

    [Fact]
    public void Standing_TwoTerms_NeedBothAndOnePersonMayServeBoth()
    {
        HoldState hold = HoldSamples.Hold(HoldSamples.Large with { Quorum = 1 }, HoldSamples.Steward);
        HoldState byRisk = Count(hold, HoldSamples.Says(hold, "ann", groups: "risk"));
        Assert.Equal(HoldStanding.Open, HoldTally.Standing(byRisk));
        Assert.Equal(HoldStanding.Met, HoldTally.Standing(Count(byRisk, HoldSamples.Says(hold, "ben", groups: "risk-leads"))));
        Assert.Equal(HoldStanding.Met, HoldTally.Standing(Count(hold, HoldSamples.Says(hold, "ann", groups: ["data-platform", "risk"]))));
    }

    [Theory]
    [InlineData(StatementVerdict.Approve)]
    [InlineData(StatementVerdict.Reject)]
    public void Check_InNoGroupAskedFor_IsUnentitled(StatementVerdict verdict)
    {
        HoldState hold = HoldSamples.Hold();
        Assert.Equal(TallyOutcome.Unentitled, Check(hold, HoldSamples.Says(hold, "eve", verdict, groups: "Risk")));
    }

    [Fact]
    public void Check_MemberOfTheProducersGroup_IsOwnGroup()
    {
        HoldState hold = HoldSamples.Hold();
        Assert.Equal(TallyOutcome.OwnGroup, Check(hold, HoldSamples.Says(hold, "pat", groups: ["risk", "payments-producers"])));
    }

    [Fact]
    public void Check_TheProducerInPerson_IsOwnGroup()
    {
        HoldState hold = HoldSamples.Hold() with { Principal = new Principal("ann", [], "oidc", OwnGroups: true) };
        Assert.Equal(TallyOutcome.OwnGroup, Check(hold, HoldSamples.Says(hold, "ann")));
    }

    [Fact]
    public void Check_OwnGroupMayApprove_Counts()
    {
        HoldState hold = HoldSamples.Hold(HoldSamples.Large with { Quorum = 1, OwnGroupMayApprove = true });
        hold = Count(hold, HoldSamples.Says(hold, "pat", groups: ["risk", "payments-producers"]));
        Assert.Equal(HoldStanding.Met, HoldTally.Standing(hold));
    }

    [Fact]
    public void Standing_OwnGroupUnderOneTermOnly_DoesNotMeetTheOther()
    {
        HoldState hold = HoldSamples.Hold(HoldSamples.Large with { Quorum = 1, OwnGroupMayApprove = true }, HoldSamples.Large with { Rule = "strict", Quorum = 1 });
        hold = Count(hold, HoldSamples.Says(hold, "pat", groups: ["risk", "payments-producers"]));
        Assert.Equal([1, 0], HoldTally.Progress(hold).Select(term => term.Approved));
        Assert.Equal(HoldStanding.Open, HoldTally.Standing(hold));
    }

    [Theory]
    [InlineData(-1, TallyOutcome.Counted)]
    [InlineData(0, TallyOutcome.Late)]
    [InlineData(1, TallyOutcome.Late)]
    public void Check_AroundExpiry_IsLateFromThatInstantOn(int afterMs, TallyOutcome expected)
    {
        HoldState hold = HoldSamples.Hold();
        Assert.Equal(expected, HoldTally.Check(hold, HoldSamples.Says(hold, "ann"), hold.Id, hold.ExpiresMs!.Value + afterMs));
    }

    [Fact]
    public void Check_OtherDigest_IsAMismatch()
    {
        HoldState hold = HoldSamples.Hold();
        string other = HoldState.DigestOf("other"u8);
        Assert.Equal(TallyOutcome.DigestMismatch, Check(hold, HoldSamples.Says(hold, "ann") with { Policy = other }));
        Assert.Equal(TallyOutcome.DigestMismatch, Check(hold, HoldSamples.Says(hold, "ann") with { View = other }));
        Assert.Equal(TallyOutcome.DigestMismatch, Check(hold, HoldSamples.Says(hold, "ann") with { Record = other }));
        Assert.Equal(TallyOutcome.DigestMismatch, Check(hold, HoldSamples.Says(hold, "ann") with { Record = null }));
    }

    [Fact]
    public void Check_StatementUnderAnotherKey_IsTheWrongHold()
    {
        HoldState hold = HoldSamples.Hold();
        Assert.Equal(TallyOutcome.WrongHold, HoldTally.Check(hold, HoldSamples.Says(hold, "ann"), "raw.payments-0-43", InTime));
        Assert.Equal(TallyOutcome.WrongHold, Check(hold, HoldSamples.Says(hold, "ann") with { Hold = "raw.payments-0-43" }));
    }

    [Fact]
    public void Standing_StoredRepeats_AreOnePerson()
    {
        HoldState hold = HoldSamples.Hold();
        Statement once = HoldSamples.Says(hold, "ann");
        hold = HoldTally.Add(HoldTally.Add(hold, once, 1, InTime), once, 2, InTime);
        Assert.Equal(HoldStanding.Open, HoldTally.Standing(hold));
    }

    [Theory]
    [InlineData(TallyOutcome.OwnGroup, "own-group")]
    [InlineData(TallyOutcome.DigestMismatch, "digest-mismatch")]
    public void Code_Outcome_IsKebabCase(TallyOutcome outcome, string expected) => Assert.Equal(expected, outcome.Code());

    private static TallyOutcome Check(HoldState hold, Statement statement) => HoldTally.Check(hold, statement, hold.Id, InTime);

    private static HoldState Count(HoldState hold, Statement statement)
    {
        Assert.Equal(TallyOutcome.Counted, Check(hold, statement));
        return HoldTally.Add(hold, statement, hold.Statements.Count, InTime);
    }
}
