using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace PolicyStreams.Processor.Native;

/// <summary>
/// The functions of librdkafka that the record path calls directly, as <c>rdkafka.h</c> declares them. They go to the very copy of the library that Confluent's client has loaded,
/// because a consumer's handle is shared with it.
/// </summary>
internal static unsafe partial class LibRdKafka
{
    private const string Name = "librdkafka";

    private static readonly Lazy<nint> Loaded = new(Load);

    static LibRdKafka() => NativeLibrary.SetDllImportResolver(typeof(LibRdKafka).Assembly, (name, _, _) => name == Name ? Loaded.Value : 0);

    /// <summary>True where the client's copy of the library was found, so that these functions may be called.</summary>
    public static bool IsAvailable => Loaded.Value != 0;

    /// <summary>The native handle of a client. Valid for as long as the client is not disposed.</summary>
    public static nint HandleOf(IClient client)
    {
        PropertyInfo property = typeof(Handle).GetProperty("LibrdkafkaHandle", BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public)
            ?? throw new NotSupportedException("This version of Confluent.Kafka does not show its native handle.");
        return ((SafeHandle)property.GetValue(client.Handle)!).DangerousGetHandle();
    }

    private static nint Load()
    {
        if (typeof(Handle).GetProperty("LibrdkafkaHandle", BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public) is null) { return 0; }

        // Asking for the version makes the client load its library, whichever of the variants it ships is right for this system.
        _ = Library.Version;
        using Process self = Process.GetCurrentProcess();
        string[] copies = [.. self.Modules.Cast<ProcessModule>().Select(module => module.FileName).Where(path => Path.GetFileName(path).Contains(Name, StringComparison.Ordinal)).Distinct(StringComparer.Ordinal)];
        return copies.Length == 1 && NativeLibrary.TryLoad(copies[0], out nint handle) ? handle : 0;
    }

    // Configuration.

    [LibraryImport(Name, EntryPoint = "rd_kafka_conf_new")]
    public static partial nint ConfNew();

    [LibraryImport(Name, EntryPoint = "rd_kafka_conf_destroy")]
    public static partial void ConfDestroy(nint conf);

