using System.Text.Json;
using PolicyStreams.Faults.Tests.Lab;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Faults.Tests.Kafka;

/// <summary>A schema registry that is down, slow, or wrong: a pause, never a verdict.</summary>
internal static partial class FaultCatalogue
{
    private static Fault[] RegistryFaults =>
    [
        new("registry-cold", "the registry is down when the processor starts", false, RegistryColdAsync),
        new("registry-warm", "the registry goes down: known schemas go on, records of unknown ones wait", true, run => RegistryWarmAsync(run, HttpMode.Down)),
        new("registry-slow", "the registry answers after 2 s", false, run => RegistryWarmAsync(run, HttpMode.Slow)),
        new("registry-silent", "the registry takes requests and never answers", false, run => RegistryWarmAsync(run, HttpMode.Silent)),
        new("registry-wrong", "the registry answers with errors, pages of something else, and nonsense", false, run => RegistryWarmAsync(run, HttpMode.ServerError, HttpMode.Garbage, HttpMode.NotFoundPage)),
    ];

    private static async Task RegistryColdAsync(FaultRun run)
    {
        await using FaultLab lab = await FaultLab.OpenAsync();
        await lab.FeedAsync(200);
        run.RecoveryIs = "from the registry's return until every partition commits";
        for (int times = run.Times(3, 1); run.Injected < times; run.Injected++)
        {
            lab.RegistryWay.Mode = HttpMode.Down;
            ProcessorProcess processor = lab.Start("a", threads: 2);
            await lab.SaysAsync(processor, "registry");
            long before = lab.Watch.Decided;
            await Task.Delay(TimeSpan.FromSeconds(3));
            Assert.Equal(before, lab.Watch.Decided);
            lab.RegistryWay.Mode = HttpMode.Well;
            run.Recovered(await lab.Watch.RecoveredAsync(FaultLab.Now, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
            if (run.Injected < times - 1) { await lab.StopAllAsync(); }
        }

        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }

    private static async Task RegistryWarmAsync(FaultRun run, params HttpMode[] modes)
    {
        // Records of unknown schemas are of partition 0 alone: the others must not wait for it.
        static bool Known(JsonElement line) => line.GetProperty("case").GetString() != "unknown-schema" || line.GetProperty("partition").GetInt32() == 0;
        await using FaultLab lab = await FaultLab.OpenAsync();
        await lab.FeedAsync(200, take: Known);
        lab.Start("a", threads: 1);
        await lab.Watch.RecoveredAsync(FaultLab.Now, FaultLab.Deadline, () => lab.Said);
        run.RecoveryIs = "from the registry's return until every partition commits";
        foreach (HttpMode mode in modes)
        {
            int before = lab.RegistryWay.Injected;
            lab.RegistryWay.Mode = mode;
            await Eventually.TrueAsync(() => lab.RegistryWay.Injected > before, FaultLab.Deadline, () => "the registry was not asked\n" + lab.Said);

            // The other partitions go on for as long as it lasts.
            for (int i = 0; i < run.Times(5, 2); i++)
            {
                await Task.Delay(1000);
                await lab.RunningAsync(1, 2, 3);
            }

            lab.RegistryWay.Mode = HttpMode.Well;
            run.Recovered(await lab.Watch.RecoveredAsync(FaultLab.Now, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
        }

        run.Injected = lab.RegistryWay.Injected;
        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }
}
