using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace PolicyStreams.Processor.Native;

/// <summary>A consumer's group metadata as it was when it was captured: member, generation, instance.</summary>
internal sealed class NativeGroup : SafeHandle, IConsumerGroupMetadata
{
    private NativeGroup(nint metadata)
        : base(0, ownsHandle: true) => SetHandle(metadata);

    public override bool IsInvalid => handle == 0;

    /// <exception cref="KafkaException">The consumer is in no group.</exception>
    public static NativeGroup Of(nint consumer)
    {
        nint metadata = LibRdKafka.GroupMetadata(consumer);
        return metadata != 0 ? new NativeGroup(metadata) : throw new KafkaException(new Error(ErrorCode.Local_State, "The consumer is in no group."));
    }

    protected override bool ReleaseHandle()
    {
        LibRdKafka.GroupMetadataDestroy(handle);
        return true;
    }
}