    /// <returns>0 where the property was taken; else the reason is in <paramref name="error"/>.</returns>
    [LibraryImport(Name, EntryPoint = "rd_kafka_conf_set", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int ConfSet(nint conf, string name, string value, byte* error, nuint errorSize);

    [LibraryImport(Name, EntryPoint = "rd_kafka_conf_set_opaque")]
    public static partial void ConfSetOpaque(nint conf, nint opaque);

    [LibraryImport(Name, EntryPoint = "rd_kafka_conf_set_dr_msg_cb")]
    public static partial void ConfSetDeliveryCallback(nint conf, delegate* unmanaged[Cdecl]<nint, Message*, nint, void> callback);

    [LibraryImport(Name, EntryPoint = "rd_kafka_conf_set_error_cb")]
    public static partial void ConfSetErrorCallback(nint conf, delegate* unmanaged[Cdecl]<nint, int, byte*, nint, void> callback);

    [LibraryImport(Name, EntryPoint = "rd_kafka_conf_set_log_cb")]
    public static partial void ConfSetLogCallback(nint conf, delegate* unmanaged[Cdecl]<nint, int, byte*, byte*, void> callback);

    // Clients.

    /// <param name="type">0 for a producer.</param>
    /// <param name="conf">Taken over where this succeeds.</param>
    [LibraryImport(Name, EntryPoint = "rd_kafka_new")]
    public static partial nint New(int type, nint conf, byte* error, nuint errorSize);

    [LibraryImport(Name, EntryPoint = "rd_kafka_destroy")]
    public static partial void Destroy(nint client);

    [LibraryImport(Name, EntryPoint = "rd_kafka_opaque"), SuppressGCTransition]
    public static partial nint Opaque(nint client);

    [LibraryImport(Name, EntryPoint = "rd_kafka_poll")]
    public static partial int Poll(nint client, int timeoutMs);

    [LibraryImport(Name, EntryPoint = "rd_kafka_flush")]
    public static partial int Flush(nint client, int timeoutMs);

    [LibraryImport(Name, EntryPoint = "rd_kafka_outq_len")]
    public static partial int QueueLength(nint client);

    [LibraryImport(Name, EntryPoint = "rd_kafka_fatal_error")]
    public static partial int FatalError(nint client, byte* error, nuint errorSize);

    [LibraryImport(Name, EntryPoint = "rd_kafka_err2str"), SuppressGCTransition]
    public static partial byte* ErrorText(int code);

    // Topics.

    [LibraryImport(Name, EntryPoint = "rd_kafka_topic_new", StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint TopicNew(nint client, string topic, nint conf);

    [LibraryImport(Name, EntryPoint = "rd_kafka_topic_destroy")]
    public static partial void TopicDestroy(nint topic);

    [LibraryImport(Name, EntryPoint = "rd_kafka_topic_name"), SuppressGCTransition]
    public static partial byte* TopicName(nint topic);

    // Produce.

    /// <returns>0, or an error object that the caller destroys.</returns>
    [LibraryImport(Name, EntryPoint = "rd_kafka_produceva")]
    public static partial nint Produce(nint client, Argument* arguments, nuint count);

    [LibraryImport(Name, EntryPoint = "rd_kafka_headers_new")]
    public static partial nint HeadersNew(nuint initialCount);

    [LibraryImport(Name, EntryPoint = "rd_kafka_header_add")]
    public static partial int HeaderAdd(nint headers, byte* name, nint nameSize, byte* value, nint valueSize);

    [LibraryImport(Name, EntryPoint = "rd_kafka_headers_destroy")]
    public static partial void HeadersDestroy(nint headers);

    // Transactions. Each returns 0, or an error object that the caller destroys.

    [LibraryImport(Name, EntryPoint = "rd_kafka_init_transactions")]
    public static partial nint InitTransactions(nint client, int timeoutMs);

    [LibraryImport(Name, EntryPoint = "rd_kafka_begin_transaction")]
    public static partial nint BeginTransaction(nint client);

    [LibraryImport(Name, EntryPoint = "rd_kafka_send_offsets_to_transaction")]
    public static partial nint SendOffsets(nint client, nint offsets, NativeGroup groupMetadata, int timeoutMs);

    [LibraryImport(Name, EntryPoint = "rd_kafka_commit_transaction")]
    public static partial nint CommitTransaction(nint client, int timeoutMs);

    [LibraryImport(Name, EntryPoint = "rd_kafka_abort_transaction")]
    public static partial nint AbortTransaction(nint client, int timeoutMs);

    [LibraryImport(Name, EntryPoint = "rd_kafka_consumer_group_metadata")]
    public static partial nint GroupMetadata(nint consumer);

    [LibraryImport(Name, EntryPoint = "rd_kafka_consumer_group_metadata_destroy")]
    public static partial void GroupMetadataDestroy(nint metadata);

    [LibraryImport(Name, EntryPoint = "rd_kafka_topic_partition_list_new")]
    public static partial nint PartitionsNew(int size);

    [LibraryImport(Name, EntryPoint = "rd_kafka_topic_partition_list_add", StringMarshalling = StringMarshalling.Utf8)]
    public static partial PartitionOffset* PartitionsAdd(nint list, string topic, int partition);

    [LibraryImport(Name, EntryPoint = "rd_kafka_topic_partition_list_destroy")]
    public static partial void PartitionsDestroy(nint list);

    [LibraryImport(Name, EntryPoint = "rd_kafka_error_code")]
    public static partial int ErrorCode(nint error);

    [LibraryImport(Name, EntryPoint = "rd_kafka_error_string")]
    public static partial byte* ErrorString(nint error);

    [LibraryImport(Name, EntryPoint = "rd_kafka_error_is_fatal")]
    public static partial int ErrorIsFatal(nint error);

    [LibraryImport(Name, EntryPoint = "rd_kafka_error_is_retriable")]
    public static partial int ErrorIsRetriable(nint error);

    [LibraryImport(Name, EntryPoint = "rd_kafka_error_txn_requires_abort")]
    public static partial int ErrorRequiresAbort(nint error);

    [LibraryImport(Name, EntryPoint = "rd_kafka_error_destroy")]
    public static partial void ErrorDestroy(nint error);

    // Consume.

    [LibraryImport(Name, EntryPoint = "rd_kafka_queue_get_consumer")]
    public static partial nint ConsumerQueue(nint consumer);

    [LibraryImport(Name, EntryPoint = "rd_kafka_queue_destroy")]
    public static partial void QueueDestroy(nint queue);

    /// <returns>How many were put into <paramref name="messages"/>, -1 on failure. Each is the caller's to destroy.</returns>
    [LibraryImport(Name, EntryPoint = "rd_kafka_consume_batch_queue")]
    public static partial nint ConsumeBatch(nint queue, int timeoutMs, Message** messages, nuint size);

    [LibraryImport(Name, EntryPoint = "rd_kafka_consumer_poll")]
    public static partial Message* ConsumerPoll(nint consumer, int timeoutMs);

    [LibraryImport(Name, EntryPoint = "rd_kafka_message_destroy")]
    public static partial void MessageDestroy(Message* message);

    [LibraryImport(Name, EntryPoint = "rd_kafka_message_timestamp"), SuppressGCTransition]
    public static partial long MessageTimestamp(Message* message, int* type);

    /// <returns>0 where the message has headers, <c>_NOENT</c> where it has none. They belong to the message.</returns>
    [LibraryImport(Name, EntryPoint = "rd_kafka_message_headers")]
    public static partial int MessageHeaders(Message* message, nint* headers);

    [LibraryImport(Name, EntryPoint = "rd_kafka_header_get_all"), SuppressGCTransition]
    public static partial int HeaderAt(nint headers, nuint index, byte** name, byte** value, nuint* valueSize);

    [LibraryImport(Name, EntryPoint = "rd_kafka_message_errstr")]
    public static partial byte* MessageErrorText(Message* message);

    /// <summary>Makes an error object into an exception of the client's own kinds, and destroys it.</summary>
    public static KafkaException Exception(nint error)
    {
        var described = new Error((ErrorCode)ErrorCode(error), Marshal.PtrToStringUTF8((nint)ErrorString(error)) ?? "", ErrorIsFatal(error) != 0);
        bool requiresAbort = ErrorRequiresAbort(error) != 0;
        bool retriable = ErrorIsRetriable(error) != 0;
        ErrorDestroy(error);
        return requiresAbort ? new KafkaTxnRequiresAbortException(described) : retriable ? new KafkaRetriableException(described) : new KafkaException(described);
    }

    /// <summary>Throws what <see cref="Exception"/> makes of an error object; 0 is none.</summary>
    public static void Check(nint error)
    {
        if (error != 0) { throw Exception(error); }
    }

    /// <summary><c>rd_kafka_message_t</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Message
    {
        public int Error;
        public nint Topic;
        public int Partition;
        public byte* Payload;
        public nuint Length;
        public byte* Key;
        public nuint KeyLength;
        public long Offset;

        /// <summary>On a delivery report what was given with the record.</summary>
        public nint Opaque;
    }

    /// <summary><c>rd_kafka_topic_partition_t</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct PartitionOffset
    {
        public nint Topic;
        public int Partition;
        public long Offset;
        public nint Metadata;
        public nuint MetadataSize;
        public nint Opaque;
        public int Error;
        public nint Private;
    }

    /// <summary><c>rd_kafka_vu_t</c>: one tagged argument of <see cref="Produce"/>.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 72)]
    public struct Argument
    {
        [FieldOffset(0)]
        public ArgumentKind Kind;

        [FieldOffset(8)]
        public int Int;

        [FieldOffset(8)]
        public long Long;

        [FieldOffset(8)]
        public void* Pointer;

        [FieldOffset(16)]
        public nuint Size;
    }

    /// <summary><c>rd_kafka_vtype_t</c>.</summary>
    public enum ArgumentKind
    {
        Topic = 2,
        Partition = 3,
        Value = 4,
        Key = 5,
        Opaque = 6,
        Flags = 7,
        Timestamp = 8,
        Headers = 10,
    }
}
