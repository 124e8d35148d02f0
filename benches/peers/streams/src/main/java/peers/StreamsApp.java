package peers;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** The five rules with Kafka Streams: one store of wallets, exactly once. */
public final class StreamsApp {
    private static final String STORE = "wallets";

    /**
     * Arguments: bootstrap, application id, operations, decisions, geo folder, state folder, threads, commit ms,
     * memory or rocksdb.
     */
    public static void main(String[] args) throws IOException {
        Geo geo = new Geo(args[4]);
        boolean inMemory = args[8].equals("memory");
        Properties config = new Properties();
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
        config.put(StreamsConfig.STATE_DIR_CONFIG, args[5]);
        config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, args[6]);
        config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, args[7]);
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        config.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        config.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        config.put(StreamsConfig.consumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG), 6_000);
        config.put(StreamsConfig.consumerPrefix(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG), 1_000);
        config.put(StreamsConfig.consumerPrefix(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG), args[1] + "-a");
        config.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 128 * 1024);
        config.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        // A restart reads the changelog: larger steps, and segments small enough to be compacted soon.
        config.put(StreamsConfig.restoreConsumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);

        StoreBuilder<KeyValueStore<byte[], WalletState>> wallets = Stores.keyValueStoreBuilder(
                inMemory ? Stores.inMemoryKeyValueStore(STORE) : Stores.persistentKeyValueStore(STORE),
                Serdes.ByteArray(), serde())
                .withLoggingEnabled(Map.of("segment.bytes", "33554432", "min.cleanable.dirty.ratio", "0.2"));
        Topology topology = new Topology();
        Serde<byte[]> bytes = Serdes.ByteArray();
        topology.addSource("operations", bytes.deserializer(), bytes.deserializer(), args[2]);
        topology.addProcessor("rules", new ProcessorSupplier<byte[], byte[], byte[], byte[]>() {
            @Override
            public Processor<byte[], byte[], byte[], byte[]> get() {
                return new Decider(new Rules(geo));
            }

            @Override
            public Set<StoreBuilder<?>> stores() {
                return Set.of(inMemory ? wallets : wallets.withCachingEnabled());
            }
        }, "operations");
        topology.addSink("decisions", args[3], bytes.serializer(), bytes.serializer(), "rules");

        KafkaStreams streams = new KafkaStreams(topology, config);
        streams.setStateListener((now, before) -> System.out.println(System.currentTimeMillis() + " " + now));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
        streams.start();
    }

    private static Serde<WalletState> serde() {
        Serializer<WalletState> to = (topic, state) -> state == null ? null : state.encode();
        Deserializer<WalletState> from = (topic, bytes) -> bytes == null ? null : WalletState.decode(bytes);
        return Serdes.serdeFrom(to, from);
    }

    private static final class Decider implements Processor<byte[], byte[], byte[], byte[]> {
        private final Rules rules;
        private long sequence;
        private ProcessorContext<byte[], byte[]> context;
        private KeyValueStore<byte[], WalletState> wallets;

        Decider(Rules rules) {
            this.rules = rules;
        }

        @Override
        public void init(ProcessorContext<byte[], byte[]> context) {
            this.context = context;
            wallets = context.getStateStore(STORE);
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            Op op;
            try {
                op = Op.parse(record.value());
            } catch (IOException | RuntimeException error) {
                System.out.println("refused: " + error);
                return;
            }
            WalletState state = wallets.get(record.key());
            if (state == null) state = new WalletState();
            byte[] decision = rules.decide(state, op);
            if (decision == null) return;
            wallets.put(record.key(), state);
            if (Rules.FULL) {
                int shard = context.taskId().partition();
                String group = context.applicationId();
                String[] headers = Contract.headers(op.walletId, op.at, decision, shard, ++sequence, group);
                for (int i = 0; i < headers.length; i += 2) {
                    record.headers().add(headers[i], headers[i + 1].getBytes(StandardCharsets.UTF_8));
                }
            }
            context.forward(record.withValue(decision));
        }
    }
}
